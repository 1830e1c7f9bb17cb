package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestRevokeOwnToken: one statement ends a living token that a client has for itself,
// once, and no other; alone and in a group.
func TestRevokeOwnToken(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		c, _ := newService(t, s)
		save := func(name, userID string) (hash []byte, jti string) {
			t.Helper()
			hash, jti = secret.Hash(name), keystone.NewID(clock.Now())
			ok(t, s.SaveAccessToken(ctx, operator, hash, store.AccessToken{JTI: jti, UserID: userID, ClientID: c.ID, IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Minute)}))
			return hash, jti
		}
		revoked := func(jti string) bool {
			return len(must[[]string](t)(s.RawTexts(ctx, `SELECT jti FROM revoked_tokens WHERE jti = $1`, jti))) == 1
		}
		hash, jti := save("own", "")
		other, otherJTI := save("other", "")
		users, usersJTI := save("a user's", keystone.NewID(clock.Now()))
		for name, try := range map[string]struct {
			hash          []byte
			jti, clientID string
		}{
			"another client":     {hash, jti, keystone.FirstPartyClientID},
			"another's id":       {hash, otherJTI, c.ID},
			"another's hash":     {other, jti, c.ID},
			"an id of nothing":   {hash, keystone.NewID(clock.Now()), c.ID},
			"a user's":           {users, usersJTI, c.ID},
			"a hash of nothing":  {secret.Hash("nothing"), jti, c.ID},
			"nothing whatsoever": {nil, "", ""},
		} {
			if done, err := s.RevokeOwnToken(ctx, operator, try.hash, try.jti, try.clientID); done || err != nil {
				t.Errorf("%s: %v %v", name, done, err)
			}
		}
		before := len(trail(t, s))
		if revoked(jti) || revoked(otherJTI) || revoked(usersJTI) {
			t.Fatal("a token ended by a wrong name")
		}
		inTx := func(f func(*store.Store) (bool, error)) (done bool, err error) {
			err = s.InTx(ctx, func(tx *store.Store) error { done, err = f(tx); return err })
			return done, err
		}
		own := func(on *store.Store) (bool, error) { return on.RevokeOwnToken(ctx, operator, hash, jti, c.ID) }
		for i, run := range []func() (bool, error){
			func() (bool, error) { return own(s) }, func() (bool, error) { return own(s) }, func() (bool, error) { return inTx(own) },
		} {
			if done, err := run(); done != (i == 0) || err != nil {
				t.Errorf("time %d: %v %v", i+1, done, err)
			}
		}
		if n := len(trail(t, s)); n != before+1 || !revoked(jti) {
			t.Errorf("%d rows of the trail for one revocation", n-before)
		}
		st := must[store.TokenState](t)(s.TokenState(ctx, store.TokenRef{JTI: jti, ClientID: c.ID}))
		if st.Active {
			t.Error("it is alive")
		}

		// Many at once, each twice: each ends, and is recorded, once.
		const n = 40
		hashes, ids := make([][]byte, n), make([]string, n)
		for i := range n {
			hashes[i], ids[i] = save(fmt.Sprint("many", i), "")
		}
		done := make([]bool, 2*n)
		for _, err := range together(2*n, func(i int) (err error) {
			done[i], err = s.RevokeOwnToken(ctx, operator, hashes[i%n], ids[i%n], c.ID)
			return err
		}) {
			ok(t, err)
		}
		for i := range n {
			if done[i] == done[i+n] || !revoked(ids[i]) {
				t.Errorf("token %d: %v, %v", i, done[i], done[i+n])
			}
		}
		rows := must[[]string](t)(s.RawTexts(ctx, `SELECT detail FROM audit WHERE action = 'token.revoked' ORDER BY detail`))
		want := []string{`{"jti":"` + jti + `"}`}
		for _, id := range ids {
			want = append(want, `{"jti":"`+id+`"}`)
		}
		if slices.Sort(want); !slices.Equal(rows, want) {
			t.Errorf("%d rows, want %d: %v", len(rows), len(want), rows)
		}

		clock.Move(time.Minute)
		if done, err := s.RevokeOwnToken(ctx, operator, other, otherJTI, c.ID); done || err != nil {
			t.Errorf("an expired one: %v %v", done, err)
		}
	})
}
