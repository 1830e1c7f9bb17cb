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
	AuthTime time.Time        // when its user last proved who they are
	Allowed  keystone.Allowed // by them, to the client that was asked about
}

// BrowserSessions returns the living sessions of a browser whose users may sign
// in, newest first.
func (s *Store) BrowserSessions(ctx context.Context, browser string) ([]BrowserSession, error) {
	return s.browserSessions(ctx, browser, "")
}

// browserSessions is BrowserSessions with what each user allows the client (may be
// empty).
func (s *Store) browserSessions(ctx context.Context, browser, clientID string) ([]BrowserSession, error) {
	if !secret.WellFormed(secret.Browser, browser) {
		return nil, nil
	}
	now, since := s.living()
	list, err := all(ctx, s.hotReads(), func(scan func(...any) error) (b BrowserSession, err error) {
		var amr string
		var created, expires, auth, used int64
		var allowed *string
		if err = scan(&b.ID, &b.UserID, &b.Username, &amr, &created, &expires, &auth, &used, &allowed); err != nil {
			return b, err
		}
		b.Allowed, err = allowedOf(allowed)
		b.AMR, b.CreatedAt, b.ExpiresAt, b.AuthTime, b.LastSeen = unwords(amr), moment(created), moment(expires), moment(auth), moment(used)
		return b, err
	}, `SELECT s.id, s.user_id, u.username, s.amr, s.created_at, s.expires_at, b.auth_time, b.last_used, k.allowed
		FROM browser_sessions b JOIN sessions s ON s.id = b.session_id JOIN users u ON u.id = s.user_id
		LEFT JOIN consents k ON k.user_id = s.user_id AND k.client_id = $4
		WHERE b.browser = $1 AND s.ended_at = 0 AND s.expires_at + 0 > $2 AND b.last_used > $3 AND u.enabled ORDER BY b.auth_time DESC, s.id`,
		secret.Hash(browser), now, since, clientID)
	return list, s.fail("read browser sessions", err)
}

// ErrAccountChanged answers a proof whose account or password is not any more what it was
// when it was checked.
var ErrAccountChanged = keystone.Fail(keystone.Stale, "The account has just been changed.")

// SignInFlow writes that somebody has proved who they are in a flow: their session in the
// browser is renewed, or in.Session begins; and whatever the browser's cookie value
// carries, flows in progress too, moves to a new value, which it returns. The old one is
// worth nothing (session id renewal at each proof). All of it is one transaction, which
// does nothing and reports false where the old value does not carry the flow (any more):
// so of a form that was sent twice one copy signs in, and no session lies under a value
// that nobody has.
func (s *Store) SignInFlow(ctx context.Context, by keystone.Actor, old string, f keystone.Flow, in SignIn) (renewed string, carried bool, err error) {
	renewed, carried = s.renewed(old, f.ID), false
	user, now := in.Session.UserID, micros(in.Session.CreatedAt)
	err = s.InTx(ctx, func(tx *Store) error {
		carried = false
		sessions, err := tx.BrowserSessions(ctx, old)
		if err != nil {
			return err
		}
		id := in.Session.ID
		for _, b := range sessions {
			if b.UserID == user {
				id = b.ID
			}
		}
		n, err := tx.q.exec(ctx, `UPDATE flows SET browser = $1, user_id = $2, session_id = $3, signed_in = $4 WHERE id = $5 AND browser = $6 AND answer = ''`,
			secret.Hash(renewed), user, id, now, f.ID, secret.Hash(old))
		if err != nil || n == 0 {
			return err
		}
		if err := tx.moveBrowser(ctx, old, renewed); err != nil {
			return err
		}
		by.SessionID = id
		var ok bool
		if id != in.Session.ID {
			ok, err = tx.RenewSession(ctx, by, id, in.Login, in.Clear)
		} else {
			ok, err = tx.StartSession(ctx, by, in)
		}
		if err == nil && !ok {
			err = ErrAccountChanged
		}
		if err != nil {
			return err
		}
		_, err = tx.q.exec(ctx, `INSERT INTO browser_sessions (session_id, browser, auth_time, last_used) VALUES ($1, $2, $3, $3)
			ON CONFLICT (session_id) DO UPDATE SET browser = excluded.browser, auth_time = excluded.auth_time, last_used = excluded.last_used`,
			id, secret.Hash(renewed), now)
		carried = err == nil
		return err
	})
	return renewed, carried && err == nil, s.fail("sign in within flow", err)
}

// renewed is the cookie value that takes the place of old at a proof within a flow. It is
// derived, so that a copy of the form that was slower can be answered with the same one.
// A value carries a flow once, so it is the new value once.
func (s *Store) renewed(old, flowID string) string {
	return secret.Derived(secret.Browser, s.twice.Sum([]byte("browser"), []byte(old), []byte(flowID)))
}

// MovedFlow returns a flow that a proof has just moved from the browser's old cookie value
// to a new one, which it returns too. Whoever has the old value must not get the new one
// for nothing: they show a proof of the same user first.
func (s *Store) MovedFlow(ctx context.Context, old, id string) (f keystone.Flow, renewed string, err error) {
	if !secret.WellFormed(secret.Browser, old) {
		return f, "", notFound("sign-in")
	}
	renewed = s.renewed(old, id)
	f, err = s.Flow(ctx, renewed, id)
	if err == nil && s.now().Sub(f.SignedIn) > AgainWithin {
		err = notFound("sign-in")
	}
	return f, renewed, err
}

// moveBrowser gives everything that a cookie value carries to another.
func (s *Store) moveBrowser(ctx context.Context, old, renewed string) error {
	if old == "" {
		return nil
	}
	for _, q := range []string{`UPDATE browser_sessions SET browser = $1 WHERE browser = $2`, `UPDATE flows SET browser = $1 WHERE browser = $2`} {
		if _, err := s.q.exec(ctx, q, secret.Hash(renewed), secret.Hash(old)); err != nil {
			return err
		}
	}
	return nil
}

// RenewBrowser moves what a browser carries to a new cookie value, which it
// returns: after one of its sessions has ended, what was seen of the old value
// says nothing of what there is now.
func (s *Store) RenewBrowser(ctx context.Context, old string) (renewed string, err error) {
	renewed = secret.New(secret.Browser)
	err = s.InTx(ctx, func(tx *Store) error { return tx.moveBrowser(ctx, old, renewed) })
	return renewed, s.fail("renew browser", err)
}

// BuryBrowser takes the dead sessions off a browser that carries no living one,
// and returns a new cookie value, to which its sign-ins in progress move. Where it
// carried none, dead or alive, the value stays as it is.
func (s *Store) BuryBrowser(ctx context.Context, old string) (value string, err error) {
	var one int
	carried, err := s.row(ctx, `SELECT 1 FROM browser_sessions WHERE browser = $1 LIMIT 1`, []any{secret.Hash(old)}, &one)
	if err != nil || !carried {
		return old, s.fail("read browser", err)
	}
	value = secret.New(secret.Browser)
	err = s.InTx(ctx, func(tx *Store) error {
		if _, err := tx.q.exec(ctx, `DELETE FROM browser_sessions WHERE browser = $1`, secret.Hash(old)); err != nil {
			return err
		}
		return tx.moveBrowser(ctx, old, value)
	})
	return value, s.fail("bury browser", err)
}

// RenewSession notes that a session's user has proved who they are again, where
// session, account and password are still as they were when it was checked.
func (s *Store) RenewSession(ctx context.Context, by keystone.Actor, sessionID string, login Login, clear []string) (bool, error) {
	now := s.now()
	w := &hotWrite{
		lock: lockSession(sessionID),
		sql: `UPDATE sessions SET last_seen = $1 WHERE id = $2 AND user_id = $3 AND ended_at = 0 AND expires_at + 0 > $1
			AND EXISTS (SELECT 1 FROM users u WHERE u.id = $3 AND u.enabled AND u.password_at = $4)`,
		args: []any{micros(now), sessionID, login.UserID, micros(login.ChangedAt)},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		adds := []addition{{`UPDATE users SET last_login = $1 WHERE id = $2`, []any{micros(now), login.UserID}}}
		for _, key := range clear {
			adds = append(adds, addition{`DELETE FROM attempts WHERE key = $1`, []any{key}})
		}
		return append(adds, s.auditRow(by, keystone.AuditEvent{Action: keystone.ActSignInSucceeded, TargetKind: "session", TargetID: sessionID, TargetName: login.Username,
			Detail: map[string]any{"renewed": true}}))
	}
	hit, err := s.hot(ctx, w)
	return hit, s.fail("renew session", err)
}
