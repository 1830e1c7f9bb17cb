package token

import (
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// CodeFamily returns the grant that an authorization code begins, and its first
// refresh token. It ends with the session at the latest.
func (i *Issuer) CodeFamily(d Decision, c store.Code, clientID string, sessionEnds time.Time) (keystone.Grant, string) {
	g, _ := i.NewFamily(d, c.UserID, clientID, c.SessionID)
	g.ID = c.GrantID
	g.EndsAt = earlier(g.EndsAt, sessionEnds)
	g.ExpiresAt = earlier(g.ExpiresAt, g.EndsAt)
	return g, i.refreshToken(g.ID, g.Generation)
}
