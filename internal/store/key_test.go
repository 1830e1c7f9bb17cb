package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestSigningKeys(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		if keys := must[[]store.SealedKey](t)(s.SigningKeys(ctx)); len(keys) != 0 {
			t.Fatalf("%+v", keys)
		}
		key := func(alg string, seq int64) store.SealedKey {
			return store.SealedKey{Key: keystone.Key{ID: keystone.NewID(clock.Now()), Algorithm: alg, Seq: seq, CreatedAt: clock.Now(), ActiveAt: clock.Now().Add(time.Minute)}, Sealed: []byte{0, 1, 255}}
		}
		first, other, second := key("ES256", 1), key("RS256", 1), key("ES256", 2)
		end := clock.Now().Add(time.Hour)
		for _, k := range []store.SealedKey{first, other, second} {
			if added := must[bool](t)(s.AddSigningKey(ctx, operator, k, end)); !added {
				t.Fatal("not added")
			}
		}
		n := len(trail(t, s))
		if added := must[bool](t)(s.AddSigningKey(ctx, operator, key("ES256", 2), end.Add(time.Hour))); added || len(trail(t, s)) != n {
			t.Error("a step was made twice")
		}
		first.ExpiresAt = end // the one before ends; other algorithms do not
		if diff := cmp.Diff([]store.SealedKey{first, second, other}, must[[]store.SealedKey](t)(s.SigningKeys(ctx))); diff != "" {
			t.Fatal(diff)
		}
		clock.Move(time.Second)
		ok(t, s.RevokeSigningKey(ctx, operator, second.ID, "", s.Now()))
		second.RevokedAt, second.ExpiresAt = clock.Now(), clock.Now()
		first.ExpiresAt = time.Time{} // nothing follows it now
		if diff := cmp.Diff([]store.SealedKey{first, second, other}, must[[]store.SealedKey](t)(s.SigningKeys(ctx))); diff != "" {
			t.Fatal(diff)
		}
		wantKind(t, s.RevokeSigningKey(ctx, operator, second.ID, "", s.Now()), keystone.NotFound)
		wantKind(t, s.RevokeSigningKey(ctx, operator, "\x00", "", s.Now()), keystone.NotFound)
	})
}

// TestOneStepOfTheRing is SECURITY.md X21: of sixteen who make the next key on two
// nodes at once, one does.
func TestOneStepOfTheRing(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		for seq := range int64(3) {
			won := 0
			for _, added := range together(16, func(i int) bool {
				k := store.SealedKey{Key: keystone.Key{ID: keystone.NewID(clock.Now()), Algorithm: "ES256", Seq: seq, CreatedAt: clock.Now(), ActiveAt: clock.Now()}, Sealed: []byte("x")}
				added, err := nodes[i%2].AddSigningKey(ctx, operator, k, clock.Now())
				if err != nil {
					t.Error(err)
				}
				return added
			}) {
				if added {
					won++
				}
			}
			if won != 1 {
				t.Fatalf("%d of 16 made key %d", won, seq)
			}
		}
	})
}
