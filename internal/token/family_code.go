package token

import (
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// Granted returns whom tokens of what was authorized may be for: this server where
// the request named nobody.
func (i *Issuer) Granted(c store.Code) []string {
	if len(c.Request.Audiences) == 0 {
		return []string{i.Options.Issuer}
	}
	return c.Request.Audiences
}

// CodeFamily returns the grant that an authorization code begins, and its first
// refresh token. It is for everybody whom the authorization request named, though
// its first access token may be for fewer (RFC 8707 section 2.2), and ends with the
// session at the latest.
func (i *Issuer) CodeFamily(d Decision, c store.Code, clientID string, sessionEnds time.Time) (keystone.Grant, string) {
	g, _ := i.NewFamily(d, c.UserID, clientID, c.SessionID)
	g.ID, g.Audiences = c.GrantID, i.Granted(c)
	g.EndsAt = earlier(g.EndsAt, sessionEnds)
	g.ExpiresAt = earlier(g.ExpiresAt, g.EndsAt)
	return g, i.refreshToken(g.ID, g.Generation)
}
