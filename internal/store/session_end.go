package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
)

// MessageLogout are messages that tell a client that a session has ended (OpenID
// Connect Back-Channel Logout 1.0). Their payload is a LogoutNotice.
const MessageLogout = "backchannel_logout"

// LogoutNotice is what a client is told of a session that has ended.
type LogoutNotice struct {
	ClientID  string `json:"client_id"`
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
}

// EndSession ends one session with its refresh tokens. With a userID, only a
// session of that user: somebody else's is not found. Whoever ends somebody
// else's session must hold what they hold.
func (s *Store) EndSession(ctx context.Context, by keystone.Actor, id, userID, reason string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		ses, err := tx.Session(ctx, id)
		if err != nil {
			return err
		}
		if userID != "" && ses.UserID != userID || !ses.Alive(tx.now()) {
			return notFound("session")
		}
		if own := by.Kind == keystone.ActorUser && by.ID == ses.UserID && by.SessionID == id; !own { // whoever is in a session may leave it
			if _, err := tx.manageable(ctx, by, ses.UserID); err != nil {
				return err
			}
		}
		if err := tx.revokeGrants(ctx, "session_id", id, reason); err != nil {
			return err
		}
		if _, err := tx.end(ctx, reason, `id = $3`, id); err != nil {
			return err
		}
		if err := tx.revokeGrants(ctx, "session_id", id, reason); err != nil { // of a code that was redeemed meanwhile, see RedeemCode
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActSessionEnded, TargetKind: "session", TargetID: id, TargetName: ses.Username,
			Detail: map[string]any{"reason": reason, "user_id": ses.UserID}})
	})
	return s.fail("end session", err)
}

// EndSessions ends every session of a user but keep (may be empty), with their
// refresh tokens, and returns how many there were.
func (s *Store) EndSessions(ctx context.Context, by keystone.Actor, userID, keep, reason string) (ended int64, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		u, err := tx.manageable(ctx, by, userID)
		if err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, userID, keep, reason); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActSessionsEnded, TargetKind: "user", TargetID: userID, TargetName: u.Username,
			Detail: map[string]any{"reason": reason, "sessions_ended": ended}})
	})
	return ended, s.fail("end sessions", err)
}

// endSessions ends a user's sessions inside the transaction of whatever ends them.
func (s *Store) endSessions(ctx context.Context, userID, keep, reason string) (int64, error) {
	if err := s.revokeGrantsOf(ctx, userID, keep, reason); err != nil {
		return 0, err
	}
	n, err := s.end(ctx, reason, `user_id = $3 AND id <> $4`, userID, keep)
	if err != nil {
		return 0, err
	}
	return n, s.revokeGrantsOf(ctx, userID, keep, reason) // of codes that were redeemed meanwhile, see RedeemCode
}

func (s *Store) revokeGrantsOf(ctx context.Context, userID, keep, reason string) error {
	ids, err := s.texts(ctx, `UPDATE grants SET revoked_at = $1, reason = $2 WHERE user_id = $3 AND session_id <> $4 AND revoked_at = 0 RETURNING id`,
		micros(s.now()), reason, userID, keep)
	s.dropGrants(ids)
	return err
}

// end is where sessions end (endOwnSession beside it is the same for a hot write), inside the transaction of whatever
// ends them: those living ones for which where (a constant, its arguments from $3
// on) holds. The clients that signed their users in within them are told: what
// they are told is written here, in the same transaction, and delivered after it.
// It returns how many ended. Sessions that reach their time or pause have no
// event, and nobody is told of them.
func (s *Store) end(ctx context.Context, reason, where string, args ...any) (int64, error) {
	now := micros(s.now())
	ids, err := s.texts(ctx, `UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE `+where+` AND ended_at = 0 RETURNING id`, slices.Concat([]any{now, reason}, args)...)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	// Read after the sessions' rows are ours: a code that was redeemed meanwhile has
	// written its grant.
	notices, err := all(ctx, s, scanNotice, `SELECT DISTINCT s.id, s.user_id, g.client_id, c.settings FROM sessions s
		JOIN grants g ON g.session_id = s.id JOIN clients c ON c.id = g.client_id
		WHERE s.ended_at = $1 AND s.end_reason = $2 AND c.enabled AND s.id IN (SELECT id FROM sessions WHERE `+where+`)`, slices.Concat([]any{now, reason}, args)...)
	if err != nil {
		return 0, err
	}
	ended := map[string]bool{}
	for _, id := range ids {
		ended[id] = true
	}
	for _, n := range notices {
		if n.settings.BackchannelLogoutURI == "" || !ended[n.SessionID] {
			continue
		}
		payload, err := json.Marshal(n.LogoutNotice)
		if err != nil {
			return 0, err
		}
		if err := s.Enqueue(ctx, MessageLogout, payload); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

// endOwnSession is end as additions to a hot write: of the session that belongs to
// the client of a grant alone, where it is still alive.
func endOwnSession(c *keystone.Client, g keystone.Grant, now time.Time, reason string) []addition {
	adds := []addition{{`UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE id = $3 AND client_id = $4 AND ended_at = 0`,
		[]any{micros(now), reason, g.SessionID, g.ClientID}}}
	if !c.Enabled || c.BackchannelLogoutURI == "" {
		return adds
	}
	payload, _ := json.Marshal(LogoutNotice{g.ClientID, g.UserID, g.SessionID}) // strings always encode
	id := keystone.NewID(now)
	return append(adds, enqueue(id, MessageLogout, payload, now),
		addition{`DELETE FROM outbox WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND client_id = $3 AND ended_at = $4)`, // it had ended before, or is a browser's
			[]any{id, g.SessionID, g.ClientID, micros(now)}})
}

type notice struct {
	LogoutNotice
	settings keystone.ClientSettings
}

func scanNotice(scan func(...any) error) (n notice, err error) {
	var settings string
	if err = scan(&n.SessionID, &n.UserID, &n.ClientID, &settings); err == nil {
		err = json.Unmarshal([]byte(settings), &n.settings)
	}
	return n, err
}

// SessionClients returns the enabled clients that signed somebody in within one
// of these sessions, by id, each with the sessions.
func (s *Store) SessionClients(ctx context.Context, sessionIDs []string) ([]SessionClient, error) {
	var list []SessionClient
	for _, id := range sessionIDs {
		clients, err := s.texts(ctx, `SELECT DISTINCT client_id FROM grants WHERE session_id = $1 ORDER BY client_id`, id)
		if err != nil {
			return nil, s.fail("read clients of session", err)
		}
		for _, clientID := range clients {
			c, err := s.CachedClient(ctx, clientID)
			if keystone.KindOf(err) == keystone.NotFound || err == nil && !c.Enabled {
				continue
			}
			if err != nil {
				return nil, err
			}
			list = append(list, SessionClient{id, *c})
		}
	}
	return list, nil
}

// SessionClient is a client that signed somebody in within a session.
type SessionClient struct {
	SessionID string
	Client    keystone.Client
}
