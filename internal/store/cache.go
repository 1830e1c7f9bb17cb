package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
)

// staleness is how long a read is kept: what one node changes holds on every
// other within a second, with no message between them. It is counted from before
// the read, and the rest of the second is for who answers with it.
const staleness = 900 * time.Millisecond

// cacheEntries bounds each cache.
const cacheEntries = 100_000

// caches is the read-through cache of the hot paths. A local write drops what
// it changed after its commit.
type caches struct {
	clients reads[clientRow]
	users   reads[userRow]
	roles   reads[roleFacts]
	alive   reads[bool]
	revoked reads[bool]
	opaque  reads[*StoredToken]
	grants  reads[keystone.Grant]
	late    reads[keystone.Grant]
	pending reads[Pending]
	origins reads[map[string]bool] // one entry
	drops   *atomic.Uint64         // what local writes have dropped of what a token hangs on
}

// reads keeps what was read, and when.
type reads[V any] = cache.Cache[string, read[V]]

type read[V any] struct {
	value V
	begun time.Time // before it was read
}

func newCaches() *caches {
	drops := new(atomic.Uint64)
	return &caches{
		drops:   drops,
		clients: counted[read[clientRow]]{newCache[clientRow](staleness), drops},
		users:   counted[read[userRow]]{newCache[userRow](staleness), drops},
		roles:   counted[read[roleFacts]]{newCache[roleFacts](staleness), drops},
		alive:   counted[read[bool]]{newCache[bool](staleness), drops},
		revoked: counted[read[bool]]{newCache[bool](staleness), drops},
		opaque:  newCache[*StoredToken](staleness),
		late:    newCache[keystone.Grant](staleness),
		pending: newCache[Pending](staleness),
		origins: newCache[map[string]bool](staleness),
		// Who a family belongs to never changes; everything that does is decided
		// by the statement that rotates it.
		grants: newCache[keystone.Grant](time.Minute),
	}
}

func newCache[V any](age time.Duration) reads[V] {
	return cache.Aged[string, read[V]](cacheEntries, age)
}

// counted counts what is dropped, before and after: whoever has read the entry before
// it went sees another count once it has gone, and whoever keeps a reading of before
// the drop sees another one as soon as it can be gone.
type counted[V any] struct {
	cache.Cache[string, V]
	drops *atomic.Uint64
}

func (c counted[V]) Set(key string, value V) {
	c.counting(func() { c.Cache.Set(key, value) })
}

func (c counted[V]) SetFor(key string, value V, age time.Duration) {
	c.counting(func() { c.Cache.SetFor(key, value, age) })
}

func (c counted[V]) Invalidate(key string) {
	c.counting(func() { c.Cache.Invalidate(key) })
}

func (c counted[V]) InvalidateAll() { c.counting(c.Cache.InvalidateAll) }

func (c counted[V]) counting(change func()) {
	c.drops.Add(1)
	change()
	c.drops.Add(1)
}

// cached reads through: concurrent misses of one key share one load. A load that
// reports absent is not kept, so that unknown keys cannot fill the cache.
// Inside a transaction it always reads the database.
func cached[V any](ctx context.Context, s *Store, c reads[V], key string, load func(context.Context) (V, error)) (V, error) {
	return cachedOf(ctx, s, c, key, nil, load)
}

// cachedOf is cached for a token (may be nil), which learns how old what it hangs on
// may be.
func cachedOf[V any](ctx context.Context, s *Store, c reads[V], key string, t *TokenRef, load func(context.Context) (V, error)) (V, error) {
	if s.tx != nil {
		t.hangsOn(time.Time{})
		return load(ctx)
	}
	if r, ok := c.GetIfPresent(key); ok {
		t.hangsOn(r.begun)
		return r.value, nil
	}
	r, err := c.Get(ctx, key, func(ctx context.Context) (r read[V], err error) {
		// One caller's haste must not fail the others who share the load.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		r.begun = time.Now()
		r.value, err = load(ctx)
		return r, err
	})
	t.hangsOn(r.begun)
	return r.value, err
}

// keepToken keeps what was read of a token along with its user, after drops
// local drops. A grant that does not live and a token that is revoked are not
// kept, as in cached; nor is anything that a drop since may have made untrue.
func (c *caches) keepToken(t TokenRef, revoked, alive bool, begun time.Time, drops uint64) {
	same := func() bool { return c.drops.Load() == drops }
	if !revoked && t.Stored == nil {
		c.revoked.SetIfAbsent(t.JTI, read[bool]{false, begun}, begun, same)
	}
	if alive {
		c.alive.SetIfAbsent(t.GrantID, read[bool]{true, begun}, begun, same)
	}
}

// dropClient forgets a client, and which origins there are.
func (c *caches) dropClient(id string) {
	c.clients.Invalidate(id)
	c.origins.Invalidate(allOrigins)
}

// dropGrant forgets a grant.
func (c *caches) dropGrant(id string) {
	c.alive.Invalidate(id)
	c.grants.Invalidate(id)
	c.late.Invalidate(id)
}

// keeper is a cache, whatever it keeps.
type keeper interface {
	Len() int
	Tidy()
}

func (c *caches) byName() map[string]keeper {
	return map[string]keeper{
		"clients": c.clients, "users": c.users, "roles": c.roles, "alive": c.alive, "revoked": c.revoked,
		"opaque": c.opaque, "grants": c.grants, "late": c.late, "origins": c.origins, "pending": c.pending,
	}
}

// Caches returns the number of entries of each cache by name, for metrics. Hits are not
// counted: a counter that every request writes would cost more than a hit.
func (s *Store) Caches() map[string]int {
	sizes := map[string]int{}
	for name, one := range s.cache.byName() {
		sizes[name] = one.Len()
	}
	return sizes
}

// Tidy gives back the memory of what the caches hold beyond its time.
func (s *Store) Tidy() {
	for _, one := range s.cache.byName() {
		one.Tidy()
	}
}
