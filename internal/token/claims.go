package token

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone"
)

// Claims are what an access token states (RFC 9068 section 2.2), whether it is
// a JWT or a row.
type Claims struct {
	Issuer    string
	Audiences []string
	Subject   string // user id, or the client's own id
	ClientID  string
	Scopes    []string         // sorted
	SessionID string           // sid; empty for a client's own token
	GrantID   string           // gid: the refresh token family that ends it; empty for a client's own token
	Details   keystone.Details // RFC 9396 section 9.1
	Act       *Act             // who acts for the subject; nil: nobody else
	JTI       string
	IssuedAt  time.Time
	ExpiresAt time.Time
	Bound     keystone.Confirmation // cnf: the key that whoever presents it must hold
}

// UserID returns the user the token speaks for, or "" where a client speaks for
// itself.
func (c *Claims) UserID() string {
	if c.Subject == c.ClientID {
		return ""
	}
	return c.Subject
}

// appendJSON writes the JWT claims set. scopes and type repeat scope and typ for
// resource servers that read those names.
func (c *Claims) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"iss":`...), c.Issuer)
	b = appendStrings(append(b, `,"aud":`...), c.Audiences)
	b = appendString(append(b, `,"sub":`...), c.Subject)
	b = strconv.AppendInt(append(b, `,"exp":`...), c.ExpiresAt.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"iat":`...), c.IssuedAt.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"nbf":`...), c.IssuedAt.Unix(), 10)
	b = appendString(append(b, `,"jti":`...), c.JTI)
	b = appendString(append(b, `,"client_id":`...), c.ClientID)
	b = append(b, `,"scope":"`...)
	for i, s := range c.Scopes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, s...) // scope names have no quotes or backslashes
	}
	b = appendStrings(append(b, `","scopes":`...), c.Scopes)
	b = append(b, `,"type":"access"`...)
	if c.SessionID != "" {
		b = appendString(append(b, `,"sid":`...), c.SessionID)
	}
	if c.GrantID != "" {
		b = appendString(append(b, `,"gid":`...), c.GrantID)
	}
	if !c.Bound.IsZero() {
		b = AppendConfirmation(append(b, `,"cnf":`...), c.Bound)
	}
	if c.Act != nil {
		b = c.Act.AppendJSON(append(b, `,"act":`...))
	}
	if len(c.Details) > 0 {
		b = c.Details.AppendJSON(append(b, `,"authorization_details":`...))
	}
	return append(b, '}')
}

// AppendConfirmation appends the JSON object of cnf (RFC 7800 section 3.1).
func AppendConfirmation(b []byte, c keystone.Confirmation) []byte {
	b = append(b, '{')
	if c.JKT != "" {
		b = appendString(append(b, `"jkt":`...), c.JKT)
	}
	if c.X5T != "" {
		if c.JKT != "" {
			b = append(b, ',')
		}
		b = appendString(append(b, `"x5t#S256":`...), c.X5T)
	}
	return append(b, '}')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString writes a JSON string. Ours are printable ASCII; anything else
// goes the long way.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			long, _ := json.Marshal(s) // strings always encode
			return append(b, long...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// claimsJSON is the claims set as it is read back.
type claimsJSON struct {
	Issuer    string   `json:"iss"`
	Audiences audience `json:"aud"`
	Subject   string   `json:"sub"`
	Expires   int64    `json:"exp"`
	Issued    int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	JTI       string   `json:"jti"`
	ClientID  string   `json:"client_id"`
	Scopes    []string `json:"scopes"`
	SessionID string   `json:"sid"`
	GrantID   string   `json:"gid"`
	Bound     *struct {
		JKT string `json:"jkt"`
		X5T string `json:"x5t#S256"`
	} `json:"cnf"`
	Act     *Act             `json:"act"`
	Details keystone.Details `json:"authorization_details"`
}

// audience is a string or a list of strings (RFC 7519 section 4.1.3), and
// nothing else.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var one string
		err := json.Unmarshal(b, &one)
		*a = audience{one}
		return err
	}
	if len(b) == 0 || b[0] != '[' {
		return errors.New("aud is neither a string nor a list")
	}
	return json.Unmarshal(b, (*[]string)(a))
}
