package account_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/admin"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
)

const me = "/api/v1/users/me"

func TestMe(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user := w.person("user", keystone.RoleUser)
		w.person("other", keystone.RoleUser)
		got := w.want(200, "user", "GET", me, nil)
		if got.str("id") != user.ID || got.str("username") != "user" || fmt.Sprint(got.body["roles"]) != "[user]" || len(got.body) != 11 || got.body["last_login"] == nil {
			t.Errorf("me: %s", got.text)
		}
		tag := got.header.Get("ETag")
		changed := w.want(200, "user", "PATCH", me, obj{"first_name": "Una", "last_name": "Ser"}, "If-Match", tag)
		if changed.str("first_name") != "Una" || changed.header.Get("ETag") == tag {
			t.Errorf("changed: %s", changed.text)
		}
		w.want(412, "user", "PATCH", me, obj{"first_name": "Late"}, "If-Match", tag)
		w.want(412, "user", "DELETE", me, obj{"current_password": right}, "If-Match", tag)
		emptied := w.want(200, "user", "PATCH", me, `{"first_name":null}`)
		if emptied.str("first_name") != "" || emptied.str("last_name") != "Ser" {
			t.Errorf("emptied: %s", emptied.text)
		}
		w.want(200, "user", "PATCH", me, obj{"username": "User"})
		for _, c := range []struct {
			body   any
			status int
			fields string
		}{
			{obj{"username": "OTHER"}, 409, "username"},
			{obj{"username": "a b"}, 400, "username"},
			{obj{"email": "other@example.com", "current_password": right}, 409, "email"},
			{obj{"email": "OTHER@example.com", "current_password": right}, 409, "email"}, // S2
			{obj{"email": "no address", "current_password": right}, 400, "email"},
			{obj{"email": "new@example.com"}, 400, "current_password"},
			{obj{"email": "new@example.com", "current_password": "wrong"}, 403, "current_password"},
			{obj{"email": "new@example.com", "current_password": ""}, 403, "current_password"},
			{obj{"first_name": strings.Repeat("a", 51)}, 400, "first_name"},
			{obj{"first_name": 7}, 400, "first_name"},
			{obj{"first_name": "a\u0007b"}, 400, "first_name"},
		} {
			if a := w.call("user", "PATCH", me, c.body); a.status != c.status || a.fields() != c.fields {
				t.Errorf("%v: %d %s", c.body, a.status, a.text)
			}
		}
		// K7, N6
		before := w.want(200, "user", "GET", me, nil).text
		for _, field := range []string{"id", "email_verified", "phone_verified", "enabled", "roles", "tenant", "scopes", "last_login", "created_at", "updated_at", "version", "password", "password_hash", "user_id", "is_admin"} {
			for _, value := range []any{true, "x", []string{"admin"}, nil} {
				if a := w.call("user", "PATCH", me, obj{"first_name": "New", field: value}); a.status != 400 || a.fields() != field {
					t.Errorf("%s: %d %s", field, a.status, a.text)
				}
			}
		}
		if after := w.want(200, "user", "GET", me, nil).text; after != before {
			t.Errorf("a refused change changed something:\n%s\n%s", before, after)
		}
	})
}

func TestChangeEmail(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		w.person("user")
		w.want(200, "user", "PATCH", me, obj{"email": "user@example.com"}) // as it is: nothing to prove
		changed := w.want(200, "user", "PATCH", me, obj{"email": "New@Example.com", "current_password": right})
		if changed.str("email") != "New@Example.com" || changed.body["email_verified"] != false {
			t.Errorf("changed: %s", changed.text)
		}
		if !w.signsIn("new@example.COM", right) || w.signsIn("user@example.com", right) {
			t.Error("the new address does not sign in, or the old one does")
		}
	})
}

func TestChangePassword(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user := w.person("user")
		elsewhere, stranger := w.signIn(user.ID), w.person("other").SessionID
		w.clock.Move(time.Second)
		for _, c := range []struct {
			body   any
			status int
			fields string
		}{
			{obj{"current_password": right}, 400, "new_password"},
			{obj{"new_password": another}, 400, "current_password"},
			{obj{"current_password": "wrong", "new_password": another}, 403, "current_password"},
			{obj{"current_password": right, "new_password": "short"}, 400, "new_password"},
			{obj{"current_password": right, "new_password": "password1234"}, 400, "new_password"},
			{obj{"current_password": right, "new_password": "user@example.com"}, 400, "new_password"},
			{obj{"current_password": right, "new_password": right}, 400, "new_password"},
			{obj{"current_password": strings.Repeat("\u20ac", 400), "new_password": another}, 403, "current_password"}, // 1200 bytes
			{obj{"current_password": right, "new_password": strings.Repeat("abcd\u20ac", 200)}, 400, "new_password"},
			{obj{"current_password": strings.Repeat("a", 1<<19), "new_password": another}, 400, "current_password"},
		} {
			if a := w.call("user", "POST", me+"/password", c.body); a.status != c.status || a.fields() != c.fields {
				t.Errorf("%.80v: %d %s", c.body, a.status, a.text)
			}
		}
		if !w.alive(elsewhere) {
			t.Error("a refused change ended a session")
		}
		if a := w.want(204, "user", "POST", me+"/password", obj{"current_password": right, "new_password": another}); a.text != "" {
			t.Error(a.text)
		}
		if w.signsIn("user", right) || !w.signsIn("user", another) {
			t.Error("the new password does not hold, or the old one does")
		}
		if w.alive(elsewhere) || !w.alive(user.SessionID) || !w.alive(stranger) { // I11
			t.Error("other sessions of the user end, this one and other people's go on:", w.alive(elsewhere), w.alive(user.SessionID), w.alive(stranger))
		}
	})
}

// J6: guessing the password through a token meets the counters of sign-in, on
// every path that asks.
func TestConfirmationIsCounted(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		paths := []struct {
			method, path string
			body         obj
		}{
			{"POST", me + "/password", obj{"current_password": "wrong", "new_password": another}},
			{"PATCH", me, obj{"email": "new@example.com", "current_password": "wrong"}},
			{"DELETE", me, obj{"current_password": "wrong"}},
		}
		w.person("user")
		for i := range 5 {
			p := paths[i%len(paths)]
			w.want(403, "user", p.method, p.path, p.body)
		}
		for _, p := range paths {
			p.body["current_password"] = right
			if a := w.want(429, "user", p.method, p.path, p.body); a.header.Get("Retry-After") != "1" || a.str("error") != "rate_limited" {
				t.Errorf("%s %s: %s", p.method, p.path, a.text)
			}
		}
		w.clock.Move(time.Second)
		w.want(204, "user", "POST", me+"/password", obj{"current_password": right, "new_password": another})

		full := func(context.Context) error { return keystone.Fail(keystone.Limited, "Wait.").After(3 * time.Second) }
		w.slice.ConfirmLimit = full
		if a := w.want(429, "user", "PATCH", me, obj{"email": "new@example.com", "current_password": another}); a.header.Get("Retry-After") != "3" {
			t.Errorf("limited: %s", a.text)
		}
		w.want(200, "user", "PATCH", me, obj{"first_name": "Una"})
		w.slice.RenameLimit = full
		w.want(429, "user", "PATCH", me, obj{"username": "another"})
		w.want(200, "user", "PATCH", me, obj{"first_name": "Una", "username": "user"})
		w.slice.Proof.Brakes = proof.Brakes{Account: func(ctx context.Context, _ string) error { return full(ctx) }, Guesses: func(context.Context) error { return nil }, Guessed: func(context.Context) {}}
		if w.want(429, "user", "DELETE", me, obj{"current_password": another}).header.Get("Retry-After") != "3" {
			t.Error("the account's limit does not hold")
		}
	})
}

func TestDeleteMe(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		w.person("user")
		w.person("admin", keystone.RoleAdmin)
		w.want(400, "user", "DELETE", me, obj{})
		if got := w.want(400, "user", "DELETE", me, nil); !strings.Contains(got.text, "The body is empty") { // as curl -X DELETE sends it
			t.Error(got.text)
		}
		w.want(403, "user", "DELETE", me, obj{"current_password": "wrong"})
		w.want(400, "user", "DELETE", me, obj{"current_password": right, "id": w.actors["admin"].ID}) // N2
		w.want(409, "admin", "DELETE", me, obj{"current_password": right})
		w.want(204, "user", "DELETE", me, obj{"current_password": right})
		w.want(404, "user", "GET", me, nil)
		if w.signsIn("user", right) || !w.signsIn("admin", right) {
			t.Error("the deleted account signs in, or the other does not")
		}
	})
}

func TestSessions(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user, other := w.person("user"), w.person("other")
		second, third := w.signIn(user.ID), w.signIn(user.ID)
		list := w.want(200, "user", "GET", me+"/sessions", nil).items()
		if len(list) != 3 || len(list[0]) != 9 || list[0]["id"] != user.SessionID || list[0]["current"] != true || list[1]["current"] != false {
			t.Errorf("sessions: %v", list)
		}
		first := w.want(200, "user", "GET", me+"/sessions?limit=2", nil)
		cursor, _ := first.body["next_cursor"].(string)
		if rest := w.want(200, "user", "GET", me+"/sessions?limit=2&cursor="+cursor, nil).items(); len(first.items()) != 2 || len(rest) != 1 || rest[0]["id"] != third {
			t.Errorf("in pages: %v", rest)
		}
		// I10: other people's are not there.
		for _, id := range []string{other.SessionID, keystone.NewID(w.clock.Now()), "1", "%00", user.ID} {
			if a := w.want(404, "user", "DELETE", me+"/sessions/"+id, nil); a.str("error") != "not_found" {
				t.Errorf("%s: %s", id, a.text)
			}
		}
		w.want(400, "user", "GET", me+"/sessions?user_id="+other.ID, nil) // N2
		w.want(204, "user", "DELETE", me+"/sessions/"+second, nil)
		w.want(404, "user", "DELETE", me+"/sessions/"+second, nil)
		w.want(204, "user", "DELETE", me+"/sessions", nil)
		if w.alive(third) || !w.alive(user.SessionID) || !w.alive(other.SessionID) {
			t.Error("all but the current session end, and nobody else's")
		}
	})
}

func TestRegister(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		const path = "/api/v1/auth/register"
		made := w.want(201, "", "POST", path, obj{"username": "Jane", "email": "jane@example.com", "password": right, "first_name": "Jane"})
		if made.body["enabled"] != true || made.body["email_verified"] != false || fmt.Sprint(made.body["roles"]) != "[user]" || len(made.body) != 11 || strings.Contains(made.text, right) {
			t.Errorf("registered: %s", made.text)
		}
		if !w.signsIn("jane", right) {
			t.Error("the new account does not sign in")
		}
		for _, c := range []struct {
			body   any
			status int
			fields string
		}{
			{obj{}, 400, "email password username"},
			{obj{"username": "a b", "email": "x", "password": "short"}, 400, "email password username"},
			{obj{"username": "JANE", "email": "JANE@example.com", "password": right}, 409, "email username"},
			{obj{"username": "joe", "email": "joe@example.com", "password": "iloveyou1234"}, 400, "password"},
			{obj{"username": "joe", "email": "joe@example.com", "password": right, "roles": []string{"admin"}}, 400, "roles"},
			{obj{"username": "joe", "email": "joe@example.com", "password": right, "enabled": true}, 400, "enabled"},
			{obj{"username": "joe", "email": "joe@example.com", "password": right, "email_verified": true}, 400, "email_verified"},
			{obj{"username": "joe", "email": "joe@example.com", "password": strings.Repeat("\u20ac", 400)}, 400, "password"},
		} {
			if a := w.call("", "POST", path, c.body); a.status != c.status || a.fields() != c.fields {
				t.Errorf("%.90v: %d %s", c.body, a.status, a.text)
			}
		}
		// K12: closed is closed, and the trail tells who tried.
		w.slice.RegistrationOpen = false
		a := w.want(403, "", "POST", path, obj{"username": "joe", "email": "joe@example.com", "password": right})
		if a.str("error") != "authorization_failed" || !strings.Contains(a.str("error_description"), "closed") {
			t.Errorf("closed: %s", a.text)
		}
		if w.signsIn("joe", right) {
			t.Error("registered while closed")
		}
		trail, err := w.store.AuditEvents(context.Background(), keystone.AuditFilter{Action: keystone.ActAccessDenied}, keystone.Page{})
		if err != nil || len(trail.Items) != 1 || trail.Items[0].Source != "192.0.2.1" {
			t.Error(trail, err)
		}
	})
}

// A user looks the same to themselves and to an administrator.
func TestOneViewOfAUser(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user := w.person("user", keystone.RoleUser)
		api := httpio.NewAPI("Test", "1")
		for _, rt := range (&admin.Slice{Store: w.store}).Routes() {
			if rt.Pattern() == "GET /api/v1/users/{id}" {
				rt.Access = httpio.Public // the rule is not what is tested here
				w.mux.Handle(rt.Pattern(), w.acts(rt, api.Handler(rt)))
			}
		}
		mine, theirs := w.want(200, "user", "GET", me, nil), w.want(200, "", "GET", "/api/v1/users/"+user.ID, nil)
		if mine.text != theirs.text || mine.header.Get("ETag") != theirs.header.Get("ETag") {
			t.Errorf("%s\n%s", mine.text, theirs.text)
		}
	})
}

// P7: neither answers nor the trail hold a password.
func TestNoPasswordAnywhere(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		w.person("user")
		const canary = "canary of a password here"
		var seen strings.Builder
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"POST", "/api/v1/auth/register", obj{"username": "jane", "email": "jane@example.com", "password": canary}},
			{"POST", "/api/v1/auth/register", obj{"username": "jane", "email": "jane@example.com", "password": canary}},
			{"POST", "/api/v1/auth/register", obj{"username": canary, "email": canary, "password": canary}},
			{"POST", "/api/v1/auth/reset-password", obj{"token": canary, "password": canary}},
			{"POST", me + "/password", obj{"current_password": canary, "new_password": canary + "!"}},
			{"POST", me + "/password", obj{"current_password": right, "new_password": canary}},
			{"DELETE", me, obj{"current_password": canary + "?"}},
			{"POST", me + "/password", `{"current_password":"` + canary + `","current_password":"` + canary + `"}`},
			{"POST", me + "/password", `{"` + canary + `":1}`},
			{"POST", me + "/password", `{"current_password":["` + canary + `"],"new_password":"x"}`},
		} {
			a := w.call("user", c.method, c.path, c.body)
			seen.WriteString(a.text)
			if a.status >= 500 {
				t.Errorf("%s %s: %d", c.method, c.path, a.status)
			}
		}
		trail, err := w.store.AuditEvents(context.Background(), keystone.AuditFilter{}, keystone.Page{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := json.Marshal(trail.Items)
		seen.Write(rows)
		for _, bad := range []string{"canary", "argon2", right} {
			if i := strings.Index(seen.String(), bad); i >= 0 {
				t.Errorf("%q is told: …%.200s", bad, seen.String()[max(0, i-100):])
			}
		}
	})
}
