package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keystone-auth/keystone"
)

// denials writes refused rights into the audit trail, each combination of actor
// and route once a minute: somebody who asks again and again must not be able to
// fill the trail.
type denials struct {
	record func(context.Context, keystone.Actor, keystone.AuditEvent) error
	count  prometheus.Counter
	log    *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time
}

const (
	denialEvery = time.Minute
	maxDenials  = 1000 // combinations in a minute; beyond them, they are only counted
)

// denied records that actor was refused at a route for want of what.
func (s *Server) denied(ctx context.Context, actor keystone.Actor, route, want string) {
	s.denials.note(ctx, actor, route, want)
}

func (d *denials) note(ctx context.Context, actor keystone.Actor, route, want string) {
	d.count.Inc()
	if !d.first(string(actor.Kind) + actor.ID + route) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := d.record(ctx, actor, keystone.AuditEvent{
		Action: keystone.ActAccessDenied, TargetKind: "server", TargetName: route,
		Detail: map[string]any{"demands": want},
	})
	if err != nil { // the request is refused all the same
		d.log.ErrorContext(ctx, "denial not recorded", "error", err)
	}
}

func (d *denials) first(key string) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.seen[key]; ok && now.Sub(at) < denialEvery {
		return false
	}
	if len(d.seen) >= maxDenials {
		for k, at := range d.seen {
			if now.Sub(at) >= denialEvery {
				delete(d.seen, k)
			}
		}
		if len(d.seen) >= maxDenials {
			return false
		}
	}
	if d.seen == nil {
		d.seen = map[string]time.Time{}
	}
	d.seen[key] = now
	return true
}
