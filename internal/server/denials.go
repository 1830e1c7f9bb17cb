package server

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// denials writes refused rights into the audit trail, each combination of actor
// and route once a minute: somebody who asks again and again must not be able to
// fill the trail.
type denials struct {
	record func(context.Context, keystone.Actor, keystone.AuditEvent) error
	count  prometheus.Counter
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	seen  map[string]time.Time // of actors and clients that there are
	crowd map[string]time.Time // of everybody else, who must not use up the room of those
}

const (
	denialEvery = time.Minute
	maxDenials  = 1000 // combinations in a minute; beyond them, they are only counted
	maxCrowd    = 200
)

// denied records that actor was refused at a route for want of what.
func (s *Server) denied(ctx context.Context, actor keystone.Actor, route, want string) {
	s.denials.note(ctx, actor, route, want)
}

// clientFailed counts and records a failed client authentication.
func (s *Server) clientFailed(ctx context.Context, clientID, source string) {
	s.limits.ClientFailed(ctx, clientID, source)
	if _, err := s.parts.Store.CachedClient(ctx, clientID); keystone.KindOf(err) == keystone.NotFound {
		clientID = "" // the caller made it up: another one each time, if they like
	}
	s.denials.clientFailed(ctx, httpio.Actor(ctx), clientID)
}

func (d *denials) note(ctx context.Context, actor keystone.Actor, route, want string) {
	d.count.Inc()
	d.write(ctx, actor, string(actor.Kind)+actor.ID+route, keystone.AuditEvent{
		Action: keystone.ActAccessDenied, TargetKind: "server", TargetName: route,
		Detail: map[string]any{"demands": want},
	})
}

// clientFailed records a failed client authentication, of a client that there is;
// empty: of none.
func (d *denials) clientFailed(ctx context.Context, actor keystone.Actor, clientID string) {
	d.write(ctx, actor, "client|"+pairKey(clientID, keystone.Network(actor.Source)), keystone.AuditEvent{
		Action: keystone.ActClientAuthFailed, TargetKind: "client", TargetID: clientID,
	})
}

// stranger records that somebody was refused who need not be anybody, such as at a
// closed registration: for each reason and source, and without a target.
func (d *denials) stranger(ctx context.Context, actor keystone.Actor, reason string) {
	d.write(ctx, actor, "reason|"+reason+"|"+keystone.Network(actor.Source), keystone.AuditEvent{
		Action: keystone.ActAccessDenied, TargetKind: "server", Detail: map[string]any{"reason": reason},
	})
}

// write adds the event, unless one like it (key) was added in the last minute.
func (d *denials) write(ctx context.Context, actor keystone.Actor, key string, e keystone.AuditEvent) {
	if !d.first(key, actor.ID != "" || e.TargetID != "") {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := d.record(ctx, actor, e)
	if err != nil { // the request is refused all the same
		d.log.ErrorContext(ctx, "denial not recorded", "error", err)
	}
}

func (d *denials) first(key string, known bool) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen, d.crowd = map[string]time.Time{}, map[string]time.Time{}
	}
	seen, most := d.crowd, maxCrowd
	if known {
		seen, most = d.seen, maxDenials
	}
	if at, ok := seen[key]; ok && now.Sub(at) < denialEvery {
		return false
	}
	if len(seen) >= most {
		maps.DeleteFunc(seen, func(_ string, at time.Time) bool { return now.Sub(at) >= denialEvery })
	}
	if len(seen) >= most {
		return false
	}
	seen[key] = now
	return true
}
