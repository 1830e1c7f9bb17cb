package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// traces keeps why requests were refused until the next flush. Anybody can be
// refused as often as they like, so it takes a bounded number: a burst, then so
// many a second, and of one source only a share of that. The rest is counted.
type traces struct {
	write   func(context.Context, []keystone.Trace) error
	now     func() time.Time
	dropped func(n int) // counts what is not kept

	mu      sync.Mutex
	pending []keystone.Trace
	budget  float64
	filled  time.Time
	sources map[string]int // taken since the last flush
}

const (
	traceBurst    = 1000
	tracesASecond = 10
	tracesShare   = 50 // a source may take the 50th part of what is left, each second: never all
)

// add takes the refusal of a request.
func (t *traces) add(rec *recorder, status int) {
	checks, facts := rec.x.Checks.Came()
	now, source := t.now(), keystone.Network(rec.x.Actor.Source)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.budget = min(traceBurst, t.budget+tracesASecond*now.Sub(t.filled).Seconds())
	t.filled = now
	if t.budget < 1 || t.sources[source] >= max(1, int(t.budget)/tracesShare) {
		t.dropped(1)
		return
	}
	t.budget--
	if t.sources == nil {
		t.sources = map[string]int{}
	}
	t.sources[source]++
	code, fix := httpio.Refusal(rec.x.Err)
	one := keystone.Trace{
		ID: keystone.NewID(now), RequestID: rec.x.Actor.RequestID, At: now.UTC(), Route: rec.x.Route, Source: rec.x.Actor.Source,
		ClientID: rec.x.ClientID, ActorID: rec.x.Actor.ID, Status: status, Code: code, Fix: fix,
		Checks: append([]string(nil), checks...), Facts: map[string]string{},
	}
	for name, value := range facts {
		one.Facts[name] = Redact(value)
	}
	var refused *keystone.Error
	if errors.As(rec.x.Err, &refused) {
		for name, why := range refused.Fields {
			one.Facts["field "+name] = why
		}
	}
	t.pending = append(t.pending, one)
}

// flush writes what has been taken. What cannot be written is lost: a refusal
// has been answered already, and the log has it too.
func (t *traces) flush(ctx context.Context) error {
	t.mu.Lock()
	list := t.pending
	t.pending, t.sources = nil, nil
	t.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	err := t.write(ctx, list)
	if err != nil {
		t.dropped(len(list))
	}
	return err
}
