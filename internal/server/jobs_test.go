package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestJobs(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		l := &logs{}
		log := NewLogger(l, slog.LevelDebug, "json")
		m := newMetrics("test")
		var each, one, panics, fails atomic.Int64
		both := make(chan struct{})
		list := []job{
			{name: "each", every: time.Millisecond, run: func(context.Context) error {
				if each.Add(1) == 100 {
					close(both)
				}
				return nil
			}},
			{name: "one", every: time.Millisecond, leased: true, run: func(context.Context) error { one.Add(1); return nil }},
			{name: "panics", every: time.Millisecond, run: func(context.Context) error { panics.Add(1); panic("CANARY? no, just a panic") }},
			{name: "fails", every: time.Millisecond, run: func(context.Context) error { fails.Add(1); return errors.New("disk full") }},
		}
		var nodes []*jobs
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for i := range 2 {
			n := &jobs{store: s, holder: fmt.Sprint("node ", i), log: log, metrics: m}
			nodes = append(nodes, n)
			n.start(ctx, list)
		}
		select {
		case <-both:
		case <-time.After(10 * time.Second):
			t.Fatal("jobs do not run")
		}
		deadline := time.Now().Add(10 * time.Second)
		for one.Load() == 0 || panics.Load() < 2 || fails.Load() < 2 {
			if time.Now().After(deadline) {
				t.Fatalf("one %d, panics %d, fails %d", one.Load(), panics.Load(), fails.Load())
			}
			time.Sleep(time.Millisecond)
		}
		// The node that holds the job keeps it; the other does not run it.
		held, err := s.Lease(context.Background(), "one", "somebody else", time.Second)
		if err != nil || held {
			t.Errorf("the lease is free: %v", err)
		}
		cancel()
		for _, n := range nodes {
			n.wait()
		}
		before := each.Load()
		time.Sleep(20 * time.Millisecond)
		if each.Load() != before {
			t.Error("jobs run on after their end")
		}
		if held, err := s.Lease(context.Background(), "one", "somebody else", time.Second); err != nil || !held {
			t.Errorf("the lease is not given up: %v", err)
		}
		if len(l.lines(t, "panic")) == 0 || len(l.lines(t, "job failed")) == 0 {
			t.Error("the log does not tell")
		}
	})
}

// TestServerJobs: every job of the server works on both databases.
func TestServerJobs(t *testing.T) {
	s, _ := boot(t, off)
	ctx := context.Background()
	if err := s.parts.Store.Record(ctx, keystone.System("test"), keystone.AuditEvent{Action: keystone.ActAccessDenied}); err != nil {
		t.Fatal(err)
	}
	s.metrics.swept.Reset()
	for _, j := range s.jobList() {
		if err := j.run(ctx); err != nil {
			t.Errorf("%s: %v", j.name, err)
		}
	}
	report, err := s.parts.Store.VerifyAudit(ctx, "")
	if err != nil {
		t.Errorf("%v, %+v", err, report)
	}
	if text := send(s.Management(), "GET", "/metrics", "").Body.String(); !strings.Contains(text, `keystone_swept_rows_total{table="audit"} 0`) {
		t.Error("what was swept is not counted")
	}
}

// TestSealingGoesOn: where the node that seals is killed right after it renewed
// its lease, the others seal within five seconds, each row once.
func TestSealingGoesOn(t *testing.T) {
	s, _ := boot(t, off)
	seal := slices.IndexFunc(s.jobList(), func(j job) bool { return j.name == "audit-seal" })
	one := s.jobList()[seal]
	ctx, cancel := context.WithCancel(context.Background())
	if held, err := s.parts.Store.Lease(ctx, one.name, "the node that was killed", one.lease); err != nil || !held {
		t.Fatal(held, err)
	}
	killed := time.Now()
	for range 3 {
		if err := s.parts.Store.Record(ctx, keystone.System("test"), keystone.AuditEvent{Action: keystone.ActAccessDenied}); err != nil {
			t.Fatal(err)
		}
	}
	var nodes []*jobs
	for _, holder := range []string{"second", "third"} {
		n := &jobs{store: s.parts.Store, holder: holder, log: s.log, metrics: s.metrics}
		n.start(ctx, []job{one})
		nodes = append(nodes, n)
	}
	for {
		b, err := s.parts.Store.Backlog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b.Unsealed == 0 {
			break
		}
		if time.Since(killed) > 5*time.Second {
			t.Fatalf("%d rows are not sealed after %v", b.Unsealed, time.Since(killed))
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	for _, n := range nodes {
		n.wait()
	}
	if report, err := s.parts.Store.VerifyAudit(context.Background(), ""); err != nil || len(report.Findings) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 100 {
		d := jitter(time.Second, fmt.Sprint("node", i))
		if d < 0 || d >= time.Second {
			t.Errorf("%v", d)
		}
		seen[d] = true
	}
	if len(seen) < 95 {
		t.Errorf("100 nodes have %d different moments", len(seen))
	}
	if jitter(0, "x") != 0 {
		t.Error("of nothing there is no part")
	}
}
