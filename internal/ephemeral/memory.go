package ephemeral

import (
	"hash/maphash"
	"sync"
	"time"
)

// shards is how many locks the counters are spread over.
const shards = 64

// memory counts in this process, for at most a given number of keys.
type memory struct {
	now    func() time.Time
	start  time.Time // times are counted from here, so that a wall clock that is set does not matter
	seeds  [2]maphash.Seed
	shards [shards]shard
}

// shard maps keys to their tat (see gcra). Keys are kept as 128 bits of a
// seeded hash: the map holds no pointer, so the collector never walks it, and
// no key is longer than another.
type shard struct {
	sync.Mutex
	tats  map[[2]uint64]int64
	most  int
	swept int64 // when idle keys were last removed
	_     [24]byte
}

func newMemory(maxKeys int, now func() time.Time) *memory {
	m := &memory{now: now, start: now(), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	for i := range m.shards {
		m.shards[i].tats = map[[2]uint64]int64{}
		m.shards[i].most = max(1, maxKeys/shards)
	}
	return m
}

func (m *memory) take(key string, rate Rate, cost int) Decision {
	id := [2]uint64{maphash.String(m.seeds[0], key), maphash.String(m.seeds[1], key)}
	now := m.now().Sub(m.start).Microseconds()
	s := &m.shards[id[0]%shards]
	s.Lock()
	defer s.Unlock()
	tat, known := s.tats[id]
	if !known {
		tat = now
	}
	next, d := gcra(now, tat, rate, cost)
	switch {
	case next > now:
		if !known && len(s.tats) >= s.most {
			s.makeRoom(now)
		}
		s.tats[id] = next
	case known:
		delete(s.tats, id) // all units are back: the same as never seen
	}
	return d
}

// makeRoom removes idle keys, once a second at most, and if there is none, of a
// few keys at random the one that is nearest to being idle. Who floods the
// limiter with new keys so pushes out new keys, and not those that ran into
// their limit.
func (s *shard) makeRoom(now int64) {
	if now-s.swept >= time.Second.Microseconds() || now < s.swept {
		s.swept = now
		for id, tat := range s.tats {
			if tat <= now {
				delete(s.tats, id)
			}
		}
		if len(s.tats) < s.most {
			return
		}
	}
	var nearest [2]uint64
	var least int64
	seen := 0
	for id, tat := range s.tats { // maps start anywhere
		if seen == 0 || tat < least {
			nearest, least = id, tat
		}
		if seen++; seen == 8 {
			break
		}
	}
	delete(s.tats, nearest)
}

// size is how many counters there are.
func (m *memory) size() (n int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.Lock()
		n += len(s.tats)
		s.Unlock()
	}
	return n
}
