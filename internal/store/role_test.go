package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestRoleLife(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newScope(t, s, "orders:read")
		r, err := s.CreateRole(ctx, operator, keystone.Role{ID: "x", Name: "seller", Description: "Sells", Scopes: []string{"orders:read", "audit:read", "orders:read"}, BuiltIn: true, Version: 7})
		ok(t, err)
		want := keystone.Role{ID: r.ID, Name: "seller", Description: "Sells", Scopes: []string{"audit:read", "orders:read"}, CreatedAt: clock.Now(), UpdatedAt: clock.Now(), Version: 1}
		for _, got := range []keystone.Role{r, must[keystone.Role](t)(s.Role(ctx, r.ID)), must[keystone.Role](t)(s.Role(ctx, "seller"))} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		clock.Move(time.Second)
		r, err = s.UpdateRole(ctx, operator, "seller", 1, store.RolePatch{Name: ptr("vendor"), Scopes: &[]string{"orders:read"}})
		ok(t, err)
		want.Name, want.Scopes, want.Version, want.UpdatedAt = "vendor", []string{"orders:read"}, 2, clock.Now()
		for _, got := range []keystone.Role{r, must[keystone.Role](t)(s.Role(ctx, r.ID))} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		r, err = s.UpdateRole(ctx, operator, r.ID, 0, store.RolePatch{Description: ptr("")})
		if err != nil || r.Description != "" || r.Name != "vendor" || len(r.Scopes) != 1 {
			t.Fatal(r, err)
		}
		u := newUser(t, s, "jane", "vendor", "user")
		wantKind(t, s.DeleteRole(ctx, operator, "vendor", 1), keystone.Stale)
		ok(t, s.DeleteRole(ctx, operator, "vendor", r.Version))
		wantKind(t, s.DeleteRole(ctx, operator, "vendor", 0), keystone.NotFound)
		if got := must[keystone.User](t)(s.User(ctx, u.ID)); !slices.Equal(got.Roles, []string{"user"}) {
			t.Fatalf("a deleted role is still held: %q", got.Roles)
		}
	})
}

func TestRoleRefusals(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newScope(t, s, "orders:read")
		newRole(t, s, "auditor", keystone.AuditRead)
		newRole(t, s, "seller", "orders:read")
		newRole(t, s, "empty")
		manager := holder(keystone.RolesWrite)
		before := must[map[string][]string](t)(s.Dump(ctx))
		create := func(by keystone.Actor, r keystone.Role) error { _, err := s.CreateRole(ctx, by, r); return err }
		update := func(by keystone.Actor, name string, version int64, p store.RolePatch) error {
			_, err := s.UpdateRole(ctx, by, name, version, p)
			return err
		}
		for _, test := range []struct {
			name  string
			err   error
			kind  keystone.Kind
			field string
		}{
			{"create: bad name", create(operator, keystone.Role{Name: "A b"}), keystone.Invalid, "name"},
			{"create: taken", create(operator, keystone.Role{Name: "auditor"}), keystone.Conflict, "name"},
			{"create: built-in name", create(operator, keystone.Role{Name: "admin"}), keystone.Conflict, "name"},
			{"create: unknown scope", create(operator, keystone.Role{Name: "x", Scopes: []string{"nothing"}}), keystone.Invalid, "scopes"},
			{"create: more than held", create(manager, keystone.Role{Name: "x", Scopes: []string{"roles:write", "audit:read"}}), keystone.Forbidden, ""},
			{"create: foreign scope not held", create(manager, keystone.Role{Name: "x", Scopes: []string{"orders:read"}}), keystone.Forbidden, ""},
			{"update: unknown", update(operator, "nothing", 0, store.RolePatch{}), keystone.NotFound, ""},
			{"update: NUL", update(operator, "a\x00", 0, store.RolePatch{}), keystone.NotFound, ""},
			{"update: stale", update(operator, "auditor", 2, store.RolePatch{}), keystone.Stale, ""},
			{"update: taken", update(operator, "auditor", 0, store.RolePatch{Name: ptr("seller")}), keystone.Conflict, "name"},
			{"update: bad name", update(operator, "auditor", 0, store.RolePatch{Name: ptr("")}), keystone.Invalid, "name"},
			{"update: unknown scope", update(operator, "auditor", 0, store.RolePatch{Scopes: &[]string{"nothing"}}), keystone.Invalid, "scopes"},
			{"update: admin", update(operator, "admin", 0, store.RolePatch{Description: ptr("x")}), keystone.Forbidden, ""},
			{"update: admin's scopes", update(operator, "admin", 0, store.RolePatch{Scopes: &[]string{}}), keystone.Forbidden, ""},
			{"update: user's name", update(operator, "user", 0, store.RolePatch{Name: ptr("people")}), keystone.Forbidden, ""},
			{"update: to more than held", update(manager, "empty", 0, store.RolePatch{Scopes: &[]string{"audit:read"}}), keystone.Forbidden, ""},
			{"update: what carries more", update(manager, "auditor", 0, store.RolePatch{Description: ptr("x")}), keystone.Forbidden, ""},
			{"update: to less, of what carries more", update(manager, "auditor", 0, store.RolePatch{Scopes: &[]string{}}), keystone.Forbidden, ""},
			{"update: the role of everybody to more than held", update(manager, "user", 0, store.RolePatch{Scopes: &[]string{"users:write"}}), keystone.Forbidden, ""},
			{"delete: unknown", s.DeleteRole(ctx, operator, "nothing", 0), keystone.NotFound, ""},
			{"delete: stale", s.DeleteRole(ctx, operator, "auditor", 2), keystone.Stale, ""},
			{"delete: admin", s.DeleteRole(ctx, operator, "admin", 0), keystone.Forbidden, ""},
			{"delete: user", s.DeleteRole(ctx, operator, "user", 0), keystone.Forbidden, ""},
			{"delete: what carries more", s.DeleteRole(ctx, manager, "auditor", 0), keystone.Forbidden, ""},
			{"delete: by nobody", s.DeleteRole(ctx, keystone.Anonymous(), "auditor", 0), keystone.Forbidden, ""},
		} {
			if keystone.KindOf(test.err) != test.kind || test.err == nil {
				t.Errorf("%s: got %v", test.name, test.err)
			} else if test.field != "" {
				wantField(t, test.err, test.kind, test.field)
			}
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Error("a refusal left something:", diff)
		}
		ok(t, update(operator, "user", 0, store.RolePatch{Scopes: &[]string{"orders:read"}, Description: ptr("Everybody")}))
		ok(t, create(holder(keystone.ScopesWrite), keystone.Role{Name: "made-by-scope-manager", Scopes: []string{"orders:read"}}))
		_ = clock
	})
}

func TestRolePages(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		for i := range 7 {
			newRole(t, s, fmt.Sprint("r", i), keystone.UsersRead, keystone.AuditRead)
		}
		var names []string
		p := keystone.Page{Limit: 2}
		for {
			list := must[keystone.List[keystone.Role]](t)(s.Roles(ctx, "", p))
			for _, r := range list.Items {
				names = append(names, r.Name)
				if strings.HasPrefix(r.Name, "r") && len(r.Scopes) != 2 {
					t.Errorf("%+v", r)
				}
			}
			if p.After = list.Next; p.After == "" {
				break
			}
			newRole(t, s, "a"+fmt.Sprint(len(names))) // sorts before: no repeats
		}
		if got := strings.Join(names, " "); got != "admin r0 r1 r2 r3 r4 r5 r6 user" {
			t.Fatal(got)
		}
		admin := must[keystone.Role](t)(s.Role(ctx, "admin"))
		if !admin.BuiltIn || !slices.Equal(admin.Scopes, keystone.SortedSet(keystone.BuiltInScopeNames())) {
			t.Fatalf("%+v", admin)
		}
	})
}

func TestScopeLife(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		sc, err := s.CreateScope(ctx, operator, keystone.Scope{ID: "x", Name: "orders:read", Description: "Read orders", BuiltIn: true, Version: 7})
		ok(t, err)
		want := keystone.Scope{ID: sc.ID, Name: "orders:read", Description: "Read orders", CreatedAt: clock.Now(), UpdatedAt: clock.Now(), Version: 1}
		clock.Move(time.Second)
		for _, got := range []keystone.Scope{sc, must[keystone.Scope](t)(s.Scope(ctx, sc.ID)), must[keystone.Scope](t)(s.Scope(ctx, "orders:read"))} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		sc, err = s.UpdateScope(ctx, operator, "orders:read", 1, "Look at orders")
		ok(t, err)
		want.Description, want.Version, want.UpdatedAt = "Look at orders", 2, clock.Now()
		for _, got := range []keystone.Scope{sc, must[keystone.Scope](t)(s.Scope(ctx, sc.ID))} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}

		newRole(t, s, "seller", "orders:read")
		c, _ := newService(t, s, "orders:read")
		for name, err := range map[string]error{
			"create taken":    func() error { _, err := s.CreateScope(ctx, operator, keystone.Scope{Name: "orders:read"}); return err }(),
			"create built-in": func() error { _, err := s.CreateScope(ctx, operator, keystone.Scope{Name: "users:read"}); return err }(),
		} {
			t.Log(name)
			wantField(t, err, keystone.Conflict, "name")
		}
		_, err = s.CreateScope(ctx, operator, keystone.Scope{Name: "a b"})
		wantField(t, err, keystone.Invalid, "name")
		_, err = s.UpdateScope(ctx, operator, "orders:read", 1, "x")
		wantKind(t, err, keystone.Stale)
		_, err = s.UpdateScope(ctx, operator, "orders:read", 0, strings.Repeat("x", 501))
		wantField(t, err, keystone.Invalid, "description")
		_, err = s.UpdateScope(ctx, operator, "users:read", 0, "x")
		wantKind(t, err, keystone.Forbidden)
		_, err = s.UpdateScope(ctx, operator, "nothing", 0, "x")
		wantKind(t, err, keystone.NotFound)
		wantKind(t, s.DeleteScope(ctx, operator, "users:read", 0), keystone.Forbidden)
		wantKind(t, s.DeleteScope(ctx, operator, "orders:read", 1), keystone.Stale)
		wantKind(t, s.DeleteScope(ctx, operator, "nothing\x00", 0), keystone.NotFound)
		ok(t, s.DeleteScope(ctx, operator, sc.ID, 2))
		if r := must[keystone.Role](t)(s.Role(ctx, "seller")); len(r.Scopes) != 0 {
			t.Fatalf("a deleted scope is still carried: %+v", r)
		}
		if c := must[keystone.Client](t)(s.Client(ctx, c.ID)); len(c.Scopes) != 0 {
			t.Fatalf("a deleted scope may still be asked for: %+v", c)
		}
	})
}

func TestScopePages(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newScope(t, s, "Z:upper") // sorts by byte on both databases
		newScope(t, s, "zz:last")
		var names []string
		p := keystone.Page{Limit: 4}
		for {
			list := must[keystone.List[keystone.Scope]](t)(s.Scopes(ctx, "", p))
			for _, sc := range list.Items {
				names = append(names, sc.Name)
			}
			if p.After = list.Next; p.After == "" {
				break
			}
		}
		if want := keystone.SortedSet(append(append(keystone.BuiltInScopeNames(), keystone.OpenIDScopeNames()...), "Z:upper", "zz:last")); !slices.Equal(names, want) {
			t.Fatalf("got %q, want %q", names, want)
		}
	})
}

// TestNamesAreNotIDs: a role or scope may not be called like an id, and a lookup
// by id never finds a name. Otherwise an impostor would take the place of a role
// that was deleted.
func TestNamesAreNotIDs(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		id := keystone.NewID(s.Now())
		_, err := s.CreateRole(ctx, operator, keystone.Role{Name: id})
		wantKind(t, err, keystone.Invalid)
		_, err = s.CreateScope(ctx, operator, keystone.Scope{Name: id})
		wantKind(t, err, keystone.Invalid)
		r, err := s.CreateRole(ctx, operator, keystone.Role{Name: "clerk"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Role(ctx, r.ID); err != nil || got.Name != "clerk" {
			t.Fatal(got, err)
		}
	})
}
