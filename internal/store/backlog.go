package store

import (
	"context"
	"time"
)

// Backlog is work that waits for a background job.
type Backlog struct {
	Unsealed int64         // audit rows behind the last seal
	Outbox   int64         // messages to deliver
	Oldest   time.Duration // age of the oldest of them; 0: there is none
	Dead     int64         // messages that were given up
}

// Backlog counts what waits, for metrics. Rows behind the last seal are told by
// their numbers, so that the count costs two index look-ups.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	_, err = s.row(ctx, `SELECT COALESCE((SELECT MAX(seq) FROM audit), 0) - COALESCE((SELECT last_seq FROM audit_seals ORDER BY n DESC LIMIT 1), 0)`, nil, &b.Unsealed)
	if err != nil {
		return b, s.fail("count backlog", err)
	}
	var oldest int64
	_, err = s.row(ctx, `SELECT COUNT(*) FILTER (WHERE dead_at = 0), COALESCE(MIN(created_at) FILTER (WHERE dead_at = 0), 0), COUNT(*) FILTER (WHERE dead_at <> 0) FROM outbox`, nil, &b.Outbox, &oldest, &b.Dead)
	if oldest > 0 {
		b.Oldest = max(s.now().Sub(moment(oldest)), 0)
	}
	b.Unsealed = max(b.Unsealed, 0)
	return b, s.fail("count backlog", err)
}
