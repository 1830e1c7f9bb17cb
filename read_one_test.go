package keystone_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestReadOne: what a list shows can be read by its id, and reads the same; what it does not
// show is not found, somebody else's least of all.
func TestReadOne(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		jane, other := s.CreateUser("jane"), s.CreateUser("other")
		b := signedIn(t, s, jane, app)
		b.code(app)
		mine, theirs := s.SignIn(jane), s.SignIn(other)
		read := func(path, token string) (int, map[string]any) {
			var one map[string]any
			status := s.Call(http.MethodGet, path, token, nil, &one)
			return status, one
		}
		const own, sessions, keys, apps = "/api/v1/users/me/sessions", "/api/v1/admin/sessions", "/api/v1/admin/keys", "/api/v1/users/me/apps"
		for _, list := range []struct{ path, token, id string }{
			{own, mine.AccessToken, "id"}, {own, theirs.AccessToken, "id"}, {sessions, s.Admin(), "id"}, {keys, s.Admin(), "kid"}, {apps, mine.AccessToken, "id"},
		} {
			var page struct{ Items []map[string]any }
			if s.Call(http.MethodGet, list.path, list.token, nil, &page); len(page.Items) == 0 {
				t.Errorf("%s is empty", list.path)
			}
			for _, item := range page.Items {
				status, one := read(list.path+"/"+item[list.id].(string), list.token)
				if diff := cmp.Diff(item, one); status != http.StatusOK || diff != "" {
					t.Errorf("%s: %d %s", list.path, status, diff)
				}
			}
			for _, id := range []string{keystone.NewID(s.Clock.Now()), "x", "%00", "%F0%9F%98%80", "01a2283b-aa7f-7ff4-9401-d48bc0660d4C"} {
				if status, answer := read(list.path+"/"+id, list.token); status != http.StatusNotFound && (id != "%00" || status != http.StatusBadRequest) {
					t.Errorf("%s/%s: %d %v", list.path, id, status, answer)
				}
			}
		}

		var of struct{ Items []struct{ ID string } }
		s.Call(http.MethodGet, own, mine.AccessToken, nil, &of)
		id := of.Items[0].ID
		for _, path := range []string{own + "/" + id, apps + "/" + app.ID} {
			if status, _ := read(path, theirs.AccessToken); status != http.StatusNotFound {
				t.Errorf("somebody else reads %s: %d", path, status)
			}
		}
		for _, path := range []string{sessions + "/" + id, keys + "/" + id} {
			if status, _ := read(path, mine.AccessToken); status != http.StatusForbidden {
				t.Errorf("without the scope %s: %d", path, status)
			}
		}
		if status := s.Call(http.MethodDelete, sessions+"/"+id, s.Admin(), nil, nil); status != http.StatusNoContent {
			t.Fatal(status)
		}
		if status, _ := read(sessions+"/"+id, s.Admin()); status != http.StatusNotFound {
			t.Errorf("a session that has ended: %d", status)
		}
	})
}
