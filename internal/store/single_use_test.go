package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestUseOnce(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		use := func(kind, value string) string {
			t.Helper()
			peek := must[bool](t)(s.PeekOnce(ctx, kind, value))
			payload, used, err := s.UseOnce(ctx, kind, value)
			ok(t, err)
			if peek != used {
				t.Fatalf("it looked good: %v, it was: %v", peek, used)
			}
			if !used {
				return "refused"
			}
			return payload
		}
		ok(t, s.AddSingleUse(ctx, "code", "v1", "payload", clock.Now().Add(time.Minute)))
		wantKind(t, s.AddSingleUse(ctx, "code", "v1", "other", clock.Now().Add(time.Hour)), keystone.Conflict)
		for _, step := range []struct{ name, kind, value, want string }{
			{"another kind", "link", "v1", "refused"},
			{"another value", "code", "v2", "refused"},
			{"the first time", "code", "v1", "payload"},
			{"the second time", "code", "v1", "refused"},
		} {
			if got := use(step.kind, step.value); got != step.want {
				t.Errorf("%s: %s", step.name, got)
			}
		}
		ok(t, s.AddSingleUse(ctx, "code", "v3", "", clock.Now().Add(time.Minute)))
		clock.Move(time.Minute)
		if got := use("code", "v3"); got != "refused" {
			t.Error("used at its end")
		}
		wantKind(t, s.AddSingleUse(ctx, "code", "v1", "", clock.Now().Add(time.Hour)), keystone.Conflict)

		// What a transaction that fails has used is not used.
		ok(t, s.AddSingleUse(ctx, "code", "v4", "", clock.Now().Add(time.Minute)))
		failed := errors.New("no")
		if err := s.InTx(ctx, func(tx *store.Store) error {
			if _, used, err := tx.UseOnce(ctx, "code", "v4"); !used || err != nil {
				t.Error(used, err)
			}
			return failed
		}); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if got := use("code", "v4"); got != "" {
			t.Error("lost with the transaction:", got)
		}
		if plain := must[[]string](t)(s.RawTexts(ctx, `SELECT kind FROM single_use WHERE payload = 'v1'`)); len(plain) != 0 {
			t.Error(plain)
		}
	})
}

// TestOnceAmongMany is promise P1 and SECURITY.md X16: of 32 on two nodes, one.
func TestOnceAmongMany(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		for round := range 8 {
			value := keystone.NewID(clock.Now())
			end := clock.Now().Add(time.Minute)
			var calls func(i int) (bool, error)
			if round%2 == 0 {
				ok(t, nodes[0].AddSingleUse(ctx, "code", value, "payload", end))
				calls = func(i int) (bool, error) {
					payload, used, err := nodes[i%2].UseOnce(ctx, "code", value)
					if used && payload != "payload" {
						err = errors.New("payload " + payload)
					}
					return used, err
				}
			} else {
				calls = func(i int) (bool, error) { return nodes[i%2].FirstSeen(ctx, "jti", value, end) }
			}
			won := 0
			for _, answer := range together(32, func(i int) any {
				first, err := calls(i)
				if err != nil {
					return err
				}
				return first
			}) {
				if err, failed := answer.(error); failed {
					t.Fatal(err)
				}
				if answer == true {
					won++
				}
			}
			if won != 1 {
				t.Fatalf("round %d: %d of 32 won", round, won)
			}
		}
	})
}

func TestFirstSeen(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		end := clock.Now().Add(time.Minute)
		for _, step := range []struct {
			kind, value string
			want        bool
		}{{"jti", "a", true}, {"jti", "a", false}, {"jti", "b", true}, {"dpop", "a", true}, {"jti", "a", false}} {
			if got := must[bool](t)(s.FirstSeen(ctx, step.kind, step.value, end)); got != step.want {
				t.Errorf("%s %s: %v", step.kind, step.value, got)
			}
		}
		if _, used, _ := s.UseOnce(ctx, "jti", "a"); used {
			t.Error("a value that was seen can be used")
		}
	})
}
