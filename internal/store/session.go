package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// SignIn is what a finished sign-in writes.
type SignIn struct {
	Session keystone.Session
	Grant   keystone.Grant // the refresh token family; its ID empty: none
	Login   Login          // as it was when the password was checked
	Clear   []string       // failure counters that end with it
}

// StartSession writes session, refresh token family, last login and audit row,
// where the account is still enabled and its password still the one that was
// checked. It reports false where it is not. Both are asked of the user's row,
// which every change of them writes: a change at the same moment either finds
// this session and ends it, or is found here.
func (s *Store) StartSession(ctx context.Context, by keystone.Actor, in SignIn) (bool, error) {
	ses, g := in.Session, in.Grant
	w := &hotWrite{
		lock: lockUser(ses.UserID),
		sql:  `UPDATE users SET last_login = $1 WHERE id = $2 AND enabled AND password_at = $3`,
		args: []any{micros(ses.CreatedAt), ses.UserID, micros(in.Login.ChangedAt)},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		adds := []addition{{`INSERT INTO sessions (id, user_id, client_id, source, user_agent, amr, created_at, last_seen, expires_at, ended_at, end_reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, 0, '')`,
			[]any{ses.ID, ses.UserID, ses.ClientID, ses.Source, ses.UserAgent, words(ses.AMR), micros(ses.CreatedAt), micros(ses.ExpiresAt)}}}
		if g.ID != "" {
			adds = append(adds, insertGrant(g))
		}
		for _, key := range in.Clear {
			adds = append(adds, addition{`DELETE FROM attempts WHERE key = $1`, []any{key}})
		}
		return append(adds, s.auditRow(by, keystone.AuditEvent{Action: keystone.ActSignInSucceeded, TargetKind: "session", TargetID: ses.ID, TargetName: in.Login.Username,
			Detail: map[string]any{"amr": ses.AMR, "scopes": g.Scopes}}))
	}
	hit, err := s.hot(ctx, w)
	s.cache.users.Invalidate(ses.UserID) // the last login is part of it
	return hit, s.fail("start session", err)
}

const sessionColumns = `s.id, s.user_id, COALESCE(u.username, ''), s.client_id, s.source, s.user_agent, s.amr, s.created_at,
	COALESCE((SELECT MAX(g.rotated_at) FROM grants g WHERE g.session_id = s.id), s.last_seen), s.expires_at, s.ended_at, s.end_reason`

func scanSession(scan func(...any) error) (ses keystone.Session, err error) {
	var amr string
	var created, seen, expires, ended int64
	err = scan(&ses.ID, &ses.UserID, &ses.Username, &ses.ClientID, &ses.Source, &ses.UserAgent, &amr, &created, &seen, &expires, &ended, &ses.EndReason)
	ses.AMR = unwords(amr)
	ses.CreatedAt, ses.LastSeen, ses.ExpiresAt, ses.EndedAt = moment(created), moment(seen), moment(expires), moment(ended)
	return ses, err
}

// Standing is what something that was allowed earlier rests on, as it is now.
type Standing struct {
	Session keystone.Session // ID, EndedAt and ExpiresAt of it
	Allowed keystone.Allowed // by its user, to the client
}

// Standing returns the session with what its user allows the client.
func (s *Store) Standing(ctx context.Context, sessionID, clientID string) (Standing, error) {
	st := Standing{Session: keystone.Session{ID: sessionID}}
	var ended, expires int64
	var allowed *string
	found, err := s.hotReads().row(ctx, `SELECT s.ended_at, s.expires_at, k.allowed FROM sessions s
		LEFT JOIN consents k ON k.user_id = s.user_id AND k.client_id = $2 WHERE s.id = $1`, []any{sessionID, clientID}, &ended, &expires, &allowed)
	if err == nil && !found {
		err = notFound("session")
	}
	if err == nil {
		st.Allowed, err = allowedOf(allowed)
	}
	st.Session.EndedAt, st.Session.ExpiresAt = moment(ended), moment(expires)
	return st, s.fail("read session", err)
}

// livingSession is the condition of sessions s that are alive, with the times $1 and
// $2 of living: not ended, and used at least that lately, by the sign-in itself, by a
// refresh or in the browser.
const livingSession = `s.ended_at = 0 AND s.expires_at > $1 AND (s.last_seen > $2 OR EXISTS (SELECT 1 FROM grants g WHERE g.session_id = s.id AND g.rotated_at > $2)
	OR EXISTS (SELECT 1 FROM browser_sessions b WHERE b.session_id = s.id AND b.last_used > $2))`

// living returns now, and since when a session must have been used: SESSION_IDLE_MINUTES is
// of this room alone.
func (s *Store) living() (now, used int64) {
	if s.idle == 0 {
		return micros(s.now()), -1
	}
	return micros(s.now()), micros(s.now().Add(-s.idle))
}

// Sessions lists living sessions by id, which is by age: of one user, or of
// everybody where userID is empty.
func (s *Store) Sessions(ctx context.Context, userID string, p keystone.Page) (keystone.List[keystone.Session], error) {
	now, used := s.living()
	where, args := `s.id > $4 AND `+livingSession, []any{now, used, p.Size() + 1, p.After}
	if userID != "" {
		where, args = where+` AND s.user_id = $5`, append(args, userID)
	}
	list, err := all(ctx, s, scanSession, `SELECT `+sessionColumns+` FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE `+where+` ORDER BY s.id LIMIT $3`, args...)
	return page(list, p.Size(), func(ses keystone.Session) string { return ses.ID }), s.fail("list sessions", err)
}

// LivingSession returns one of the sessions that Sessions lists; what it does not list is
// not found.
func (s *Store) LivingSession(ctx context.Context, userID, id string) (keystone.Session, error) {
	now, used := s.living()
	where, args := `s.id = $3 AND `+livingSession, []any{now, used, id}
	if userID != "" {
		where, args = where+` AND s.user_id = $4`, append(args, userID)
	}
	return s.session(ctx, where, args...)
}

// Session returns one session, living or ended.
func (s *Store) Session(ctx context.Context, id string) (keystone.Session, error) {
	return s.session(ctx, `s.id = $1`, id)
}

func (s *Store) session(ctx context.Context, where string, args ...any) (keystone.Session, error) {
	list, err := all(ctx, s, scanSession, `SELECT `+sessionColumns+` FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE `+where, args...)
	if err != nil {
		return keystone.Session{}, s.fail("read session", err)
	}
	if len(list) == 0 {
		return keystone.Session{}, notFound("session")
	}
	return list[0], nil
}

// sessionRetention is how long after its end a session is kept for people to see.
const sessionRetention = 30 * 24 * time.Hour
