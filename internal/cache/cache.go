// Package cache makes bounded caches in memory that callers know by what they do
// and not by what they are made of. The library behind them is generic: a package
// whose types showed it would make every package that imports that one compile all
// of it again, and each kind of value once more. So a Cache is an interface, and
// values are kept by their address, which makes them all of one kind.
//
// It must not decide what may be kept, nor for how long.
package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// Cache is a cache whose entries may go at any time. It is safe for concurrent use.
type Cache[K comparable, V any] interface {
	// Get loads what is missing; callers that miss the same key at once share one
	// load. What a load failed to bring is not kept.
	Get(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error)
	GetIfPresent(key K) (V, bool)
	Set(key K, value V)
	SetIfAbsent(key K, value V)
	SetExpiresAfter(key K, age time.Duration)
	Invalidate(key K)
	InvalidateAll()
	EstimatedSize() int
}

// Aged makes a cache of at most that many entries, each forgotten age after it was
// written.
func Aged[K comparable, V any](most int, age time.Duration) Cache[K, V] {
	return boxed[K, V]{otter.Must(&otter.Options[K, *V]{MaximumSize: most, ExpiryCalculator: otter.ExpiryWriting[K, *V](age)})}
}

// Sized makes a cache of at most that many entries.
func Sized[K comparable, V any](most int) Cache[K, V] {
	return boxed[K, V]{otter.Must(&otter.Options[K, *V]{MaximumSize: most})}
}

// Weighed makes a cache whose entries together weigh at most as much as given.
func Weighed[K comparable, V any](most uint64, weigh func(K, V) uint32) Cache[K, V] {
	return boxed[K, V]{otter.Must(&otter.Options[K, *V]{MaximumWeight: most, Weigher: func(key K, value *V) uint32 { return weigh(key, *value) }})}
}

type boxed[K comparable, V any] struct{ box *otter.Cache[K, *V] }

func (c boxed[K, V]) Get(ctx context.Context, key K, load func(context.Context) (V, error)) (value V, err error) {
	found, err := c.box.Get(ctx, key, otter.LoaderFunc[K, *V](func(ctx context.Context, _ K) (*V, error) {
		v, err := load(ctx)
		return &v, err
	}))
	if err != nil {
		return value, err
	}
	return *found, nil
}

func (c boxed[K, V]) GetIfPresent(key K) (value V, ok bool) {
	found, ok := c.box.GetIfPresent(key)
	if !ok {
		return value, false
	}
	return *found, true
}

func (c boxed[K, V]) Set(key K, value V)                       { c.box.Set(key, &value) }
func (c boxed[K, V]) SetIfAbsent(key K, value V)               { c.box.SetIfAbsent(key, &value) }
func (c boxed[K, V]) SetExpiresAfter(key K, age time.Duration) { c.box.SetExpiresAfter(key, age) }
func (c boxed[K, V]) Invalidate(key K)                         { c.box.Invalidate(key) }
func (c boxed[K, V]) InvalidateAll()                           { c.box.InvalidateAll() }
func (c boxed[K, V]) EstimatedSize() int                       { return c.box.EstimatedSize() }
