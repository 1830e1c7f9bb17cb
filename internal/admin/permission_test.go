package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// permissions says for every route who may reach it, besides the administrator
// (N1). A route that is not in it fails the test.
var permissions = map[string]string{
	"GET /api/v1/users":                               "support writer service",
	"POST /api/v1/users":                              "writer",
	"GET /api/v1/users/{id}":                          "support writer service",
	"PATCH /api/v1/users/{id}":                        "writer",
	"DELETE /api/v1/users/{id}":                       "writer",
	"PUT /api/v1/users/{id}/roles":                    "writer",
	"POST /api/v1/users/{id}/password-reset":          "writer",
	"POST /api/v1/users/{id}/unlock":                  "writer",
	"GET /api/v1/users/{id}/sessions":                 "",
	"DELETE /api/v1/users/{id}/sessions":              "writer",
	"GET /api/v1/admin/roles":                         "",
	"POST /api/v1/admin/roles":                        "",
	"GET /api/v1/admin/roles/{id}":                    "",
	"PATCH /api/v1/admin/roles/{id}":                  "",
	"DELETE /api/v1/admin/roles/{id}":                 "",
	"GET /api/v1/admin/scopes":                        "",
	"POST /api/v1/admin/scopes":                       "",
	"GET /api/v1/admin/scopes/{id}":                   "",
	"PATCH /api/v1/admin/scopes/{id}":                 "",
	"DELETE /api/v1/admin/scopes/{id}":                "",
	"GET /api/v1/admin/clients":                       "service",
	"POST /api/v1/admin/clients":                      "",
	"GET /api/v1/admin/clients/{id}":                  "service",
	"PATCH /api/v1/admin/clients/{id}":                "",
	"DELETE /api/v1/admin/clients/{id}":               "",
	"POST /api/v1/admin/clients/{id}/secret":          "",
	"GET /api/v1/admin/clients/{id}/secrets":          "service",
	"DELETE /api/v1/admin/clients/{id}/secrets/{sid}": "",
	"GET /api/v1/admin/registration-tokens":           "service",
	"POST /api/v1/admin/registration-tokens":          "",
	"DELETE /api/v1/admin/registration-tokens/{id}":   "",
	"GET /api/v1/admin/sessions":                      "",
	"DELETE /api/v1/admin/sessions/{id}":              "",
	"GET /api/v1/admin/keys":                          "",
	"POST /api/v1/admin/keys/rotate":                  "",
	"DELETE /api/v1/admin/keys/{kid}":                 "",
	"GET /api/v1/admin/audit":                         "",
	"GET /api/v1/admin/traces/{request_id}":           "",
	"GET /api/v1/admin/stats":                         "",
	"GET /api/v1/admin/settings":                      "",
}

// scopeOf says which scope alone opens each route.
var scopeOf = map[string]string{
	"GET /api/v1/users": keystone.UsersRead, "GET /api/v1/users/{id}": keystone.UsersRead, "GET /api/v1/users/{id}/sessions": keystone.SessionsRead,
	"GET /api/v1/admin/roles": keystone.RolesRead, "GET /api/v1/admin/roles/{id}": keystone.RolesRead,
	"GET /api/v1/admin/scopes": keystone.ScopesRead, "GET /api/v1/admin/scopes/{id}": keystone.ScopesRead,
	"GET /api/v1/admin/clients": keystone.ClientsRead, "GET /api/v1/admin/clients/{id}": keystone.ClientsRead, "GET /api/v1/admin/clients/{id}/secrets": keystone.ClientsRead,
	"GET /api/v1/admin/registration-tokens": keystone.ClientsRead,
	"GET /api/v1/admin/sessions":            keystone.SessionsRead, "DELETE /api/v1/admin/sessions/{id}": keystone.SessionsWrite,
	"GET /api/v1/admin/keys": keystone.KeysRead, "POST /api/v1/admin/keys/rotate": keystone.KeysWrite, "DELETE /api/v1/admin/keys/{kid}": keystone.KeysWrite,
	"GET /api/v1/admin/audit": keystone.AuditRead, "GET /api/v1/admin/traces/{request_id}": keystone.AuditRead, "GET /api/v1/admin/stats": keystone.StatsRead, "GET /api/v1/admin/settings": keystone.SettingsRead,
}

func demanded(pattern string) string {
	if s, ok := scopeOf[pattern]; ok {
		return s
	}
	for prefix, s := range map[string]string{
		"/api/v1/users": keystone.UsersWrite, "/api/v1/admin/roles": keystone.RolesWrite, "/api/v1/admin/scopes": keystone.ScopesWrite, "/api/v1/admin/clients": keystone.ClientsWrite,
		"/api/v1/admin/registration-tokens": keystone.ClientsWrite,
	} {
		if _, path, _ := strings.Cut(pattern, " "); strings.HasPrefix(path, prefix) {
			return s
		}
	}
	return "no scope"
}

func TestPermissions(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		nobody := strings.NewReplacer("{id}", keystone.NewID(w.clock.Now()), "{sid}", keystone.NewID(w.clock.Now()), "{kid}", keystone.NewID(w.clock.Now()))
		seen := 0
		for _, rt := range w.slice.Routes() {
			allowed, listed := permissions[rt.Pattern()]
			if !listed {
				t.Errorf("%s is not in the table", rt.Pattern())
				continue
			}
			seen++
			var body any
			if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, rt.Method) {
				body = "{}"
			}
			reaches := func(actor string) bool {
				a := w.call(actor, rt.Method, nobody.Replace(rt.Path), body)
				if refused := a.status == 401 || a.status == 403; refused == *w.ran {
					t.Errorf("%s as %s: status %d, handler ran: %t", rt.Pattern(), actor, a.status, *w.ran)
				}
				if actor == "anonymous" && (a.status != 401 || a.header.Get("WWW-Authenticate") == "") {
					t.Errorf("%s without a token: %d", rt.Pattern(), a.status)
				}
				return *w.ran
			}
			if strings.HasSuffix(rt.Path, "/rotate") {
				continue // reaching it makes a key; TestKeys does
			}
			for _, actor := range []string{"anonymous", "user", "other", "support", "writer", "service", "admin"} {
				if want := actor == "admin" || slices.Contains(strings.Fields(allowed), actor); reaches(actor) != want {
					t.Errorf("%s as %s: reached %t", rt.Pattern(), actor, !want)
				}
			}
			// The named scope alone opens it, and every other together does not.
			one := demanded(rt.Pattern())
			only, all := w.actors["user"], w.actors["user"]
			only.Scopes = []string{one}
			all.Scopes = slices.DeleteFunc(keystone.BuiltInScopeNames(), func(s string) bool { return s == one })
			w.actors["only"], w.actors["all but one"] = only, all
			if !reaches("only") || reaches("all but one") {
				t.Errorf("%s does not go by %s", rt.Pattern(), one)
			}
		}
		if seen != len(permissions) {
			t.Errorf("the table has %d routes, the slice %d of them", len(permissions), seen)
		}
	})
}

// Nobody grants, or changes somebody who holds, what they do not hold: here the
// store's rule is seen from outside.
func TestAuthority(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		boss, plain := "/api/v1/users/"+w.users["admin"].ID, "/api/v1/users/"+w.users["user"].ID
		w.person("victim", keystone.BuiltInScopeNames(), keystone.RoleAdmin)
		victim := "/api/v1/users/" + w.users["victim"].ID
		half := w.actors["writer"]
		half.Scopes = keystone.SortedSet([]string{keystone.UsersRead, keystone.UsersWrite, keystone.RolesRead, keystone.RolesWrite, keystone.ClientsRead, keystone.ClientsWrite})
		w.actors["half"] = half
		made := w.want(201, "POST", "/api/v1/admin/clients", obj{"name": "mighty", "kind": "service", "scopes": []string{keystone.KeysWrite}})
		mighty := "/api/v1/admin/clients/" + made.str("id")

		for _, c := range []struct {
			actor, method, path string
			body                any
			status              int
		}{
			{"writer", "PATCH", victim, obj{"email": "mine@example.com"}, 403},
			{"writer", "PATCH", victim, obj{"enabled": false}, 403},
			{"writer", "DELETE", victim, nil, 403},
			{"writer", "PUT", victim + "/roles", obj{"roles": []string{}}, 403},
			{"writer", "POST", victim + "/password-reset", nil, 403},
			{"writer", "POST", victim + "/unlock", nil, 403},
			{"writer", "PUT", plain + "/roles", obj{"roles": []string{"admin"}}, 403},
			{"writer", "POST", "/api/v1/users", obj{"username": "new", "email": "new@example.com", "roles": []string{"admin"}}, 403},
			{"half", "POST", "/api/v1/admin/roles", obj{"name": "keys", "scopes": []string{keystone.KeysWrite}}, 403},
			{"half", "PATCH", "/api/v1/admin/roles/support", obj{"scopes": []string{keystone.AuditRead}}, 403},
			{"half", "PATCH", "/api/v1/admin/roles/admin", obj{"scopes": []string{}}, 403},
			{"half", "DELETE", "/api/v1/admin/roles/admin", nil, 403},
			{"half", "POST", "/api/v1/admin/clients", obj{"name": "c", "kind": "service", "scopes": []string{keystone.KeysWrite}}, 403},
			{"half", "PATCH", mighty, obj{"name": "mine"}, 403},
			{"half", "POST", mighty + "/secret", obj{}, 403},
			{"half", "DELETE", mighty, nil, 403},
			{"admin", "PATCH", "/api/v1/admin/clients/keystone", obj{"enabled": false}, 403},
			{"admin", "DELETE", "/api/v1/admin/clients/keystone", nil, 403},
			{"admin", "DELETE", "/api/v1/admin/scopes/" + keystone.UsersRead, nil, 403},

			// What a password is asked for elsewhere does not go without one here.
			{"admin", "PATCH", boss, obj{"email": "mine@example.com"}, 403},
			{"admin", "POST", boss + "/password-reset", nil, 403},
			{"admin", "POST", boss + "/unlock", nil, 403},
			{"admin", "DELETE", boss, nil, 403},

			{"writer", "PATCH", plain, obj{"first_name": "Pat"}, 200},
			{"writer", "POST", plain + "/unlock", nil, 204},
			{"writer", "POST", "/api/v1/users", obj{"username": "new", "email": "new@example.com", "roles": []string{"support"}}, 201},
			{"half", "POST", "/api/v1/admin/roles", obj{"name": "fine", "scopes": []string{keystone.UsersRead}}, 201},
			{"admin", "PATCH", victim, obj{"first_name": "Vic"}, 200},
			{"admin", "DELETE", victim, nil, 204},

			// The last administrator stays, whoever asks.
			{"admin", "PATCH", boss, obj{"enabled": false}, 409},
			{"admin", "PUT", boss + "/roles", obj{"roles": []string{"user"}}, 409},
		} {
			if a := w.call(c.actor, c.method, c.path, c.body); a.status != c.status {
				t.Errorf("%s: %s %s %v: %d, want %d: %s", c.actor, c.method, c.path, c.body, a.status, c.status, a.text)
			}
		}
		if a := w.want(200, "GET", boss, nil); a.body["enabled"] != true || a.str("email") != "admin@example.com" {
			t.Errorf("the administrator was changed: %s", a.text)
		}
	})
}
