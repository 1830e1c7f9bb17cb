package admin_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func TestUserLife(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		made := w.want(201, "POST", "/api/v1/users", obj{"username": "Jane", "email": "Jane@Example.com", "password": longPass, "first_name": "Jane"})
		for field, want := range map[string]any{
			"username": "Jane", "email": "Jane@Example.com", "email_verified": false, "first_name": "Jane", "last_name": "", "enabled": true, "last_login": nil,
		} {
			if got, given := made.body[field]; !given || got != want {
				t.Errorf("%s: %v, want %v", field, got, want)
			}
		}
		if roles := fmt.Sprint(made.body["roles"]); roles != "[user]" || len(made.body) != 11 || !keystone.IsID(made.str("id")) {
			t.Errorf("new user: %s", made.text)
		}
		if _, err := time.Parse(time.RFC3339, made.str("created_at")); err != nil || !strings.HasSuffix(made.str("created_at"), "Z") {
			t.Errorf("created_at: %s", made.str("created_at"))
		}
		path, tag := "/api/v1/users/"+made.str("id"), made.header.Get("ETag")
		if got := w.want(200, "GET", path, nil); got.text != made.text || got.header.Get("ETag") != tag || tag == "" {
			t.Errorf("read after creation: %s %s", got.header.Get("ETag"), got.text)
		}
		login, err := w.store.LoginByName(ctx, "jane")
		if err != nil || !strings.HasPrefix(login.Hash, "$argon2id$") {
			t.Error("stored password:", login.Hash, err)
		}

		changed := w.want(200, "PATCH", path, obj{"last_name": "Doe"}, "If-Match", tag)
		if changed.str("first_name") != "Jane" || changed.str("last_name") != "Doe" || changed.header.Get("ETag") == tag {
			t.Errorf("absent is unchanged: %s", changed.text)
		}
		emptied := w.want(200, "PATCH", path, `{"first_name":null,"last_name":""}`)
		if emptied.str("first_name") != "" || emptied.str("last_name") != "" || emptied.str("username") != "Jane" || emptied.body["enabled"] != true {
			t.Errorf("null empties what is optional: %s", emptied.text)
		}
		roles := w.want(200, "PUT", path+"/roles", obj{"roles": []string{"support", "user", "support"}})
		if fmt.Sprint(roles.body["roles"]) != "[support user]" {
			t.Errorf("roles: %s", roles.text)
		}
		w.want(400, "PUT", path+"/roles", obj{"roles": []string{"no-such-role"}})
		none := w.want(200, "PUT", path+"/roles", obj{"roles": []string{}})
		if !strings.Contains(none.text, `"roles":[]`) {
			t.Errorf("no roles: %s", none.text)
		}
		w.want(204, "DELETE", path, nil, "If-Match", none.header.Get("ETag"))
		if gone := w.want(404, "GET", path, nil); gone.str("error") != "not_found" || gone.str("request_id") != "request-of-the-test" {
			t.Errorf("after deletion: %s", gone.text)
		}
		// The name is free again, under a new id (F13).
		if again := w.want(201, "POST", "/api/v1/users", obj{"username": "jane", "email": "jane@example.com", "roles": []string{}, "enabled": false}); again.str("id") == made.str("id") || again.body["enabled"] != false || !strings.Contains(again.text, `"roles":[]`) {
			t.Errorf("created again: %s", again.text)
		}
	})
}

// Bad input names every field that is wrong, and nothing is created.
func TestCreateUserRefusals(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			body   any
			status int
			fields string
		}{
			{obj{}, 400, "email username"},
			{obj{"username": "a b", "email": "x", "password": "short"}, 400, "email password username"},
			{obj{"username": "jane", "email": "jane@example.com", "password": "password1234"}, 400, "password"},
			{obj{"username": "janedoe", "email": "jane@example.com", "password": "janedoe-janedoe"}, 400, "password"},
			{obj{"username": "jane", "email": "jane@example.com", "password": strings.Repeat("a1b2", 300)}, 400, "password"},
			{obj{"username": "p\u0430ypal", "email": "jane@example.com"}, 400, "username"}, // Cyrillic a among Latin letters
			{obj{"username": "jane", "email": "jane@example.com", "first_name": "a\u202eb"}, 400, "first_name"},
			{obj{"username": "jane", "email": "jane@example.com", "roles": []string{"nope"}}, 400, "roles"},
			{obj{"username": "USER", "email": "User@Example.com"}, 409, "email username"}, // S2
			{obj{"username": "us\uff45r", "email": "new@example.com"}, 409, "username"},   // full-width e
			{`{"username":"jane","username":"joe","email":"jane@example.com"}`, 400, ""},
			{`{"username":"ja\u0000ne","email":"jane@example.com"}`, 400, ""},
			{`{"username":7,"email":true}`, 400, "email username"},
			{`[]`, 400, "body"},
			{`null`, 400, "body"},
			{``, 400, ""},
		} {
			a := w.call("admin", "POST", "/api/v1/users", c.body)
			if a.status != c.status || strings.Join(a.fields(), " ") != c.fields {
				t.Errorf("%v: %d %s", c.body, a.status, a.text)
			}
		}
		if list := w.want(200, "GET", "/api/v1/users", nil); len(list.items()) != len(w.users) {
			t.Errorf("%d users, want %d", len(list.items()), len(w.users))
		}
		// A plus tag is another address (S2).
		w.want(201, "POST", "/api/v1/users", obj{"username": "user2", "email": "user+2@example.com"})
	})
}

// P4, J10: the search takes nothing for a pattern.
func TestListUsers(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		for i := range 7 {
			w.clock.Move(time.Millisecond)
			w.want(201, "POST", "/api/v1/users", obj{"username": fmt.Sprintf("anna%d", i), "email": fmt.Sprintf("a%d@example.org", i), "first_name": "Anna%", "last_name": "O_Hara"})
		}
		for _, q := range []string{"anna", "ANNA", "anna% o_h"} {
			var names []string
			path, pages := "/api/v1/users?limit=3&q="+url.QueryEscape(q), 0
			for next := path; ; pages++ {
				list := w.want(200, "GET", next, nil)
				for _, u := range list.items() {
					names = append(names, u["username"].(string))
				}
				cursor, more := list.body["next_cursor"].(string)
				if !more {
					break
				}
				next = path + "&cursor=" + cursor
			}
			slices.Sort(names)
			if pages != 2 || !slices.Equal(names, []string{"anna0", "anna1", "anna2", "anna3", "anna4", "anna5", "anna6"}) {
				t.Errorf("%s: %d pages more, %v", q, pages, names)
			}
		}
		for q, want := range map[string]int{"%": 0, "_": 0, "a%": 0, ".*": 0, "nna": 0, "a3@example.org": 1, "o_hara": 7, "*": 0, "\\": 0, "'": 0} {
			if got := w.want(200, "GET", "/api/v1/users?q="+url.QueryEscape(q), nil); len(got.items()) != want {
				t.Errorf("q=%s: %d, want %d", q, len(got.items()), want)
			}
		}
		all := w.want(200, "GET", "/api/v1/users?limit=200", nil)
		if cursor, given := all.body["next_cursor"]; !given || cursor != nil || len(all.items()) != 7+len(w.users) {
			t.Errorf("whole list: %d, %v", len(all.items()), cursor)
		}
		for _, query := range []string{"limit=201", "limit=-1", "limit=x", "cursor=***", "cursor=AAAA%00", "q=" + strings.Repeat("a", 101), "q=%00", "q=%ff", "p=1", "limit=1&limit=2", "q=a&cursor=eA"} {
			if a := w.want(400, "GET", "/api/v1/users?"+query, nil); a.str("error") != "invalid_request" {
				t.Errorf("%s: %s", query, a.text)
			}
		}
	})
}

func TestResetLink(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		id := w.users["user"].ID
		session := w.signIn(id)
		a := w.want(200, "POST", "/api/v1/users/"+id+"/password-reset", nil, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
		link, err := url.Parse(a.str("reset_url"))
		if err != nil || !strings.HasPrefix(a.str("reset_url"), issuer+"/reset?token=ks_ot_") { // K1
			t.Fatal(a.text)
		}
		if ends, err := time.Parse(time.RFC3339, a.str("expires_at")); err != nil || !ends.Equal(w.clock.Now().Add(time.Hour)) {
			t.Error(a.text, err)
		}
		if ses, err := w.store.Session(context.Background(), session); err != nil || ses.EndedAt.IsZero() {
			t.Error("the session goes on:", ses, err)
		}
		if _, err := w.slice.Proof.Reset(context.Background(), keystone.Anonymous(), link.Query().Get("token"), longPass, w.slice.Policy); err != nil {
			t.Error(err)
		}
		w.want(404, "POST", "/api/v1/users/"+keystone.NewID(w.clock.Now())+"/password-reset", nil)
	})
}

func TestSessions(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		mine, yours, third := w.signIn(w.users["user"].ID), w.signIn(w.users["other"].ID), w.signIn(w.users["user"].ID)
		all := w.want(200, "GET", "/api/v1/admin/sessions", nil)
		if len(all.items()) != 3 || len(all.items()[0]) != 10 {
			t.Errorf("sessions: %s", all.text)
		}
		for _, path := range []string{"/api/v1/admin/sessions?user_id=" + w.users["user"].ID, "/api/v1/users/" + w.users["user"].ID + "/sessions"} {
			list := w.want(200, "GET", path, nil).items()
			if len(list) != 2 || list[0]["id"] != mine || list[0]["username"] != "user" || list[1]["id"] != third {
				t.Errorf("%s: %v", path, list)
			}
		}
		w.want(204, "DELETE", "/api/v1/admin/sessions/"+mine, nil)
		w.want(404, "DELETE", "/api/v1/admin/sessions/"+mine, nil)
		w.want(204, "DELETE", "/api/v1/users/"+w.users["user"].ID+"/sessions", nil)
		left := w.want(200, "GET", "/api/v1/admin/sessions", nil).items()
		if len(left) != 1 || left[0]["id"] != yours {
			t.Errorf("left: %v", left)
		}
		w.want(404, "GET", "/api/v1/users/"+keystone.NewID(w.clock.Now())+"/sessions", nil)
		w.want(400, "GET", "/api/v1/admin/sessions?user_id=1", nil)
	})
}

// signIn starts a session of the user.
func (w *world) signIn(userID string) string {
	w.t.Helper()
	ctx := context.Background()
	w.clock.Move(time.Millisecond)
	now := w.clock.Now()
	login, err := w.store.LoginByID(ctx, userID)
	if err != nil {
		w.t.Fatal(err)
	}
	if login.ChangedAt.IsZero() {
		if err := w.store.SetPassword(ctx, keystone.Operator("test"), userID, "hash", ""); err != nil {
			w.t.Fatal(err)
		}
		if login, err = w.store.LoginByID(ctx, userID); err != nil {
			w.t.Fatal(err)
		}
	}
	g := keystone.Grant{ID: keystone.NewID(now), UserID: userID, ClientID: keystone.FirstPartyClientID, SessionID: keystone.NewID(now),
		Generation: 1, RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour), EndsAt: now.Add(48 * time.Hour)}
	ok, err := w.store.StartSession(ctx, keystone.Anonymous(), store.SignIn{
		Session: keystone.Session{ID: g.SessionID, UserID: userID, ClientID: g.ClientID, UserAgent: "test", Source: "192.0.2.7", CreatedAt: now, ExpiresAt: g.EndsAt, AMR: []string{"pwd"}},
		Grant:   g, Login: login,
	})
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	return g.SessionID
}
