package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestUsageAndStats(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		st := must[store.Stats](t)(s.Stats(ctx))
		if diff := cmp.Diff(store.Stats{Clients: 1, Roles: 2}, st); diff != "" {
			t.Fatal(diff)
		}
		u := newUser(t, s, "jane")
		off := newUser(t, s, "off")
		_, err := s.UpdateUser(ctx, operator, off.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
		ok(t, err)
		signIn(t, s, u)
		ended := signIn(t, s, u)
		ok(t, s.EndSession(ctx, operator, ended.SessionID, "", keystone.EndLogout))
		ok(t, s.Record(ctx, operator, keystone.AuditEvent{Action: keystone.ActSignInFailed, TargetKind: "user"}))
		use := func(client, grant string, n int64, at time.Time) store.Usage {
			return store.Usage{ClientID: client, GrantType: grant, Tokens: n, LastAt: at}
		}
		now := clock.Now()
		ok(t, s.AddUsage(ctx, []store.Usage{use("a", "refresh_token", 2, now.Add(-48*time.Hour)), use("a", "client_credentials", 3, now)}))
		ok(t, s.AddUsage(ctx, []store.Usage{use("a", "client_credentials", 4, now), use("b", "client_credentials", 5, now.Add(-time.Hour))}))
		ok(t, s.AddUsage(ctx, nil))
		st = must[store.Stats](t)(s.Stats(ctx))
		want := store.Stats{Users: 2, EnabledUsers: 1, Clients: 1, Roles: 2, Sessions: 1, SignInsToday: 2, FailedSignInsToday: 1, TokensToday: 12,
			Usage: []store.Usage{use("a", "client_credentials", 7, now), use("b", "client_credentials", 5, now.Add(-time.Hour))}}
		if diff := cmp.Diff(want, st); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestUsageFromManyNodes: counts of all nodes add up.
func TestUsageFromManyNodes(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		for _, err := range together(32, func(i int) error {
			return nodes[i%2].AddUsage(ctx, []store.Usage{{ClientID: "a", GrantType: "x", Tokens: 1, LastAt: clock.Now()}, {ClientID: "b", GrantType: "x", Tokens: 2, LastAt: clock.Now()}})
		}) {
			ok(t, err)
		}
		if st := must[store.Stats](t)(nodes[0].Stats(ctx)); st.TokensToday != 96 {
			t.Fatalf("%+v", st)
		}
	})
}
