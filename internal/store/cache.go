package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
)

// staleness is how long a read is kept: what one node changes holds on every
// other within a second, with no message between them. The rest of the second is
// for the read itself: one that took longer than readSlack is not kept.
const (
	staleness = 900 * time.Millisecond
	readSlack = 100 * time.Millisecond
)

// cacheEntries bounds each cache.
const cacheEntries = 100_000

// caches is the read-through cache of the hot paths. A local write drops what
// it changed after its commit.
type caches struct {
	clients cache.Cache[string, clientRow]
	users   cache.Cache[string, userRow]
	roles   cache.Cache[string, roleFacts]
	alive   cache.Cache[string, bool]
	revoked cache.Cache[string, bool]
	opaque  cache.Cache[string, AccessToken]
	grants  cache.Cache[string, keystone.Grant]
	pending cache.Cache[string, Pending]
	origins cache.Cache[string, map[string]bool] // one entry
	drops   atomic.Uint64                        // grants that local writes have dropped, see keepToken
}

func newCaches() *caches {
	return &caches{
		clients: newCache[clientRow](staleness),
		users:   newCache[userRow](staleness),
		roles:   newCache[roleFacts](staleness),
		alive:   newCache[bool](staleness),
		revoked: newCache[bool](staleness),
		opaque:  newCache[AccessToken](staleness),
		pending: newCache[Pending](staleness),
		origins: newCache[map[string]bool](staleness),
		// Who a family belongs to never changes; everything that does is decided
		// by the statement that rotates it.
		grants: newCache[keystone.Grant](time.Minute),
	}
}

func newCache[V any](age time.Duration) cache.Cache[string, V] {
	return cache.Aged[string, V](cacheEntries, age)
}

// cached reads through: concurrent misses of one key share one load. A load that
// reports absent is not kept, so that unknown keys cannot fill the cache.
// Inside a transaction it always reads the database.
func cached[V any](ctx context.Context, s *Store, c cache.Cache[string, V], key string, load func(context.Context) (V, error)) (V, error) {
	if s.tx != nil {
		return load(ctx)
	}
	if v, ok := c.GetIfPresent(key); ok {
		return v, nil
	}
	slow := false
	v, err := c.Get(ctx, key, func(ctx context.Context) (V, error) {
		// One caller's haste must not fail the others who share the load.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		begun := time.Now()
		v, err := load(ctx)
		slow = time.Since(begun) > readSlack
		return v, err
	})
	if slow {
		c.Invalidate(key)
	}
	return v, err
}

// keepToken keeps what was read of a token along with its user, after drops
// local drops. A grant that does not live and a token that is revoked are not
// kept, as in cached; a drop since the reading takes away what it may have
// outlived.
func (c *caches) keepToken(t TokenRef, revoked, alive bool, drops uint64) {
	if !revoked && t.Stored == nil {
		c.revoked.SetIfAbsent(t.JTI, false) // this node may know better
	}
	if !alive {
		return
	}
	c.alive.SetIfAbsent(t.GrantID, true)
	if c.drops.Load() != drops {
		c.alive.Invalidate(t.GrantID)
	}
}

// dropClient forgets a client, and which origins there are.
func (c *caches) dropClient(id string) {
	c.clients.Invalidate(id)
	c.origins.Invalidate(allOrigins)
}

// dropGrant forgets a grant. The count goes first: whoever keeps an older
// reading after it sees that.
func (c *caches) dropGrant(id string) {
	c.drops.Add(1)
	c.alive.Invalidate(id)
	c.grants.Invalidate(id)
}

// Caches returns the number of entries of each cache by name, for metrics. Hits are not
// counted: a counter that every request writes would cost more than a hit.
func (s *Store) Caches() map[string]int {
	return map[string]int{
		"clients": s.cache.clients.EstimatedSize(),
		"users":   s.cache.users.EstimatedSize(),
		"roles":   s.cache.roles.EstimatedSize(),
		"alive":   s.cache.alive.EstimatedSize(),
		"revoked": s.cache.revoked.EstimatedSize(),
		"opaque":  s.cache.opaque.EstimatedSize(),
		"grants":  s.cache.grants.EstimatedSize(),
		"origins": s.cache.origins.EstimatedSize(),
		"pending": s.cache.pending.EstimatedSize(),
	}
}
