package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

var operator = keystone.Operator("test")

func mustUser(t *testing.T, s *store.Store, name string, roles ...string) keystone.User {
	t.Helper()
	u, err := s.CreateUser(context.Background(), operator, keystone.User{Username: name, Email: name + "@example.com", Enabled: true, Roles: roles}, "hash-of-"+name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// signIn starts a session with a refresh token family.
func signIn(t *testing.T, s *store.Store, u keystone.User) keystone.Grant {
	t.Helper()
	ctx, now := context.Background(), s.Now()
	login, err := s.LoginByName(ctx, u.Username)
	if err != nil {
		t.Fatal(err)
	}
	g := keystone.Grant{ID: keystone.NewID(now), UserID: u.ID, ClientID: keystone.FirstPartyClientID, SessionID: keystone.NewID(now),
		Generation: 1, RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour), EndsAt: now.Add(48 * time.Hour)}
	ok, err := s.StartSession(ctx, keystone.Anonymous(), store.SignIn{
		Session: keystone.Session{ID: g.SessionID, UserID: u.ID, ClientID: g.ClientID, CreatedAt: now, ExpiresAt: g.EndsAt, AMR: []string{"pwd"}},
		Grant:   g, Login: login,
	})
	if err != nil || !ok {
		t.Fatal("start session:", ok, err)
	}
	return g
}

func wantKind(t *testing.T, err error, want keystone.Kind) {
	t.Helper()
	if got := keystone.KindOf(err); err == nil || got != want {
		t.Fatalf("got kind %d (%v), want %d", got, err, want)
	}
}

func TestUserLife(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		ctx := context.Background()
		u := mustUser(t, s, "Jane", keystone.RoleUser)
		if u.Version != 1 || u.CreatedAt.IsZero() {
			t.Fatalf("new user: %+v", u)
		}
		_, err := s.CreateUser(ctx, operator, keystone.User{Username: "JANE", Email: "other@example.com"}, "")
		wantKind(t, err, keystone.Conflict)
		_, err = s.CreateUser(ctx, operator, keystone.User{Username: "other", Email: "JANE@example.com"}, "")
		wantKind(t, err, keystone.Conflict)

		first := "Jana"
		clock.Move(time.Second)
		v2, err := s.UpdateUser(ctx, operator, u.ID, u.Version, keystone.UserPatch{FirstName: &first})
		if err != nil || v2.Version != 2 || v2.FirstName != "Jana" {
			t.Fatal(v2, err)
		}
		_, err = s.UpdateUser(ctx, operator, u.ID, u.Version, keystone.UserPatch{FirstName: &first})
		wantKind(t, err, keystone.Stale)

		got, err := s.FindUser(ctx, "jane@EXAMPLE.com")
		if err != nil || got.ID != u.ID || len(got.Roles) != 1 {
			t.Fatal(got, err)
		}
		g := signIn(t, s, u)
		off := false
		if _, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: &off}); err != nil {
			t.Fatal(err)
		}
		_, err = s.Rotate(ctx, operator, g.ID, 1, store.Rotation{TTL: time.Hour, Idle: time.Hour, Rotate: true})
		wantKind(t, err, keystone.Invalid)
		if err := s.DeleteUser(ctx, operator, u.ID, 0); err != nil {
			t.Fatal(err)
		}
		_, err = s.User(ctx, u.ID)
		wantKind(t, err, keystone.NotFound)
	})
}
