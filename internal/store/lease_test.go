package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestLease(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		take := func(name, holder string) bool {
			t.Helper()
			return must[bool](t)(s.Lease(ctx, name, holder, time.Minute))
		}
		for i, step := range []struct {
			after        time.Duration
			name, holder string
			want         bool
		}{
			{0, "sweep", "a", true}, {0, "sweep", "b", false}, {0, "seal", "b", true},
			{30 * time.Second, "sweep", "a", true}, // renewed
			{59 * time.Second, "sweep", "b", false},
			{time.Second, "sweep", "b", true}, // it ended
			{0, "sweep", "a", false},
		} {
			clock.Move(step.after)
			if got := take(step.name, step.holder); got != step.want {
				t.Fatalf("step %d: %v", i+1, got)
			}
		}
		ok(t, s.EndLease(ctx, "sweep", "a")) // not the holder
		if take("sweep", "a") {
			t.Fatal("somebody else ended the lease")
		}
		ok(t, s.EndLease(ctx, "sweep", "b"))
		if !take("sweep", "a") {
			t.Fatal("given up, and still held")
		}
	})
}

func TestLeaseRace(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		for range 4 { // fresh, then three times just ended
			won := 0
			for _, got := range together(16, func(i int) bool {
				got, err := nodes[i%2].Lease(ctx, "sweep", fmt.Sprint("node", i), time.Minute)
				if err != nil {
					t.Error(err)
				}
				return got
			}) {
				if got {
					won++
				}
			}
			if won != 1 {
				t.Fatalf("%d of 16 hold it", won)
			}
			clock.Move(time.Minute)
		}
	})
}
