package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// job is work that runs again and again beside the requests.
type job struct {
	name   string
	every  time.Duration
	leased bool          // one node at a time
	lease  time.Duration // how long a node that died keeps it; 0: leaseTTL
	run    func(context.Context) error
}

// leaseTTL is how long a node that died keeps a job from the others. Sealing has a
// shorter one: what is not sealed can be changed unseen, so the tail that a killed
// node leaves is sealed by another one within five seconds, its own interval
// included. A node that is late with renewing loses nothing but its turn: the
// chain's primary key refuses a second seal of the same rows.
const (
	leaseTTL  = 15 * time.Second
	sealLease = 3 * time.Second
)

// jobs runs all jobs until its context ends, then waits for those under way.
type jobs struct {
	store   *store.Store
	holder  string // this process, in leases
	log     *slog.Logger
	metrics *metrics
	group   sync.WaitGroup
}

func (j *jobs) start(ctx context.Context, list []job) {
	for _, one := range list {
		j.group.Add(1)
		go func() {
			defer j.group.Done()
			j.loop(ctx, one)
		}()
	}
}

func (j *jobs) wait() { j.group.Wait() }

// loop runs one job. The first run comes after a part of the interval that
// differs between nodes and jobs, so that they do not all come at once.
func (j *jobs) loop(ctx context.Context, one job) {
	var lease lease
	timer := time.NewTimer(jitter(min(one.every, time.Minute), j.holder+one.name))
	defer timer.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			if lease.held {
				end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				_ = j.store.EndLease(end, one.name, j.holder) // it ends by itself a little later
				cancel()
			}
			return
		case <-timer.C:
		}
		if !one.leased || lease.take(ctx, j, one) {
			j.once(ctx, one)
		}
		timer.Reset(one.every - one.every/10 + jitter(one.every/5, fmt.Sprint(j.holder, one.name, round)))
	}
}

// lease is what a node knows of its hold on a job. It is renewed at a third of
// its life, not at every run: a job that runs each second would otherwise write
// each second.
type lease struct {
	held  bool
	until time.Time // do not ask again before
}

func (l *lease) take(ctx context.Context, j *jobs, one job) bool {
	now := time.Now()
	if now.Before(l.until) {
		return l.held
	}
	ttl := one.lease
	if ttl == 0 {
		ttl = leaseTTL
	}
	held, err := j.store.Lease(ctx, one.name, j.holder, ttl)
	if err != nil {
		j.report(ctx, one.name, err)
		l.held = false
		return false
	}
	l.held, l.until = held, now.Add(ttl/3)
	return held
}

// once runs a job and survives its panic.
func (j *jobs) once(ctx context.Context, one job) {
	defer func() {
		if p := recover(); p != nil {
			j.metrics.panics.Inc()
			j.metrics.jobs.WithLabelValues(one.name, "panicked").Inc()
			j.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("job", one.name), slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	if err := one.run(ctx); err != nil {
		j.report(ctx, one.name, err)
		return
	}
	j.metrics.jobs.WithLabelValues(one.name, "done").Inc()
}

// report logs what a job failed of, but not that it was told to stop.
func (j *jobs) report(ctx context.Context, name string, err error) {
	if ctx.Err() != nil {
		return
	}
	j.metrics.jobs.WithLabelValues(name, "failed").Inc()
	level := slog.LevelError
	if keystone.KindOf(err) == keystone.Unavailable {
		level = slog.LevelWarn // it is tried again
	}
	j.log.LogAttrs(ctx, level, "job failed", slog.String("job", name), slog.String("error", err.Error()))
}

// jitter is a part of most that follows from seed: different for every node,
// job and round, and not a use of randomness.
func jitter(most time.Duration, seed string) time.Duration {
	h := uint64(14695981039346656037)
	for i := range len(seed) {
		h = (h ^ uint64(seed[i])) * 1099511628211
	}
	return time.Duration(h>>1) % max(most, 1)
}
