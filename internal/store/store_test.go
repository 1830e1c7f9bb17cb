package store_test

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestUserLife(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "Jane", keystone.RoleUser)
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
		_, err = s.Rotate(ctx, operator, g.ID, 1, store.Rotation{TTL: time.Hour, Rotate: true})
		wantKind(t, err, keystone.Invalid)
		if err := s.DeleteUser(ctx, operator, u.ID, 0); err != nil {
			t.Fatal(err)
		}
		_, err = s.User(ctx, u.ID)
		wantKind(t, err, keystone.NotFound)
	})
}
