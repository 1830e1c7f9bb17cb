package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func firstAdmin(name string) keystone.User {
	return keystone.User{Username: name, Email: name + "@example.com", Roles: []string{"nothing"}}
}

func TestSetupByLink(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		if needs := must[bool](t)(s.NeedsSetup(ctx)); !needs {
			t.Fatal("a fresh database is set up")
		}
		link := must[string](t)(s.SetupToken(ctx, keystone.System("start")))
		again := must[string](t)(s.SetupToken(ctx, keystone.System("start")))
		if !must[bool](t)(s.SetupTokenGood(ctx, link)) || !must[bool](t)(s.SetupTokenGood(ctx, link)) {
			t.Fatal("looking at a link spends it")
		}
		before := must[map[string][]string](t)(s.Dump(ctx))
		for name, bad := range map[string]string{"unknown": secret.New(secret.OneTime), "cut": link[:len(link)-1], "extended": link + "A", "NUL": "\x00", "none": ""} {
			_, err := s.CreateFirstAdmin(ctx, keystone.Anonymous(), bad, firstAdmin("jane"), "hash")
			if keystone.KindOf(err) != keystone.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
			if must[bool](t)(s.SetupTokenGood(ctx, bad)) {
				t.Errorf("%s is good", name)
			}
		}
		_, err := s.CreateFirstAdmin(ctx, keystone.Anonymous(), link, firstAdmin("ja ne"), "hash")
		wantField(t, err, keystone.Invalid, "username")
		newUserBefore := newUser(t, s, "taken")
		_, err = s.CreateFirstAdmin(ctx, keystone.Anonymous(), link, firstAdmin("taken"), "hash")
		wantField(t, err, keystone.Conflict, "username")
		ok(t, s.DeleteUser(ctx, operator, newUserBefore.ID, 0))
		after := must[map[string][]string](t)(s.Dump(ctx))
		delete(before, "audit")
		delete(after, "audit")
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatal("a refusal left something:", diff)
		}

		u, err := s.CreateFirstAdmin(ctx, keystone.Anonymous(), link, firstAdmin("jane"), "hash")
		ok(t, err)
		got := must[keystone.User](t)(s.User(ctx, u.ID))
		if !slices.Equal(got.Roles, []string{"admin", "user"}) || !got.Enabled {
			t.Fatalf("%+v", got)
		}
		if l := must[store.Login](t)(s.LoginByID(ctx, u.ID)); l.Hash != "hash" {
			t.Fatalf("%+v", l)
		}
		// Closed for ever, by any way and any link.
		for name, token := range map[string]string{"the same link": link, "another link": again, "no link": ""} {
			_, err := s.CreateFirstAdmin(ctx, operator, token, firstAdmin("second"), "hash")
			if keystone.KindOf(err) != keystone.Conflict {
				t.Errorf("%s: %v", name, err)
			}
			if must[bool](t)(s.SetupTokenGood(ctx, token)) {
				t.Errorf("%s is good", name)
			}
		}
		_, err = s.SetupToken(ctx, operator)
		wantKind(t, err, keystone.Conflict)
		if must[bool](t)(s.NeedsSetup(ctx)) {
			t.Error("the setup is open again")
		}
	})
}

func TestSetupLinkExpires(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		link := must[string](t)(s.SetupToken(ctx, operator))
		clock.Move(time.Hour - time.Microsecond)
		if !must[bool](t)(s.SetupTokenGood(ctx, link)) {
			t.Fatal("a link works for an hour")
		}
		clock.Move(time.Microsecond)
		if must[bool](t)(s.SetupTokenGood(ctx, link)) {
			t.Fatal("a link works for more than an hour")
		}
		_, err := s.CreateFirstAdmin(ctx, keystone.Anonymous(), link, firstAdmin("jane"), "hash")
		wantKind(t, err, keystone.Unauthenticated)
		fresh := must[string](t)(s.SetupToken(ctx, operator))
		_, err = s.CreateFirstAdmin(ctx, keystone.Anonymous(), fresh, firstAdmin("jane"), "hash")
		ok(t, err)
	})
}

// TestSetupWithoutLink: whoever holds the server's configuration needs no link;
// whoever comes over the network always does.
func TestSetupWithoutLink(t *testing.T) {
	for kind, want := range map[keystone.ActorKind]keystone.Kind{
		keystone.ActorOperator: 0, keystone.ActorSystem: 0, keystone.ActorAnonymous: keystone.Unauthenticated,
		keystone.ActorUser: keystone.Unauthenticated, keystone.ActorClient: keystone.Unauthenticated, "": keystone.Unauthenticated,
	} {
		s := storetest.OpenAt(t, t.TempDir()+"/test.db", storetest.NewClock())
		_, err := s.CreateFirstAdmin(ctx, keystone.Actor{Kind: kind}, "", firstAdmin("jane"), "hash")
		if keystone.KindOf(err) != want || (err == nil) != (want == 0) {
			t.Errorf("%s: %v", kind, err)
		}
		if needs := must[bool](t)(s.NeedsSetup(ctx)); needs != (want != 0) {
			t.Errorf("%s: setup open: %v", kind, needs)
		}
	}
}

// TestFirstAdminOnce is SECURITY.md X17: of sixteen who race on two nodes, with
// one link, with links of their own or with none, one is first.
func TestFirstAdminOnce(t *testing.T) {
	for _, how := range []string{"one link", "own links", "no link"} {
		t.Run(how, func(t *testing.T) {
			eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
				links := make([]string, 16)
				for i := range links {
					if i == 0 || how == "own links" {
						links[i] = must[string](t)(nodes[0].SetupToken(ctx, operator))
					} else if how == "one link" {
						links[i] = links[0]
					}
				}
				if how == "no link" {
					links[0] = ""
				}
				errs := together(16, func(i int) error {
					_, err := nodes[i%2].CreateFirstAdmin(ctx, operator, links[i], firstAdmin(fmt.Sprint("jane", i)), "hash")
					return err
				})
				won := 0
				for _, err := range errs {
					if err == nil {
						won++
					} else {
						wantKind(t, err, keystone.Conflict)
					}
				}
				users := must[keystone.List[keystone.User]](t)(nodes[1].Users(ctx, "", keystone.Page{})).Items
				if won != 1 || len(users) != 1 || !users[0].HasRole("admin") {
					t.Fatalf("%d were first, %d users", won, len(users))
				}
			})
		})
	}
}

// TestSetupClosesWithAnAdmin: an administrator made in any other way closes the
// setup too, and links that are about work no more.
func TestSetupClosesWithAnAdmin(t *testing.T) {
	for name, give := range map[string]func(s *store.Store) error{
		"created": func(s *store.Store) error {
			_, err := s.CreateUser(ctx, operator, keystone.User{Username: "root", Email: "root@example.com", Enabled: true, Roles: []string{"admin"}}, "")
			return err
		},
		"given the role": func(s *store.Store) error {
			u, err := s.CreateUser(ctx, operator, keystone.User{Username: "root", Email: "root@example.com", Enabled: true}, "")
			if err == nil {
				_, err = s.SetUserRoles(ctx, operator, u.ID, 0, []string{"admin"})
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
				link := must[string](t)(s.SetupToken(ctx, operator))
				ok(t, give(s))
				if must[bool](t)(s.NeedsSetup(ctx)) || must[bool](t)(s.SetupTokenGood(ctx, link)) {
					t.Error("the setup is open beside an administrator")
				}
				_, err := s.CreateFirstAdmin(ctx, keystone.Anonymous(), link, firstAdmin("jane"), "hash")
				wantKind(t, err, keystone.Conflict)
			})
		})
	}
}
