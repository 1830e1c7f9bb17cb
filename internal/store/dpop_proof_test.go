package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestFirstProof: of many uses of one proof at the same moment one is the first;
// another proof is another.
func TestFirstProof(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		expires := clock.Now().Add(time.Minute)
		for round := range 3 {
			hash := []byte{byte(round), 1, 2, 3}
			var first atomic.Int64
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 32 {
				wg.Go(func() {
					<-start
					ok, err := s.FirstProof(ctx, hash, expires)
					if err != nil {
						t.Error(err)
					}
					if ok {
						first.Add(1)
					}
				})
			}
			close(start)
			wg.Wait()
			if first.Load() != 1 {
				t.Errorf("%d of 32 were the first", first.Load())
			}
		}
	})
}
