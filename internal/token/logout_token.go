package token

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
)

const (
	// typeLogout is the JWT type of logout tokens (OpenID Connect Back-Channel
	// Logout section 2.4).
	typeLogout     = "logout+jwt"
	logoutLife     = 2 * time.Minute // section 2.4 recommends no more
	backchannelURI = "http://schemas.openid.net/event/backchannel-logout"
)

// LogoutToken makes a token that tells the client that a session has ended (OpenID
// Connect Back-Channel Logout section 2.4), signed as the client's ID tokens are.
// It never has a nonce, so that nobody takes it for an ID token.
func (i *Issuer) LogoutToken(ctx context.Context, c *keystone.Client, userID, sessionID string) (string, error) {
	now := i.store.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": i.Options.Issuer, "sub": i.ring.Subject(c, userID), "aud": c.ID, "sid": i.ring.SessionName(c, sessionID), "jti": keystone.NewID(now),
		"iat": now.Unix(), "exp": now.Add(logoutLife).Unix(), "events": map[string]struct{}{backchannelURI: {}},
	})
	if err != nil {
		return "", err
	}
	return i.signAs(ctx, c, c.IDTokenAlg, typeLogout, payload)
}
