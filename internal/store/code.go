package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// SingleUseCode are authorization codes.
const SingleUseCode = "code"

// Code is what an authorization code stands for (RFC 6749 section 4.1.2).
type Code struct {
	GrantID   string               `json:"grant_id"` // of the family that it will begin; known now, so that a second use can end it
	UserID    string               `json:"user_id"`
	SessionID string               `json:"session_id"`
	AuthTime  time.Time            `json:"auth_time"`
	AMR       []string             `json:"amr"`
	ACR       string               `json:"acr,omitempty"`
	Scopes    []string             `json:"scopes"`
	Request   keystone.AuthRequest `json:"request"`
}

// usedEvery is how exactly the last use of a browser's session is known.
const usedEvery = time.Minute

// AddCode stores a code under the hash of its value until expires. It is a use
// of the browser's session.
func (s *Store) AddCode(ctx context.Context, value string, c Code, expires time.Time) error {
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	now := s.now()
	w := &hotWrite{
		lock: lockOnce(secret.Hash(value)),
		sql:  insertSingleUse,
		args: []any{SingleUseCode, secret.Hash(value), string(payload), micros(now), micros(expires)},
	}
	w.then = func(bool) []addition {
		return []addition{{`UPDATE browser_sessions SET last_used = $1 WHERE session_id = $2 AND last_used < $3`,
			[]any{micros(now), c.SessionID, micros(now.Add(-usedEvery))}}}
	}
	_, err = s.hot(ctx, w)
	return s.fail("add code", err)
}

// ReadCode returns what a code stands for without using it. used reports that it
// was used before. An expired or unknown one is not found.
func (s *Store) ReadCode(ctx context.Context, value string) (c Code, used bool, err error) {
	var payload string
	var usedAt, expires int64
	found, err := s.row(ctx, `SELECT payload, used_at, expires_at FROM single_use WHERE kind = $1 AND hash = $2`, []any{SingleUseCode, secret.Hash(value)}, &payload, &usedAt, &expires)
	if err != nil {
		return c, false, s.fail("read code", err)
	}
	if !found || usedAt == 0 && expires <= micros(s.now()) {
		return c, false, notFound("code")
	}
	return c, usedAt != 0, json.Unmarshal([]byte(payload), &c)
}

// BurnCode makes a code worthless without giving anything for it.
func (s *Store) BurnCode(ctx context.Context, value string) error {
	_, _, err := s.UseOnce(ctx, SingleUseCode, value)
	return err
}

// RedeemCode uses a code and begins its grant, in one transaction: of any number
// of simultaneous uses, on any nodes, one gets true. The session that the code
// was issued under must still be alive, and the consent there, unless trusted:
// the grant is written only after a write to the rows of both, where whoever
// ends the session or takes the consent back either waits or has been.
func (s *Store) RedeemCode(ctx context.Context, by keystone.Actor, value string, g keystone.Grant, trusted bool) (bool, error) {
	now := s.now()
	w := &hotWrite{
		lock: lockOnce(secret.Hash(value)),
		sql: `UPDATE single_use SET used_at = $1 WHERE kind = $2 AND hash = $3 AND used_at = 0 AND expires_at > $1
			AND EXISTS (SELECT 1 FROM sessions WHERE id = $4 AND ended_at = 0 AND expires_at > $1)`,
		args: []any{micros(now), SingleUseCode, secret.Hash(value), g.SessionID},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		return s.beginGrant(by, g, trusted, keystone.AuditEvent{Action: keystone.ActCodeRedeemed, TargetKind: "grant", TargetID: g.ID,
			Detail: map[string]any{"scopes": g.Scopes}})
	}
	hit, err := s.hot(ctx, w)
	return hit, s.fail("redeem code", err)
}

// beginGrant is what redeeming adds to its transaction: writes to the rows of
// session and consent, then the grant where both are still there, then the trail.
func (s *Store) beginGrant(by keystone.Actor, g keystone.Grant, trusted bool, event keystone.AuditEvent) []addition {
	adds := []addition{{`UPDATE sessions SET last_seen = $1 WHERE id = $2`, []any{micros(g.CreatedAt), g.SessionID}}}
	if !trusted {
		adds = append(adds, addition{`UPDATE consents SET updated_at = updated_at WHERE user_id = $1 AND client_id = $2`, []any{g.UserID, g.ClientID}})
	}
	return append(adds, insertGrantWhile(g, trusted), s.auditRow(by, event))
}
