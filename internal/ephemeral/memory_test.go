package ephemeral

import (
	"fmt"
	"testing"
	"time"
)

// A flood of keys: the number of counters stays bounded (SECURITY.md P7), and
// who ran into a limit is not forgotten for new ones.
func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	m := newMemory(6400, c.now)
	rate := Rate{5, time.Hour}
	limited := 0
	for i := range 640 {
		m.take(fmt.Sprint("caught", i), rate, 5)
	}
	for i := range 50_000 {
		m.take(fmt.Sprint("flood", i), rate, 1)
		c.move(time.Microsecond)
	}
	for i := range 640 {
		if !m.take(fmt.Sprint("caught", i), rate, 1).Allowed {
			limited++
		}
	}
	if n := m.size(); n > 6400 {
		t.Errorf("%d counters, want 6400 at most", n)
	}
	if limited < 600 {
		t.Errorf("a flood of new keys freed %d of 640 that had run into their limit", 640-limited)
	}
}

func TestMemoryForgetsIdleKeys(t *testing.T) {
	c := newClock()
	m := newMemory(64*10, c.now)
	for i := range 10_000 {
		m.take(fmt.Sprint(i), Rate{5, time.Second}, 1)
	}
	full := m.size()
	c.move(time.Minute)
	for i := range 64 * 10 {
		m.take(fmt.Sprint("new", i), Rate{5, time.Second}, 1)
	}
	if n := m.size(); full < 600 || n > 64*10 {
		t.Errorf("%d counters, then %d", full, n)
	}
	// Idle keys went first: every new one is still there.
	forgotten := 0
	for i := range 64 * 10 {
		if m.take(fmt.Sprint("new", i), Rate{5, time.Second}, 0).Remaining == 5 {
			forgotten++
		}
	}
	if forgotten > 64*10/4 { // some shards drew more than ten
		t.Errorf("%d of 640 new counters are gone", forgotten)
	}
	// And a counter that is whole again takes no room.
	m = newMemory(6400, c.now)
	m.take("k", Rate{5, time.Second}, 1)
	m.take("k", Rate{5, time.Second}, -1)
	if m.size() != 0 {
		t.Error("a counter without debt is kept")
	}
}

func TestMemoryDoesNotAllocate(t *testing.T) {
	m := newMemory(1<<16, time.Now)
	keys := []string{"login:source:192.0.2.7", "login:account:alice"}
	rate := Rate{1000, time.Minute}
	n := testing.AllocsPerRun(1000, func() {
		for _, k := range keys {
			m.take(k, rate, 1)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a take", n/2)
	}
}
