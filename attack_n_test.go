package keystone_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// Whoever may write users, clients, roles or scopes alone gets at nothing more:
// neither by taking over somebody who has it, nor by making something that has
// it, nor by giving it to themselves.
func TestAttackN2_AdministratorsOfLittleGainNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("reports:read")
		s.CreateRole("reporter", "reports:read")
		boss := s.CreateUser("boss", keystone.RoleAdmin)
		bossSession := s.SignIn(boss)
		reporter := s.CreateUser("reporter", "reporter")
		s.CreateRole("empty")
		service := s.CreateClient(keystone.Client{Scopes: []string{keystone.UsersRead, keystone.KeysWrite}})
		users, usersToken := limitedAdmin(s, "users-helper", keystone.UsersRead, keystone.UsersWrite)
		_, clientsToken := limitedAdmin(s, "clients-helper", keystone.ClientsRead, keystone.ClientsWrite)
		_, rolesToken := limitedAdmin(s, "roles-helper", keystone.RolesRead, keystone.RolesWrite)
		_, scopesToken := limitedAdmin(s, "scopes-helper", keystone.ScopesRead, keystone.ScopesWrite)
		_, sessionsToken := limitedAdmin(s, "sessions-helper", keystone.SessionsRead, keystone.SessionsWrite)
		robot := s.ServiceToken(s.CreateClient(keystone.Client{Scopes: []string{keystone.UsersRead, keystone.UsersWrite}}))
		var sessions struct {
			Items []struct{ ID string }
		}
		s.Call(http.MethodGet, "/api/v1/admin/sessions?user_id="+boss.ID, s.Admin(), nil, &sessions)

		for _, c := range []struct {
			who, token, method, path string
			body                     any
			status                   int
		}{
			{"users", usersToken, "PUT", "/api/v1/users/" + users.ID + "/roles", m{"roles": []string{"admin"}}, 403},
			{"users", usersToken, "PUT", "/api/v1/users/" + users.ID + "/roles", m{"roles": []string{"only-users-helper", "reporter"}}, 403},
			{"users", usersToken, "PUT", "/api/v1/users/" + boss.ID + "/roles", m{"roles": []string{}}, 403},
			{"users", usersToken, "POST", "/api/v1/users", m{"username": "mine", "email": "mine@example.com", "password": "a good password for tests", "roles": []string{"admin"}}, 403},
			{"users", usersToken, "POST", "/api/v1/users", m{"username": "mine", "email": "mine@example.com", "roles": []string{"user", "only-keys"}}, 400},
			{"users", usersToken, "PATCH", "/api/v1/users/" + boss.ID, m{"email": "thief@example.com"}, 403},
			{"users", usersToken, "PATCH", "/api/v1/users/" + boss.ID, m{"enabled": false}, 403},
			{"users", usersToken, "PATCH", "/api/v1/users/" + boss.ID, m{"username": "boss2"}, 403},
			{"users", usersToken, "DELETE", "/api/v1/users/" + boss.ID, nil, 403},
			{"users", usersToken, "POST", "/api/v1/users/" + boss.ID + "/password-reset", nil, 403},
			{"users", usersToken, "POST", "/api/v1/users/" + boss.ID + "/unlock", nil, 403},
			{"users", usersToken, "DELETE", "/api/v1/users/" + boss.ID + "/sessions", nil, 403},
			{"users", usersToken, "GET", "/api/v1/users/" + boss.ID + "/sessions", nil, 403},
			{"users", usersToken, "POST", "/api/v1/users/" + reporter.ID + "/password-reset", nil, 403},
			{"users", usersToken, "PATCH", "/api/v1/users/" + reporter.ID, m{"email": "thief@example.com"}, 403},
			{"robot", robot, "POST", "/api/v1/users/" + boss.ID + "/password-reset", nil, 403},
			{"robot", robot, "PUT", "/api/v1/users/" + reporter.ID + "/roles", m{"roles": []string{"admin"}}, 403},
			{"robot", robot, "DELETE", "/api/v1/users/me", m{"current_password": "x"}, 403},
			{"robot", robot, "GET", "/api/v1/users/me", nil, 403},

			{"clients", clientsToken, "POST", "/api/v1/admin/clients", m{"name": "x", "kind": "service", "scopes": []string{keystone.UsersWrite}}, 403},
			{"clients", clientsToken, "POST", "/api/v1/admin/clients", m{"name": "x", "kind": "service", "scopes": []string{"reports:read"}}, 403},
			{"clients", clientsToken, "POST", "/api/v1/admin/clients/" + service.ID + "/secret", m{}, 403},
			{"clients", clientsToken, "PATCH", "/api/v1/admin/clients/" + service.ID, m{"scopes": []string{}}, 403},
			{"clients", clientsToken, "PATCH", "/api/v1/admin/clients/" + service.ID, m{"audiences": []string{"https://rs.example"}}, 403},
			{"clients", clientsToken, "DELETE", "/api/v1/admin/clients/" + service.ID, nil, 403},
			{"clients", clientsToken, "PATCH", "/api/v1/admin/clients/keystone", m{"redirect_uris": []string{"https://evil.example/cb"}}, 403},
			{"clients", clientsToken, "POST", "/api/v1/admin/clients/keystone/secret", nil, 403},
			{"clients", clientsToken, "DELETE", "/api/v1/admin/clients/keystone", nil, 403},

			{"roles", rolesToken, "PATCH", "/api/v1/admin/roles/only-roles-helper", m{"scopes": []string{keystone.RolesWrite, keystone.UsersWrite}}, 403},
			{"roles", rolesToken, "PATCH", "/api/v1/admin/roles/empty", m{"scopes": []string{"reports:read"}}, 403},
			{"roles", rolesToken, "PATCH", "/api/v1/admin/roles/user", m{"scopes": []string{keystone.UsersRead}}, 403},
			{"roles", rolesToken, "PATCH", "/api/v1/admin/roles/admin", m{"scopes": []string{}}, 403},
			{"roles", rolesToken, "PATCH", "/api/v1/admin/roles/empty", m{"name": "admin"}, 409},
			{"roles", rolesToken, "DELETE", "/api/v1/admin/roles/reporter", nil, 403},
			{"roles", rolesToken, "DELETE", "/api/v1/admin/roles/admin", nil, 403},
			{"roles", rolesToken, "POST", "/api/v1/admin/roles", m{"name": "x", "scopes": []string{keystone.AuditRead}}, 403},

			{"scopes", scopesToken, "DELETE", "/api/v1/admin/scopes/" + keystone.UsersWrite, nil, 403},
			{"scopes", scopesToken, "POST", "/api/v1/admin/scopes", m{"name": keystone.UsersWrite}, 409},

			{"sessions", sessionsToken, "DELETE", "/api/v1/admin/sessions/" + sessions.Items[0].ID, nil, 403},
			{"sessions", sessionsToken, "DELETE", "/api/v1/users/me/sessions/" + sessions.Items[0].ID, nil, 404},
		} {
			as(s, c.token).json(t, c.method, c.path, c.body).wants(t, c.status, "%s helper: %s %s", c.who, c.method, c.path)
		}
		if got := as(s, bossSession.AccessToken).json(t, "GET", "/api/v1/users/me", nil); got.status != 200 || got.text("email") != boss.Email {
			t.Errorf("the administrator was touched: %d %s", got.status, got.body)
		}
	})
}

type m = map[string]any

// A client that may manage accounts gets at more than clients: whoever may write
// clients alone can neither make one, nor raise one, nor turn one elsewhere.
func TestAttackN2_FirstPartyClientsNeedMoreThanClients(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		_, token := limitedAdmin(s, "clients-helper", keystone.ClientsRead, keystone.ClientsWrite)
		own := s.CreateClient(keystone.Client{Name: "own", Kind: keystone.ClientSPA, RedirectURIs: []string{"https://app.example/cb"}})
		first := s.CreateClient(keystone.Client{Name: "first", Kind: keystone.ClientSPA, FirstParty: true})
		clients := "/api/v1/admin/clients"
		as(s, token).json(t, "POST", clients, m{"name": "x", "kind": "spa", "first_party": true}).wants(t, 403, "make a first-party client")
		as(s, token).json(t, "PATCH", clients+"/"+own.ID, m{"first_party": true}).wants(t, 403, "raise a client")
		as(s, token).json(t, "PATCH", clients+"/"+first.ID, m{"redirect_uris": []string{"https://evil.example/cb"}}).wants(t, 403, "turn a first-party client elsewhere")
		as(s, token).json(t, "DELETE", clients+"/"+first.ID, nil).wants(t, 403, "delete a first-party client")
		as(s, token).json(t, "PATCH", clients+"/"+own.ID, m{"name": "renamed"}).wants(t, 200, "their own work")
		as(s, s.Admin()).json(t, "PATCH", clients+"/"+own.ID, m{"first_party": true}).wants(t, 200, "an administrator raises one")
	})
}

// On every way to the account's end the password is asked for: an access token
// that was found somewhere is not enough.
func TestAttackN2_OwnAccountOnlyWithThePassword(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		u, token := limitedAdmin(s, "users-helper", keystone.UsersRead, keystone.UsersWrite)
		own := "/api/v1/users/" + u.ID
		as(s, token).json(t, "PATCH", own, m{"email": "thief@example.com"}).wants(t, 403, "new address")
		as(s, token).json(t, "POST", own+"/password-reset", nil).wants(t, 403, "reset")
		as(s, token).json(t, "POST", own+"/unlock", nil).wants(t, 403, "unlock")
		as(s, token).json(t, "DELETE", own, nil).wants(t, 403, "delete")
		as(s, token).json(t, "DELETE", "/api/v1/users/me", m{"current_password": "not the password"}).wants(t, 403, "delete with a wrong password")
		as(s, token).json(t, "PATCH", "/api/v1/users/me", m{"email": "thief@example.com"}).wants(t, 400, "new address without password")
	})
}

// A reset link is no key to what its maker could not have given: where the user
// has risen since, it is dead.
func TestAttackN2_ResetLinkDoesNotRiseWithTheUser(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		_, token := limitedAdmin(s, "users-helper", keystone.UsersRead, keystone.UsersWrite)
		for _, c := range []struct {
			name, maker string
			status      int
		}{{"by-helper", token, 401}, {"by-admin", s.Admin(), 204}} {
			u := s.CreateUser(c.name)
			link := as(s, c.maker).json(t, "POST", "/api/v1/users/"+u.ID+"/password-reset", nil)
			link.wants(t, 200, "make a link for an ordinary user")
			_, value, _ := strings.Cut(link.text("reset_url"), "token=")
			as(s, s.Admin()).json(t, "PUT", "/api/v1/users/"+u.ID+"/roles", m{"roles": []string{"admin"}}).wants(t, 200, "raise the user")
			as(s, "").json(t, "POST", "/api/v1/auth/reset-password", m{"token": value, "password": "chosen by the helper"}).wants(t, c.status, "link %s", c.name)
		}
	})
}

// Refusals leave a trace, wherever they are decided: at the route, in the store,
// at the proof of a client.
func TestAttackN10_RefusalsAreAudited(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		boss := s.CreateUser("boss", keystone.RoleAdmin)
		u, token := limitedAdmin(s, "users-helper", keystone.UsersRead, keystone.UsersWrite)
		as(s, token).json(t, "GET", "/api/v1/admin/keys", nil).wants(t, 403, "without the scope")
		for range 3 { // once a minute is enough
			as(s, token).json(t, "POST", "/api/v1/users/"+boss.ID+"/password-reset", nil).wants(t, 403, "take over an administrator")
		}
		routes := map[string]int{}
		for _, row := range audited(t, s, "action="+keystone.ActAccessDenied+"&actor="+u.ID) {
			routes[row["target_name"].(string)]++
		}
		for _, route := range []string{"GET /api/v1/admin/keys", "POST /api/v1/users/{id}/password-reset"} {
			if routes[route] != 1 {
				t.Errorf("%s: %d audit rows of the refusal, want 1: %v", route, routes[route], routes)
			}
		}
		c := s.CreateClient(keystone.Client{})
		for range 3 {
			as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", c.ID, "client_secret", "ks_cs_wrong").wants(t, 401, "wrong secret")
		}
		as(s, "").json(t, "POST", "/api/v1/auth/token", m{"client_id": "no such client", "client_secret": "x"}).wants(t, 401, "unknown client")
		rows := audited(t, s, "action="+keystone.ActClientAuthFailed)
		if len(rows) != 2 {
			t.Fatalf("%d audit rows of failed client authentications, want one for each client: %v", len(rows), rows)
		}
		if rows[1]["target_id"] != c.ID || rows[0]["target_id"] != "" || rows[0]["source"] == "" {
			t.Errorf("the rows do not say who was tried: %v", rows)
		}
		if strings.Contains(strings.ToLower(strings.Join([]string{rows[0]["target_name"].(string), rows[0]["target_id"].(string)}, "")), "no such") {
			t.Error("what a stranger typed is in the trail")
		}
	})
}

// Of any number of administrators who remove each other at once, one stays.
func TestAttackX17_LastAdministratorStays(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		other := s.AddNode()
		root := s.Admin()
		var ids, tokens []string
		for _, name := range []string{"a1", "a2", "a3"} {
			u := s.CreateUser(name, keystone.RoleAdmin)
			ids, tokens = append(ids, u.ID), append(tokens, s.SignIn(u).AccessToken)
		}
		var self struct{ ID string }
		s.Call(http.MethodGet, "/api/v1/users/me", root, nil, &self)
		as(s, tokens[0]).json(t, "PUT", "/api/v1/users/"+self.ID+"/roles", m{"roles": []string{}}).wants(t, 200, "the first administrator goes")
		var all sync.WaitGroup
		for i := range ids {
			for j, by := range []string{tokens[0], tokens[1], tokens[2]} {
				all.Go(func() {
					node := []*keystonetest.Server{s, other}[(i+j)%2]
					switch (i + j) % 3 {
					case 0:
						node.Call("DELETE", "/api/v1/users/"+ids[i], by, nil, nil)
					case 1:
						node.Call("PATCH", "/api/v1/users/"+ids[i], by, m{"enabled": false}, nil)
					case 2:
						node.Call("PUT", "/api/v1/users/"+ids[i]+"/roles", by, m{"roles": []string{}}, nil)
					}
				})
			}
		}
		all.Wait()
		admins := 0
		for _, token := range tokens {
			settles(t, "", func() bool { return true })
			if as(other, token).json(t, "GET", "/api/v1/admin/roles", nil).status == 200 {
				admins++
			}
		}
		if admins == 0 {
			t.Error("nobody is left who can administer Keystone")
		}
	})
}

// N9: of two who edit what both have read, one is told.
func TestAttackN9_TwoEditors(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		other := s.AddNode()
		u, c := s.CreateUser("edited"), s.CreateClient(keystone.Client{})
		s.CreateRole("edited")
		s.CreateScope("edited:x")
		for path, body := range map[string]m{
			"/api/v1/users/" + u.ID:            {"first_name": "x"},
			"/api/v1/admin/clients/" + c.ID:    {"name": "x"},
			"/api/v1/admin/roles/edited":       {"description": "x"},
			"/api/v1/admin/scopes/edited:x":    {"description": "x"},
			"/api/v1/users/" + u.ID + "/roles": {"roles": []string{"edited"}},
		} {
			read := as(s, s.Admin()).json(t, "GET", strings.TrimSuffix(path, "/roles"), nil)
			if strings.HasSuffix(path, "/admin/roles/edited") {
				read = as(s, s.Admin()).json(t, "GET", path, nil)
			}
			tag, method := read.header.Get("ETag"), "PATCH"
			if strings.HasSuffix(path, "/roles") {
				method = "PUT"
			}
			var codes [2]int
			var both sync.WaitGroup
			for i, node := range []*keystonetest.Server{s, other} {
				both.Go(func() { codes[i] = as(node, s.Admin()).with("If-Match", tag).json(t, method, path, body).status })
			}
			both.Wait()
			if codes[0]+codes[1] != 200+412 {
				t.Errorf("%s: answered %v, want one 200 and one 412", path, codes)
			}
			for _, bad := range []string{`"999999999999999999999999"`, `W/` + tag, `"-1"`, `"1", W/"2"`, `"98", "99"`, `"0"`, "1e3", `"` + strings.Repeat("1", 5000) + `"`} {
				if got := as(s, s.Admin()).with("If-Match", bad).json(t, method, path, body); got.status != 412 && got.status != 400 {
					t.Errorf("%s with If-Match %.30s: answered %d %s", path, bad, got.status, got.body)
				}
			}
		}
	})
}
