package server

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// goThreads is GOMAXPROCS, and what Go would choose.
type goThreads struct{ now, own int }

func (g *goThreads) set(n int) int {
	before := g.now
	if n > 0 {
		g.now = n
	}
	return before
}

func (g *goThreads) reset() { g.now = g.own }

// TestSpare: spare threads while busy, and none afterwards; what a limit or an
// operator has set stays.
func TestSpare(t *testing.T) {
	for _, test := range []struct{ processors, own, threads, busy int }{
		{1, 1, 1, 1 + spareThreads},
		{2, 2, 2, 2 + spareThreads},
		{64, 64, 64, 64 + spareThreads},
		{64, 2, 2, 2}, // a container's limit
		{2, 2, 8, 8},  // an operator's GOMAXPROCS
		{8, 4, 8, 8},  // both
		{8, 8, 4, 4},
	} {
		g := goThreads{now: test.threads, own: test.own}
		p, now, _, _ := fakePace()
		p.spare = newSpare(test.processors, g.set, g.reset)
		for range 3 {
			p.collection(heap{live: 1 << 20})
			*now = now.Add(100 * time.Millisecond)
		}
		if g.now != test.busy {
			t.Errorf("%+v: %d under load", test, g.now)
		}
		p.rest()
		if g.now != test.threads {
			t.Errorf("%+v: %d at rest", test, g.now)
		}
		p.collection(heap{live: 1 << 20})
		if g.now != test.threads {
			t.Errorf("%+v: %d after the collections of resting", test, g.now)
		}
	}
}

// TestSpareFollows: a limit that comes while the process is busy holds a minute later.
func TestSpareFollows(t *testing.T) {
	g := goThreads{now: 8, own: 8}
	p, now, _, _ := fakePace()
	p.spare = newSpare(8, g.set, g.reset)
	allocated := uint64(1)
	for i := range 3 * limitTicks {
		if i == limitTicks+1 {
			if g.now != 8+spareThreads {
				t.Fatalf("%d threads under load", g.now)
			}
			g.own = 2
		}
		p.collection(heap{live: 1 << 20})
		*now = now.Add(100 * time.Millisecond)
		p.collection(heap{live: 1 << 20})
		*now = now.Add(paceTick)
		allocated += 2 * calmRate
		p.tick(heap{allocated: allocated})
	}
	if g.now != 2 {
		t.Errorf("%d threads, the limit is 2", g.now)
	}
}

// TestPaceRests: with Go's own collector and functions, also where an operator has set
// GOGC, everything is as before once the load is over, and at the end.
func TestPaceRests(t *testing.T) {
	runtime.SetDefaultGOMAXPROCS()
	for _, percent := range []int{goPace, 50} {
		defer debug.SetGCPercent(debug.SetGCPercent(percent))
		before := runtime.GOMAXPROCS(0)
		p := newPace(true)
		p.rest()
		p.watch()
		same := func(when string) {
			t.Helper()
			time.Sleep(10 * time.Millisecond) // cleanups run after the collection
			p.mu.Lock()
			defer p.mu.Unlock()
			if threads, now := runtime.GOMAXPROCS(0), readHeap().percent; threads != before || now != uint64(percent) || p.busy {
				t.Errorf("GOGC %d %s: %d threads, GOGC %d, busy %v; %d threads before", percent, when, threads, now, p.busy, before)
			}
		}
		same("at the start")
		for range 3 {
			p.mu.Lock()
			p.rested = time.Time{} // long ago
			p.mu.Unlock()
			for busy := false; !busy; {
				runtime.GC()
				time.Sleep(time.Millisecond)
				p.mu.Lock()
				busy = p.busy
				p.mu.Unlock()
			}
			if got := runtime.GOMAXPROCS(0); before == runtime.NumCPU() && got != before+spareThreads {
				t.Errorf("GOGC %d: %d threads under load, %d before", percent, got, before)
			}
			p.rest()
			same("at rest")
		}
		p.end()
		same("at the end")
	}
}
