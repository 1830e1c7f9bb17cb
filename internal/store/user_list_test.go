package store_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// find returns the usernames of every page of a search.
func find(t *testing.T, s *store.Store, search string, limit int, between func()) (names []string) {
	t.Helper()
	p := keystone.Page{Limit: limit}
	for range 100 {
		list := must[keystone.List[keystone.User]](t)(s.Users(ctx, search, p))
		if len(list.Items) > limit {
			t.Fatalf("a page of %d has %d", limit, len(list.Items))
		}
		for _, u := range list.Items {
			names = append(names, u.Username)
		}
		if p.After = list.Next; p.After == "" {
			return names
		}
		if between != nil {
			between()
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func TestSearchUsers(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for _, u := range []keystone.User{
			{Username: "jane", Email: "jane@example.com", FirstName: "Jane", LastName: "Doe"},
			{Username: "john", Email: "jdoe@example.com", FirstName: "John", LastName: "Doe"},
			{Username: "per_cent", Email: "p@example.com", FirstName: "100%", LastName: "_x_"},
			{Username: "иван", Email: "ivan@example.com", FirstName: "Иван", LastName: "Ёлкин"},
			{Username: "finn", Email: "finn@example.com", FirstName: "\uFB01nn"}, // the ligature fi
			{Username: "zoe", Email: "zoe@example.com", FirstName: "Zoë", LastName: "\U0010FFFD"[:0] + "Ångström"},
			{Username: "back", Email: "back@example.com", FirstName: `a\b`, LastName: `'; DROP TABLE users; --`},
		} {
			clock.Move(time.Millisecond) // ids are by age
			_, err := s.CreateUser(ctx, operator, u, "")
			ok(t, err)
		}
		for _, test := range []struct{ search, want string }{
			{"", "jane john per_cent иван finn zoe back"},
			{"ja", "jane"},
			{"JA", "jane"},
			{"  Ja ", "jane"},
			{"Ｊａ", "jane"},
			{"j", "jane john"}, // each once, though several of their terms fit
			{"doe", "jane john"},
			{"jane doe", "jane"},
			{"john d", "john"},
			{"jdoe@", "john"},
			{"ane", ""}, // prefixes only
			{"%", ""},
			{"_", "per_cent"},
			{"100%", "per_cent"},
			{"100", "per_cent"},
			{"1__", ""},
			{"j%", ""},
			{"j_", ""},
			{"*", ""},
			{"ива", "иван"},
			{"ёл", "иван"},
			{"fi", "finn"},
			{"zoë", "zoe"},
			{"ång", "zoe"},
			{`a\`, "back"},
			{`'; drop`, "back"},
			{"' OR '1'='1", ""},
			{"\x00", ""},
			{"ja\x00", ""},
			{"\xff", ""},
			{"\U0010FFFF", ""},
			{strings.Repeat("j", 1<<20), ""},
		} {
			for _, limit := range []int{1, 2, 50} {
				if got := strings.Join(find(t, s, test.search, limit, nil), " "); got != test.want {
					t.Errorf("search %.20q by %d: got %q, want %q", test.search, limit, got, test.want)
				}
			}
		}
		if got := find(t, s, "   ", 2, nil); len(got) != 7 {
			t.Errorf("a search for nothing finds %q", got)
		}
	})
}

// TestSearchBesideTheReleaseBefore: whoever was written without what comes before a term
// is found once all the same.
func TestSearchBesideTheReleaseBefore(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		for _, name := range []string{"jane", "janet"} {
			_, err := s.CreateUser(ctx, operator, keystone.User{Username: name, Email: name + "@example.com", FirstName: "Jane", LastName: "Janes"}, "")
			ok(t, err)
		}
		_, err := s.Raw(ctx, `UPDATE user_terms SET before = NULL WHERE user_id IN (SELECT id FROM users WHERE username = 'jane')`)
		ok(t, err)
		for _, search := range []string{"j", "jane", "jane j", "jane@"} {
			want := 2
			if search == "jane@" {
				want = 1
			}
			if got := find(t, s, search, 1, nil); len(got) != want {
				t.Errorf("%q finds %q", search, got)
			}
		}
	})
}

// TestSearchFollowsChanges: what a user was called once finds them no more.
func TestSearchFollowsChanges(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		u := newUser(t, s, "jane")
		_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Username: ptr("mary"), Email: ptr("mary@example.com")})
		ok(t, err)
		if old, now := find(t, s, "jane", 50, nil), find(t, s, "mary", 50, nil); len(old) != 0 || len(now) != 1 {
			t.Fatalf("old %q, now %q", old, now)
		}
		ok(t, s.DeleteUser(ctx, operator, u.ID, 0))
		if now := find(t, s, "mary", 50, nil); len(now) != 0 {
			t.Fatalf("a deleted user is found: %q", now)
		}
	})
}

// TestUserPages: pages are complete and repeat nobody, while others are added
// and removed between them.
func TestUserPages(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newRole(t, s, "auditor")
		var before []string
		for i := range 23 {
			clock.Move(time.Millisecond)
			u := newUser(t, s, fmt.Sprintf("u%02d", i*7%23), "user", "auditor")
			before = append(before, u.Username)
		}
		for _, search := range []string{"", "u"} {
			want := before
			if search != "" {
				want = keystone.SortedSet(before)
			}
			if got := find(t, s, search, 5, nil); !slices.Equal(got, want) {
				t.Fatalf("search %q: got %q, want %q", search, got, want)
			}
			var more []string
			added := 0
			got := find(t, s, search, 5, func() {
				added++
				clock.Move(time.Millisecond)
				more = append(more, newUser(t, s, fmt.Sprintf("u%02d-%d%s", added*5%23, added, search)).Username)
			})
			if len(keystone.SortedSet(got)) != len(got) {
				t.Fatalf("search %q: somebody came twice: %q", search, got)
			}
			for _, name := range before {
				if !slices.Contains(got, name) {
					t.Fatalf("search %q: %s is missing in %q", search, name, got)
				}
			}
			before = append(before, more...)
		}
		list := must[keystone.List[keystone.User]](t)(s.Users(ctx, "u00", keystone.Page{}))
		want := must[keystone.User](t)(s.FindUser(ctx, "u00"))
		if diff := cmp.Diff(want, list.Items[0], cmpopts.EquateEmpty()); diff != "" {
			t.Fatal("a listed user is not the user:", diff)
		}
		roleless := must[keystone.List[keystone.User]](t)(s.Users(ctx, "u05-1", keystone.Page{})).Items[0]
		if roleless.Roles == nil {
			t.Error("no roles are an empty list, not none")
		}
	})
}

// TestForgedCursors: a cursor is whatever a caller makes of it, and never a fault.
func TestForgedCursors(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newUser(t, s, "jane")
		for _, after := range []string{"x", "\x00", "\xff", "\x1f", "a\x1fb", "a\x00\x1f" + keystone.NewID(time.Now()), "\xff\x1f" + keystone.NewID(time.Now()), "-1", "99999999999999999999",
			"' OR 1=1 --", strings.Repeat("x", 1<<20), base64.StdEncoding.EncodeToString([]byte("jane"))} {
			p := keystone.Page{After: after}
			errs := map[string]error{}
			_, errs["users"] = s.Users(ctx, "", p)
			_, errs["search"] = s.Users(ctx, "j", p)
			_, errs["roles"] = s.Roles(ctx, "", p)
			_, errs["scopes"] = s.Scopes(ctx, "", p)
			_, errs["search clients"] = s.Clients(ctx, "j", p)
			_, errs["clients"] = s.Clients(ctx, "", p)
			_, errs["sessions"] = s.Sessions(ctx, "", p)
			_, errs["audit"] = s.AuditEvents(ctx, keystone.AuditFilter{}, p)
			for list, err := range errs {
				if err != nil && keystone.KindOf(err) != keystone.Invalid {
					t.Errorf("%s after %.20q: %v", list, after, err)
				}
			}
		}
	})
}

// TestSearchLongNames: names that grow when they are folded are found, and the pages
// of a search go on behind them.
func TestSearchLongNames(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		long := strings.Repeat("\uFDFA", 50) // eighteen letters each
		var want []string
		for i := range 3 {
			clock.Move(time.Millisecond)
			u := must[keystone.User](t)(s.CreateUser(ctx, operator, keystone.User{Username: fmt.Sprint("u", i), Email: fmt.Sprintf("u%d@example.com", i), FirstName: long, LastName: long}, ""))
			want = append(want, u.Username)
		}
		if got := find(t, s, "\uFDFA", 1, nil); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if got := find(t, s, long, 1, nil); !slices.Equal(got, want) {
			t.Errorf("by the whole name: %q", got)
		}
		next := must[keystone.List[keystone.User]](t)(s.Users(ctx, "\uFDFA", keystone.Page{Limit: 1})).Next
		if n := base64.RawURLEncoding.EncodedLen(len(next)); n > 1024 {
			t.Errorf("a cursor of %d characters", n)
		}
	})
}

// TestSearchByName: clients, roles and scopes are found by how their name begins.
func TestSearchByName(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for _, name := range []string{"Shop", "shopping list", "Other", "100% shop", "Émile", "SHOP"} {
			clock.Move(time.Millisecond)
			_, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: name, Kind: keystone.ClientService})
			ok(t, err)
		}
		clients := func(search string) (names []string) {
			p := keystone.Page{Limit: 1}
			for {
				list := must[keystone.List[keystone.Client]](t)(s.Clients(ctx, search, p))
				for _, c := range list.Items {
					names = append(names, c.Name)
				}
				if p.After = list.Next; p.After == "" {
					return names
				}
			}
		}
		for search, want := range map[string]string{"sh": "Shop|SHOP|shopping list", "SHOPP": "shopping list", "é": "Émile", "100%": "100% shop", "%": "", "_": "", "key": "Keystone", "x": ""} {
			if got := strings.Join(clients(search), "|"); got != want {
				t.Errorf("%q: %q, want %q", search, got, want)
			}
		}
		// A new name counts from the same transaction; what has no key yet gets one.
		c := must[keystone.List[keystone.Client]](t)(s.Clients(ctx, "other", keystone.Page{})).Items[0]
		must[keystone.Client](t)(s.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Name = "Renamed" }))
		if got := clients("re"); len(got) != 1 || len(clients("other")) != 0 {
			t.Errorf("renamed: %q", got)
		}
		must[int64](t)(s.Raw(ctx, `UPDATE clients SET name_key = ''`))
		must[[]store.Migration](t)(s.Migrate(ctx))
		if got := clients("re"); len(got) != 1 {
			t.Errorf("filled: %q", got)
		}

		newRole(t, s, "clerk")
		newRole(t, s, "clerks")
		newScope(t, s, "orders:read")
		newScope(t, s, "Orders:read")
		roles := must[keystone.List[keystone.Role]](t)(s.Roles(ctx, "Clerk", keystone.Page{Limit: 1}))
		if len(roles.Items) != 1 || roles.Items[0].Name != "clerk" || roles.Next == "" {
			t.Errorf("%+v", roles)
		}
		if more := must[keystone.List[keystone.Role]](t)(s.Roles(ctx, "clerk", keystone.Page{After: roles.Next})); len(more.Items) != 1 || more.Items[0].Name != "clerks" {
			t.Errorf("%+v", more)
		}
		if scopes := must[keystone.List[keystone.Scope]](t)(s.Scopes(ctx, "orders:", keystone.Page{})); len(scopes.Items) != 1 || scopes.Items[0].Name != "orders:read" {
			t.Errorf("%+v", scopes)
		}
	})
}
