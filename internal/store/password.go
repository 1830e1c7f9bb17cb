package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// Login is what a password sign-in needs to know about an account.
type Login struct {
	UserID    string
	Username  string
	Email     string
	Enabled   bool
	Hash      string    // PHC string; empty: no password
	ChangedAt time.Time // when the password was set
}

// LoginByName returns the account that a username or e-mail address stands for.
// An unknown or impossible name is the zero Login and no error: the caller does
// the same work for it.
func (s *Store) LoginByName(ctx context.Context, name string) (Login, error) {
	column, key, err := loginKey(name)
	if err != nil {
		return Login{}, nil
	}
	return s.login(ctx, "u."+column, key)
}

// LoginByID is LoginByName for a user who is known already.
func (s *Store) LoginByID(ctx context.Context, id string) (Login, error) {
	return s.login(ctx, "u.id", id)
}

func (s *Store) login(ctx context.Context, column, key string) (l Login, err error) {
	var changed int64
	_, err = s.row(ctx, `SELECT u.id, u.username, u.email, u.enabled, COALESCE(p.hash, ''), u.password_at
		FROM users u LEFT JOIN passwords p ON p.user_id = u.id WHERE `+column+` = $1`, []any{key},
		&l.UserID, &l.Username, &l.Email, &l.Enabled, &l.Hash, &changed)
	l.ChangedAt = moment(changed)
	return l, s.fail("read login", err)
}

// SetPassword replaces the password hash and ends every other session and
// refresh token of the user; keepSession (may be empty) stays. Who may: the
// user, or an actor that holds what the user holds. An empty hash takes the password
// away; the last administrator's stays.
func (s *Store) SetPassword(ctx context.Context, by keystone.Actor, userID, hash, keepSession string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		u, err := tx.manageable(ctx, by, userID)
		if err != nil {
			return err
		}
		// The user's row first: a sign-in under way has it and comes before, or waits
		// for it and finds that its password is not the present one.
		n, err := tx.q.exec(ctx, `UPDATE users SET password_at = CASE WHEN password_at < $1 THEN $1 ELSE password_at + 1 END WHERE id = $2`, micros(tx.now()), userID)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("user")
		}
		_, err = tx.q.exec(ctx, `INSERT INTO passwords (user_id, hash) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash`, userID, hash)
		if err != nil {
			return err
		}
		if hash == "" {
			if u, err = tx.User(ctx, userID); err != nil { // now that nobody else can change it
				return err
			}
			if err := tx.keepAnAdmin(ctx, u); err != nil {
				return err
			}
		}
		ended, err := tx.endSessions(ctx, userID, keepSession, keystone.EndPasswordChanged)
		if err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{
			Action: keystone.ActPasswordChanged, TargetKind: "user", TargetID: userID, TargetName: u.Username,
			Detail: map[string]any{"sessions_ended": ended},
		})
	})
	return s.fail("set password", err)
}

// Rehash replaces a hash by a stronger one of the same password, unless the
// password was changed meanwhile. Sessions stay.
func (s *Store) Rehash(ctx context.Context, by keystone.Actor, userID, oldHash, newHash string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		n, err := tx.q.exec(ctx, `UPDATE passwords SET hash = $1 WHERE user_id = $2 AND hash = $3`, newHash, userID, oldHash)
		if err != nil || n == 0 {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActPasswordRehashed, TargetKind: "user", TargetID: userID})
	})
	return s.fail("rehash", err)
}
