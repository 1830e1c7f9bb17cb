package server

import (
	"context"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
)

// panics keeps which handlers broke off until the next flush writes it into the audit
// trail, of each route once a minute. The request does not wait for that: the database may
// be why it broke.
type panics struct {
	record func(context.Context, keystone.Actor, keystone.AuditEvent) error
	now    func() time.Time

	mu     sync.Mutex
	routes map[string]*broken
}

type broken struct {
	actor   keystone.Actor
	at      time.Time
	written bool
}

const panicEvery = time.Minute

// add takes that a handler broke off.
func (p *panics) add(actor keystone.Actor, route string) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.routes[route]; b != nil && (!b.written || now.Sub(b.at) < panicEvery) {
		return
	}
	if p.routes == nil {
		p.routes = map[string]*broken{}
	}
	p.routes[route] = &broken{actor: actor, at: now}
}

// flush writes what is not written yet. What cannot be written is tried again.
func (p *panics) flush(ctx context.Context) error {
	p.mu.Lock()
	waiting := map[string]*broken{}
	for route, b := range p.routes {
		if !b.written {
			waiting[route] = b
		}
	}
	p.mu.Unlock()
	for route, b := range waiting {
		if err := p.record(ctx, b.actor, keystone.AuditEvent{Action: keystone.ActServerPanicked, TargetKind: "server", TargetName: route}); err != nil {
			return err
		}
		p.mu.Lock()
		b.written = true
		p.mu.Unlock()
	}
	return nil
}
