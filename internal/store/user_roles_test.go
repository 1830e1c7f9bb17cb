package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestSetUserRoles(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newRole(t, s, "auditor", keystone.AuditRead)
		u := newUser(t, s, "jane", "user")
		clock.Move(time.Second)
		got, err := s.SetUserRoles(ctx, operator, u.ID, 1, []string{"user", "auditor", "user"})
		ok(t, err)
		want := u
		want.Roles, want.Version, want.UpdatedAt = []string{"auditor", "user"}, 2, clock.Now()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, must[keystone.User](t)(s.User(ctx, u.ID))); diff != "" {
			t.Fatal(diff)
		}
		_, err = s.SetUserRoles(ctx, operator, u.ID, 1, nil)
		wantKind(t, err, keystone.Stale)
		_, err = s.SetUserRoles(ctx, operator, u.ID, 0, []string{"user", "nobody"})
		wantField(t, err, keystone.Invalid, "roles")
		_, err = s.SetUserRoles(ctx, operator, u.ID, 0, make([]string, 101))
		wantKind(t, err, keystone.Invalid)
		_, err = s.SetUserRoles(ctx, operator, keystone.NewID(clock.Now()), 0, nil)
		wantKind(t, err, keystone.NotFound)
		if diff := cmp.Diff(want, must[keystone.User](t)(s.User(ctx, u.ID))); diff != "" {
			t.Fatal("a refusal changed something:", diff)
		}

		// What is taken away must be held as well as what is given.
		manager := holder(keystone.UsersWrite)
		_, err = s.SetUserRoles(ctx, manager, u.ID, 0, []string{"user"})
		wantKind(t, err, keystone.Forbidden)
		_, err = s.SetUserRoles(ctx, holder(keystone.UsersWrite, keystone.AuditRead), u.ID, 0, nil)
		ok(t, err)
		if got := must[keystone.User](t)(s.User(ctx, u.ID)); len(got.Roles) != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

// TestLastAdministrator: the last enabled administrator cannot be taken away on
// any path; everybody else can.
func TestLastAdministrator(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		last := newUser(t, s, "root", "admin", "user")
		paths := map[string]func(u keystone.User) error{
			"disable": func(u keystone.User) error {
				_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			},
			"delete": func(u keystone.User) error { return s.DeleteUser(ctx, operator, u.ID, 0) },
			"remove role": func(u keystone.User) error {
				_, err := s.SetUserRoles(ctx, operator, u.ID, 0, []string{"user"})
				return err
			},
			"remove every role": func(u keystone.User) error {
				_, err := s.SetUserRoles(ctx, operator, u.ID, 0, nil)
				return err
			},
		}
		sleeper := newUser(t, s, "sleeper", "admin") // a disabled administrator administers nothing
		ok(t, paths["disable"](sleeper))
		for name, path := range paths {
			wantKind(t, path(last), keystone.Conflict)
			if u := must[keystone.User](t)(s.User(ctx, last.ID)); !u.Enabled || !u.HasRole("admin") || u.Version != last.Version {
				t.Fatalf("%s left %+v", name, u)
			}
		}
		if _, err := s.UpdateUser(ctx, operator, last.ID, 0, keystone.UserPatch{FirstName: ptr("x")}); err != nil {
			t.Error("the last administrator cannot be renamed:", err)
		}
		if _, err := s.SetUserRoles(ctx, operator, last.ID, 0, []string{"admin"}); err != nil {
			t.Error("the last administrator cannot lose another role:", err)
		}
		for name, path := range paths {
			other := newUser(t, s, "other"+name[len(name)-3:]+fmt.Sprint(len(name)), "admin")
			if err := path(other); err != nil {
				t.Errorf("%s of one of two: %v", name, err)
			}
		}
		ok(t, paths["delete"](sleeper))
	})
}

// TestAdministratorWhoNeverWas: a disabled first administrator binds nobody else.
func TestAdministratorWhoNeverWas(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		u := newUser(t, s, "jane", "user")
		off := must[keystone.User](t)(s.CreateUser(ctx, operator, keystone.User{Username: "off", Email: "off@example.com", Roles: []string{"admin"}}, ""))
		if _, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)}); err != nil {
			t.Error("disable a plain user:", err)
		}
		if _, err := s.SetUserRoles(ctx, operator, u.ID, 0, nil); err != nil {
			t.Error("take a plain user's role:", err)
		}
		if err := s.DeleteUser(ctx, operator, u.ID, 0); err != nil {
			t.Error("delete a plain user:", err)
		}
		if err := s.DeleteUser(ctx, operator, off.ID, 0); err != nil {
			t.Error("delete the disabled administrator:", err)
		}
	})
}

// TestAdministratorsRemoveEachOther is SECURITY.md X17: several administrators
// remove each other at the same moment on two nodes, and one stays.
func TestAdministratorsRemoveEachOther(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		for round, remove := range []func(s *store.Store, u keystone.User) error{
			func(s *store.Store, u keystone.User) error { return s.DeleteUser(ctx, operator, u.ID, 0) },
			func(s *store.Store, u keystone.User) error {
				_, err := s.SetUserRoles(ctx, operator, u.ID, 0, nil)
				return err
			},
			func(s *store.Store, u keystone.User) error {
				_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			},
		} {
			const n = 4
			var admins []keystone.User
			for i := range n {
				admins = append(admins, newUser(t, nodes[0], fmt.Sprintf("admin%d-%d", round, i), "admin"))
			}
			if round > 0 { // the one who is left of the round before
				for _, u := range must[keystone.List[keystone.User]](t)(nodes[0].Users(ctx, "admin"+fmt.Sprint(round-1), keystone.Page{})).Items {
					if u.Enabled && u.HasRole("admin") {
						ok(t, nodes[0].DeleteUser(ctx, operator, u.ID, 0))
					}
				}
			}
			errs := together(n, func(i int) error { return remove(nodes[i%2], admins[(i+1)%n]) })
			refused := 0
			for _, err := range errs {
				if err != nil {
					wantKind(t, err, keystone.Conflict)
					refused++
				}
			}
			left := 0
			for _, u := range admins {
				if got, err := nodes[1].User(ctx, u.ID); err == nil && got.Enabled && got.HasRole("admin") {
					left++
				}
			}
			if refused != 1 || left != 1 {
				t.Fatalf("round %d: %d refused, %d administrators left", round, refused, left)
			}
		}
	})
}

// TestRoleGoesWhileItIsGiven: giving a role that somebody deletes at the same
// moment is one or the other, never a fault.
func TestRoleGoesWhileItIsGiven(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		for i := range 20 {
			name := fmt.Sprint("role", i)
			newRole(t, nodes[0], name)
			u := newUser(t, nodes[0], fmt.Sprint("jane", i))
			errs := together(2, func(n int) error {
				if n == 0 {
					return nodes[0].DeleteRole(ctx, operator, name, 0)
				}
				_, err := nodes[1].SetUserRoles(ctx, operator, u.ID, 0, []string{name})
				return err
			})
			ok(t, errs[0])
			if errs[1] != nil {
				wantField(t, errs[1], keystone.Invalid, "roles")
			}
			if got := must[keystone.User](t)(nodes[0].User(ctx, u.ID)); len(got.Roles) != 0 {
				t.Fatalf("the role is gone and still held: %+v", got)
			}
		}
	})
}

// TestLastAdministratorsPassword: whoever cannot sign in is no administrator who is
// left, and the password of the last one who can is not taken away.
func TestLastAdministratorsPassword(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		s := nodes[0]
		root := newUser(t, s, "root", "admin")
		silent := must[keystone.User](t)(s.CreateUser(ctx, operator, keystone.User{Username: "silent", Email: "silent@example.com", Enabled: true, Roles: []string{"admin"}}, ""))
		for name, err := range map[string]error{
			"disable": func() error {
				_, err := s.UpdateUser(ctx, operator, root.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			}(),
			"roles":  func() error { _, err := s.SetUserRoles(ctx, operator, root.ID, 0, []string{"user"}); return err }(),
			"delete": s.DeleteUser(ctx, operator, root.ID, 0),
			"reset":  s.SetPassword(ctx, operator, root.ID, "", ""),
		} {
			if keystone.KindOf(err) != keystone.Conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		if login := must[store.Login](t)(s.LoginByID(ctx, root.ID)); login.Hash == "" {
			t.Error("the password is gone")
		}
		ok(t, s.SetPassword(ctx, operator, silent.ID, "hash", ""))
		// Two resets at the same moment on two nodes leave one password.
		errs := together(2, func(i int) error { return nodes[i].SetPassword(ctx, operator, []string{root.ID, silent.ID}[i], "", "") })
		refused := 0
		for _, err := range errs {
			if keystone.KindOf(err) == keystone.Conflict {
				refused++
			} else {
				ok(t, err)
			}
		}
		if refused != 1 {
			t.Errorf("%d of two refused", refused)
		}
	})
}
