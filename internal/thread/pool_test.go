package thread

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func (p *Pool) counts() (running, busy int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.busy
}

// TestPool: as many threads as there is work at once and no more, and none once there has
// been nothing to do for a while.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		running := func() int { n, _ := p.counts(); return n }
		for range 5 {
			p.Run(func() {})
		}
		if n := running(); n != 1 {
			t.Errorf("%d threads for one after the other", n)
		}
		for round := range 3 {
			var all sync.WaitGroup
			var done atomic.Int32
			for range 4 {
				all.Go(func() {
					p.Run(func() { time.Sleep(idleFor); done.Add(1) })
				})
			}
			synctest.Wait()
			if n := running(); n != 4 {
				t.Errorf("round %d: %d threads for four at once", round, n)
			}
			all.Wait()
			if n := done.Load(); n != 4 {
				t.Errorf("round %d: %d of four are done", round, n)
			}
		}
		time.Sleep(idleFor / 2)
		p.Run(func() {})
		time.Sleep(idleFor * 3 / 4)
		if n := running(); n != 1 {
			t.Errorf("%d threads while one has just been used", n)
		}
		time.Sleep(idleFor)
		if n := running(); n != 0 {
			t.Errorf("%d threads after a while of nothing to do", n)
		}
		p.Run(func() {})
		time.Sleep(2 * idleFor)
	})
}

// TestWorked: how long work takes is known afterwards.
func TestWorked(t *testing.T) {
	var p Pool
	before := Worked()
	p.Run(func() { time.Sleep(20 * time.Millisecond) })
	if got := Worked() - before; got < 20*time.Millisecond || got > 10*time.Second {
		t.Errorf("20 ms of work are %v", got)
	}
}

// TestPoolIsBounded: no more threads than may be, and what waits has its turn in order.
func TestPoolIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pool{Most: 2}
		var all sync.WaitGroup
		var order []int
		var mu sync.Mutex
		for i := range 20 {
			all.Go(func() {
				p.Run(func() {
					time.Sleep(idleFor)
					mu.Lock()
					order = append(order, i/2)
					mu.Unlock()
				})
			})
			synctest.Wait()
			if running, _ := p.counts(); running != min(i+1, 2) {
				t.Errorf("%d threads for %d", running, i+1)
			}
		}
		all.Wait()
		if len(order) != 20 || !slices.IsSorted(order) {
			t.Errorf("had their turn: %v", order)
		}
		time.Sleep(2 * idleFor)
		if running, busy := p.counts(); running != 0 || busy != 0 {
			t.Errorf("%d threads, %d busy", running, busy)
		}
	})
}

func brokenWork() { panic("broken") }

// TestPoolPanics: a panic is its caller's and says where it was, and the thread goes on.
func TestPoolPanics(t *testing.T) {
	var p Pool
	for range 3 {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.HasPrefix(text, "broken, on a thread of its own") || !strings.Contains(text, "brokenWork") {
					t.Errorf("recovered %s", text)
				}
			}()
			p.Run(brokenWork)
		}()
	}
	ran := false
	p.Run(func() { ran = true })
	if running, busy := p.counts(); !ran || running != 1 || busy != 0 || computing.Load() != 0 {
		t.Errorf("ran %v, %d threads, %d busy, %d computing", ran, running, busy, computing.Load())
	}
}

// TestPoolAtOnce: many callers that come and go, so that threads end while others
// hand in.
func TestPoolAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		var all sync.WaitGroup
		var done atomic.Int32
		for i := range 8 {
			all.Go(func() {
				for range 50 {
					p.Run(func() { done.Add(1); time.Sleep(time.Duration(i) * idleFor / 7) })
					time.Sleep(idleFor) // as long as a thread waits
				}
			})
		}
		all.Wait()
		if n := done.Load(); n != 400 {
			t.Errorf("%d of 400", n)
		}
		time.Sleep(2 * idleFor)
		if running, busy := p.counts(); running != 0 || busy != 0 {
			t.Errorf("%d threads, %d busy", running, busy)
		}
	})
}

// TestGiveWay: work that holds the only thread of Go gives way to what is ready.
func TestGiveWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var p Pool
	var turn atomic.Bool
	p.Run(func() {
		go turn.Store(true)
		for range 100 { // now and then the scheduler takes us first
			GiveWay()
		}
		if !turn.Load() {
			t.Error("the other goroutine had no turn")
		}
	})
}
