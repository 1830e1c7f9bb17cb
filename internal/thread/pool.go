// Package thread runs what computes for long on threads of its own.
package thread

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs work that computes for a tenth of a millisecond and more, a hash or an RSA
// signature, each on a thread of the operating system that does nothing else. A thread
// that computes for milliseconds and then goes on with requests is one that the kernel
// lets wait, with whatever it does by then; and a request would wait for Go to interrupt
// the work. On threads of their own they only cost what the kernel gives them, which is a
// fair share.
//
// The zero Pool is ready. Threads start as they are needed, and end once they have had
// nothing to do for idleFor.
type Pool struct {
	Most int // threads at once, what comes then waits in order; 0: as many as there is work

	mu      sync.Mutex
	running int // threads
	busy    int // calls of Run
	jobs    chan *job
}

// idleFor is short: a thread costs some microseconds to start.
const idleFor = time.Second

// job is one call of Run.
type job struct {
	work     func()
	done     chan struct{}
	panicked error
}

// Run returns after work, which has run on one of the threads. A panic of work is a
// panic of Run.
func (p *Pool) Run(work func()) {
	p.mu.Lock()
	if p.jobs == nil {
		p.jobs = make(chan *job)
	}
	if p.busy++; p.running < p.busy && (p.Most == 0 || p.running < p.Most) {
		p.running++
		go p.serve()
	}
	p.mu.Unlock()
	j := &job{work: work, done: make(chan struct{})}
	p.jobs <- j
	<-j.done
	if j.panicked != nil {
		panic(j.panicked)
	}
}

// serve is one thread.
func (p *Pool) serve() {
	runtime.LockOSThread() // for good: it ends with this goroutine
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		select {
		case j := <-p.jobs:
			p.do(j)
		case <-idle.C:
			if p.leave() {
				return
			}
		}
		idle.Reset(idleFor)
	}
}

// leave reports whether a thread may end: nobody has called Run who counts on it.
func (p *Pool) leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy >= p.running {
		return false
	}
	p.running--
	return true
}

func (p *Pool) do(j *job) {
	began := time.Now()
	computing.Add(1)
	defer func() {
		computing.Add(-1)
		worked.Add(int64(time.Since(began)))
		if r := recover(); r != nil {
			j.panicked = fmt.Errorf("%v, on a thread of its own: %s", r, debug.Stack()) // the caller's stack says nothing
		}
		p.mu.Lock()
		p.busy--
		p.mu.Unlock()
		close(j.done)
	}()
	j.work()
}

// computing counts the threads of all pools that work, worked the nanoseconds of work
// that is done.
var (
	computing atomic.Int32
	worked    atomic.Int64
)

// Worked returns how long all work of all pools has taken since the start. While there is
// much of it, as much as processors can do, only threads that Go has beside these run what
// waits for it.
func Worked() time.Duration { return time.Duration(worked.Load()) }

// GiveWay lets goroutines that are ready have their turn where pools hold every thread
// that Go runs goroutines on: as many as processors, and no spare ones. Work that takes
// many milliseconds calls it now and then.
func GiveWay() {
	if int(computing.Load()) >= runtime.GOMAXPROCS(0) {
		runtime.Gosched()
	}
}
