package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// BrowserSession is a session that a browser carries.
type BrowserSession struct {
	keystone.Session
	AuthTime time.Time // when its user last proved who they are
}

// BrowserSessions returns the living sessions of a browser whose users may sign
// in, newest first. idle is the longest pause between two uses.
func (s *Store) BrowserSessions(ctx context.Context, browser string, idle time.Duration) ([]BrowserSession, error) {
	if !secret.WellFormed(secret.Browser, browser) {
		return nil, nil
	}
	now := s.now()
	list, err := all(ctx, s, func(scan func(...any) error) (b BrowserSession, err error) {
		var amr string
		var created, expires, auth, used int64
		err = scan(&b.ID, &b.UserID, &b.Username, &amr, &created, &expires, &auth, &used)
		b.AMR, b.CreatedAt, b.ExpiresAt, b.AuthTime, b.LastSeen = unwords(amr), moment(created), moment(expires), moment(auth), moment(used)
		return b, err
	}, `SELECT s.id, s.user_id, u.username, s.amr, s.created_at, s.expires_at, b.auth_time, b.last_used
		FROM browser_sessions b JOIN sessions s ON s.id = b.session_id JOIN users u ON u.id = s.user_id
		WHERE b.browser = $1 AND s.ended_at = 0 AND s.expires_at > $2 AND b.last_used > $3 AND u.enabled ORDER BY b.auth_time DESC, s.id`,
		secret.Hash(browser), micros(now), micros(now.Add(-idle)))
	return list, s.fail("read browser sessions", err)
}

// CarrySession gives a session to a browser under a new cookie value: whatever
// the old value carried, flows in progress too, moves to the new one and the old
// one is worth nothing (session id renewal at each proof).
func (s *Store) CarrySession(ctx context.Context, old, renewed string, sessionID string, authTime time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		if old != "" {
			for _, q := range []string{`UPDATE browser_sessions SET browser = $1 WHERE browser = $2`, `UPDATE flows SET browser = $1 WHERE browser = $2`} {
				if _, err := tx.q.exec(ctx, q, secret.Hash(renewed), secret.Hash(old)); err != nil {
					return err
				}
			}
		}
		_, err := tx.q.exec(ctx, `INSERT INTO browser_sessions (session_id, browser, auth_time, last_used) VALUES ($1, $2, $3, $3)
			ON CONFLICT (session_id) DO UPDATE SET browser = excluded.browser, auth_time = excluded.auth_time, last_used = excluded.last_used`,
			sessionID, secret.Hash(renewed), micros(authTime))
		return err
	})
	return s.fail("carry session", err)
}
