package verify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// fetchTimeout bounds a fetch whatever the configured client allows.
const fetchTimeout = 10 * time.Second

// keyCache holds the issuer's keys. Reading it takes no lock; a fetch is done
// by one goroutine for all who wait, and outlives the one who asked first.
type keyCache struct {
	source   source
	interval time.Duration // least time between two fetches
	maxStale time.Duration // use of keys beyond their time while fetching fails
	now      func() time.Time

	current atomic.Pointer[keySet]

	mu     sync.Mutex
	flight *flight   // nil while nothing is being fetched
	last   time.Time // when the last fetch ended
	failed error     // and how
}

// keySet is the outcome of one fetch, and does not change.
type keySet struct {
	keys    map[keyName]*publicKey
	renewAt time.Time // from here on, fetch ahead of time
	staleAt time.Time // the issuer's max-age
}

func (s *keySet) key(name keyName) *publicKey {
	if s == nil {
		return nil
	}
	return s.keys[name]
}

// flight is a fetch on its way. err may be read once done is closed.
type flight struct {
	done chan struct{}
	err  error
}

// find returns the key a token names, for the algorithm it names.
func (c *keyCache) find(ctx context.Context, kid, alg string) (*publicKey, error) {
	name := keyName{kid, alg}
	set, now := c.current.Load(), c.now()
	k := set.key(name)
	if k != nil && now.Before(set.renewAt) {
		return k, nil
	}

	f, failed := c.start(false)
	usable := func(set *keySet) bool { return now.Before(set.staleAt.Add(c.maxStale)) }
	if k != nil && (now.Before(set.staleAt) || failed != nil && usable(set)) {
		return k, nil // renewed in the background: during an outage nobody waits
	}

	// No key, or one past its time: the outcome of the fetch decides, or that
	// of the last one where none is due yet.
	if f != nil {
		if failed = f.wait(ctx); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	set = c.current.Load()
	if k = set.key(name); k != nil && usable(set) {
		return k, nil
	}
	if failed != nil {
		return nil, failed
	}
	return nil, refuse("the issuer has no such key")
}

// refresh fetches now, or waits for the fetch that is on its way.
func (c *keyCache) refresh(ctx context.Context) error {
	f, _ := c.start(true)
	return f.wait(ctx)
}

// start returns the fetch that is on its way, a new one if it is due, or nil;
// and how the last one ended.
func (c *keyCache) start(force bool) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.now().Sub(c.last)
	if c.flight == nil && (force || since >= c.interval || since < 0) {
		c.flight = &flight{done: make(chan struct{})}
		go c.run(c.flight)
	}
	return c.flight, c.failed
}

func (c *keyCache) run(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keys, age, err := c.source.fetch(ctx)
	now := c.now()
	if err == nil {
		c.current.Store(&keySet{keys: keys, renewAt: now.Add(age * 3 / 4), staleAt: now.Add(age)})
	}
	c.mu.Lock()
	c.flight, c.last, c.failed = nil, now, err
	c.mu.Unlock()
	f.err = err
	close(f.done)
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
