package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
)

// How many requests may wait for one person, those that they refused included until
// their time: who asks again and again is not to wear anybody down.
const (
	backchannelEach = 5  // of one client
	backchannelAll  = 20 // of all
)

var errManyWait = keystone.Fail(keystone.Limited, "Too many requests wait for this person, or were refused a moment ago. Ask again later.").After(time.Minute)

// AddBackchannel writes an authorization that waits for the user p.UserID, under
// the hash of its auth_req_id (code). notify is the bearer value with which the
// client is told of the answer; empty: it polls. NotFound: there is no such user,
// or not any more.
func (s *Store) AddBackchannel(ctx context.Context, by keystone.Actor, code string, p Pending, notify string) error {
	sealed, err := s.sealNotification(p, Notification{AuthReqID: code, Token: notify})
	if err != nil {
		return err
	}
	add, err := insertPending(code, nil, sealed, p)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		// The person's row first: of those who ask at the same time one counts after
		// the other.
		n, err := tx.q.exec(ctx, `UPDATE users SET enabled = enabled WHERE id = $1 AND enabled`, p.UserID)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("user")
		}
		var total, each int
		if _, err := tx.row(ctx, `SELECT COUNT(*), COUNT(CASE WHEN client_id = $1 THEN 1 END) FROM pending_authorizations
			WHERE user_id = $2 AND kind = $3 AND status IN ('pending', 'denied') AND expires_at + 0 > $4`,
			[]any{p.ClientID, p.UserID, PendingBackchannel, micros(tx.now())}, &total, &each); err != nil {
			return err
		}
		if each >= backchannelEach || total >= backchannelAll {
			return errManyWait
		}
		if _, err := tx.q.exec(ctx, add.sql, add.args...); err != nil {
			return err
		}
		return tx.audit(ctx, by, p.asked())
	})
	return s.fail("add backchannel authorization", err)
}

// WaitingFor lists what waits for a user's answer, oldest first.
func (s *Store) WaitingFor(ctx context.Context, userID string) ([]Pending, error) {
	list, err := all(ctx, s, scanPending, `SELECT `+pendingColumns+` FROM pending_authorizations
		WHERE user_id = $1 AND kind = $2 AND status = 'pending' AND expires_at + 0 > $3 ORDER BY id LIMIT $4`,
		userID, PendingBackchannel, micros(s.now()), backchannelAll)
	return list, s.fail("list waiting authorizations", err)
}

// MessagePing are messages that tell a client that a person has answered (OpenID
// Connect CIBA section 10.2). Their payload is a Ping.
const MessagePing = "backchannel_ping"

// Ping is what there is to tell a client, and until when it means anything.
type Ping struct {
	ClientID  string    `json:"client_id"`
	PendingID string    `json:"pending_id"`
	Sealed    []byte    `json:"sealed"` // a Notification
	Until     time.Time `json:"until"`
}

// Notification is what a client is told, and the bearer value by which it knows who
// tells it. Both would be worth something to a thief, so they are sealed at rest.
type Notification struct {
	AuthReqID string `json:"auth_req_id"`
	Token     string `json:"token"`
}

func ping(p Ping, now time.Time) addition {
	payload, _ := json.Marshal(p) // texts, bytes and a time always encode
	return enqueue(keystone.NewID(now), MessagePing, payload, now)
}

// sealPing is the purpose under which notifications are sealed.
const sealPing = "backchannel-ping"

// sealNotification returns nil, which is NULL, where the client polls.
func (s *Store) sealNotification(p Pending, n Notification) (any, error) {
	if n.Token == "" {
		return nil, nil
	}
	payload, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return s.master.Seal(sealPing, payload, p.ID, p.ClientID)
}

// OpenPing returns what a client is to be told.
func (s *Store) OpenPing(p Ping) (n Notification, err error) {
	payload, err := s.master.Open(sealPing, p.Sealed, p.PendingID, p.ClientID)
	if err == nil {
		err = json.Unmarshal(payload, &n)
	}
	return n, s.fail("open notification", err)
}
