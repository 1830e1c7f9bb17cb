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
// of the browser's session, which was used before at lastUsed.
func (s *Store) AddCode(ctx context.Context, value string, c Code, expires, lastUsed time.Time) error {
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	now := s.now()
	w := &hotWrite{alike: true, sql: insertSingleUse, args: []any{SingleUseCode, secret.Hash(value), string(payload), micros(now), micros(expires)}}
	if before := now.Add(-usedEvery); lastUsed.Before(before) {
		w.alike = false
		w.then = func(bool) []addition {
			return []addition{{`UPDATE browser_sessions SET last_used = $1 WHERE session_id = $2 AND last_used < $3`,
				[]any{micros(now), c.SessionID, micros(before)}}}
		}
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
	if !found {
		keystone.Fact(ctx, "why", "there is no such code, or not any more")
		return c, false, notFound("code")
	}
	if usedAt == 0 && expires <= micros(s.now()) {
		keystone.Fact(ctx, "why", "the code has expired")
		return c, false, notFound("code")
	}
	return c, usedAt != 0, json.Unmarshal([]byte(payload), &c)
}

// BurnCode makes a code worthless without giving anything for it; the trail says
// why.
func (s *Store) BurnCode(ctx context.Context, by keystone.Actor, value string, c Code, reason string) error {
	hash := secret.Hash(value)
	w := &hotWrite{
		lock: lockOnce(hash),
		sql:  useOnce,
		args: []any{micros(s.now()), SingleUseCode, hash},
	}
	w.trail = s.auditRow(by, keystone.AuditEvent{Action: keystone.ActCodeBurned, TargetKind: "grant", TargetID: c.GrantID,
		Detail: map[string]any{"reason": reason, "user_id": c.UserID}}).args
	_, err := s.hot(ctx, w)
	return s.fail("burn code", err)
}

// RedeemCode uses a code and begins its grant, in one transaction: of any number
// of simultaneous uses, on any nodes, one gets true. The session that the code
// was issued under must still be alive, and the consent there, unless trusted;
// else the code is used up and there is no grant. While the database writes, the caller
// does meanwhile (nil: nothing), at most once.
func (s *Store) RedeemCode(ctx context.Context, by keystone.Actor, value string, g keystone.Grant, trusted bool, meanwhile func()) (bool, error) {
	hash := secret.Hash(value)
	w := &hotWrite{
		alike: true,
		lock:  lockRedeemed(g.SessionID, hash),
		sql:   useOnce,
		args:  []any{micros(s.now()), SingleUseCode, hash},
		also:  beginGrant(g, trusted),

		meanwhile: meanwhile,
	}
	w.trail = s.auditRow(by, keystone.AuditEvent{Action: keystone.ActCodeRedeemed, TargetKind: "grant", TargetID: g.ID, Detail: redeemed(g)}).args
	hit, err := s.hot(ctx, w)
	return hit, s.fail("redeem code", err)
}

// redeemed is what the trail says of a grant that begins. Of authorization details
// it has the types: what they say is the person's.
func redeemed(g keystone.Grant) map[string]any {
	detail := map[string]any{"scopes": g.Scopes}
	if types := g.Details.Types(); len(types) > 0 {
		detail["authorization_details_types"] = types
	}
	return detail
}
