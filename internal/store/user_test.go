package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestCreateUser(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		in := keystone.User{ID: "not mine to choose", Username: "Jane", Email: "Jane@Example.com", EmailVerified: true, FirstName: "Jane", LastName: "Doe",
			Enabled: true, Roles: []string{keystone.RoleUser, keystone.RoleAdmin, keystone.RoleUser}, Version: 9, LastLogin: clock.Now()}
		u, err := s.CreateUser(ctx, operator, in, "the hash")
		ok(t, err)
		want := in
		want.ID, want.Version, want.LastLogin, want.Roles = u.ID, 1, time.Time{}, []string{"admin", "user"}
		want.CreatedAt, want.UpdatedAt = clock.Now(), clock.Now()
		stored := must[keystone.User](t)(s.User(ctx, u.ID))
		if diff := cmp.Diff(want, stored); diff != "" || !keystone.IsID(u.ID) {
			t.Fatal(diff)
		}
		u.LastLogin = time.Time{}
		if diff := cmp.Diff(want, u); diff != "" {
			t.Fatal("what was returned is not what was stored:", diff)
		}
		for _, name := range []string{"jane", "JANE", "jane@example.com", "JANE@EXAMPLE.COM", "Ｊane"} {
			login := must[store.Login](t)(s.LoginByName(ctx, name))
			if login.UserID != u.ID || login.Hash != "the hash" || !login.Enabled || login.Username != "Jane" || login.Email != "Jane@Example.com" || !login.ChangedAt.Equal(clock.Now()) {
				t.Fatalf("%s: %+v", name, login)
			}
		}
	})
}

func TestCreateUserRefuses(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newUser(t, s, "jane")
		newUser(t, s, "john")
		manager := holder(keystone.UsersWrite)
		before := must[map[string][]string](t)(s.Dump(ctx))
		for _, test := range []struct {
			name   string
			by     keystone.Actor
			user   keystone.User
			kind   keystone.Kind
			fields string
		}{
			{"bad fields", operator, keystone.User{Username: "a b", Email: "x"}, keystone.Invalid, "username email"},
			{"taken username", operator, keystone.User{Username: "JANE", Email: "new@example.com"}, keystone.Conflict, "username"},
			{"taken address", operator, keystone.User{Username: "new", Email: "JANE@example.com"}, keystone.Conflict, "email"},
			{"both taken, by two", operator, keystone.User{Username: "jane", Email: "john@example.com"}, keystone.Conflict, "username email"},
			{"unknown role", operator, keystone.User{Username: "new", Email: "new@example.com", Roles: []string{"nobody"}}, keystone.Invalid, "roles"},
			{"role of more than the actor holds", manager, keystone.User{Username: "new", Email: "new@example.com", Roles: []string{"admin"}}, keystone.Forbidden, ""},
			{"among roles that the actor may give", manager, keystone.User{Username: "new", Email: "new@example.com", Roles: []string{"user", "admin"}}, keystone.Forbidden, ""},
			{"nobody", keystone.Anonymous(), keystone.User{Username: "new", Email: "new@example.com", Roles: []string{"admin"}}, keystone.Forbidden, ""},
		} {
			_, err := s.CreateUser(ctx, test.by, test.user, "hash")
			if got := keystone.KindOf(err); got != test.kind {
				t.Errorf("%s: got %v", test.name, err)
			}
			for _, f := range strings.Fields(test.fields) {
				wantField(t, err, test.kind, f)
			}
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Error("a refusal left something:", diff)
		}
		u, err := s.CreateUser(ctx, manager, keystone.User{Username: "new", Email: "new@example.com", Roles: []string{"user"}}, "")
		if err != nil || len(u.Roles) != 1 {
			t.Fatal("who may write users cannot give a role without scopes:", err)
		}
	})
}

// TestRegisterTakesNothingElse is SECURITY.md N6: whoever registers decides on
// their names and on nothing else.
func TestRegisterTakesNothingElse(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		u, err := s.RegisterUser(ctx, keystone.Anonymous(), keystone.User{ID: keystone.NewID(time.Now()), Username: "jane", Email: "jane@example.com",
			EmailVerified: true, Enabled: false, Roles: []string{"admin"}, Version: 7}, "hash")
		ok(t, err)
		got := must[keystone.User](t)(s.User(ctx, u.ID))
		if got.EmailVerified || !got.Enabled || cmp.Diff(got.Roles, []string{"user"}) != "" || got.Version != 1 {
			t.Fatalf("%+v", got)
		}
		_, err = s.RegisterUser(ctx, keystone.Anonymous(), keystone.User{Username: "Jane", Email: "other@example.com"}, "hash")
		wantField(t, err, keystone.Conflict, "username")
		_, err = s.RegisterUser(ctx, keystone.Anonymous(), keystone.User{Username: "ja ne", Email: "other@example.com"}, "hash")
		wantField(t, err, keystone.Invalid, "username")
		if open := must[bool](t)(s.NeedsSetup(ctx)); !open {
			t.Fatal("registering closed the setup")
		}
	})
}

// TestOneNameOneUser is SECURITY.md X17: of sixteen who register one name on two
// nodes at once, in any spelling, one gets it and the others a clean conflict.
func TestOneNameOneUser(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		spelling := []string{"jane", "JANE", "Jane", "Ｊane"}
		for round, same := range []string{"username", "address"} {
			errs := together(16, func(i int) error {
				u := keystone.User{Username: spelling[i%4], Email: fmt.Sprintf("a%d@example.com", i)}
				if same == "address" {
					u = keystone.User{Username: fmt.Sprintf("user%d", i), Email: spelling[i%3] + "@example.com"}
				}
				_, err := nodes[i%2].RegisterUser(ctx, keystone.Anonymous(), u, "hash")
				return err
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if keystone.KindOf(err) != keystone.Conflict {
					t.Errorf("same %s: %v", same, err)
				}
			}
			if won != 1 {
				t.Fatalf("same %s: %d of 16 won", same, won)
			}
			if n := len(must[keystone.List[keystone.User]](t)(nodes[0].Users(ctx, "", keystone.Page{})).Items); n != round+1 {
				t.Fatalf("%d users", n)
			}
		}
	})
}

func TestUpdateUser(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u, other := newUser(t, s, "jane", "user"), newUser(t, s, "john")
		clock.Move(time.Second)
		got, err := s.UpdateUser(ctx, operator, u.ID, 1, keystone.UserPatch{FirstName: ptr("Jana"), Username: ptr("Jana")})
		ok(t, err)
		want := u
		want.FirstName, want.Username, want.Version, want.UpdatedAt = "Jana", "Jana", 2, clock.Now()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, must[keystone.User](t)(s.User(ctx, u.ID))); diff != "" {
			t.Fatal(diff)
		}
		if l := must[store.Login](t)(s.LoginByName(ctx, "jane")); l.UserID != "" {
			t.Fatal("the old name still signs in")
		}
		if l := must[store.Login](t)(s.LoginByName(ctx, "JANA")); l.UserID != u.ID {
			t.Fatal("the new name does not sign in")
		}

		_, err = s.UpdateUser(ctx, operator, u.ID, 1, keystone.UserPatch{FirstName: ptr("x")})
		wantKind(t, err, keystone.Stale)
		_, err = s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Username: ptr("JOHN")})
		wantField(t, err, keystone.Conflict, "username")
		_, err = s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Email: ptr("JOHN@example.com")})
		wantField(t, err, keystone.Conflict, "email")
		_, err = s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Email: ptr("x")})
		wantField(t, err, keystone.Invalid, "email")
		_, err = s.UpdateUser(ctx, operator, keystone.NewID(clock.Now()), 0, keystone.UserPatch{})
		wantKind(t, err, keystone.NotFound)
		_, err = s.UpdateUser(ctx, operator, "x", 0, keystone.UserPatch{})
		wantKind(t, err, keystone.NotFound)
		if diff := cmp.Diff(want, must[keystone.User](t)(s.User(ctx, u.ID))); diff != "" {
			t.Fatal("a refusal changed something:", diff)
		}

		if _, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Username: ptr("JANA"), Email: ptr("new@example.com")}); err != nil {
			t.Fatal("a user cannot respell their own name:", err)
		}
		if _, err := s.UpdateUser(ctx, operator, other.ID, 0, keystone.UserPatch{Email: ptr("jane@example.com")}); err != nil {
			t.Fatal("an address that was given up cannot be taken:", err)
		}
	})
}

// TestNoLostUpdate is SECURITY.md N9: of many editors of one version on two
// nodes, one wins; whoever names no version still loses nobody's change.
func TestNoLostUpdate(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		u := newUser(t, nodes[0], "jane")
		errs := together(16, func(i int) error {
			_, err := nodes[i%2].UpdateUser(ctx, operator, u.ID, 1, keystone.UserPatch{FirstName: ptr(fmt.Sprint("n", i))})
			return err
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantKind(t, err, keystone.Stale)
			}
		}
		if got := must[keystone.User](t)(nodes[0].User(ctx, u.ID)); won != 1 || got.Version != 2 {
			t.Fatalf("%d of 16 won, version %d", won, got.Version)
		}

		first := together(2, func(i int) error {
			patch := keystone.UserPatch{FirstName: ptr("First")}
			if i == 1 {
				patch = keystone.UserPatch{LastName: ptr("Last")}
			}
			for {
				_, err := nodes[i].UpdateUser(ctx, operator, u.ID, 0, patch)
				if keystone.KindOf(err) != keystone.Stale {
					return err
				}
			}
		})
		got := must[keystone.User](t)(nodes[0].User(ctx, u.ID))
		if first[0] != nil || first[1] != nil || got.FirstName != "First" || got.LastName != "Last" {
			t.Fatalf("%v: %+v", first, got)
		}
	})
}

// TestManageWhoHoldsMore: nobody changes a user who holds what they do not
// hold, on any path, and nothing of a refused change stays.
func TestManageWhoHoldsMore(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newScope(t, s, "orders:read")
		newRole(t, s, "auditor", keystone.AuditRead)
		newRole(t, s, "seller", "orders:read")
		admin := newUser(t, s, "root", "admin")
		auditor := newUser(t, s, "auditor", "auditor")
		seller := newUser(t, s, "seller", "seller")
		plain := newUser(t, s, "plain", "user")

		writes := []struct {
			name string
			call func(by keystone.Actor, id string) error
		}{
			{"update", func(by keystone.Actor, id string) error {
				_, err := s.UpdateUser(ctx, by, id, 0, keystone.UserPatch{Email: ptr("mine" + id[24:] + "@example.com")})
				return err
			}},
			{"disable", func(by keystone.Actor, id string) error {
				_, err := s.UpdateUser(ctx, by, id, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			}},
			{"set password", func(by keystone.Actor, id string) error { return s.SetPassword(ctx, by, id, "mine", "") }},
			{"take roles", func(by keystone.Actor, id string) error {
				_, err := s.SetUserRoles(ctx, by, id, 0, nil)
				return err
			}},
			{"give admin", func(by keystone.Actor, id string) error {
				_, err := s.SetUserRoles(ctx, by, id, 0, []string{"admin"})
				return err
			}},
			{"unlock", func(by keystone.Actor, id string) error { return s.Unlock(ctx, by, id, "account:"+id) }},
			{"delete", func(by keystone.Actor, id string) error { return s.DeleteUser(ctx, by, id, 0) }},
		}
		manager := holder(keystone.UsersRead, keystone.UsersWrite)
		before := must[map[string][]string](t)(s.Dump(ctx))
		for _, w := range writes {
			for name, id := range map[string]string{"an administrator": admin.ID, "an auditor": auditor.ID, "a holder of a foreign scope": seller.ID} {
				for who, by := range map[string]keystone.Actor{
					"a user manager": manager, "nobody": keystone.Anonymous(),
					"a service":                        {Kind: keystone.ActorClient, ID: id, Scopes: []string{keystone.UsersWrite}},
					"the user's id without their kind": {ID: id, Scopes: []string{keystone.UsersWrite}},
				} {
					if err := w.call(by, id); keystone.KindOf(err) != keystone.Forbidden {
						t.Errorf("%s: %s on %s: %v", w.name, who, name, err)
					}
				}
			}
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Error("a refusal left something:", diff)
		}

		for _, w := range writes[:6] {
			if w.name == "give admin" {
				wantKind(t, w.call(manager, plain.ID), keystone.Forbidden)
				continue
			}
			if err := w.call(manager, plain.ID); err != nil {
				t.Errorf("%s on a plain user: %v", w.name, err)
			}
		}
		if err := writes[0].call(holder(keystone.UsersWrite, keystone.AuditRead), auditor.ID); err != nil {
			t.Error("who holds as much may not manage:", err)
		}
		if err := writes[0].call(holder(keystone.UsersWrite, keystone.ScopesWrite), seller.ID); err != nil {
			t.Error("who administers scopes may not manage their holders:", err)
		}
	})
}

// TestSelf: users change themselves, whatever they hold, but never their roles.
func TestSelf(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newUser(t, s, "root", "admin")
		u := newUser(t, s, "jane", "admin")
		self := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, FirstParty: true}
		if _, err := s.UpdateUser(ctx, self, u.ID, 0, keystone.UserPatch{FirstName: ptr("Jana")}); err != nil {
			t.Error(err)
		}
		ok(t, s.SetPassword(ctx, self, u.ID, "new", ""))
		plain := newUser(t, s, "john", "user")
		self.ID = plain.ID
		_, err := s.SetUserRoles(ctx, self, plain.ID, 0, []string{"admin"})
		wantKind(t, err, keystone.Forbidden)
		ok(t, s.DeleteUser(ctx, self, plain.ID, 0))
	})
}

func TestDeleteUser(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newUser(t, s, "root", "admin")
		empty := must[map[string][]string](t)(s.Dump(ctx, "audit"))
		u := newUser(t, s, "jane", "user")
		g := signIn(t, s, u)
		ok(t, s.SaveAccessToken(ctx, operator, []byte("hash"), store.AccessToken{JTI: "j", UserID: u.ID, ClientID: g.ClientID, GrantID: g.ID, ExpiresAt: clock.Now().Add(time.Hour)}))

		wantKind(t, s.DeleteUser(ctx, operator, u.ID, 5), keystone.Stale)
		wantKind(t, s.DeleteUser(ctx, operator, keystone.NewID(clock.Now()), 0), keystone.NotFound)
		ok(t, s.DeleteUser(ctx, operator, u.ID, u.Version))
		wantKind(t, s.DeleteUser(ctx, operator, u.ID, 0), keystone.NotFound)
		if diff := cmp.Diff(empty, must[map[string][]string](t)(s.Dump(ctx, "audit"))); diff != "" {
			t.Error("something hangs on after the user:", diff)
		}
		_, err := s.Rotate(ctx, operator, g.ID, 1, rotation)
		wantKind(t, err, keystone.Invalid)

		// SECURITY.md F13: whoever takes the name next is somebody else.
		again := newUser(t, s, "jane")
		if again.ID == u.ID {
			t.Error("an id was given twice")
		}
	})
}

// TestDeleteOrUpdate: with the version in hand, one of deleting and changing
// happens, never a deletion of what was just changed.
func TestDeleteOrUpdate(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		for i := range 20 {
			u := newUser(t, nodes[0], fmt.Sprint("jane", i))
			errs := together(2, func(n int) error {
				if n == 0 {
					return nodes[0].DeleteUser(ctx, operator, u.ID, u.Version)
				}
				_, err := nodes[1].UpdateUser(ctx, operator, u.ID, u.Version, keystone.UserPatch{FirstName: ptr("x")})
				return err
			})
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("round %d: delete %v, update %v", i, errs[0], errs[1])
			}
		}
	})
}

func TestFindUser(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane", "user")
		for _, name := range []string{u.ID, "Jane", "JANE@example.com"} {
			if got, err := s.FindUser(ctx, name); err != nil || !cmp.Equal(got, u, cmpopts.EquateEmpty()) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		for _, name := range []string{"", "john", "x@y", "john@example.com", "a\x00", "\xff", keystone.NewID(clock.Now()), "' OR 1=1 --"} {
			_, err := s.FindUser(ctx, name)
			wantKind(t, err, keystone.NotFound)
			if l, err := s.LoginByName(ctx, name); err != nil || l.UserID != "" {
				t.Errorf("login as %q: %+v, %v", name, l, err)
			}
		}
		if l := must[store.Login](t)(s.LoginByID(ctx, u.ID)); l.Username != "jane" {
			t.Errorf("%+v", l)
		}
	})
}
