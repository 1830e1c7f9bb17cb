package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// Waiting is a message as operators see it. Its payload, which may hold what is
// somebody's own, is not shown.
type Waiting struct {
	ID        string
	Kind      string
	CreatedAt time.Time
	DueAt     time.Time
	Attempts  int
	LastError string
	GivenUpAt time.Time // zero: it is still being tried
}

// Waiting lists messages that are not delivered, oldest first: all, or only those
// that were given up.
func (s *Store) Waiting(ctx context.Context, givenUp bool, p keystone.Page) (keystone.List[Waiting], error) {
	where := ``
	if givenUp {
		where = ` AND dead_at <> 0`
	}
	list, err := all(ctx, s, func(scan func(...any) error) (w Waiting, err error) {
		var created, due, attempts, dead int64
		err = scan(&w.ID, &w.Kind, &created, &due, &attempts, &w.LastError, &dead)
		w.CreatedAt, w.DueAt, w.Attempts, w.GivenUpAt = moment(created), moment(due), int(attempts), moment(dead)
		return w, err
	}, `SELECT id, kind, created_at, due_at, attempts, last_error, dead_at FROM outbox WHERE id > $1`+where+` ORDER BY id LIMIT $2`, p.After, p.Size()+1)
	return page(list, p.Size(), func(w Waiting) string { return w.ID }), s.fail("list messages", err)
}

// Retry makes a message due now with all its attempts before it, also one that was
// given up. With an empty id it does so for every message that was given up. It
// returns how many.
func (s *Store) Retry(ctx context.Context, by keystone.Actor, id string) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		where, args := `dead_at <> 0`, []any{micros(tx.now())}
		if id != "" {
			where, args = `id = $2`, append(args, id)
		}
		if n, err = tx.q.exec(ctx, `UPDATE outbox SET due_at = $1, attempts = 0, dead_at = 0 WHERE `+where, args...); err != nil {
			return err
		}
		if n == 0 && id != "" {
			return notFound("message")
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActMessagesRetried, TargetKind: "message", TargetID: id, Detail: map[string]any{"messages": n}})
	})
	return n, s.fail("retry messages", err)
}
