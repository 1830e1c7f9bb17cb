package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// fakePace is a pace whose settings go nowhere but here, and its clock.
func fakePace() (p *pace, now *time.Time, set, freed *int) {
	now, set, freed = new(time.Now()), new(goPace), new(int)
	p = &pace{ours: true, set: goPace, spare: spare{set: func(int) int { return 1 }}, tidy: func() {}}
	p.now = func() time.Time { return *now }
	p.percent = func(n int) int { *set = n; return 0 }
	p.free = func() { *freed++ }
	return p, now, set, freed
}

// TestPace: room while busy, Go's own pace and memory given back after a while of
// rest, and never more room than paceRoom or the heap itself.
func TestPace(t *testing.T) {
	p, now, set, freed := fakePace()
	p.ticks = startTicks // long ago
	small := heap{live: 3 << 20, roots: 1 << 20}
	p.collection(small)
	if *set != goPace {
		t.Errorf("one collection makes no load: %d", *set)
	}
	*now = now.Add(100 * time.Millisecond)
	p.collection(small)
	const busy = 100 * paceRoom >> 22
	if *set != busy {
		t.Errorf("under load 4 MiB grow by %d %%, want %d", *set, busy)
	}
	*now = now.Add(100 * time.Millisecond)
	p.collection(heap{live: 30 << 20})
	if *set != goPace {
		t.Errorf("30 MiB grow by %d %%, want 100: the room is a floor, not a factor", *set)
	}
	*now = now.Add(100 * time.Millisecond)
	p.collection(small)

	allocated := uint64(1 << 30)
	p.last.allocated = allocated
	for range 3 * calmFor {
		allocated += 2 * calmRate
		p.tick(heap{allocated: allocated})
	}
	if *freed != 0 || *set != busy {
		t.Errorf("while requests come: freed %d times, %d %%", *freed, *set)
	}
	for range 3 * calmFor {
		allocated += calmRate / 2
		p.tick(heap{allocated: allocated})
	}
	if *freed != 1 || *set != goPace {
		t.Errorf("at rest: freed %d times, %d %%; want once and 100", *freed, *set)
	}

	p.collection(small)
	p.collection(small)
	if *set != goPace {
		t.Errorf("the collections of resting were taken for load: %d", *set)
	}

	*now = now.Add(time.Hour)
	p.collection(small)
	if *set != goPace {
		t.Errorf("the collection that runs every two minutes anyway makes no load: %d", *set)
	}
	p.end()
	if p.collection(small) {
		t.Error("goes on after the end")
	}
}

// TestAllocationsAreSampled where somebody can ask for the profile, and nowhere else.
func TestAllocationsAreSampled(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(goPace))
	was := runtime.MemProfileRate
	defer func() { runtime.MemProfileRate = was }()
	newPace(true).end()
	if runtime.MemProfileRate != was || was == 0 {
		t.Errorf("with profiles: one sample in %d bytes, before %d", runtime.MemProfileRate, was)
	}
	newPace(false).end()
	if runtime.MemProfileRate != 0 {
		t.Errorf("without: one sample in %d bytes", runtime.MemProfileRate)
	}
}

// TestPaceOfMuchAlive: a process with so much alive that it collects less than once a
// second is busy by what it allocates.
func TestPaceOfMuchAlive(t *testing.T) {
	p, now, _, _ := fakePace()
	threads := 1
	p.spare = spare{processors: 1, set: func(n int) int { was := threads; threads = max(threads, n); return was }, reset: func() { threads = 1 }}
	h := heap{live: 200 << 20}
	for range 10 {
		*now = now.Add(paceTick)
		h.allocated += paceRoom
		p.tick(h)
	}
	if threads != 1 {
		t.Errorf("%d threads while little comes", threads)
	}
	for range 10 {
		*now = now.Add(paceTick)
		h.allocated += 100 << 20
		p.tick(h)
		if threads != 1+spareThreads {
			t.Fatalf("%d threads under load", threads)
		}
	}
	for range calmFor {
		*now = now.Add(paceTick)
		p.tick(h)
	}
	if threads != 1 {
		t.Errorf("%d threads at rest", threads)
	}
}

// TestPaceOfComputing: hashes and signatures hold the threads on which their callers would
// go on, and allocate too little for the collector to run.
func TestPaceOfComputing(t *testing.T) {
	p, _, _, freed := fakePace()
	threads := 1
	p.spare = spare{processors: 1, set: func(n int) int { was := threads; threads = max(threads, n); return was }, reset: func() { threads = 1 }}
	var h heap
	tick := func(work time.Duration, want int, when string) {
		t.Helper()
		h.worked += work
		if p.tick(h); threads != want {
			t.Fatalf("%s: %d threads, want %d", when, threads, want)
		}
	}
	for range 10 {
		tick(busyWork/2, 1, "a sign-in now and then")
	}
	*freed = 0
	for range 10 {
		tick(2*paceTick, 1+spareThreads, "two threads that compute all the time")
	}
	for range calmFor - 1 { // of which none is the sixtieth
		tick(calmWork/2, 1+spareThreads, "a moment later")
	}
	if *freed != 0 {
		t.Error("at rest at once")
	}
	if tick(0, 1, "at rest"); *freed != 1 {
		t.Errorf("given back %d times", *freed)
	}
}

// TestPaceTidies: what caches hold beyond its time goes when a busy process comes to
// rest, and each minute.
func TestPaceTidies(t *testing.T) {
	p, _, _, _ := fakePace()
	tidied, given := 0, 0
	p.tidy = func() { tidied++ }
	ticks := func(n, want int, when string) {
		t.Helper()
		tidied = 0
		for range n {
			p.tick(heap{})
		}
		if tidied != want {
			t.Errorf("%s: tidied %d times, want %d", when, tidied, want)
		}
	}
	ticks(2, 1, "after the start")
	p.free = func() { given++ }
	ticks(2*limitTicks-2, 2, "idle for two minutes")
	if given != 2 {
		t.Errorf("idle for two minutes: given back %d times, want 2: jobs take a little each second", given)
	}
	p.busy, p.calm = true, 0
	ticks(calmFor-1, 0, "busy a moment ago")
	ticks(1, 1, "busy, then at rest")
}

// TestPaceOfTheStart: what a start took is given back a moment later, unless the process
// is busy already.
func TestPaceOfTheStart(t *testing.T) {
	for _, c := range []struct {
		allocates uint64
		want      int
	}{{0, 1}, {2 * calmRate, 1}, {2 * paceRoom, 0}} {
		p, _, _, freed := fakePace()
		p.tick(heap{allocated: 10 << 20})
		if *freed != 0 {
			t.Error("given back while the jobs of the start run")
		}
		p.tick(heap{allocated: 10<<20 + c.allocates})
		if *freed != c.want {
			t.Errorf("a second later, with %d bytes more: given back %d times, want %d", c.allocates, *freed, c.want)
		}
	}
}

// TestPaceBounds: whatever is alive, the heap grows by what is alive or by
// paceRoom, whichever is more, and by no more.
func TestPaceBounds(t *testing.T) {
	for live := uint64(1 << 10); live < 1<<32; live *= 3 {
		h := heap{live: live, roots: 1 << 19}
		scanned := h.live + h.roots
		if grows := scanned * uint64(h.room(paceRoom)) / 100; grows > max(scanned, paceRoom) {
			t.Errorf("%d bytes alive grow by %d", scanned, grows)
		}
	}
}

// TestPaceRuns: the collector really is asked, and Go's own pace is back at the
// end. An operator's GOGC is left alone.
func TestPaceRuns(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(goPace)) // whatever GOGC the tests run with
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); newPace(true).run(ctx, func() {}) }()
		return func() { cancel(); <-ended }
	}
	stop := run()
	for until := time.Now().Add(20 * time.Second); readHeap().percent == goPace && readHeap().live+readHeap().roots < paceRoom; runtime.GC() {
		if time.Now().After(until) {
			t.Fatal("collections in a row made no room")
		}
	}
	stop()
	if got := readHeap().percent; got != goPace {
		t.Errorf("GOGC is %d after the end", got)
	}

	defer debug.SetGCPercent(debug.SetGCPercent(50))
	stop = run()
	for range 5 {
		runtime.GC()
	}
	stop()
	if got := readHeap().percent; got != 50 {
		t.Errorf("the operator's GOGC of 50 became %d", got)
	}
}
