package store

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
)

// Message is something to deliver outside of the database: it is written in the
// transaction of what it tells of and delivered at least once afterwards.
type Message struct {
	ID       string // stays the same over retries, so receivers can tell repeats
	Kind     string
	Payload  []byte
	Attempts int
	Failed   bool // before, or another one to the same receiver while this one waited
}

// Enqueue adds a message; inside InTx it leaves with the transaction.
func (s *Store) Enqueue(ctx context.Context, kind string, payload []byte) error {
	now := s.now()
	add := enqueue(keystone.NewID(now), kind, payload, now)
	_, err := s.q.exec(ctx, add.sql, add.args...)
	return s.fail("enqueue", err)
}

func enqueue(id, kind string, payload []byte, now time.Time) addition {
	return addition{`INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts, claimed_by, claimed_until, last_error, dead_at)
		VALUES ($1, $2, $3, $4, $4, 0, '', 0, '', 0)`, []any{id, kind, payload, micros(now)}}
}

// Claim hands out up to n due messages of a kind to holder for ttl. A message
// whose holder dies is due again when its claim ends.
func (s *Store) Claim(ctx context.Context, kind, holder string, n int, ttl time.Duration) ([]Message, error) {
	var claimed []Message
	err := s.InTx(ctx, func(tx *Store) error {
		claimed = nil
		now := tx.now()
		ids, err := tx.texts(ctx, `SELECT id FROM outbox WHERE kind = $1 AND due_at <= $2 AND claimed_until <= $2 AND dead_at = 0 ORDER BY due_at, id LIMIT $3`, kind, micros(now), n)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m := Message{ID: id, Kind: kind}
			var why string
			won, err := tx.row(ctx, `UPDATE outbox SET claimed_by = $1, claimed_until = $2, attempts = attempts + 1
				WHERE id = $3 AND claimed_until <= $4 AND due_at <= $4 AND dead_at = 0 RETURNING payload, attempts, last_error`, []any{holder, micros(now.Add(ttl)), id, micros(now)}, &m.Payload, &m.Attempts, &why)
			if err != nil {
				return err
			}
			m.Failed = why != ""
			if won {
				claimed = append(claimed, m)
			}
		}
		return nil
	})
	return claimed, s.fail("claim", err)
}

// Delivered removes a message that holder has delivered.
func (s *Store) Delivered(ctx context.Context, id, holder string) error {
	_, err := s.q.exec(ctx, `DELETE FROM outbox WHERE id = $1 AND claimed_by = $2`, id, holder)
	return s.fail("finish message", err)
}

// Undelivered puts a message back until due, or gives it up where dead is true.
// why must hold no secret.
func (s *Store) Undelivered(ctx context.Context, id, holder, why string, due time.Time, dead bool) error {
	deadAt := int64(0)
	if dead {
		deadAt = micros(s.now())
	}
	_, err := s.q.exec(ctx, `UPDATE outbox SET due_at = $1, claimed_until = 0, last_error = $2, dead_at = $3 WHERE id = $4 AND claimed_by = $5`,
		micros(due), why, deadAt, id, holder)
	return s.fail("put message back", err)
}

// PutBack gives back messages that holder has claimed and not tried, until due.
func (s *Store) PutBack(ctx context.Context, holder string, list []Message, due time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		for _, m := range list {
			if _, err := tx.q.exec(ctx, `UPDATE outbox SET due_at = $1, claimed_until = 0, attempts = attempts - 1 WHERE id = $2 AND claimed_by = $3`, micros(due), m.ID, holder); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail("put messages back", err)
}

// Postpone moves all that is due of a kind for one client, and held by nobody, to
// due. What is due later keeps its time, so that nothing is moved for ever. why, where
// there is one, is why that client failed.
func (s *Store) Postpone(ctx context.Context, kind, clientID, why string, due time.Time) error {
	begins, err := json.Marshal(clientID)
	if err != nil {
		return err
	}
	from := append([]byte(`{"client_id":`), begins...) // as LogoutNotice and Ping begin
	until := bytes.Clone(from)
	until[len(until)-1]++
	err = s.InTx(ctx, func(tx *Store) error {
		_, err := tx.q.exec(ctx, `UPDATE outbox SET due_at = $1, last_error = CASE WHEN $2 = '' THEN last_error ELSE $2 END
			WHERE kind = $3 AND due_at <= $4 AND claimed_until <= $4 AND dead_at = 0 AND payload >= $5 AND payload < $6`,
			micros(due), why, kind, micros(tx.now()), from, until)
		return err
	})
	return s.fail("postpone messages", err)
}
