package store

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
)

// TokenRef names what a token hangs on.
type TokenRef struct {
	JTI      string
	UserID   string // empty for a client's own token
	ClientID string
	GrantID  string
	Stored   *StoredToken // where the token was found, if it is opaque; nil: nothing is known of it yet

	oldest time.Time // when the oldest of what it hangs on began to be read
}

// hangsOn notes that the token (may be nil) hangs on what began to be read then.
func (t *TokenRef) hangsOn(begun time.Time) {
	if t != nil && begun.Before(t.oldest) {
		t.oldest = begun
	}
}

// TokenState is what is true now about a token that was once true.
type TokenState struct {
	Active bool
	Name   string           // username, or the client's name
	Scopes []string         // what its client may have now and, of a user's token, the user's roles carry now; sorted
	Client *keystone.Client // of an active one; shared, so nobody changes it
	AsOf   AsOf             // of an active one
}

// AsOf says how old a state is: when the oldest of it began to be read, and what had
// been dropped before. The zero value was never so.
type AsOf struct {
	begun time.Time
	drops uint64
}

// StillSo reports whether what was true of an active token is now: nothing that tokens
// hang on was changed here since, and what others may have changed is not a second old.
func (s *Store) StillSo(as AsOf) bool {
	return s.tx == nil && as.drops == s.cache.drops.Load() && time.Since(as.begun) < staleness
}

// UserState is what the token path knows about a user.
type UserState struct {
	keystone.User
	Scopes []string // what their roles carry, sorted
}

// TokenState reports whether user, client, refresh token family and the token
// itself still hold, and which scopes they hold now. Nothing of it is more than
// a second old, on any node. What is not in memory of a user's token is read in
// one statement.
func (s *Store) TokenState(ctx context.Context, t TokenRef) (TokenState, error) {
	st, err := s.tokenState(ctx, t)
	if st.Active && s.tx == nil && time.Since(st.AsOf.begun) > time.Second { // one read took so long that what came before it is too old
		st, err = s.tokenState(ctx, t)
	}
	return st, err
}

func (s *Store) tokenState(ctx context.Context, t TokenRef) (TokenState, error) {
	var u UserState
	var err error
	drops := s.cache.drops.Load()
	t.oldest = time.Now()
	if t.UserID != "" { // first: it may bring what follows
		if u, err = s.userState(ctx, t.UserID, &t); err != nil || !u.Enabled {
			return TokenState{}, absent(err)
		}
		if alive, err := s.grantAlive(ctx, &t); err != nil || !alive {
			return TokenState{}, s.fail("read token state", err)
		}
	}
	if revoked, err := s.revoked(ctx, &t); err != nil || revoked {
		return TokenState{}, s.fail("read token state", err)
	}
	row, err := s.cachedClient(ctx, t.ClientID, &t)
	if err != nil {
		return TokenState{}, absent(err)
	}
	c := row.client
	if !c.Enabled || c.Ended(t.JTI) {
		return TokenState{}, nil
	}
	st := TokenState{Active: true, Name: c.Name, Scopes: c.Scopes, Client: c, AsOf: AsOf{t.oldest, drops}}
	if t.UserID != "" {
		st.Name, st.Scopes = u.Username, u.Scopes
		if !c.BuiltIn { // Keystone's own client may ask for everything
			st.Scopes = keystone.Intersect(u.Scopes, c.Scopes)
		}
	}
	return st, nil
}

// absent makes "not found" a state and leaves other errors.
func absent(err error) error {
	if keystone.KindOf(err) == keystone.NotFound {
		return nil
	}
	return err
}

// revoked reports whether the token was revoked before its time. What was read
// with a stored token a moment ago is as good as what would be read now, but for what
// this node has revoked since.
func (s *Store) revoked(ctx context.Context, t *TokenRef) (bool, error) {
	if t.Stored != nil && (t.Stored.Revoked || time.Since(t.Stored.begun) < staleness) {
		t.hangsOn(t.Stored.begun)
		since, _ := s.cache.revoked.GetIfPresent(t.JTI)
		return t.Stored.Revoked || since.value, nil
	}
	return cachedOf(ctx, s, s.cache.revoked, t.JTI, t, func(ctx context.Context) (bool, error) {
		var one int
		return s.hotReads().row(ctx, `SELECT 1 FROM revoked_tokens WHERE jti = $1`, []any{t.JTI}, &one)
	})
}

func (s *Store) grantAlive(ctx context.Context, t *TokenRef) (bool, error) {
	return cachedOf(ctx, s, s.cache.alive, t.GrantID, t, func(ctx context.Context) (bool, error) {
		var one int
		return s.hotReads().row(ctx, `SELECT 1 FROM grants WHERE id = $1 AND revoked_at = 0 AND ends_at + 0 > $2`, []any{t.GrantID, micros(s.now())}, &one)
	})
}

// UserState returns a user and what they hold, at most a second old.
func (s *Store) UserState(ctx context.Context, id string) (UserState, error) {
	return s.userState(ctx, id, nil)
}

// userRow is a user without what their roles say: roles change by themselves.
type userRow struct {
	user  keystone.User
	roles []string // ids
}

// userState reads through to the user. Where the user is not in memory, a token
// of theirs (may be nil) is read along with them.
func (s *Store) userState(ctx context.Context, id string, t *TokenRef) (UserState, error) {
	if !keystone.IsID(id) {
		return UserState{}, notFound("user")
	}
	row, err := cachedOf(ctx, s, s.cache.users, id, t, func(ctx context.Context) (userRow, error) { return s.readUserRow(ctx, id, t) })
	if err != nil {
		return UserState{}, s.fail("read user state", err)
	}
	st, err := s.withRoles(ctx, row, t)
	return st, s.fail("read user state", err)
}

const (
	userFacts = userColumns + `, COALESCE((SELECT string_agg(ur.role_id, ' ') FROM user_roles ur WHERE ur.user_id = u.id), '')`

	selectUserRow = `SELECT ` + userFacts + ` FROM users u WHERE u.id = $1`

	selectUserAndToken = `SELECT ` + userFacts + `, EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $2),
		EXISTS (SELECT 1 FROM grants WHERE id = $3 AND revoked_at = 0 AND ends_at + 0 > $4) FROM users u WHERE u.id = $1`
)

// readUserRow is the one statement behind a token that was never seen.
func (s *Store) readUserRow(ctx context.Context, id string, t *TokenRef) (row userRow, err error) {
	var roles string
	var revoked, alive bool
	sql, args, more := selectUserRow, []any{id}, []any{&roles}
	if t != nil {
		sql, args, more = selectUserAndToken, []any{id, t.JTI, t.GrantID, micros(s.now())}, []any{&roles, &revoked, &alive}
	}
	begun, drops := time.Now(), s.cache.drops.Load()
	list, err := all(ctx, s.hotReads(), func(scan func(...any) error) (keystone.User, error) {
		return scanUser(func(dest ...any) error { return scan(append(dest, more...)...) })
	}, sql, args...)
	if err != nil {
		return row, err
	}
	if len(list) == 0 {
		return row, notFound("user")
	}
	if t != nil && s.tx == nil {
		s.cache.keepToken(*t, revoked, alive, begun, drops)
	}
	return userRow{list[0], unwords(roles)}, nil
}

// roleFacts are what a role gives to those who have it.
type roleFacts struct {
	names  []string // its name
	scopes []string // what it carries, and what is everybody's own; sorted
}

// withRoles adds what the user's roles say now, each at most a second old.
func (s *Store) withRoles(ctx context.Context, row userRow, t *TokenRef) (UserState, error) {
	st := UserState{User: row.user}
	if len(row.roles) == 0 {
		st.Scopes = keystone.OpenIDScopeNames()
		return st, nil
	}
	for _, id := range row.roles {
		r, err := cachedOf(ctx, s, s.cache.roles, id, t, func(ctx context.Context) (roleFacts, error) { return s.readRoleFacts(ctx, id) })
		if keystone.KindOf(err) == keystone.NotFound {
			continue // deleted since
		}
		if err != nil {
			return st, err
		}
		if st.Scopes == nil { // most have one role: nothing is copied
			st.Roles, st.Scopes = r.names, r.scopes
			continue
		}
		st.Roles, st.Scopes = append(slices.Clip(st.Roles), r.names...), append(slices.Clip(st.Scopes), r.scopes...)
	}
	if len(row.roles) > 1 {
		st.Roles, st.Scopes = keystone.SortedSet(st.Roles), keystone.SortedSet(st.Scopes)
	}
	if st.Scopes == nil {
		st.Scopes = keystone.OpenIDScopeNames()
	}
	return st, nil
}

func (s *Store) readRoleFacts(ctx context.Context, id string) (roleFacts, error) {
	r, err := s.readRole(ctx, `id = $1`, id)
	if err != nil {
		return roleFacts{}, err
	}
	return roleFacts{[]string{r.Name}, keystone.SortedSet(append(r.Scopes, keystone.OpenIDScopeNames()...))}, nil
}
