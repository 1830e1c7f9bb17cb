package keystone_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestS1_ClientsSpeakForPeople: whoever writes clients can make none, change none and
// get no secret of one that is a person whom they could not manage themselves; and
// what acts for a person through another client manages no more than its token holds.
func TestS1_ClientsSpeakForPeople(t *testing.T) {
	k := newClientKey(t, "ES256", "k1")
	p := newPlatform(t, k)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateRole("clerk", keystone.ClientsRead, keystone.ClientsWrite)
		s.CreateRole("support", keystone.ClientsRead, keystone.ClientsWrite, keystone.UsersRead, keystone.UsersWrite)
		bob, carl, jane, root := s.CreateUser("bob", "clerk"), s.CreateUser("carl", "support"), s.CreateUser("jane"), s.CreateUser("root", keystone.RoleAdmin)
		clerk, support, admin := s.SignIn(bob).AccessToken, s.SignIn(carl).AccessToken, s.Admin()
		app := s.CreateClient(keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{"https://app.example/cb"}})

		anybody := m{"jwt_bearer": []m{{"issuer": p.issuer, "subject_is_user_id": true}}}
		only := func(u keystonetest.User) m {
			return m{"jwt_bearer": []m{{"issuer": p.issuer, "users": []m{{"subject": "x", "user_id": u.ID}}}}}
		}
		exchange := m{"token_exchange": []m{{"client_id": app.ID, "mode": "impersonation"}}}
		for name, test := range map[string]struct {
			setting                m
			clerk, support, admins int
		}{
			"anybody by id":    {anybody, 403, 403, 201},
			"an administrator": {only(root), 403, 403, 201},
			"a user":           {only(jane), 403, 201, 201},
			"oneself":          {only(carl), 403, 201, 201},
			"exchange":         {exchange, 403, 201, 201},
			"nothing of that":  {m{}, 201, 201, 201},
		} {
			body := m{"name": "n", "kind": "service", "grants": []string{jwtBearer, keystone.GrantTokenExchange}, "scopes": []string{"openid", "profile"}}
			for field, value := range test.setting {
				body[field] = value
			}
			for who, one := range map[string]struct {
				token string
				want  int
			}{"clerk": {clerk, test.clerk}, "support": {support, test.support}, "admin": {admin, test.admins}} {
				var made, plain map[string]any
				if got := s.Call(http.MethodPost, "/api/v1/admin/clients", one.token, body, &made); got != one.want {
					t.Errorf("%s: %s creates it: %d %v", name, who, got, made)
				}
				if got := s.Call(http.MethodPost, "/api/v1/admin/clients", one.token, m{"name": "n", "kind": "service", "grants": body["grants"], "scopes": body["scopes"]}, &plain); got != 201 {
					t.Fatalf("%s creates a client: %d %v", who, got, plain)
				}
				want := one.want
				if want == 201 {
					want = 200
				}
				if got := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+plain["id"].(string), one.token, test.setting, nil); got != want {
					t.Errorf("%s: %s changes a client to it: %d", name, who, got)
				}
			}
			// Whoever may not make such a client gets neither its secret nor a key of their own into it.
			var made map[string]any
			if got := s.Call(http.MethodPost, "/api/v1/admin/clients", admin, body, &made); got != 201 {
				t.Fatal(got, made)
			}
			for who, one := range map[string]struct {
				token string
				may   bool
			}{"clerk": {clerk, test.clerk == 201}, "support": {support, test.support == 201}} {
				id := "/api/v1/admin/clients/" + made["id"].(string)
				for what, got := range map[string]int{
					"rotates the secret": s.Call(http.MethodPost, id+"/secret", one.token, m{}, nil),
					"changes the name":   s.Call(http.MethodPatch, id, one.token, m{"name": "other"}, nil),
				} {
					if (got < 300) != one.may || !one.may && got != 403 {
						t.Errorf("%s: %s %s: %d", name, who, what, got)
					}
				}
			}
		}

		// A first-party client acts for whoever signs in, administrators too, and nobody
		// is asked: users:write is not enough.
		spa := m{"name": "n", "kind": "spa", "redirect_uris": []string{"https://evil.example/cb"}, "first_party": true}
		for who, one := range map[string]struct {
			token string
			want  int
		}{"clerk": {clerk, 403}, "support": {support, 403}, "admin": {admin, 201}} {
			if got := s.Call(http.MethodPost, "/api/v1/admin/clients", one.token, spa, nil); got != one.want {
				t.Errorf("first-party: %s creates it: %d", who, got)
			}
		}

		// The operator gives such a client users:write: it still does not manage the
		// person whose token it has, who holds more than the token does.
		c := bearerClient(s, keystone.AssertionIssuer{Issuer: p.issuer, SubjectIsUserID: true}, func(c *keystone.Client) { c.Scopes = []string{keystone.UsersRead, keystone.UsersWrite} })
		status, tokens := postForm(t, s, "/oauth2/token", bearerForm(c, k.sign(t, "JWT", p.vouched(s, root.ID))))
		raw, _ := tokens["access_token"].(string)
		if status != 200 {
			t.Fatal(status, tokens)
		}
		for name, got := range map[string]int{
			"disables":      s.Call(http.MethodPatch, "/api/v1/users/"+root.ID, raw, m{"enabled": false}, nil),
			"renames":       s.Call(http.MethodPatch, "/api/v1/users/"+root.ID, raw, m{"username": "other"}, nil),
			"ends sessions": s.Call(http.MethodDelete, "/api/v1/users/"+root.ID+"/sessions", raw, nil, nil),
		} {
			if got != 403 {
				t.Errorf("as an administrator whose token holds users:write alone: %s: %d", name, got)
			}
		}
		if got := s.Call(http.MethodPatch, "/api/v1/users/"+jane.ID, raw, m{"first_name": "Jane"}, nil); got != 200 {
			t.Errorf("somebody who holds nothing more: %d", got)
		}
		if got := s.Call(http.MethodPatch, "/api/v1/users/"+root.ID, s.SignIn(root).AccessToken, m{"first_name": "Root"}, nil); got != 200 {
			t.Errorf("oneself, through Keystone's own client: %d", got)
		}
	}, p.option)
}

// TestS7_SPAOrigins: scripts of an enabled spa client's own origins may read what
// they need, without credentials and nothing else; of no other client's.
func TestS7_SPAOrigins(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		spa := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, RedirectURIs: []string{"https://SPA.example:443/cb", "https://two.example:8443/x", "http://localhost:5173/cb"}})
		s.CreateClient(keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{"https://web.example/cb"}})
		s.CreateClient(keystone.Client{Kind: keystone.ClientNative, RedirectURIs: []string{"https://native.example/cb", "com.example.app:/cb"}})
		readable := func(method, path, origin string) string {
			got := as(s, "").with("Origin", origin).with("Access-Control-Request-Method", "POST").json(t, method, path, nil)
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s for %s: with credentials", method, path, origin)
			}
			if got.header.Get("Vary") == "" {
				t.Errorf("%s %s: no Vary", method, path)
			}
			return got.header.Get("Access-Control-Allow-Origin")
		}
		for _, method := range []string{"GET", "OPTIONS"} {
			for _, path := range []string{"/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/jwks", "/.well-known/openid-configuration"} {
				for _, origin := range []string{"https://spa.example", "https://two.example:8443", "http://localhost:5173"} {
					if got := readable(method, path, origin); got != origin {
						t.Errorf("%s %s for %s: %q", method, path, origin, got)
					}
				}
				for _, origin := range []string{"null", "*", "https://web.example", "https://native.example", "com.example.app://", "https://evil.example", "https://spa.example.evil.example", "https://evilspa.example",
					"https://spa.example:8443", "https://two.example", "http://spa.example", "https://SPA.example", "https://spa.example/", "http://localhost:5174", "http://localhost", strings.Repeat("x", 5000)} {
					if got := readable(method, path, origin); got != "" {
						t.Errorf("%s %s for %.50s: %q", method, path, origin, got)
					}
				}
			}
			for _, path := range []string{"/oauth2/introspect", "/oauth2/par", "/api/v1/admin/clients", "/api/v1/users/me", "/api/v1/auth/login", "/openapi.json"} {
				if got := readable(method, path, "https://spa.example"); got != "" {
					t.Errorf("%s %s: %q", method, path, got)
				}
			}
		}
		if got := as(s, "").with("Origin", "https://spa.example").json(t, "GET", "/oauth2/authorize", nil); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("the authorization endpoint")
		}
		// A form of the application's page is not Keystone's own.
		if got := as(s, "").with("Origin", "https://spa.example").json(t, "POST", "/login", nil); got.status != 403 {
			t.Errorf("a form for the sign-in page: %d", got.status)
		}
		// Switched off, it has no origins.
		if got := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+spa.ID, s.Admin(), m{"enabled": false}, nil); got != 200 {
			t.Fatal(got)
		}
		if got := readable("GET", "/oauth2/jwks", "https://spa.example"); got != "" {
			t.Errorf("switched off: %q", got)
		}
	})
}

// TestS12_OnePolicy: a password made of the account's names, or of the service's, is
// refused wherever one is chosen.
func TestS12_OnePolicy(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for i, bad := range []string{"BartholomewFeatherstone", "Crimson-Harbour-1", "featherstone2026", "bart1@example.com"} {
			person := func(n string) m {
				return m{"username": "bart" + n, "email": "bart" + n + "@example.com", "first_name": "Bartholomew", "last_name": "Featherstone", "password": bad}
			}
			if got := s.Call(http.MethodPost, "/api/v1/users", s.Admin(), person("1"), nil); got != 400 {
				t.Errorf("create with %s: %d", bad, got)
			}
			if got := s.Call(http.MethodPost, "/api/v1/auth/register", "", person("1"), nil); got != 400 {
				t.Errorf("register with %s: %d", bad, got)
			}
			good := person(strconv.Itoa(i + 1))
			good["password"] = "a good password for tests"
			var u map[string]any
			if got := s.Call(http.MethodPost, "/api/v1/users", s.Admin(), good, &u); got != 201 {
				t.Fatal(got, u)
			}
			if i < 3 {
				bad = strings.Replace(bad, "bart1", "bart"+strconv.Itoa(i+1), 1)
			} else {
				bad = "bart4@example.com"
			}
			token := s.SignIn(keystonetest.User{Username: good["username"].(string), Password: good["password"].(string)}).AccessToken
			if got := s.Call(http.MethodPost, "/api/v1/users/me/password", token, m{"current_password": good["password"], "new_password": bad}, nil); got != 400 {
				t.Errorf("change to %s: %d", bad, got)
			}
			var reset map[string]any
			if got := s.Call(http.MethodPost, "/api/v1/users/"+u["id"].(string)+"/password-reset", s.Admin(), nil, &reset); got != 200 {
				t.Fatal(got, reset)
			}
			link, _ := url.Parse(reset["reset_url"].(string))
			if got := s.Call(http.MethodPost, "/api/v1/auth/reset-password", "", m{"token": link.Query().Get("token"), "password": bad}, nil); got != 400 {
				t.Errorf("reset to %s: %d", bad, got)
			}
			if got := s.Call(http.MethodPost, "/api/v1/auth/reset-password", "", m{"token": link.Query().Get("token"), "password": "another good one for tests"}, nil); got != 204 {
				t.Errorf("the link is used up by a refused password: %d", got)
			}
		}
	}, inSettings("APP_NAME", "Crimson Harbour", "REGISTRATION", "open"))
}
