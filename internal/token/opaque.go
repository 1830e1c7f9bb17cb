package token

import (
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// NewOpaque returns a fresh opaque access token with the time of its issue, and its id.
// The id follows from the token: whoever revokes it names both, and nothing has to be read
// before.
func NewOpaque(at time.Time) (raw, id string) {
	raw = secret.NewAt(secret.AccessToken, at)
	return raw, idOf(raw, at)
}

// OpaqueID returns the id that an opaque access token has if NewOpaque made it, and false
// where it is none. Only what is stored under the token says that it was issued.
func OpaqueID(raw string) (string, bool) {
	at, ok := secret.TimeOf(secret.AccessToken, raw)
	return idOf(raw, at), ok
}

func idOf(raw string, at time.Time) string {
	return keystone.IDOf(at, [10]byte(secret.Hash(raw)[:10]))
}
