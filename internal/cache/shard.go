package cache

import (
	"sync"
	"time"
)

// shard is a map whose entries are a ring too, from the one that was asked for last to
// the one to go first. Whoever uses it holds mu. Times are counted from the start of
// the cache.
type shard[K comparable, P any] struct {
	mu      sync.Mutex
	entries map[K]*entry[K, P]
	loads   map[K]*load[P]
	ring    entry[K, P] // next is the newest, prev the oldest
	weight  int
	most    int
}

type entry[K comparable, P any] struct {
	key        K
	value      P
	next, prev *entry[K, P]
	until      time.Duration // 0: always
	weight     int
}

func (e *entry[K, P]) old(now time.Duration) bool { return e.until != 0 && now >= e.until }

func (s *shard[K, P]) clear() {
	s.entries, s.loads, s.weight = map[K]*entry[K, P]{}, map[K]*load[P]{}, 0
	s.ring.next, s.ring.prev = &s.ring, &s.ring
}

// live returns the entry of a key and makes it the newest; nil where there is none, or
// it is too old.
func (s *shard[K, P]) live(key K, now time.Duration) *entry[K, P] {
	e := s.entries[key]
	if e == nil || e.old(now) {
		return nil
	}
	s.unlink(e)
	s.link(e)
	return e
}

// put keeps an entry in place of another of its key. Each that comes takes two with it
// that are too old, so those are never many for long.
func (s *shard[K, P]) put(e *entry[K, P], now time.Duration) {
	if former := s.entries[e.key]; former != nil {
		s.drop(former)
	}
	s.entries[e.key] = e
	s.weight += e.weight
	s.link(e)
	for s.weight > s.most {
		s.drop(s.ring.prev)
	}
	for range 2 {
		if oldest := s.ring.prev; oldest.old(now) {
			s.drop(oldest)
		}
	}
}

// tidy drops all entries that are too old.
func (s *shard[K, P]) tidy(now time.Duration) {
	for e := s.ring.next; e != &s.ring; {
		next := e.next
		if e.old(now) {
			s.drop(e)
		}
		e = next
	}
	if len(s.entries) == 0 {
		s.entries = map[K]*entry[K, P]{} // a map keeps the size that it once had
	}
}

func (s *shard[K, P]) drop(e *entry[K, P]) {
	delete(s.entries, e.key)
	s.weight -= e.weight
	s.unlink(e)
}

func (s *shard[K, P]) link(e *entry[K, P]) {
	e.prev, e.next = &s.ring, s.ring.next
	e.prev.next, e.next.prev = e, e
}

func (s *shard[K, P]) unlink(e *entry[K, P]) { e.prev.next, e.next.prev = e.next, e.prev }
