package keystone_test

import (
	"net/http"
	"testing"

	"github.com/keystone-auth/keystone"
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
			eachAttacked(t, func(t *testing.T, s *keystonetest.Server) {
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
