package cache

import (
	"context"
	"errors"
	"hash/maphash"
	"time"
)

// shards is how many parts a cache of a hot path has, so that processors seldom wait
// for each other.
const shards = 16

// sharded spreads keys over shards. P is a pointer.
type sharded[K comparable, P any] struct {
	seed   maphash.Seed
	start  time.Time // that times are counted from
	age    time.Duration
	weigh  func(K, P) int
	shards []shard[K, P]
}

func newSharded[K comparable, P any](n, most int, age time.Duration, weigh func(K, P) int) *sharded[K, P] {
	c := &sharded[K, P]{seed: maphash.MakeSeed(), start: time.Now(), age: age, weigh: weigh, shards: make([]shard[K, P], n)}
	for i := range c.shards {
		s := &c.shards[i]
		s.most = most
		s.clear()
	}
	return c
}

func (c *sharded[K, P]) of(key K) *shard[K, P] {
	if len(c.shards) == 1 {
		return &c.shards[0]
	}
	return &c.shards[maphash.Comparable(c.seed, key)%uint64(len(c.shards))]
}

func (c *sharded[K, P]) now() time.Duration { return time.Since(c.start) }

// entry makes one of what began then.
func (c *sharded[K, P]) entry(key K, value P, begun, age time.Duration) *entry[K, P] {
	e := &entry[K, P]{key: key, value: value, weight: 1}
	if c.weigh != nil {
		e.weight = c.weigh(key, value)
	}
	if age > 0 {
		e.until = begun + age
	}
	return e
}

func (c *sharded[K, P]) present(key K) (value P, ok bool) {
	now, s := c.now(), c.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.live(key, now); e != nil {
		return e.value, true
	}
	return value, false
}

func (c *sharded[K, P]) set(key K, value P, age time.Duration) {
	now, s := c.now(), c.of(key)
	e := c.entry(key, value, now, age)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.loads, key)
	s.put(e, now)
}

func (c *sharded[K, P]) setIfAbsent(key K, value P, begun time.Time, still func() bool) {
	now, s := c.now(), c.of(key)
	e := c.entry(key, value, begun.Sub(c.start), c.age)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live(key, now) == nil && still() {
		s.put(e, now)
	}
}

func (c *sharded[K, P]) invalidate(key K) {
	s := c.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.loads, key)
	if e := s.entries[key]; e != nil {
		s.drop(e)
	}
}

func (c *sharded[K, P]) invalidateAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.clear()
		s.mu.Unlock()
	}
}

func (c *sharded[K, P]) len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

func (c *sharded[K, P]) tidy() {
	now := c.now()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.tidy(now)
		s.mu.Unlock()
	}
}

// load is one on its way.
type load[P any] struct {
	begun time.Duration
	done  chan struct{}
	value P
	err   error
}

var errPanicked = errors.New("cache: the load that this one waited for has panicked")

func (c *sharded[K, P]) get(ctx context.Context, key K, bring func(context.Context) (P, error)) (none P, err error) {
	s := c.of(key)
	for {
		now := c.now()
		s.mu.Lock()
		if e := s.live(key, now); e != nil {
			s.mu.Unlock()
			return e.value, nil
		}
		if err := ctx.Err(); err != nil {
			s.mu.Unlock()
			return none, err
		}
		l := s.loads[key]
		if l == nil {
			l = &load[P]{begun: now, done: make(chan struct{}), err: errPanicked}
			s.loads[key] = l
			s.mu.Unlock()
			return c.run(ctx, s, key, l, bring)
		}
		s.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return none, ctx.Err()
		}
		if c.age == 0 || now-l.begun < c.age { // what it has brought is not too old for this caller
			return l.value, l.err
		}
	}
}

// run brings what l is to load, and keeps it unless something has set or dropped the
// key since.
func (c *sharded[K, P]) run(ctx context.Context, s *shard[K, P], key K, l *load[P], bring func(context.Context) (P, error)) (P, error) {
	defer func() { // also of a panic
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.loads[key] == l {
			delete(s.loads, key)
			if l.err == nil {
				s.put(c.entry(key, l.value, l.begun, c.age), c.now())
			}
		}
		close(l.done)
	}()
	l.value, l.err = bring(ctx)
	return l.value, l.err
}
