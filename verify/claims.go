package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Claims is what an accepted access token says (RFC 9068 section 2.2).
type Claims struct {
	Issuer    string   // iss
	Subject   string   // sub: the user's id, or the client's where no user is involved
	ClientID  string   // client_id: the client that asked for the token
	SessionID string   // sid: the user's session, empty for a service
	Audience  []string // aud
	Scopes    []string // scope, taken apart
	ID        string   // jti

	IssuedAt  time.Time // iat
	NotBefore time.Time // nbf; zero where there is none
	ExpiresAt time.Time // exp

	// Raw is the claims as they were signed, for what has no field here.
	Raw json.RawMessage

	// What the token is bound to (cnf): the thumbprint of a DPoP key (jkt, RFC 9449
	// section 6.1), of a TLS client certificate (x5t#S256, RFC 8705 section 3.1), or
	// nothing.
	KeyThumbprint, CertificateThumbprint string

	bound bool // cnf is there: only the holder of a key may use it
}

// HasScope reports whether the token carries the scope.
func (c *Claims) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// IsService reports whether a client acts for itself, and no user is involved
// (RFC 9068 section 2.2: then the subject is the client).
func (c *Claims) IsService() bool { return c.Subject == c.ClientID }

// confirmation reads cnf (RFC 7800 section 3.1). A way of holding a key that is
// not known here cannot be checked, and so the token is nobody's.
func (c *Claims) confirmation(value []byte) bool {
	known := false
	err := members(value, func(name string, value []byte) (ok bool) {
		switch name {
		case "jkt":
			c.KeyThumbprint, ok = asString(value)
			ok = ok && c.KeyThumbprint != ""
		case "x5t#S256":
			c.CertificateThumbprint, ok = asString(value)
			ok = ok && c.CertificateThumbprint != ""
		}
		known = ok
		return ok
	})
	return err == nil && known
}

// decodeClaims reads the payload of a token whose signature is right. Every
// name counts once and in its exact letters; every required claim must be
// there and of its type.
func decodeClaims(payload []byte) (*Claims, error) {
	c := &Claims{Raw: payload}
	err := members(payload, func(name string, value []byte) (ok bool) {
		switch name {
		case "iss":
			c.Issuer, ok = asString(value)
		case "sub":
			c.Subject, ok = asString(value)
		case "client_id":
			c.ClientID, ok = asString(value)
		case "sid":
			c.SessionID, ok = asString(value)
		case "jti":
			c.ID, ok = asString(value)
		case "aud":
			c.Audience, ok = asStrings(value)
		case "scope":
			var scope string
			scope, ok = asString(value)
			c.Scopes = strings.Fields(scope)
		case "exp":
			c.ExpiresAt, ok = asTime(value)
		case "iat":
			c.IssuedAt, ok = asTime(value)
		case "nbf":
			c.NotBefore, ok = asTime(value)
		case "cnf":
			c.bound, ok = true, c.confirmation(value)
		default:
			ok = true
		}
		return ok
	})
	switch {
	case err != nil:
		return nil, err
	case c.Issuer == "", c.Subject == "", c.ClientID == "", c.ID == "", len(c.Audience) == 0,
		c.ExpiresAt.IsZero(), c.IssuedAt.IsZero():
		return nil, refuse("it lacks one of iss, sub, client_id, jti, aud, exp, iat")
	}
	return c, nil
}
