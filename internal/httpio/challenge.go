package httpio

import "net/http"

// Challenges are the WWW-Authenticate values of a server, made once. A nil one
// names no metadata.
type Challenges struct {
	none, badToken []string
	metadata       string
}

// NewChallenges returns the challenges of a protected resource whose metadata is
// at the address (RFC 9728 section 5.1).
func NewChallenges(resourceMetadata string) *Challenges {
	c := &Challenges{metadata: `, resource_metadata="` + resourceMetadata + `"`}
	c.none = []string{bearerRealm + c.metadata}
	c.badToken = []string{bearerRealm + badToken + c.metadata}
	return c
}

const (
	bearerRealm = `Bearer realm="keystone"`
	badToken    = `, error="invalid_token"`
)

// Header values that never change, shared by every answer.
var (
	challengeBasic  = []string{`Basic realm="keystone", charset="UTF-8"`}
	challengeBearer = []string{bearerRealm}
	challengeToken  = []string{bearerRealm + badToken}
)

// Bearer is the challenge of a request without a token (RFC 6750 section 3).
func (c *Challenges) Bearer() []string {
	if c == nil {
		return challengeBearer
	}
	return c.none
}

// BadToken is the challenge of a request with a token that does not hold.
func (c *Challenges) BadToken() []string {
	if c == nil {
		return challengeToken
	}
	return c.badToken
}

// LacksScope is the challenge of a request whose token lacks the scope.
func (c *Challenges) LacksScope(scope string) []string {
	return c.named(bearerRealm + `, error="insufficient_scope", scope="` + scope + `"`)
}

// DPoP is the challenge of a request whose token does not go with its proof
// (RFC 9449 section 7.1).
func (c *Challenges) DPoP(algorithms, code string) []string {
	return c.named(`DPoP realm="keystone", algs="` + algorithms + `", error="` + code + `"`)
}

// named adds where the metadata is.
func (c *Challenges) named(value string) []string {
	if c != nil {
		value += c.metadata
	}
	return []string{value}
}

// Challenge puts a challenge of the server into the answer; its values are shared
// and must not be changed.
func Challenge(h http.Header, values []string) { h["Www-Authenticate"] = values }

// challenge is the WWW-Authenticate value of a 401: Basic for a client that
// failed to authenticate (RFC 6749 section 5.2), else Bearer, which says
// invalid_token only where a token was sent (RFC 6750 section 3.1).
func (x *Exchange) challenge(code string) []string {
	switch {
	case code == "invalid_client":
		return challengeBasic
	case x.TokenSent:
		return x.Challenges.BadToken()
	}
	return x.Challenges.Bearer()
}
