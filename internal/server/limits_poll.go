package server

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone/internal/ephemeral"
)

// Poll counts a poll for a code and reports whether it came no earlier than
// interval after the one before. Each that came too early makes the interval five
// seconds longer, up to a minute more (RFC 8628 section 3.5). It costs a look into
// memory, and into Redis where there is one; losing either forgives.
func (l *Limits) Poll(ctx context.Context, code string, interval time.Duration) bool {
	early := ephemeral.Rate{Count: 12, Per: 12 * time.Hour}
	seen := l.counter.Take(ctx, "poll:early:"+code, early, 0)
	interval += 5 * time.Second * time.Duration(early.Count-seen.Remaining)
	if l.counter.Take(ctx, "poll:"+code, ephemeral.Rate{Count: 1, Per: interval}, 1).Allowed {
		return true
	}
	l.counter.Take(ctx, "poll:early:"+code, early, 1)
	return false
}
