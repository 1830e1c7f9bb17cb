package server

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// fakeSpare is a machine with so many processors, on which Go runs threads.
func fakeSpare(processors int, threads *int) spare {
	return spare{
		processors: processors,
		set: func(n int) int {
			before := *threads
			if n > 0 {
				*threads = n
			}
			return before
		},
		reset: func() { *threads = processors },
	}
}

// TestSpare: spare threads while busy, and none afterwards; what a limit or an
// operator has set lower stays.
func TestSpare(t *testing.T) {
	for _, test := range []struct{ processors, threads, busy int }{
		{1, 1, 1 + spareThreads},
		{2, 2, 2 + spareThreads},
		{64, 2, 2}, // a container's limit
		{64, 64, 64 + spareThreads},
		{2, 8, 8}, // an operator's GOMAXPROCS
	} {
		threads := test.threads
		p, now, _, _ := fakePace()
		p.spare = fakeSpare(test.processors, &threads)
		for range 3 {
			p.collection(heap{live: 1 << 20})
			*now = now.Add(100 * time.Millisecond)
		}
		if threads != test.busy {
			t.Errorf("%d threads on %d processors are %d under load, want %d", test.threads, test.processors, threads, test.busy)
		}
		p.rest()
		if threads != test.threads {
			t.Errorf("%d threads on %d processors are %d at rest", test.threads, test.processors, threads)
		}
		p.collection(heap{live: 1 << 20})
		if threads != test.threads {
			t.Errorf("%d threads on %d processors are %d after the collections of resting", test.threads, test.processors, threads)
		}
	}
}

// TestSpareEnds: with Go's own functions, and also where an operator has set GOGC,
// all is as before at the end.
func TestSpareEnds(t *testing.T) {
	for _, percent := range []int{goPace, 50} {
		defer debug.SetGCPercent(debug.SetGCPercent(percent))
		before := runtime.GOMAXPROCS(0)
		p := newPace()
		p.collection(readHeap())
		p.collection(readHeap())
		if got := runtime.GOMAXPROCS(0); before == runtime.NumCPU() && got != before+spareThreads {
			t.Errorf("GOGC %d: %d threads under load, %d before", percent, got, before)
		}
		p.end()
		if got := runtime.GOMAXPROCS(0); got != before {
			t.Errorf("GOGC %d: %d threads at the end, %d before", percent, got, before)
		}
	}
}
