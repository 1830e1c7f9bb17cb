package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone/internal/secret"
)

// Kinds of single-use items.
const (
	SingleUseSetup = "setup"          // the link that makes the first administrator
	SingleUsePAR   = "par"            // an authorization request that was pushed
	SingleUseReset = "password_reset" // the link under which somebody chooses a new password
	SingleUseForm  = "form"           // a form that makes an account, of which a copy may follow
)

const insertSingleUse = `INSERT INTO single_use (kind, hash, payload, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, 0)`

// useOnce uses an item that can be used now: at the time $1, of kind $2, hash $3.
const useOnce = `UPDATE single_use SET used_at = $1 WHERE kind = $2 AND hash = $3 AND used_at = 0 AND expires_at + 0 > $1`

// AddSingleUse stores an item under the hash of its bearer value until expires.
func (s *Store) AddSingleUse(ctx context.Context, kind, value, payload string, expires time.Time) error {
	hash := secret.Hash(value)
	_, err := s.hot(ctx, &hotWrite{
		lock: lockOnce(hash),
		sql:  insertSingleUse,
		args: []any{kind, hash, payload, micros(s.now()), micros(expires)},
	})
	return s.fail("add single-use item", err)
}

// UseOnce consumes an item in one statement: of any number of simultaneous uses,
// on any nodes, one gets the payload and true.
func (s *Store) UseOnce(ctx context.Context, kind, value string) (payload string, ok bool, err error) {
	hash := secret.Hash(value)
	w := &hotWrite{
		lock: lockOnce(hash),
		sql:  useOnce + ` RETURNING payload`,
		args: []any{micros(s.now()), kind, hash},
		dest: []any{&payload},
	}
	ok, err = s.hot(ctx, w)
	return payload, ok, s.fail("use single-use item", err)
}

// UseUp consumes an item that was read while it was good, though it may have
// expired since: of any number of simultaneous uses, on any nodes, one gets true.
func (s *Store) UseUp(ctx context.Context, kind, value string) (bool, error) {
	ok, err := s.hot(ctx, &hotWrite{
		lock: lockOnce(secret.Hash(value)),
		sql:  `UPDATE single_use SET used_at = $1 WHERE kind = $2 AND hash = $3 AND used_at = 0`,
		args: []any{micros(s.now()), kind, secret.Hash(value)},
	})
	return ok, s.fail("use up single-use item", err)
}

// ReadOnce returns the payload of an item that could be used now, without using
// it.
func (s *Store) ReadOnce(ctx context.Context, kind, value string) (payload string, ok bool, err error) {
	ok, err = s.row(ctx, `SELECT payload FROM single_use WHERE kind = $1 AND hash = $2 AND used_at = 0 AND expires_at + 0 > $3`,
		[]any{kind, secret.Hash(value), micros(s.now())}, &payload)
	return payload, ok, s.fail("read single-use item", err)
}

// PeekOnce reports whether an item could be used now, without using it.
func (s *Store) PeekOnce(ctx context.Context, kind, value string) (bool, error) {
	_, ok, err := s.ReadOnce(ctx, kind, value)
	return ok, err
}

// KnownOnce reports whether there is such an item at all, also one that was used or
// has expired within the hour.
func (s *Store) KnownOnce(ctx context.Context, kind, value string) (bool, error) {
	var one int
	found, err := s.row(ctx, `SELECT 1 FROM single_use WHERE kind = $1 AND hash = $2`, []any{kind, secret.Hash(value)}, &one)
	return found, s.fail("look for single-use item", err)
}

// FirstSeen remembers a value that its sender chose (an assertion's jti) until
// expires and reports whether this is its first appearance anywhere.
func (s *Store) FirstSeen(ctx context.Context, kind, value string, expires time.Time) (bool, error) {
	now, hash := micros(s.now()), secret.Hash(value)
	hit, err := s.hot(ctx, &hotWrite{
		lock: lockOnce(hash),
		sql: `INSERT INTO single_use (kind, hash, payload, created_at, expires_at, used_at) VALUES ($1, $2, '', $3, $4, $3)
			ON CONFLICT (kind, hash) DO NOTHING`,
		args: []any{kind, hash, now, micros(expires)},
	})
	return hit, s.fail("remember value", err)
}
