package password

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func (t *threads) counts() (running, busy int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running, t.busy
}

// TestThreads: as many threads as hashes at once and no more, and none once there has
// been nothing to do for a while.
func TestThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts threads
		running := func() int { n, _ := ts.counts(); return n }
		for range 5 {
			ts.run(func() {})
		}
		if n := running(); n != 1 {
			t.Errorf("%d threads for one hash after the other", n)
		}
		for round := range 3 {
			var all sync.WaitGroup
			var done atomic.Int32
			for range 4 {
				all.Go(func() {
					ts.run(func() { time.Sleep(threadIdle); done.Add(1) })
				})
			}
			synctest.Wait()
			if n := running(); n != 4 {
				t.Errorf("round %d: %d threads for four hashes at once", round, n)
			}
			all.Wait()
			if n := done.Load(); n != 4 {
				t.Errorf("round %d: %d of four hashes are done", round, n)
			}
		}
		time.Sleep(threadIdle / 2)
		ts.run(func() {})
		time.Sleep(threadIdle * 3 / 4)
		if n := running(); n != 1 {
			t.Errorf("%d threads while one has just been used", n)
		}
		time.Sleep(threadIdle)
		if n := running(); n != 0 {
			t.Errorf("%d threads after a while of nothing to do", n)
		}
		ts.run(func() {})
		time.Sleep(2 * threadIdle)
	})
}

func brokenHash() { panic("broken") }

// TestThreadPanics: a panic is its caller's and says where it was, and the thread goes on.
func TestThreadPanics(t *testing.T) {
	var ts threads
	for range 3 {
		func() {
			defer func() {
				p := fmt.Sprint(recover())
				if !strings.HasPrefix(p, "broken, in a hash") || !strings.Contains(p, "brokenHash") {
					t.Errorf("recovered %s", p)
				}
			}()
			ts.run(brokenHash)
		}()
	}
	ran := false
	ts.run(func() { ran = true })
	if running, busy := ts.counts(); !ran || running != 1 || busy != 0 || computing.Load() != 0 {
		t.Errorf("ran %v, %d threads, %d busy, %d computing", ran, running, busy, computing.Load())
	}
}

// TestThreadsAtOnce: many callers that come and go, so that threads end while others
// hand in.
func TestThreadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts threads
		var all sync.WaitGroup
		var done atomic.Int32
		for i := range 8 {
			all.Go(func() {
				for range 50 {
					ts.run(func() { done.Add(1); time.Sleep(time.Duration(i) * threadIdle / 7) })
					time.Sleep(threadIdle) // as long as a thread waits
				}
			})
		}
		all.Wait()
		if n := done.Load(); n != 400 {
			t.Errorf("%d of 400", n)
		}
		time.Sleep(2 * threadIdle)
		if running, busy := ts.counts(); running != 0 || busy != 0 {
			t.Errorf("%d threads, %d busy", running, busy)
		}
	})
}

// TestGiveWay: a hash that holds the only thread of Go gives way to what is ready.
func TestGiveWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ts threads
	var turn atomic.Bool
	ts.run(func() {
		go turn.Store(true)
		for range 100 { // now and then the scheduler takes us first
			giveWay()
		}
		if !turn.Load() {
			t.Error("the other goroutine had no turn")
		}
	})
}
