package password

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/thread"
)

// idleAfter is how long unused block memory is kept for the next hash.
const idleAfter = time.Minute

// queue bounds what hashing may use: as many callers as there are slots
// compute, a bounded number wait in order of arrival, the rest are refused.
// They compute on threads of their own. It also keeps the slots' memory between
// hashes.
type queue struct {
	slots   chan struct{} // a free place is a free slot
	large   chan struct{} // the one place for a hash that needs other memory than a slot's
	limit   int64         // callers that may wait
	maxWait time.Duration
	waiting atomic.Int64
	threads thread.Pool

	memory uint32 // KiB of one slot
	mu     sync.Mutex
	free   []arena // last used first: its pages are warm
	idle   *time.Timer
}

func newQueue(slots, limit int, maxWait time.Duration, memory uint32) *queue {
	return &queue{
		slots: make(chan struct{}, slots), large: make(chan struct{}, 1),
		limit: int64(limit), maxWait: maxWait, memory: memory,
	}
}

// run calls work when it is its turn, with memory KiB of block memory; work
// overwrites it and finds anything in it. heap says that work takes that memory
// from the heap by itself. Errors: keystone.Unavailable when the queue is full
// or the wait too long, ctx's error when it was cancelled.
func (q *queue) run(ctx context.Context, memory uint32, heap bool, work func(arena)) error {
	release, err := q.acquire(ctx, heap || memory > q.memory)
	if err != nil {
		return err
	}
	defer release()
	if heap {
		// Or the next one's memory would come on top of this one's.
		defer runtime.GC()
	}
	if memory == 0 || heap {
		q.threads.Run(func() { work(nil) })
		return nil
	}
	mem, err := q.take(memory)
	if err != nil {
		return busy("no block memory").Because(err)
	}
	defer q.give(mem)
	q.threads.Run(func() { work(mem[:memory]) })
	return nil
}

func (q *queue) acquire(ctx context.Context, large bool) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, stopped(err)
	}
	if !large {
		select {
		case q.slots <- struct{}{}:
			return func() { <-q.slots }, nil
		default:
		}
	}
	if q.waiting.Add(1) > q.limit {
		q.waiting.Add(-1)
		return nil, busy("queue is full")
	}
	defer q.waiting.Add(-1)
	expired := time.NewTimer(q.maxWait)
	defer expired.Stop()
	// Always large before slot: nobody waits for it while holding a slot.
	if large {
		if err := wait(ctx, q.large, expired); err != nil {
			return nil, err
		}
	}
	if err := wait(ctx, q.slots, expired); err != nil {
		if large {
			<-q.large
		}
		return nil, err
	}
	return func() {
		<-q.slots
		if large {
			<-q.large
		}
	}, nil
}

func wait(ctx context.Context, place chan struct{}, expired *time.Timer) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return stopped(ctx.Err())
	case <-expired.C:
		return busy("waited too long")
	}
}

// stopped tells a caller who ran out of time from one who went away.
func stopped(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return busy("waited too long").Because(err)
	}
	return err
}

func busy(why string) *keystone.Error {
	return keystone.Fail(keystone.Unavailable, "Too many passwords are being checked at this moment. Try again in a few seconds.").
		After(2 * time.Second).Because(errors.New("password: " + why))
}

// stats counts nobody who is only on the way to being refused.
func (q *queue) stats() (inUse, waiting int) {
	return len(q.slots), int(min(q.waiting.Load(), q.limit))
}

// take returns at least memory KiB: the memory of a slot, or more.
func (q *queue) take(memory uint32) (arena, error) {
	if memory > q.memory {
		return newArena(memory)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.free); n > 0 {
		mem := q.free[n-1]
		q.free = q.free[:n-1]
		return mem, nil
	}
	return newArena(q.memory)
}

func (q *queue) give(mem arena) {
	if uint32(len(mem)) > q.memory {
		mem.release()
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free = append(q.free, mem)
	if q.idle == nil {
		q.idle = time.AfterFunc(idleAfter, q.trim)
	} else {
		q.idle.Reset(idleAfter)
	}
}

// trim gives the memory of unused slots back to the system.
func (q *queue) trim() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, mem := range q.free {
		mem.release()
	}
	q.free = nil
}
