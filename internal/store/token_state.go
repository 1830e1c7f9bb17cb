package store

import (
	"context"

	"github.com/keystone-auth/keystone"
)

// TokenRef names what a token hangs on.
type TokenRef struct {
	JTI      string
	UserID   string // empty for a client's own token
	ClientID string
	GrantID  string
}

// TokenState is what is true now about a token that was once true.
type TokenState struct {
	Active bool
	Name   string   // username, or the client's name
	Scopes []string // what its client may have now and, of a user's token, the user's roles carry now; sorted
	Client keystone.Client
}

// UserState is what the token path knows about a user.
type UserState struct {
	keystone.User
	Scopes []string // what their roles carry, sorted
}

// TokenState reports whether user, client, refresh token family and the token
// itself still hold, and which scopes they hold now. Nothing of it is more than
// a second old, on any node.
func (s *Store) TokenState(ctx context.Context, t TokenRef) (TokenState, error) {
	revoked, err := cached(ctx, s, s.cache.revoked, t.JTI, func(ctx context.Context) (bool, error) {
		var one int
		return s.row(ctx, `SELECT 1 FROM revoked_tokens WHERE jti = $1`, []any{t.JTI}, &one)
	})
	if err != nil || revoked {
		return TokenState{}, s.fail("read token state", err)
	}
	c, err := s.CachedClient(ctx, t.ClientID)
	if err != nil || !c.Enabled {
		return TokenState{}, absent(err)
	}
	if t.UserID == "" {
		return TokenState{Active: true, Name: c.Name, Scopes: c.Scopes, Client: c}, nil
	}
	if alive, err := s.grantAlive(ctx, t.GrantID); err != nil || !alive {
		return TokenState{}, s.fail("read token state", err)
	}
	u, err := s.UserState(ctx, t.UserID)
	if err != nil || !u.Enabled {
		return TokenState{}, absent(err)
	}
	held := u.Scopes
	if !c.BuiltIn { // Keystone's own client may ask for everything
		held = keystone.Intersect(held, c.Scopes)
	}
	return TokenState{Active: true, Name: u.Username, Scopes: held, Client: c}, nil
}

// absent makes "not found" a state and leaves other errors.
func absent(err error) error {
	if keystone.KindOf(err) == keystone.NotFound {
		return nil
	}
	return err
}

// UserState returns a user and what they hold, at most a second old.
func (s *Store) UserState(ctx context.Context, id string) (UserState, error) {
	st, err := cached(ctx, s, s.cache.users, id, func(ctx context.Context) (UserState, error) {
		u, err := s.User(ctx, id)
		if err != nil {
			return UserState{}, err
		}
		scopes, err := s.heldScopes(ctx, id)
		return UserState{u, keystone.SortedSet(append(scopes, keystone.OpenIDScopeNames()...))}, err // those are everybody's own
	})
	return st, s.fail("read user state", err)
}

func (s *Store) grantAlive(ctx context.Context, id string) (bool, error) {
	return cached(ctx, s, s.cache.alive, id, func(ctx context.Context) (bool, error) {
		var one int
		return s.row(ctx, `SELECT 1 FROM grants WHERE id = $1 AND revoked_at = 0 AND ends_at > $2`, []any{id, micros(s.now())}, &one)
	})
}
