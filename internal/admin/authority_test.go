package admin_test

import (
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestAuthority: nobody grants, or changes somebody who holds, what they do not hold: here the
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
