package password

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// threads run hashes, each on a thread of the operating system that does nothing
// else. A thread that hashes for milliseconds and then goes on with requests is one
// that the kernel lets wait, with whatever it does by then; and a request would wait
// for Go to interrupt a hash. On threads of their own they only cost what the kernel
// gives them, which is a fair share.
//
// The zero threads are ready. They start as they are needed, and end once they have
// had nothing to do for threadIdle.
type threads struct {
	mu      sync.Mutex
	running int // threads
	busy    int // calls of run, at most as many as there are slots
	jobs    chan *hashing
}

// threadIdle is short: a thread costs some microseconds to start.
const threadIdle = time.Second

// hashing is one call of run.
type hashing struct {
	work     func()
	done     chan struct{}
	panicked error
}

// run returns after work, which has run on one of the threads. A panic of work is a
// panic of run.
func (t *threads) run(work func()) {
	t.mu.Lock()
	if t.jobs == nil {
		t.jobs = make(chan *hashing)
	}
	if t.busy++; t.running < t.busy {
		t.running++
		go t.serve()
	}
	t.mu.Unlock()
	h := &hashing{work: work, done: make(chan struct{})}
	t.jobs <- h
	<-h.done
	if h.panicked != nil {
		panic(h.panicked)
	}
}

// serve is one thread.
func (t *threads) serve() {
	runtime.LockOSThread() // for good: it ends with this goroutine
	idle := time.NewTimer(threadIdle)
	defer idle.Stop()
	for {
		select {
		case h := <-t.jobs:
			t.do(h)
		case <-idle.C:
			if t.leave() {
				return
			}
		}
		idle.Reset(threadIdle)
	}
}

// leave reports whether a thread may end: nobody has called run who counts on it.
func (t *threads) leave() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy == t.running {
		return false
	}
	t.running--
	return true
}

func (t *threads) do(h *hashing) {
	computing.Add(1)
	defer func() {
		computing.Add(-1)
		if p := recover(); p != nil {
			h.panicked = fmt.Errorf("%v, in a hash: %s", p, debug.Stack()) // the caller's own stack says nothing
		}
		t.mu.Lock()
		t.busy--
		t.mu.Unlock()
		close(h.done)
	}()
	h.work()
}

// computing counts the hashes of the process that run.
var computing atomic.Int32

// giveWay lets goroutines that are ready have their turn where hashes hold every thread
// that Go runs goroutines on: as many hashes as processors, and no spare threads.
func giveWay() {
	if int(computing.Load()) >= runtime.GOMAXPROCS(0) {
		runtime.Gosched()
	}
}
