package server

import (
	"sync"
	"sync/atomic"
	"time"
)

// blocks is who is refused until when, bounded.
type blocks struct {
	n     atomic.Int64
	mu    sync.RWMutex
	until map[string]time.Time
}

const maxBlocks = 50_000

func (b *blocks) empty() bool { return b.n.Load() == 0 }

func (b *blocks) left(key string, now time.Time) time.Duration {
	b.mu.RLock()
	defer b.mu.RUnlock()
	until, ok := b.until[key]
	if !ok {
		return 0
	}
	return until.Sub(now)
}

func (b *blocks) add(key string, now time.Time, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = map[string]time.Time{}
	}
	if len(b.until) >= maxBlocks {
		b.sweep(now)
	}
	if len(b.until) < maxBlocks { // so many sources at once: one more or less is not what matters
		b.until[key] = now.Add(wait)
	}
	b.n.Store(int64(len(b.until)))
}

// forget drops what has ended, so that the hot path is free again.
func (b *blocks) forget(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	b.n.Store(int64(len(b.until)))
}

func (b *blocks) sweep(now time.Time) {
	for key, until := range b.until {
		if !until.After(now) {
			delete(b.until, key)
		}
	}
}
