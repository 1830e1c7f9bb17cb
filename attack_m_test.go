package keystone_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// M1, D6, I5: what is taken away on one node is gone on the other within a
// second, on every way in: API, introspection, refresh; JWT and opaque alike.
func TestAttackM1_ReachOnTheOtherNode(t *testing.T) {
	type held struct {
		user       keystonetest.User
		client     string
		jwt, other keystonetest.Tokens // through Keystone's client, and through one with opaque tokens
	}
	admin := func(s *keystonetest.Server, method, path string, body any) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if status := s.Call(method, path, s.Admin(), body, nil); status >= 300 {
				t.Fatalf("%s %s answered %d", method, path, status)
			}
		}
	}
	for _, c := range []struct {
		name   string
		do     func(*keystonetest.Server, held) func(*testing.T)
		jwt    bool // whether the token through Keystone's own client ends, too
		narrow bool // whether only the scope goes, and the token lives on
	}{
		{"user disabled", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "PATCH", "/api/v1/users/"+h.user.ID, m{"enabled": false})
		}, true, false},
		{"user deleted", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "DELETE", "/api/v1/users/"+h.user.ID, nil)
		}, true, false},
		{"sessions ended", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "DELETE", "/api/v1/users/"+h.user.ID+"/sessions", nil)
		}, true, false},
		{"password reset started", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "POST", "/api/v1/users/"+h.user.ID+"/password-reset", nil)
		}, true, false},
		{"client disabled", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "PATCH", "/api/v1/admin/clients/"+h.client, m{"enabled": false})
		}, false, false},
		{"client disabled and enabled", func(s *keystonetest.Server, h held) func(*testing.T) {
			return func(t *testing.T) {
				admin(s, "PATCH", "/api/v1/admin/clients/"+h.client, m{"enabled": false})(t)
				admin(s, "PATCH", "/api/v1/admin/clients/"+h.client, m{"enabled": true})(t)
			}
		}, false, false},
		{"client deleted", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "DELETE", "/api/v1/admin/clients/"+h.client, nil)
		}, false, false},
		{"role taken", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "PUT", "/api/v1/users/"+h.user.ID+"/roles", m{"roles": []string{"user"}})
		}, true, true},
		{"scope taken from the role", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "PATCH", "/api/v1/admin/roles/auditor", m{"scopes": []string{}})
		}, true, true},
		{"role deleted", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "DELETE", "/api/v1/admin/roles/auditor", nil)
		}, true, true},
		{"scope taken from the client", func(s *keystonetest.Server, h held) func(*testing.T) {
			return admin(s, "PATCH", "/api/v1/admin/clients/"+h.client, m{"scopes": []string{}})
		}, false, true},
		{"signed out", func(s *keystonetest.Server, h held) func(*testing.T) {
			return func(t *testing.T) {
				as(s, h.other.AccessToken).json(t, "POST", "/api/v1/auth/logout", nil).wants(t, 204, "sign out")
			}
		}, false, false},
		{"refresh token revoked", func(s *keystonetest.Server, h held) func(*testing.T) {
			return func(t *testing.T) {
				as(s, "").form(t, "/oauth2/revoke", "token", h.other.RefreshToken, "client_id", h.client).wants(t, 200, "revoke")
			}
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *keystonetest.Server) {
				node := s.AddNode()
				s.CreateRole("auditor", keystone.AuditRead)
				h := held{user: s.CreateUser("victim", "auditor", "user")}
				h.client = s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, FirstParty: true, AccessTokenFormat: keystone.FormatOpaque, Scopes: []string{keystone.AuditRead}}).ID
				watcher := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
				h.jwt = s.SignIn(h.user)
				s.Call(http.MethodPost, "/api/v1/auth/login", "", m{"username": "victim", "password": h.user.Password, "client_id": h.client}, &h.other)
				works := func(tok keystonetest.Tokens) (api, introspected bool) {
					path := "/api/v1/admin/audit?limit=1"
					in := as(node, "").form(t, "/oauth2/introspect", "token", tok.AccessToken, "client_id", watcher.ID, "client_secret", watcher.Secret)
					introspected, _ = in.fields["active"].(bool)
					if c.narrow && in.text("scope") == "" {
						introspected = false
					}
					return as(node, tok.AccessToken).json(t, "GET", path, nil).status == 200, introspected
				}
				for name, tok := range map[string]keystonetest.Tokens{"jwt": h.jwt, "opaque": h.other} {
					if api, introspected := works(tok); !api || !introspected { // and the caches of that node are warm
						t.Fatalf("%s does not work to begin with: %v %v", name, api, introspected)
					}
				}
				c.do(s, h)(t)
				ended := []keystonetest.Tokens{h.other}
				if c.jwt {
					ended = append(ended, h.jwt)
				}
				for _, tok := range ended {
					settles(t, "works on the other node", func() bool { api, introspected := works(tok); return !api && !introspected })
				}
				if !c.jwt {
					if api, introspected := works(h.jwt); !api || !introspected {
						t.Error("more ended than was taken away")
					}
				}
				client := h.client
				got := as(node, "").json(t, "POST", "/api/v1/auth/refresh", m{"refresh_token": h.other.RefreshToken, "client_id": client})
				if c.narrow && (got.status != 200 || got.text("scope") != "") || !c.narrow && got.status != 401 {
					t.Errorf("refresh answered %d %s", got.status, got.body)
				}
			})
		})
	}
}

// M4: a session that is ended while every cache holds it answers nobody any more: at
// once on the node that was told, within the second on the other, and by whatever it
// is asked; the session beside it goes on.
func TestAttackM4_EndedWhileCached(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *keystonetest.Server, id string, owner keystonetest.Tokens){
		"by its owner from another session": func(t *testing.T, s *keystonetest.Server, id string, other keystonetest.Tokens) {
			as(s, other.AccessToken).json(t, "DELETE", "/api/v1/users/me/sessions/"+id, nil).wants(t, 204, "end")
		},
		"all others by its owner": func(t *testing.T, s *keystonetest.Server, _ string, other keystonetest.Tokens) {
			as(s, other.AccessToken).json(t, "DELETE", "/api/v1/users/me/sessions", nil).wants(t, 204, "end")
		},
		"by an administrator": func(t *testing.T, s *keystonetest.Server, id string, _ keystonetest.Tokens) {
			as(s, s.Admin()).json(t, "DELETE", "/api/v1/admin/sessions/"+id, nil).wants(t, 204, "end")
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *keystonetest.Server) {
				nodes := []*keystonetest.Server{s, s.AddNode()}
				u, app := s.CreateUser("ended"), webClient(s)
				watcher := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
				other := s.SignIn(u)
				b := signedIn(t, s, u, app)
				_, web := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
				access := web["access_token"].(string)
				id := as(s, "").form(t, "/oauth2/introspect", "token", access, "client_id", app.ID, "client_secret", app.Secret).text("sid")
				works := func(node *keystonetest.Server) (ways []string) {
					if as(node, access).json(t, "GET", "/oauth2/userinfo", nil).status == 200 {
						ways = append(ways, "userinfo")
					}
					for _, c := range []keystonetest.Client{app, watcher} {
						if as(node, "").form(t, "/oauth2/introspect", "token", access, "client_id", c.ID, "client_secret", c.Secret).fields["active"] == true {
							ways = append(ways, "introspection")
						}
					}
					mine := *b
					mine.server = node
					mine.open(strings.Replace(authorizeURL(s, app, "prompt", "none"), s.URL, node.URL, 1))
					if mine.page.url.Query().Get("code") != "" {
						ways = append(ways, "the browser")
					}
					return ways
				}
				for range 3 {
					for _, node := range nodes {
						if got := works(node); len(got) != 4 {
							t.Fatalf("before: only %v", got)
						}
					}
				}
				end(t, s, id, other)
				if got := works(s); len(got) > 0 {
					t.Errorf("on the node that ended it, at once: %v", got)
				}
				settles(t, "works on the other node", func() bool { return len(works(nodes[1])) == 0 })
				if status, got := refreshed(t, nodes[1], app, web["refresh_token"]); got["error"] != "invalid_grant" {
					t.Errorf("its refresh token: %d %v", status, got)
				}
				for _, node := range nodes {
					as(node, other.AccessToken).json(t, "GET", "/api/v1/users/me", nil).wants(t, 200, "the session beside it")
				}
			})
		})
	}
}

// M5: nothing that carries news between nodes can be cut, because there is nothing:
// with Redis away a node learns of every end within the second, of a key that was
// revoked too; with the database away as well it says that it does not know, rather
// than what it knew.
func TestAttackM5_NothingIsRememberedForLong(t *testing.T) {
	redis := os.Getenv("TEST_REDIS_URL")
	if redis == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TEST_REDIS_URL is not set; run the tests with scripts/test.sh")
		}
		t.Skip("TEST_REDIS_URL is not set; scripts/test.sh starts one")
	}
	direct := storetest.PostgresURL(t)
	counters, redis := newWire(t, redis)
	data, database := newWire(t, direct)
	s := keystonetest.Start(t, keystonetest.WithPostgres(direct), keystonetest.WithRedis(redis))
	far := s.AddNode(keystonetest.WithPostgres(database))
	watcher := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
	opaque := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, FirstParty: true, AccessTokenFormat: keystone.FormatOpaque, Scopes: []string{"openid"}})
	signIn := func(u keystonetest.User) map[string]string {
		var stored keystonetest.Tokens
		s.Call(http.MethodPost, "/api/v1/auth/login", "", m{"username": u.Username, "password": u.Password, "client_id": opaque.ID}, &stored)
		return map[string]string{"jwt": s.SignIn(u).AccessToken, "opaque": stored.AccessToken}
	}
	ask := func(token string) answer {
		return as(far, "").form(t, "/oauth2/introspect", "token", token, "client_id", watcher.ID, "client_secret", watcher.Secret)
	}
	active := func(token string) bool { return ask(token).fields["active"] == true }
	warm := func(tokens map[string]string) {
		t.Helper()
		for name, token := range tokens {
			if !active(token) {
				t.Fatalf("%s does not work to begin with", name)
			}
		}
	}
	keys := func() string { return as(far, "").json(t, "GET", "/oauth2/jwks", nil).body }

	first, second := s.CreateUser("first"), s.CreateUser("second")
	counters.cut.Store(true)
	counters.drop()
	tokens := signIn(first)
	warm(tokens)
	as(s, s.Admin()).json(t, "PATCH", "/api/v1/users/"+first.ID, m{"enabled": false}).wants(t, 200, "disable")
	for name, token := range tokens {
		settles(t, name+" is active without Redis", func() bool { return !active(token) })
	}

	tokens = signIn(second)
	warm(tokens)
	data.cut.Store(true)
	data.drop()
	as(s, s.Admin()).json(t, "PATCH", "/api/v1/users/"+second.ID, m{"enabled": false}).wants(t, 200, "disable behind its back")
	time.Sleep(1100 * time.Millisecond)
	for name, token := range tokens {
		if got := ask(token); got.status != 503 || got.header.Get("Retry-After") == "" || strings.Contains(got.body, `"active":true`) {
			t.Errorf("%s, with the database away: %d %s", name, got.status, got.body)
		}
		if got := as(far, token).json(t, "GET", "/oauth2/userinfo", nil); got.status == 200 {
			t.Errorf("%s opens userinfo with the database away: %s", name, got.body)
		}
	}
	data.cut.Store(false)
	for name, token := range tokens {
		recovers(t, name, func() bool { got := ask(token); return got.status == 200 && got.fields["active"] == false })
	}

	kid := kidOf(t, s.SignIn(s.CreateUser("third")).AccessToken)
	if !strings.Contains(keys(), kid) {
		t.Fatal("the key is not published")
	}
	as(s, s.Admin()).json(t, "DELETE", "/api/v1/admin/keys/"+kid, nil).wants(t, 204, "revoke the key")
	settles(t, "the revoked key is published", func() bool { return !strings.Contains(keys(), kid) })
}

// recovers is settles for a node whose database has just come back: two seconds.
func recovers(t *testing.T, what string, good func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); !good(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%s: not well again after its database is back", what)
			return
		}
	}
}
