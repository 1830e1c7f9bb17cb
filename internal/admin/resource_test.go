package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/admin"
)

func TestRoleAndScopeLife(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		scope := w.want(201, "POST", "/api/v1/admin/scopes", obj{"name": "orders:read", "description": "Read orders"})
		w.want(201, "POST", "/api/v1/admin/scopes", obj{"name": "https://api.example.com/orders"})
		w.want(409, "POST", "/api/v1/admin/scopes", obj{"name": "orders:read"})
		w.want(400, "POST", "/api/v1/admin/scopes", obj{"name": "orders read"})
		w.want(400, "POST", "/api/v1/admin/scopes", obj{"name": "a\"b"})
		if named := w.want(200, "GET", "/api/v1/admin/scopes/"+url.PathEscape("https://api.example.com/orders"), nil); named.str("name") != "https://api.example.com/orders" {
			t.Errorf("by name: %s", named.text)
		}
		role := w.want(201, "POST", "/api/v1/admin/roles", obj{"name": "clerk", "scopes": []string{"orders:read"}})
		if role.body["built_in"] != false || len(role.body) != 7 {
			t.Errorf("role: %s", role.text)
		}
		for _, ref := range []string{"clerk", role.str("id")} {
			if got := w.want(200, "GET", "/api/v1/admin/roles/"+ref, nil); got.text != role.text {
				t.Errorf("role %s: %s", ref, got.text)
			}
		}
		w.want(409, "POST", "/api/v1/admin/roles", obj{"name": "clerk"})
		w.want(400, "POST", "/api/v1/admin/roles", obj{"name": "Clerk!"})
		if a := w.want(400, "POST", "/api/v1/admin/roles", obj{"name": "x", "scopes": []string{"no:such"}}); strings.Join(a.fields(), " ") != "scopes" {
			t.Errorf("unknown scope: %s", a.text)
		}

		changed := w.want(200, "PATCH", "/api/v1/admin/roles/clerk", obj{"description": "Takes orders"})
		if fmt.Sprint(changed.body["scopes"]) != "[orders:read]" || changed.str("description") != "Takes orders" {
			t.Errorf("absent is unchanged: %s", changed.text)
		}
		changed = w.want(200, "PATCH", "/api/v1/admin/roles/clerk", `{"description":null,"scopes":[],"name":"seller"}`)
		if !strings.Contains(changed.text, `"scopes":[]`) || changed.str("description") != "" || changed.str("name") != "seller" {
			t.Errorf("emptied: %s", changed.text)
		}
		w.want(403, "PATCH", "/api/v1/admin/roles/user", obj{"name": "people"})
		w.want(200, "PATCH", "/api/v1/admin/roles/user", obj{"scopes": []string{"orders:read"}})

		w.want(200, "PATCH", "/api/v1/admin/scopes/orders:read", obj{"description": "Orders"})
		w.want(400, "PATCH", "/api/v1/admin/scopes/orders:read", obj{})
		w.want(204, "DELETE", "/api/v1/admin/scopes/"+scope.str("id"), nil)
		if user := w.want(200, "GET", "/api/v1/admin/roles/user", nil); !strings.Contains(user.text, `"scopes":[]`) {
			t.Errorf("a deleted scope stays in a role: %s", user.text)
		}
		w.want(204, "DELETE", "/api/v1/admin/roles/seller", nil)
		w.want(404, "GET", "/api/v1/admin/roles/seller", nil)
		for _, path := range []string{"roles", "scopes"} {
			first := w.want(200, "GET", "/api/v1/admin/"+path+"?limit=2", nil)
			cursor, _ := first.body["next_cursor"].(string)
			second := w.want(200, "GET", "/api/v1/admin/"+path+"?limit=2&cursor="+cursor, nil)
			if len(first.items()) != 2 || len(second.items()) == 0 || first.items()[1]["name"].(string) >= second.items()[0]["name"].(string) {
				t.Errorf("%s in pages: %s\n%s", path, first.text, second.text)
			}
		}
	})
}

func TestClientLife(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		made := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "Orders", "kind": "service", "scopes": []string{keystone.UsersRead}, "audiences": []string{"https://orders.example.com"}})
		id, value := made.str("client_id"), made.str("client_secret")
		if id != made.str("id") || !strings.HasPrefix(value, "ks_cs_") || fmt.Sprint(made.body["grants"]) != "[client_credentials]" ||
			made.str("access_token_format") != "jwt" || made.body["rotate_refresh_tokens"] != true || made.body["access_token_ttl_seconds"] != nil || made.body["last_used"] != nil {
			t.Errorf("new client: %s", made.text)
		}
		if _, ok, err := w.store.ProveClient(ctx, id, value); !ok || err != nil {
			t.Error("the secret that was shown:", ok, err)
		}
		path := "/api/v1/admin/clients/" + id
		if got := w.want(200, "GET", path, nil); got.header.Get("ETag") != made.header.Get("ETag") || strings.Contains(got.text, "client_secret") {
			t.Errorf("read: %s", got.text)
		}
		changed := w.want(200, "PATCH", path, obj{"access_token_ttl_seconds": 60, "access_token_format": "opaque", "scopes": []string{}, "rotate_refresh_tokens": false})
		if changed.body["access_token_ttl_seconds"] != 60.0 || changed.str("name") != "Orders" || !strings.Contains(changed.text, `"scopes":[]`) || fmt.Sprint(changed.body["audiences"]) != "[https://orders.example.com]" {
			t.Errorf("changed: %s", changed.text)
		}
		if changed = w.want(200, "PATCH", path, obj{"introspection_audiences": []string{"stock", "https://api.example.com"}}); !strings.Contains(changed.text, `"introspection_audiences":["https://api.example.com","stock"]`) {
			t.Errorf("stands for two resources: %s", changed.text)
		}
		if changed = w.want(200, "PATCH", path, obj{"require_par": true}); changed.body["require_par"] != true {
			t.Errorf("requests must be pushed: %s", changed.text)
		}
		if changed = w.want(200, "PATCH", path, `{"introspection_audiences":[]}`); !strings.Contains(changed.text, `"introspection_audiences":[]`) {
			t.Errorf("and for none: %s", changed.text)
		}
		if changed = w.want(200, "PATCH", path, `{"access_token_ttl_seconds":null}`); changed.body["access_token_ttl_seconds"] != nil {
			t.Errorf("back to the server's setting: %s", changed.text)
		}

		rotated := w.want(201, "POST", path+"/secret", nil)
		second := rotated.str("client_secret")
		if ends, err := time.Parse(time.RFC3339, rotated.str("overlap_ends")); err != nil || !ends.Equal(w.clock.Now().Add(24*time.Hour)) || second == value {
			t.Errorf("rotated: %s %v", rotated.text, err)
		}
		w.proves(id, value, true)
		w.clock.Move(24 * time.Hour)
		w.proves(id, value, false)
		third := w.want(201, "POST", path+"/secret", obj{"overlap_seconds": 0}).str("client_secret")
		w.proves(id, second, false)
		w.proves(id, third, true)
		w.want(400, "POST", path+"/secret", obj{"overlap_seconds": -1})
		w.want(400, "POST", path+"/secret", obj{"overlap_seconds": 2592001})

		fourth := w.want(201, "POST", path+"/secret", obj{"overlap_seconds": 60})
		list := w.want(200, "GET", path+"/secrets", nil)
		if len(list.items()) != 2 || len(list.items()[0]) != 4 || strings.Contains(list.text, third) {
			t.Errorf("secrets: %s", list.text)
		}
		latest := fourth.body["secret"].(obj)["id"].(string)
		w.want(204, "DELETE", path+"/secrets/"+latest, nil)
		w.want(404, "DELETE", path+"/secrets/"+latest, nil)
		w.proves(id, fourth.str("client_secret"), false)

		w.want(204, "DELETE", path, nil)
		w.want(404, "GET", path, nil)
		w.want(404, "GET", path+"/secrets", nil)
		w.want(404, "POST", path+"/secret", nil)
	})
}

// proves holds whether a secret is good now.
func (w *world) proves(clientID, value string, want bool) {
	w.t.Helper()
	if _, ok, err := w.store.ProveClient(context.Background(), clientID, value); ok != want || err != nil {
		w.t.Errorf("secret good: %t, want %t (%v)", ok, want, err)
	}
}

// A4 and the rules of a client's kind, from outside.
func TestClientRefusals(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			body  any
			field string
		}{
			{obj{"kind": "service"}, "name"},
			{obj{"name": "x"}, "kind"},
			{obj{"name": "x", "kind": "robot"}, "kind"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"https://*.example.com/cb"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"https://example.com/cb#f"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"https://u:p@example.com/cb"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"javascript:alert(1)"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"data:text/html,x"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "web", "redirect_uris": []string{"http://example.com/cb"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "service", "redirect_uris": []string{"https://example.com/cb"}}, "redirect_uris"},
			{obj{"name": "x", "kind": "service", "grants": []string{"password"}}, "grants"},
			{obj{"name": "x", "kind": "service", "grants": []string{"refresh_token"}}, "grants"},
			{obj{"name": "x", "kind": "spa", "grants": []string{"client_credentials"}}, "grants"},
			{obj{"name": "x", "kind": "service", "first_party": true}, "first_party"},
			{obj{"name": "x", "kind": "service", "scopes": []string{"no:such"}}, "scopes"},
			{obj{"name": "x", "kind": "service", "audiences": []string{"a b"}}, "audiences"},
			{obj{"name": "x", "kind": "service", "access_token_ttl_seconds": 5}, "access_token_ttl_seconds"},
			{obj{"name": "x", "kind": "service", "access_token_format": "paseto"}, "access_token_format"},
		} {
			if a := w.call("admin", "POST", "/api/v1/admin/clients", c.body); a.status != 400 || strings.Join(a.fields(), " ") != c.field {
				t.Errorf("%v: %d %s", c.body, a.status, a.text)
			}
		}
		public := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "App", "kind": "native", "redirect_uris": []string{"com.example.app:/cb", "http://127.0.0.1/cb"}})
		if _, given := public.body["client_secret"]; given {
			t.Errorf("a public client has a secret: %s", public.text)
		}
		w.want(409, "POST", "/api/v1/admin/clients/"+public.str("id")+"/secret", nil)
	})
}

func TestKeys(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		states := func() string {
			var list []string
			for _, k := range w.want(200, "GET", "/api/v1/admin/keys", nil).items() {
				list = append(list, k["state"].(string))
			}
			return strings.Join(list, " ")
		}
		if got := states(); got != "current" {
			t.Fatal(got)
		}
		next := w.want(201, "POST", "/api/v1/admin/keys/rotate", nil)
		if next.str("state") != "next" || next.str("alg") != "ES256" || !keystone.IsID(next.str("kid")) {
			t.Errorf("rotated: %s", next.text)
		}
		if got := states(); got != "current next" {
			t.Error(got)
		}
		w.want(409, "POST", "/api/v1/admin/keys/rotate", nil)
		w.clock.Move(time.Hour)
		if got := states(); got != "retired current" {
			t.Error(got)
		}
		w.want(204, "DELETE", "/api/v1/admin/keys/"+next.str("kid"), nil)
		if got := states(); !strings.Contains(got, "revoked") || !strings.Contains(got, "current") {
			t.Error(got)
		}
		w.want(404, "DELETE", "/api/v1/admin/keys/"+next.str("kid"), nil)
		w.want(404, "DELETE", "/api/v1/admin/keys/nothing", nil)
	})
}

func TestAuditTrail(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		start := w.clock.Now()
		w.clock.Move(time.Second)
		made := w.want(201, "POST", "/api/v1/users", obj{"username": "jane", "email": "jane@example.com", "password": longPass})
		w.clock.Move(time.Second)
		w.want(200, "PATCH", "/api/v1/users/"+made.str("id"), obj{"first_name": "Jane"})
		at := func(d time.Duration) string { return url.QueryEscape(start.Add(d).Format(time.RFC3339Nano)) }
		for query, want := range map[string]int{
			"target=jane": 2, "target=" + made.str("id"): 2, "target=nobody": 0,
			"actor=admin&target=jane": 2, "actor=" + w.users["admin"].ID: 2, "actor=writer": 0,
			"action=user.updated": 1, "action=user.&target=jane": 2,
			"from=" + at(time.Second): 2, "from=" + at(2*time.Second): 1, "from=" + at(time.Second) + "&to=" + at(2*time.Second): 1,
		} {
			if a := w.want(200, "GET", "/api/v1/admin/audit?"+query, nil); len(a.items()) != want {
				t.Errorf("%s: %d, want %d", query, len(a.items()), want)
			}
		}
		w.want(400, "GET", "/api/v1/admin/audit?action=user.%25", nil) // nothing in it is a pattern
		latest := w.want(200, "GET", "/api/v1/admin/audit?limit=1", nil)
		e := latest.items()[0]
		if e["action"] != "user.updated" || e["actor_name"] != "admin" || e["source"] != "192.0.2.1" || e["request_id"] != "request-of-the-test" ||
			fmt.Sprint(e["detail"]) != "map[after:map[first_name:Jane] before:map[first_name:]]" || len(e) != 14 {
			t.Errorf("latest: %s", latest.text)
		}
		cursor, _ := latest.body["next_cursor"].(string)
		if before := w.want(200, "GET", "/api/v1/admin/audit?limit=1&cursor="+cursor, nil); before.items()[0]["action"] != "user.created" {
			t.Errorf("before: %s", before.text)
		}
		for _, query := range []string{"from=yesterday", "to=1", "cursor=eA", "action=" + strings.Repeat("a", 101), "actor=%00"} {
			w.want(400, "GET", "/api/v1/admin/audit?"+query, nil)
		}
		// N10: the trail is only read.
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if a := w.call("admin", method, "/api/v1/admin/audit", nil); a.status != 405 {
				t.Errorf("%s: %d", method, a.status)
			}
		}
	})
}

func TestStatsAndSettings(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		w.signIn(w.users["user"].ID)
		stats := w.want(200, "GET", "/api/v1/admin/stats", nil)
		if stats.body["users"] != float64(len(w.users)) || stats.body["active_sessions"] != 1.0 || stats.body["sign_ins_24h"] != 1.0 || !strings.Contains(stats.text, `"usage":[]`) {
			t.Errorf("stats: %s", stats.text)
		}
		settings := w.want(200, "GET", "/api/v1/admin/settings", nil)
		if len(settings.items()) != 1 || settings.items()[0]["name"] != "PORT" {
			t.Errorf("settings: %s", settings.text)
		}
		w.want(405, "PUT", "/api/v1/admin/settings", obj{})
	})
}

// N6, K7: what cannot be set is refused, by name, and nothing of the request is
// done.
func TestMassAssignment(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user := "/api/v1/users/" + w.users["user"].ID
		role := "/api/v1/admin/roles/" + w.want(201, "POST", "/api/v1/admin/roles", obj{"name": "clerk"}).str("id")
		scope := "/api/v1/admin/scopes/" + w.want(201, "POST", "/api/v1/admin/scopes", obj{"name": "orders"}).str("id")
		client := "/api/v1/admin/clients/" + w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "Orders", "kind": "service"}).str("id")
		read := func(path string) string { return w.want(200, "GET", path, nil).text }
		for _, c := range []struct {
			method, path, read string
			good               obj
			fields             string
		}{
			{"POST", "/api/v1/users", "/api/v1/users", obj{"username": "new", "email": "new@example.com"}, "id email_verified last_login created_at updated_at version password_hash hash tenant is_admin phone_verified"},
			{"PATCH", user, user, obj{"first_name": "New"}, "id email_verified roles password last_login created_at updated_at version hash scopes user_id is_admin"},
			{"PUT", user + "/roles", user, obj{"roles": []string{}}, "id user_id username scopes enabled"},
			{"POST", "/api/v1/admin/roles", "/api/v1/admin/roles", obj{"name": "new"}, "id built_in created_at updated_at version users"},
			{"PATCH", role, role, obj{"description": "New"}, "id built_in created_at updated_at version users"},
			{"POST", "/api/v1/admin/scopes", "/api/v1/admin/scopes", obj{"name": "new"}, "id built_in created_at updated_at version"},
			{"PATCH", scope, scope, obj{"description": "New"}, "id name built_in created_at updated_at version"},
			{"POST", "/api/v1/admin/clients", "/api/v1/admin/clients", obj{"name": "New", "kind": "service"}, "id client_id client_secret secret built_in created_at updated_at last_used version"},
			{"PATCH", client, client, obj{"name": "New"}, "id client_id client_secret kind built_in created_at updated_at last_used version"},
			{"POST", client + "/secret", client + "/secrets", obj{}, "id client_id client_secret secret expires_at hint hash"},
		} {
			before := read(c.read)
			for _, field := range append(strings.Fields(c.fields), "no_such_field", "__proto__") {
				for _, value := range []any{true, "x", nil} {
					body := obj{field: value}
					for k, v := range c.good {
						body[k] = v
					}
					a := w.call("admin", c.method, c.path, body)
					if a.status != 400 || strings.Join(a.fields(), " ") != field {
						t.Errorf("%s %s with %s: %d %s", c.method, c.path, field, a.status, a.text)
					}
				}
			}
			if after := read(c.read); after != before {
				t.Errorf("%s %s changed something:\n%s\n%s", c.method, c.path, before, after)
			}
		}
	})
}

// N2: an id belongs to the resource above it, and ids in bodies are refused (see
// TestMassAssignment).
func TestSwappedIDs(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		a := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "A", "kind": "service"})
		b := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "B", "kind": "service"})
		secret := w.want(200, "GET", "/api/v1/admin/clients/"+a.str("id")+"/secrets", nil).items()[0]["id"].(string)
		w.want(404, "DELETE", "/api/v1/admin/clients/"+b.str("id")+"/secrets/"+secret, nil)
		w.proves(a.str("id"), a.str("client_secret"), true)

		role := w.want(200, "GET", "/api/v1/admin/roles/user", nil).str("id")
		session, user := w.signIn(w.users["user"].ID), w.users["user"].ID
		for _, c := range []struct{ method, path string }{
			{"GET", "/api/v1/users/" + role}, {"GET", "/api/v1/users/" + session}, {"GET", "/api/v1/admin/roles/" + user}, {"GET", "/api/v1/admin/clients/" + user},
			{"DELETE", "/api/v1/admin/sessions/" + user}, {"DELETE", "/api/v1/users/" + session}, {"DELETE", "/api/v1/admin/clients/" + role},
			{"DELETE", "/api/v1/admin/keys/" + user}, {"POST", "/api/v1/users/" + a.str("id") + "/password-reset"},
			{"GET", "/api/v1/users/me2"}, {"GET", "/api/v1/users/1"}, {"GET", "/api/v1/users/%00"}, {"GET", "/api/v1/admin/roles/%00"}, {"GET", "/api/v1/admin/scopes/%ff"},
			{"GET", "/api/v1/admin/roles/a%20b"}, {"DELETE", "/api/v1/admin/sessions/%00"}, {"GET", "/api/v1/admin/clients/%00"}, {"DELETE", "/api/v1/admin/keys/%00"},
			{"GET", "/api/v1/users/" + strings.ToUpper(user)},
		} {
			if got := w.call("admin", c.method, c.path, nil); got.status != 404 || got.str("error") != "not_found" {
				t.Errorf("%s %s: %d %s", c.method, c.path, got.status, got.text)
			}
		}
	})
}

// N9: of two editors the second learns that they are late, and nothing is lost.
func TestIfMatch(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			create, under string
			new           obj
			method, sub   string
			first, second any
		}{
			{"/api/v1/users", "/api/v1/users/", obj{"username": "jane", "email": "jane@example.com"}, "PATCH", "", obj{"first_name": "A"}, obj{"first_name": "B"}},
			{"/api/v1/users", "/api/v1/users/", obj{"username": "joe", "email": "joe@example.com"}, "PUT", "/roles", obj{"roles": []string{"support"}}, obj{"roles": []string{}}},
			{"/api/v1/admin/roles", "/api/v1/admin/roles/", obj{"name": "clerk"}, "PATCH", "", obj{"description": "A"}, obj{"description": "B"}},
			{"/api/v1/admin/scopes", "/api/v1/admin/scopes/", obj{"name": "orders"}, "PATCH", "", obj{"description": "A"}, obj{"description": "B"}},
			{"/api/v1/admin/clients", "/api/v1/admin/clients/", obj{"name": "Orders", "kind": "service"}, "PATCH", "", obj{"name": "A"}, obj{"name": "B"}},
		} {
			made := w.want(201, "POST", c.create, c.new)
			path, tag := c.under+made.str("id"), made.header.Get("ETag")
			after := w.want(200, c.method, path+c.sub, c.first, "If-Match", tag)
			for _, stale := range []string{tag, `"0"`, `"999"`, "W/" + after.header.Get("ETag"), "nonsense", `""`, strings.Trim(after.header.Get("ETag"), `"`)} {
				if late := w.want(412, c.method, path+c.sub, c.second, "If-Match", stale); late.str("error") != "precondition_failed" || late.header.Get("ETag") != "" {
					t.Errorf("%s: %s", path, late.text)
				}
				w.want(412, "DELETE", path, nil, "If-Match", stale)
			}
			if now := w.want(200, "GET", path, nil); now.text != after.text || now.header.Get("ETag") != after.header.Get("ETag") {
				t.Errorf("%s was changed: %s", path, now.text)
			}
			w.want(200, c.method, path+c.sub, c.second, "If-Match", "*")
			w.want(204, "DELETE", path, nil)
		}
	})
}

// N4, P7: no answer holds a secret but the one that makes it, and no list tells
// more than its items' own route.
func TestNoSecretInAnswers(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		const canary = "canary password of jane"
		user := w.want(201, "POST", "/api/v1/users", obj{"username": "jane", "email": "jane@example.com", "password": canary})
		client := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "Orders", "kind": "service"})
		rotated := w.want(201, "POST", "/api/v1/admin/clients/"+client.str("id")+"/secret", nil)
		reset := w.want(200, "POST", "/api/v1/users/"+w.users["other"].ID+"/password-reset", nil)
		session := w.signIn(user.str("id"))
		login, err := w.store.LoginByID(ctx, user.str("id"))
		if err != nil {
			t.Fatal(err)
		}
		w.call("admin", "POST", "/api/v1/users", obj{"username": "x y", "email": "e", "password": "canary"})
		if err := w.store.AddTraces(ctx, []keystone.Trace{{ID: "t", RequestID: "refused", At: w.clock.Now()}}); err != nil {
			t.Fatal(err)
		}
		keys, err := w.store.SigningKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sealed, _ := json.Marshal(keys[0].Sealed)
		canaries := map[string]string{
			"password": canary, "hash": login.Hash, "argon2": "$argon2", "client secret": client.str("client_secret"), "rotated secret": rotated.str("client_secret"),
			"any client secret": "ks_cs_", "one-time token": "ks_ot_", "reset link": reset.str("reset_url"), "signing key": strings.Trim(string(sealed), `"`), "refresh token": "ks_rt_", "version": `"version"`,
		}
		ids := strings.NewReplacer("users/{id}", "users/"+user.str("id"), "clients/{id}", "clients/"+client.str("id"), "roles/{id}", "roles/admin", "scopes/{id}", "scopes/"+keystone.UsersRead, "{request_id}", "refused", "{kid}", keys[0].ID, "{id}", session)
		read := 0
		for _, rt := range w.slice.Routes() {
			if rt.Method != "GET" {
				continue
			}
			read++
			a := w.want(200, "GET", ids.Replace(rt.Path), nil)
			for what, canary := range canaries {
				if strings.Contains(a.text, canary) {
					t.Errorf("%s answers with the %s", rt.Pattern(), what)
				}
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be cached", rt.Pattern())
			}
		}
		if read < 15 {
			t.Errorf("only %d routes were read", read)
		}
	})
}

// TestEveryListPages: every list takes limit and cursor, and those by name a search.
func TestEveryListPages(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		made := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "Shop", "kind": "service", "scopes": []string{"users:read"}})
		client := "/api/v1/admin/clients/" + made.str("id")
		w.want(201, "POST", client+"/secret", obj{})
		w.want(201, "POST", "/api/v1/admin/keys/rotate", nil)
		w.slice.Settings = func() []admin.Setting { return []admin.Setting{{Name: "A"}, {Name: "B"}, {Name: "C"}} }
		for _, path := range []string{"/api/v1/users", "/api/v1/admin/roles", "/api/v1/admin/scopes", "/api/v1/admin/clients", "/api/v1/admin/audit", "/api/v1/admin/keys", "/api/v1/admin/settings", client + "/secrets"} {
			all := len(w.want(200, "GET", path+"?limit=200", nil).items())
			seen, cursor := 0, ""
			for range all + 1 {
				page := w.want(200, "GET", path+"?limit=1"+cursor, nil)
				if len(page.items()) != 1 {
					t.Fatalf("%s: %s", path, page.text)
				}
				seen++
				next, _ := page.body["next_cursor"].(string)
				if cursor = "&cursor=" + next; next == "" {
					break
				}
			}
			if seen != all || all < 2 {
				t.Errorf("%s: %d of %d", path, seen, all)
			}
			w.want(400, "GET", path+"?limit=0", nil)
			w.want(400, "GET", path+"?limit=201", nil)
			w.want(400, "GET", path+"?cursor=!", nil)
		}
		for path, want := range map[string]int{"/api/v1/admin/clients?q=sh": 1, "/api/v1/admin/clients?q=x": 0, "/api/v1/admin/roles?q=ADM": 1, "/api/v1/admin/scopes?q=clients:": 2, "/api/v1/admin/scopes?q=CLIENTS": 0} {
			if got := w.want(200, "GET", path, nil).items(); len(got) != want {
				t.Errorf("%s: %d", path, len(got))
			}
		}
	})
}

// TestKeysBeforeSecrets: the keys that a client asks for are there before it is, so that
// an answer with its secret is not lost for want of one.
func TestKeysBeforeSecrets(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		made := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "Shop", "kind": "web", "redirect_uris": []string{"https://shop.example/cb"}, "id_token_signed_response_alg": "PS256"})
		w.want(200, "PATCH", "/api/v1/admin/clients/"+made.str("id"), obj{"id_token_signed_response_alg": "EdDSA"})
		var order []string
		for _, e := range w.want(200, "GET", "/api/v1/admin/audit", nil).items() {
			if action := e["action"].(string); strings.HasPrefix(action, "client.") && action != "client.secret_added" || action == "key.created" {
				order = append(order, action)
			}
		}
		if got := strings.Join(order, " "); !strings.HasPrefix(got, "client.updated key.created client.created key.created") {
			t.Error("newest first:", got)
		}
		w.want(400, "POST", "/api/v1/admin/clients", obj{"name": "Shop", "kind": "web", "id_token_signed_response_alg": "none"})
	})
}
