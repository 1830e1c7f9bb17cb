// Package cache makes bounded caches in memory, of which the entry goes first that has
// not been asked for the longest. Callers know a Cache by what it does and not by what
// it is made of: generic code is compiled once more for each kind of value, so values
// are kept by their address, which makes them all of one kind.
//
// It must not decide what may be kept, nor for how long.
package cache

import (
	"context"
	"time"
)

// Cache is a cache whose entries may go at any time. It is safe for concurrent use.
type Cache[K comparable, V any] interface {
	// Get loads what is missing. Callers that miss the same key at once share one
	// load, whose ctx is that of the first; the others wait until theirs ends. What a
	// load brings is as old as its beginning, for those who share it too; it is not kept
	// when the load fails, or when the key was set or invalidated meanwhile.
	Get(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error)
	GetIfPresent(key K) (V, bool)
	Set(key K, value V)
	SetFor(key K, value V, age time.Duration) // an age of its own
	// SetIfAbsent keeps what was read at begun where the key has no entry and it is still
	// so. Nobody sets or invalidates the key while that is asked.
	SetIfAbsent(key K, value V, begun time.Time, still func() bool)
	Invalidate(key K)
	InvalidateAll()
	Len() int // with entries that are too old
	Tidy()    // gives back the memory of those
}

// Aged makes a cache of about that many entries at most, each forgotten age after it
// was written.
func Aged[K comparable, V any](most int, age time.Duration) Cache[K, V] {
	return boxed[K, V]{newSharded[K, *V](shards, most/shards+1, age, nil)}
}

// Sized makes a cache of at most that many entries.
func Sized[K comparable, V any](most int) Cache[K, V] {
	return boxed[K, V]{newSharded[K, *V](1, most, 0, nil)}
}

// Weighed makes a cache whose entries together weigh at most as much as given.
func Weighed[K comparable, V any](most int, weigh func(K, V) int) Cache[K, V] {
	return boxed[K, V]{newSharded(1, most, 0, func(key K, value *V) int { return weigh(key, *value) })}
}

type boxed[K comparable, V any] struct{ box *sharded[K, *V] }

func (c boxed[K, V]) Get(ctx context.Context, key K, load func(context.Context) (V, error)) (value V, err error) {
	found, err := c.box.get(ctx, key, func(ctx context.Context) (*V, error) {
		v, err := load(ctx)
		return &v, err
	})
	if err != nil {
		return value, err
	}
	return *found, nil
}

func (c boxed[K, V]) GetIfPresent(key K) (value V, ok bool) {
	found, ok := c.box.present(key)
	if !ok {
		return value, false
	}
	return *found, true
}

func (c boxed[K, V]) Set(key K, value V)                       { c.box.set(key, &value, c.box.age) }
func (c boxed[K, V]) SetFor(key K, value V, age time.Duration) { c.box.set(key, &value, age) }
func (c boxed[K, V]) Invalidate(key K)                         { c.box.invalidate(key) }
func (c boxed[K, V]) InvalidateAll()                           { c.box.invalidateAll() }
func (c boxed[K, V]) Len() int                                 { return c.box.len() }
func (c boxed[K, V]) Tidy()                                    { c.box.tidy() }

func (c boxed[K, V]) SetIfAbsent(key K, value V, begun time.Time, still func() bool) {
	c.box.setIfAbsent(key, &value, begun, still)
}
