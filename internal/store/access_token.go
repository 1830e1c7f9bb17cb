package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
)

// AccessToken is an opaque access token: what a JWT would say, kept here under
// the SHA-256 of the token.
type AccessToken struct {
	JTI       string
	UserID    string // empty: the client's own
	ClientID  string
	SessionID string
	GrantID   string
	Scopes    []string
	Audiences []string
	Details   string // authorization details (RFC 9396), as a JSON array; empty: none
	Act       string // who acts for the user, as JSON; empty: nobody else
	IssuedAt  time.Time
	ExpiresAt time.Time
	Revoked   bool // before its time
	Bound     keystone.Confirmation
}

// SaveAccessToken stores an opaque access token under its hash.
func (s *Store) SaveAccessToken(ctx context.Context, by keystone.Actor, hash []byte, t AccessToken) error {
	w := &hotWrite{
		alike: true,
		sql: `INSERT INTO access_tokens (hash, jti, user_id, client_id, session_id, grant_id, scopes, audiences, issued_at, expires_at, jkt, x5t, act, details)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		args: []any{hash, t.JTI, t.UserID, t.ClientID, t.SessionID, t.GrantID, words(t.Scopes), encodeList(t.Audiences), micros(t.IssuedAt), micros(t.ExpiresAt), t.Bound.JKT, t.Bound.X5T, t.Act, t.Details},
	}
	w.trail = s.auditRow(by, keystone.AuditEvent{Action: keystone.ActTokenIssued, TargetKind: "client", TargetID: t.ClientID, Detail: map[string]any{"jti": t.JTI}}).args
	_, err := s.hot(ctx, w)
	return s.fail("save access token", err)
}

// StoredToken is an opaque access token as it was read. Those who present it share it:
// nobody changes it.
type StoredToken struct {
	AccessToken
	Read  atomic.Value // what whoever verifies tokens has made of it
	begun time.Time    // before it was read
}

// AccessTokenByHash returns an opaque access token, at most a second old.
func (s *Store) AccessTokenByHash(ctx context.Context, hash []byte) (*StoredToken, error) {
	t, err := cached(ctx, s, s.cache.opaque, string(hash), func(ctx context.Context) (*StoredToken, error) {
		begun := time.Now()
		list, err := all(ctx, s.hotReads(), scanAccessToken, `SELECT jti, user_id, client_id, session_id, grant_id, scopes, audiences, issued_at, expires_at, jkt, x5t, act, details,
			EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.jti = a.jti) FROM access_tokens a WHERE a.hash = $1`, hash)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, notFound("token")
		}
		return &StoredToken{AccessToken: list[0], begun: begun}, nil
	})
	return t, s.fail("read access token", err)
}

func scanAccessToken(scan func(...any) error) (t AccessToken, err error) {
	var scopes, audiences string
	var issued, expires int64
	if err = scan(&t.JTI, &t.UserID, &t.ClientID, &t.SessionID, &t.GrantID, &scopes, &audiences, &issued, &expires, &t.Bound.JKT, &t.Bound.X5T, &t.Act, &t.Details, &t.Revoked); err != nil {
		return t, err
	}
	t.Scopes, t.IssuedAt, t.ExpiresAt = unwords(scopes), moment(issued), moment(expires)
	t.Audiences, err = decodeList(audiences)
	return t, err
}

// RevokeAccessToken refuses one access token from now until it would have
// expired anyway.
func (s *Store) RevokeAccessToken(ctx context.Context, by keystone.Actor, jti, clientID string, expires time.Time) error {
	_, err := s.revokeToken(ctx, by, jti, clientID, `INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING`, micros(expires))
	if err == nil {
		s.knowRevoked(jti)
	}
	return err
}

// RevokeOwnToken is RevokeAccessToken of an opaque token that a client has for itself,
// named by hash and id, in the one statement that finds it. False: there is none such that
// lives, or it was revoked before.
func (s *Store) RevokeOwnToken(ctx context.Context, by keystone.Actor, hash []byte, jti, clientID string) (bool, error) {
	hit, err := s.revokeToken(ctx, by, jti, clientID, `INSERT INTO revoked_tokens (jti, expires_at) SELECT t.jti, t.expires_at FROM access_tokens t
		WHERE t.hash = $2 AND t.jti = $1 AND t.client_id = $3 AND t.user_id = '' AND t.expires_at + 0 > $4 ON CONFLICT (jti) DO NOTHING`, hash, clientID, micros(s.now()))
	if hit {
		s.knowRevoked(jti)
	}
	return hit, err
}

// revokeToken runs a statement whose first parameter is the id, and reports whether it
// has done anything.
func (s *Store) revokeToken(ctx context.Context, by keystone.Actor, jti, clientID, sql string, more ...any) (bool, error) {
	w := &hotWrite{alike: true, lock: lockRevoked(jti), sql: sql, args: append([]any{jti}, more...)}
	w.trail = s.auditRow(by, keystone.AuditEvent{Action: keystone.ActTokenRevoked, TargetKind: "client", TargetID: clientID, Detail: map[string]any{"jti": jti}}).args
	hit, err := s.hot(ctx, w)
	return hit, s.fail("revoke access token", err)
}

// knowRevoked has this node refuse the token at once. A read under way is older than this.
func (s *Store) knowRevoked(jti string) {
	s.afterCommit(func() {
		s.cache.revoked.SetFor(jti, read[bool]{true, time.Now()}, 2*staleness) // longer than a stored token that was read before
	})
}
