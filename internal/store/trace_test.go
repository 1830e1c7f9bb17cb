package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestTraces(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		now := s.Now().UTC().Truncate(time.Microsecond)
		one := keystone.Trace{ID: keystone.NewID(now), RequestID: "request-1", At: now, Route: "POST /oauth2/token", Status: 400, Code: "invalid_grant",
			Fix: "Start again.", Checks: []string{"client secret", "code"}, Facts: map[string]string{"redirect_uri": "https://a.example/"}}
		again := one
		again.ID, again.At = keystone.NewID(now.Add(time.Second)), now.Add(time.Second)
		other := one
		other.ID, other.RequestID = keystone.NewID(now), "request-2"
		if err := s.AddTraces(ctx, []keystone.Trace{one, again, other}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Traces(ctx, "request-1")
		if diff := cmp.Diff([]keystone.Trace{again, one}, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if _, err := s.Traces(ctx, "request-3"); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("unknown: %v", err)
		}
		clock.Move(store.TraceRetention + 2*time.Second)
		if _, err := s.Traces(ctx, "request-1"); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("a day later: %v", err)
		}
		if removed, err := s.Sweep(ctx); err != nil || removed["traces"] != 3 {
			t.Errorf("swept %v %v", removed, err)
		}
	})
}
