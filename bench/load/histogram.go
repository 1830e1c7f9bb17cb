package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets no wider than 1/128 of their value, so
// that any number of them takes the same memory. The zero Histogram is empty.
type Histogram struct {
	counts []uint32
	n      uint64
	max    time.Duration
}

const (
	subBits    = 7
	sub        = 1 << subBits
	longestExp = 30 // durations from 2^37 ns (137 s) share the last bucket
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]uint32, (longestExp+2)*sub)
	}
	h.counts[bucket(d)]++
	h.n++
	h.max = max(h.max, d)
}

// bucket returns the index for d: exact below 128 ns, then 128 for each power
// of two.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < sub {
		return int(v)
	}
	exp := bits.Len64(v) - subBits - 1
	if exp > longestExp {
		return (longestExp+2)*sub - 1
	}
	return (exp+1)*sub + int(v>>exp) - sub
}

// middle is the reverse of bucket.
func middle(i int) time.Duration {
	if i < sub {
		return time.Duration(i)
	}
	exp := i/sub - 1
	low := uint64(i%sub+sub) << exp
	return time.Duration(low + 1<<exp/2)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.counts == nil {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint32, len(other.counts))
	}
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Quantile returns the duration that the fraction q of all stays below: 0.5 is
// the median. It is 0 where nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	var seen uint64
	for i, c := range h.counts {
		if seen += uint64(c); seen > rank {
			return min(middle(i), h.max)
		}
	}
	return h.max
}

// Count returns how many were counted.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the longest.
func (h *Histogram) Max() time.Duration { return h.max }
