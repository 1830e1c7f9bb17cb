package token

import (
	"errors"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone"
)

// TokenResponse is the JSON answer with tokens (RFC 6749 section 5.1).
type TokenResponse struct {
	AccessToken  string           `json:"access_token" doc:"Send it as Authorization: token_type, a space, and this."`
	RefreshToken string           `json:"refresh_token,omitempty" doc:"Good once: each use answers with the next one."`
	IDToken      string           `json:"id_token,omitempty" doc:"Who signed in (OpenID Connect Core section 2)."`
	TokenType    string           `json:"token_type" enum:"Bearer,DPoP" doc:"DPoP where the access token is bound to the key of a proof (RFC 9449 section 5)."`
	ExpiresIn    int64            `json:"expires_in" doc:"Seconds until the access token expires."`
	Scope        string           `json:"scope" doc:"The granted scopes, separated by spaces."`
	Details      keystone.Details `json:"authorization_details,omitempty" doc:"The granted authorization details (RFC 9396 section 7)."`
	JTI          string           `json:"jti" doc:"Id of the access token."`
	IssuedType   string           `json:"issued_token_type,omitempty" doc:"Of a token exchange (RFC 8693 section 2.2.1)."`
}

// Body returns the answer's JSON form.
func (r Response) Body() TokenResponse {
	return TokenResponse{AccessToken: r.AccessToken, RefreshToken: r.RefreshToken, IDToken: r.IDToken, TokenType: r.TokenType(),
		ExpiresIn: int64(r.ExpiresIn / time.Second), Scope: keystone.FormatScope(r.Scopes), JTI: r.JTI, IssuedType: r.IssuedType, Details: r.Details}
}

// AppendJSON appends what encoding/json makes of Body, without its detours: most of
// what this server answers is tokens. Nothing in a token or a scope (RFC 6749 section
// 3.3) needs quoting.
func (r Response) AppendJSON(b []byte) []byte {
	member := func(name, value string) {
		b = append(append(append(append(b, name...), '"'), value...), '"')
	}
	member(`{"access_token":`, r.AccessToken)
	if r.RefreshToken != "" {
		member(`,"refresh_token":`, r.RefreshToken)
	}
	if r.IDToken != "" {
		member(`,"id_token":`, r.IDToken)
	}
	member(`,"token_type":`, r.TokenType())
	b = strconv.AppendInt(append(b, `,"expires_in":`...), int64(r.ExpiresIn/time.Second), 10)
	member(`,"scope":`, keystone.FormatScope(r.Scopes))
	if len(r.Details) > 0 {
		b = r.Details.AppendJSON(append(b, `,"authorization_details":`...))
	}
	member(`,"jti":`, r.JTI)
	if r.IssuedType != "" {
		member(`,"issued_token_type":`, r.IssuedType)
	}
	return append(b, '}')
}

// TokenType is token_type (RFC 6749 section 7.1, RFC 9449 section 5).
func (r Response) TokenType() string { return TokenType(r.Bound) }

// TokenType returns the scheme under which a token is presented.
func TokenType(bound keystone.Confirmation) string {
	if bound.JKT != "" {
		return "DPoP"
	}
	return "Bearer"
}

// InJSON gives a refusal with a code of the OAuth protocol the code that the
// JSON API has for it.
func InJSON(err error) error {
	var e *keystone.Error
	if !errors.As(err, &e) || e.Code == "" {
		return err
	}
	plain := e.WithCode("")
	switch e.Code {
	case "invalid_client", "invalid_grant":
		plain.Kind = keystone.Unauthenticated
	case "unauthorized_client":
		plain.Kind = keystone.Forbidden
	case "invalid_scope":
		return plain.WithFields(map[string]string{"scope": e.Msg})
	case "invalid_target":
		return plain.WithFields(map[string]string{"audience": e.Msg})
	}
	return plain
}
