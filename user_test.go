package keystone_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

func TestUserValidate(t *testing.T) {
	good := keystone.User{Username: "jane", Email: "jane@example.com", FirstName: "Jane", LastName: "O'Doe-Müller", Roles: []string{"user"}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*keystone.User)
		fields string
	}{
		{"username", func(u *keystone.User) { u.Username = "" }, "username"},
		{"email", func(u *keystone.User) { u.Email = "jane" }, "email"},
		{"first name too long", func(u *keystone.User) { u.FirstName = strings.Repeat("é", 51) }, "first_name"},
		{"control character", func(u *keystone.User) { u.LastName = "Doe\r\nBcc:" }, "last_name"},
		{"NUL", func(u *keystone.User) { u.FirstName = "a\x00" }, "first_name"},
		{"bidi override", func(u *keystone.User) { u.LastName = "\u202eeoD" }, "last_name"},
		{"invalid UTF-8", func(u *keystone.User) { u.LastName = "\xc3" }, "last_name"},
		{"roles", func(u *keystone.User) { u.Roles = make([]string, 101) }, "roles"},
		{"all at once", func(u *keystone.User) { *u = keystone.User{FirstName: "\x00", LastName: "\x00"} }, "email first_name last_name username"},
	} {
		u := good
		test.change(&u)
		err := u.Validate()
		var e *keystone.Error
		if !asError(err, &e) || e.Kind != keystone.Invalid {
			t.Errorf("%s: got %v", test.name, err)
			continue
		}
		var fields []string
		for f := range e.Fields {
			fields = append(fields, f)
		}
		if got := strings.Join(keystone.SortedSet(fields), " "); got != test.fields {
			t.Errorf("%s: refused %q, want %q", test.name, got, test.fields)
		}
	}
}

func TestUserPatch(t *testing.T) {
	u := keystone.User{ID: "1", Username: "jane", Email: "jane@example.com", EmailVerified: true, FirstName: "Jane", Enabled: true, Roles: []string{"user"}}
	if got := (keystone.UserPatch{}).Apply(u); got.Username != "jane" || !got.EmailVerified || !got.Enabled {
		t.Fatalf("an empty patch made %+v", got)
	}
	same, other, empty, off := u.Email, "j@example.com", "", false
	if got := (keystone.UserPatch{Email: &same}).Apply(u); !got.EmailVerified {
		t.Error("the same address again is unverified")
	}
	got := keystone.UserPatch{Email: &other, FirstName: &empty, Enabled: &off}.Apply(u)
	if got.EmailVerified || got.Email != other || got.FirstName != "" || got.Enabled || got.ID != "1" || !got.HasRole("user") {
		t.Fatalf("got %+v", got)
	}
}

func TestRoleValidate(t *testing.T) {
	for _, test := range []struct {
		name  string
		role  keystone.Role
		field string
	}{
		{"good", keystone.Role{Name: "support.level-2:eu_west", Description: "Second level", Scopes: []string{"users:read"}}, ""},
		{"longest", keystone.Role{Name: strings.Repeat("a", 64)}, ""},
		{"empty", keystone.Role{}, "name"},
		{"too long", keystone.Role{Name: strings.Repeat("a", 65)}, "name"},
		{"capital: it would look like another", keystone.Role{Name: "Admin"}, "name"},
		{"space", keystone.Role{Name: "a b"}, "name"},
		{"mark first", keystone.Role{Name: "-a"}, "name"},
		{"not ASCII", keystone.Role{Name: "\u0430dmin"}, "name"},
		{"NUL", keystone.Role{Name: "a\x00"}, "name"},
		{"scope name", keystone.Role{Name: "a", Scopes: []string{"x y"}}, "scopes"},
		{"too many scopes", keystone.Role{Name: "a", Scopes: make([]string, 201)}, "scopes"},
		{"description", keystone.Role{Name: "a", Description: "\u2066"}, "description"},
	} {
		if err := test.role.Validate(); test.field == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if test.field != "" {
			wantField(t, test.name, err, test.field)
		}
	}
}

func TestSessionAlive(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name    string
		session keystone.Session
		want    bool
	}{
		{"alive", keystone.Session{ExpiresAt: now.Add(time.Second)}, true},
		{"at its end", keystone.Session{ExpiresAt: now}, false},
		{"ended", keystone.Session{ExpiresAt: now.Add(time.Second), EndedAt: now.Add(-time.Second)}, false},
	} {
		if got := test.session.Alive(now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestPageSize(t *testing.T) {
	for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 200: 200, 201: 200, 1 << 30: 200} {
		if got := (keystone.Page{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d reads %d", limit, got)
		}
	}
}
