package thread

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// TestThreadsOfTheirOwn: work stays on its thread, and nothing else runs there.
func TestThreadsOfTheirOwn(t *testing.T) {
	var p Pool
	var all sync.WaitGroup
	var mu sync.Mutex
	of := map[int]int{} // work by thread
	begun := make(chan struct{}, 2)
	both := make(chan struct{})
	for range 2 {
		all.Go(func() {
			p.Run(func() {
				thread := syscall.Gettid()
				begun <- struct{}{}
				<-both
				for range 100 {
					runtime.Gosched()
					if now := syscall.Gettid(); now != thread {
						t.Errorf("from thread %d to %d", thread, now)
						return
					}
				}
				mu.Lock()
				defer mu.Unlock()
				of[thread]++
			})
		})
	}
	<-begun
	<-begun
	var elsewhere sync.WaitGroup
	for range 100 {
		elsewhere.Go(func() {
			runtime.Gosched()
			mu.Lock()
			defer mu.Unlock()
			of[syscall.Gettid()] += 0
		})
	}
	elsewhere.Wait()
	mu.Lock()
	others := len(of)
	mu.Unlock()
	close(both)
	all.Wait()
	if len(of) != others+2 {
		t.Errorf("work by thread %v, of which %d ran something else", of, others)
	}
}
