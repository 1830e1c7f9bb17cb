package password

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keystone-auth/keystone"
)

// wantBusy fails unless err says: come back in one or two seconds.
func wantBusy(t *testing.T, what string, err error) {
	t.Helper()
	var e *keystone.Error
	if !errors.As(err, &e) || e.Kind != keystone.Unavailable || e.RetryAfter < time.Second || e.RetryAfter > 2*time.Second {
		t.Errorf("%s: %v, want Unavailable with a time to wait", what, err)
	}
}

// occupy takes n slots until the returned function is called.
func occupy(h *Hasher, n int) (leave func()) {
	block := make(chan struct{})
	for range n {
		go h.queue.run(context.Background(), 1, false, func(arena) { <-block })
	}
	synctest.Wait()
	return func() { close(block); synctest.Wait() }
}

// TestQ2Bound: as many as there are slots compute, as many as may wait wait,
// and the next is told to come back, at once.
func TestQ2Bound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Options{Slots: 2, Queue: 3, Params: small})
		leave := occupy(h, 2)
		var done atomic.Int32
		for range 3 {
			go func() {
				if _, err := h.Hash(context.Background(), "correct horse"); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}()
		}
		synctest.Wait()
		if inUse, waiting := h.Stats(); inUse != 2 || waiting != 3 {
			t.Errorf("%d in use, %d waiting; want 2 and 3", inUse, waiting)
		}
		_, err := h.Hash(context.Background(), "correct horse")
		wantBusy(t, "the sixth, hashing", err)
		_, _, err = h.Verify(context.Background(), "", "correct horse")
		wantBusy(t, "the sixth, verifying", err)
		leave()
		if inUse, waiting := h.Stats(); done.Load() != 3 || inUse != 0 || waiting != 0 {
			t.Errorf("after: %d done, %d in use, %d waiting; want 3, 0, 0", done.Load(), inUse, waiting)
		}
		if n := arenas(h); n != 2 {
			t.Errorf("%d arenas for 2 slots", n)
		}
		time.Sleep(idleAfter + time.Second)
		synctest.Wait()
		if n := arenas(h); n != 0 {
			t.Errorf("%d arenas are kept for nothing", n)
		}
		if ok, _, err := h.Verify(context.Background(), mustHash(t, h, "x"), "x"); !ok || err != nil {
			t.Errorf("after the memory was given back: ok %v, %v", ok, err)
		}
		time.Sleep(idleAfter + time.Second)
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Options{Slots: 1, Queue: 2, MaxWait: 3 * time.Second, Params: small})
		leave := occupy(h, 1)
		start := time.Now()
		_, err := h.Hash(context.Background(), "x")
		wantBusy(t, "past the longest wait", err)
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v, want 3s", waited)
		}

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err = h.Hash(ctx, "x")
		wantBusy(t, "past the caller's deadline", err)
		cancel()

		ctx, cancel = context.WithCancel(context.Background())
		left := make(chan error)
		go func() { _, err := h.Hash(ctx, "x"); left <- err }()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
		if _, waiting := h.Stats(); waiting != 0 {
			t.Errorf("%d wait, but all have left", waiting)
		}
		leave()
		time.Sleep(idleAfter + time.Second)
	})
}

// TestLargeOnes: a stored hash that needs more than a slot's memory is verified
// one at a time, and does not hold a slot while it waits for that.
func TestLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Options{Slots: 2, Queue: 4, Params: small})
		block := make(chan struct{})
		var running, most atomic.Int32
		for range 3 {
			go h.queue.run(context.Background(), 1024, false, func(mem arena) {
				if len(mem) != 1024 {
					t.Errorf("%d KiB, want 1024", len(mem))
				}
				most.Store(max(most.Load(), running.Add(1)))
				<-block
				running.Add(-1)
			})
		}
		synctest.Wait()
		if inUse, waiting := h.Stats(); inUse != 1 || waiting != 2 {
			t.Errorf("%d in use, %d waiting; want 1 and 2", inUse, waiting)
		}
		if _, err := h.Hash(context.Background(), "x"); err != nil {
			t.Errorf("the other slot is not free: %v", err)
		}
		close(block)
		synctest.Wait()
		if inUse, waiting := h.Stats(); most.Load() != 1 || inUse != 0 || waiting != 0 {
			t.Errorf("%d at once, %d in use, %d waiting; want 1, 0, 0", most.Load(), inUse, waiting)
		}
		if n := arenas(h); n != 1 || len(h.queue.free[0]) != 64 {
			t.Errorf("%d arenas are kept, want the one of the hash", n)
		}

		// Past its wait for a slot, a large one gives up its place.
		leave := occupy(h, 2)
		wantBusy(t, "large, all slots taken", h.queue.run(context.Background(), 1024, false, func(arena) {}))
		leave()
		if len(h.queue.large) != 0 {
			t.Error("the place for large ones is lost")
		}
		time.Sleep(idleAfter + time.Second)
	})
}

// arenas counts the arenas that wait for their next hash.
func arenas(h *Hasher) int {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return len(h.queue.free)
}
