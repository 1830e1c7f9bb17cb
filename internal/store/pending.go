package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// Kinds of pending authorizations.
const (
	PendingDevice      = "device"      // RFC 8628
	PendingBackchannel = "backchannel" // OpenID Connect CIBA
)

// States of a pending authorization. Each step is one conditional statement;
// there is no way back.
const (
	StatePending  = "pending"
	StateApproved = "approved"
	StateDenied   = "denied"
	StateRedeemed = "redeemed"
)

// Pending is an authorization that waits for a person who is somewhere else
// than the client: the client polls with a code, the person answers in a
// browser.
type Pending struct {
	ID        string
	Kind      string
	ClientID  string
	UserID    string // who may answer; empty: whoever has the user code
	Request   keystone.AuthRequest
	Source    string // address that the client asked from
	Message   string // of the client to the person
	Status    string
	Approval  Code // what was approved
	CreatedAt time.Time
	ExpiresAt time.Time
}

const pendingColumns = `id, kind, client_id, user_id, request, source, message, status, approval, created_at, expires_at`

func scanPending(scan func(...any) error) (p Pending, err error) {
	var request, approval string
	var created, expires int64
	if err = scan(&p.ID, &p.Kind, &p.ClientID, &p.UserID, &request, &p.Source, &p.Message, &p.Status, &approval, &created, &expires); err != nil {
		return p, err
	}
	p.CreatedAt, p.ExpiresAt = moment(created), moment(expires)
	if err = json.Unmarshal([]byte(request), &p.Request); err == nil && approval != "" {
		err = json.Unmarshal([]byte(approval), &p.Approval)
	}
	return p, err
}

// AddPending writes an authorization that waits, under the hash of its code and
// the keyed hash of its user code (may be empty). Conflict: the user code is
// taken; try another. Where nobody has proved to be the client, it is left out of
// the trail, which anybody could fill; the answer says where it was asked from.
func (s *Store) AddPending(ctx context.Context, by keystone.Actor, code, userCode string, p Pending) error {
	add, err := insertPending(code, s.hashUserCode(userCode), nil, p)
	if err != nil {
		return err
	}
	w := &hotWrite{lock: lockOnce(secret.Hash(code)), sql: add.sql, args: add.args}
	if by.Kind != keystone.ActorAnonymous {
		w.then = s.auditedWrite(by, p.asked)
	}
	_, err = s.hot(ctx, w)
	return s.fail("add pending authorization", err)
}

func insertPending(code string, userCode, notify any, p Pending) (addition, error) {
	request, err := storedRequest(p.Request)
	return addition{`INSERT INTO pending_authorizations (id, kind, hash, user_code, client_id, user_id, request, source, message, notify, status, approval, created_at, expires_at, decided_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', '', $11, $12, 0)`,
		[]any{p.ID, p.Kind, secret.Hash(code), userCode, p.ClientID, p.UserID, request, p.Source, p.Message, notify, micros(p.CreatedAt), micros(p.ExpiresAt)}}, err
}

// asked is the audit event of an authorization that begins to wait.
func (p Pending) asked() keystone.AuditEvent {
	return keystone.AuditEvent{Action: keystone.ActAuthorizationAsked, TargetKind: "authorization", TargetID: p.ID,
		Detail: map[string]any{"kind": p.Kind, "user_id": p.UserID, "scopes": p.Request.Scopes}}
}

// hashUserCode is what is stored in place of a user code: it is short, so its
// hash is keyed. nil is NULL.
func (s *Store) hashUserCode(letters string) any {
	if letters == "" {
		return nil
	}
	sum := s.userCodes.Sum([]byte(letters))
	return sum[:]
}

// PendingByCode returns the authorization that a client polls for, in whatever
// state, at most a second old: a poll costs no write, and mostly no read.
func (s *Store) PendingByCode(ctx context.Context, code string) (Pending, error) {
	hash := secret.Hash(code)
	p, err := cached(ctx, s, s.cache.pending, hex.EncodeToString(hash), func(ctx context.Context) (Pending, error) {
		return s.onePending(ctx, `hash = $1`, hash)
	})
	return p, s.fail("read pending authorization", err)
}

// PendingByUserCode returns the authorization that waits under a user code.
func (s *Store) PendingByUserCode(ctx context.Context, letters string) (Pending, error) {
	p, err := s.onePending(ctx, `user_code = $1 AND status = 'pending' AND expires_at + 0 > $2`, s.hashUserCode(letters), micros(s.now()))
	return p, s.fail("read pending authorization", err)
}

// Pending returns an authorization that waits for an answer.
func (s *Store) Pending(ctx context.Context, id string) (Pending, error) {
	p, err := s.onePending(ctx, `id = $1 AND status = 'pending' AND expires_at + 0 > $2`, id, micros(s.now()))
	return p, s.fail("read pending authorization", err)
}

func (s *Store) onePending(ctx context.Context, where string, args ...any) (Pending, error) {
	list, err := all(ctx, s.hotReads(), scanPending, `SELECT `+pendingColumns+` FROM pending_authorizations WHERE `+where, args...)
	if err != nil {
		return Pending{}, err
	}
	if len(list) == 0 {
		return Pending{}, notFound("pending authorization")
	}
	return list[0], nil
}

// AnswerPending approves (approval given) or denies (nil) an authorization that
// waits, as the user userID. Of any number of answers, on any nodes, the first
// counts and gets true; so does none after its end, and none of somebody else
// than the person it is for.
func (s *Store) AnswerPending(ctx context.Context, by keystone.Actor, id, userID string, approval *Code) (bool, error) {
	status, text, action := StateDenied, "", keystone.ActAuthorizationDenied
	detail := map[string]any{"user_id": userID}
	if approval != nil {
		b, err := json.Marshal(approval)
		if err != nil {
			return false, err
		}
		status, text, action = StateApproved, string(b), keystone.ActAuthorizationApproved
		detail["scopes"], detail["client_id"] = approval.Scopes, approval.Request.ClientID
	}
	var hash, notify []byte
	var clientID, source string
	var expires int64
	now := s.now()
	w := &hotWrite{
		lock: lockOnce([]byte(id)),
		sql: `UPDATE pending_authorizations SET status = $1, approval = $2, user_id = $3, decided_at = $4
			WHERE id = $5 AND status = 'pending' AND expires_at + 0 > $4 AND (user_id = '' OR user_id = $3) RETURNING hash, notify, client_id, source, expires_at`,
		args: []any{status, text, userID, micros(now), id},
		dest: []any{&hash, &notify, &clientID, &source, &expires},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		detail["asked_from"] = source
		adds := []addition{s.auditRow(by, keystone.AuditEvent{Action: action, TargetKind: "authorization", TargetID: id, Detail: detail})}
		if len(notify) > 0 {
			adds = append(adds, ping(Ping{clientID, id, notify, moment(expires)}, now))
		}
		if approval != nil {
			adds = append(adds, addition{`UPDATE browser_sessions SET last_used = $1 WHERE session_id = $2 AND last_used < $3`,
				[]any{micros(now), approval.SessionID, micros(now.Add(-usedEvery))}})
		}
		return adds
	}
	hit, err := s.hot(ctx, w)
	if hit {
		s.cache.pending.Invalidate(hex.EncodeToString(hash))
	}
	return hit, s.fail("answer pending authorization", err)
}

// RedeemPending uses an approved authorization and begins its grant, as
// RedeemCode does of a code: of any number of simultaneous uses, on any nodes,
// one gets true.
func (s *Store) RedeemPending(ctx context.Context, by keystone.Actor, code string, g keystone.Grant, trusted bool) (bool, error) {
	hash := secret.Hash(code)
	w := &hotWrite{
		alike: true,
		lock:  lockRedeemed(g.SessionID, hash),
		sql:   `UPDATE pending_authorizations SET status = 'redeemed' WHERE hash = $1 AND status = 'approved' AND expires_at + 0 > $2`,
		args:  []any{hash, micros(s.now())},
		also:  beginGrant(g, trusted),
	}
	w.trail = s.auditRow(by, keystone.AuditEvent{Action: keystone.ActAuthorizationRedeemed, TargetKind: "grant", TargetID: g.ID, Detail: redeemed(g)}).args
	hit, err := s.hot(ctx, w)
	s.cache.pending.Invalidate(hex.EncodeToString(hash))
	return hit, s.fail("redeem pending authorization", err)
}
