package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestSetPassword(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		mine, other := signIn(t, s, u), signIn(t, s, u)
		foreign := signIn(t, s, newUser(t, s, "john"))
		old := must[store.Login](t)(s.LoginByID(ctx, u.ID))
		self := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, FirstParty: true}

		ok(t, s.SetPassword(ctx, self, u.ID, "new hash", mine.SessionID))
		now := must[store.Login](t)(s.LoginByID(ctx, u.ID))
		if now.Hash != "new hash" || !now.ChangedAt.After(old.ChangedAt) {
			t.Fatalf("%+v after %+v", now, old)
		}
		if !alive(t, s, mine) || alive(t, s, other) || !alive(t, s, foreign) {
			t.Fatal("other sessions of the user end, the present one and those of others stay")
		}
		if ses := must[keystone.Session](t)(s.Session(ctx, other.SessionID)); ses.EndReason != keystone.EndPasswordChanged || !ses.EndedAt.Equal(clock.Now()) {
			t.Fatalf("%+v", ses)
		}
		ok(t, s.SetPassword(ctx, operator, u.ID, "by the operator", ""))
		if alive(t, s, mine) {
			t.Fatal("a reset leaves a session")
		}
		wantKind(t, s.SetPassword(ctx, operator, keystone.NewID(clock.Now()), "x", ""), keystone.NotFound)

		first := must[keystone.User](t)(s.CreateUser(ctx, operator, keystone.User{Username: "none", Email: "none@example.com", Enabled: true}, ""))
		if l := must[store.Login](t)(s.LoginByID(ctx, first.ID)); l.Hash != "" || !l.ChangedAt.IsZero() {
			t.Fatalf("%+v", l)
		}
		ok(t, s.SetPassword(ctx, operator, first.ID, "first", ""))
		if l := must[store.Login](t)(s.LoginByID(ctx, first.ID)); l.Hash != "first" || l.ChangedAt.IsZero() {
			t.Fatalf("%+v", l)
		}
	})
}

func TestRehash(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		g := signIn(t, s, u)
		before := must[store.Login](t)(s.LoginByID(ctx, u.ID))
		clock.Move(time.Minute)
		ok(t, s.Rehash(ctx, operator, u.ID, before.Hash, "stronger"))
		after := must[store.Login](t)(s.LoginByID(ctx, u.ID))
		if after.Hash != "stronger" || !after.ChangedAt.Equal(before.ChangedAt) || !alive(t, s, g) {
			t.Fatalf("%+v", after)
		}
		if started, err := start(s, newFamily(s, u.ID), before); !started || err != nil {
			t.Fatal("a sign-in under way fails because the same password was hashed anew:", err)
		}
		n := len(trail(t, s))
		ok(t, s.Rehash(ctx, operator, u.ID, before.Hash, "from an old hash"))
		if got := must[store.Login](t)(s.LoginByID(ctx, u.ID)); got.Hash != "stronger" || len(trail(t, s)) != n {
			t.Fatalf("a hash that was replaced meanwhile came back: %+v", got)
		}
	})
}

// TestSignInMeetsChange: a sign-in whose password was checked just before the
// account is disabled, deleted or given another password leaves no living
// session, whichever of the two comes first.
func TestSignInMeetsChange(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		for name, change := range map[string]func(u keystone.User) error{
			"password": func(u keystone.User) error { return nodes[0].SetPassword(ctx, operator, u.ID, "new", "") },
			"disabled": func(u keystone.User) error {
				_, err := nodes[0].UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			},
			"deleted": func(u keystone.User) error { return nodes[0].DeleteUser(ctx, operator, u.ID, 0) },
		} {
			late := 0
			for i := range 10 {
				u := newUser(t, nodes[0], fmt.Sprint(name, i))
				login := must[store.Login](t)(nodes[0].LoginByName(ctx, u.Username))
				families := make([]keystone.Grant, 4)
				for i := range families {
					families[i] = newFamily(nodes[0], u.ID)
				}
				errs := together(5, func(i int) error {
					if i == 0 {
						return change(u)
					}
					_, err := start(nodes[i%2], families[i-1], login)
					return err
				})
				for _, err := range errs {
					ok(t, err)
				}
				for _, g := range families {
					ses, err := nodes[0].Session(ctx, g.SessionID)
					if err == nil && ses.Alive(nodes[0].Now()) {
						t.Fatalf("%s, round %d: a session of the old password lives on", name, i)
					}
					if kept, err := nodes[0].Grant(ctx, g.ID); err == nil && kept.RevokedAt.IsZero() {
						t.Fatalf("%s, round %d: a refresh token of the old password lives on", name, i)
					} else if err == nil {
						late++
					}
				}
			}
			t.Log(name, "came after a sign-in", late, "times of 40")
		}
	})
}
