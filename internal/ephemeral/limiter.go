package ephemeral

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options configure a Limiter. The zero value counts in memory.
type Options struct {
	// RedisURL is redis:, rediss: or unix:; empty is memory only. Several
	// addresses (?addr=) are a cluster, ?master_set= is Sentinel.
	RedisURL      string
	RedisPassword string // where it is not in RedisURL
	// Prefix stands before every key in Redis; "keystone:limit:" if empty.
	Prefix string
	// MaxKeys bounds the counters in memory, about 40 bytes each; 131072 if 0.
	MaxKeys int
	// Now is the clock of the counters in memory; time.Now if nil. Redis counts
	// by its own.
	Now func() time.Time
	// Log gets one entry each time Redis is lost or found; none if nil.
	Log *slog.Logger

	retry time.Duration // between probes of a lost Redis, for tests
}

// Limiter counts how often things happen. It is safe for concurrent use.
type Limiter struct {
	memory *memory
	redis  *redis // nil: this node counts alone
}

// Open returns a limiter. It does not need Redis to be there: it waits for it
// 50 ms at most, counts in memory until it answers, and goes on looking for it.
// The error is about a URL that cannot be read.
func Open(o Options) (*Limiter, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = 1 << 17
	}
	l := &Limiter{memory: newMemory(o.MaxKeys, o.Now)}
	if o.RedisURL == "" {
		return l, nil
	}
	var err error
	if l.redis, err = newRedis(o); err != nil {
		return nil, errURL
	}
	l.redis.start()
	return l, nil
}

var errURL = errors.New("REDIS_URL cannot be read: write redis://host:port/database")

// Take takes cost units of what rate allows for key, if they are there. The key
// should name the rule as well as who it is about, for example
// "login:source:192.0.2.7".
//
//   - cost 0 only looks, whether one unit could be taken. To count failures
//     only, look before and take 1 after a failure.
//   - A negative cost gives units back. To count failures that must not be
//     tried many times at once, take 1 before and give it back on success.
//   - A cost above the rate's Count counts as Count.
//
// It never fails: where Redis errs, or takes longer than 50 ms, what this node
// has counted itself decides, and Redis is left alone until a probe has shown
// that it is well. ctx is for tracing; ending it does not end the count.
func (l *Limiter) Take(ctx context.Context, key string, rate Rate, cost int) Decision {
	if rate.Off() {
		return Decision{Allowed: true}
	}
	// Memory counts always. What passed here is a part of what passed in all, so
	// a refusal here is one that Redis would repeat: it is not asked, and a flood
	// stops at this node. When Redis is lost the counter is warm.
	local := l.memory.take(key, rate, cost)
	if !local.Allowed || l.redis == nil || !l.redis.up.Load() {
		return local
	}
	shared, err := l.redis.take(ctx, key, rate, cost)
	if err != nil {
		return local
	}
	if !shared.Allowed && cost > 0 {
		l.memory.take(key, rate, -cost) // nothing was taken, other nodes had it all
	}
	return shared
}

// Shared reports whether counters are shared with other nodes at this moment:
// Redis is configured and answers.
func (l *Limiter) Shared() bool { return l.redis != nil && l.redis.up.Load() }

// Close lets go of Redis. The limiter still counts in memory.
func (l *Limiter) Close() {
	if l.redis != nil {
		l.redis.close()
	}
}
