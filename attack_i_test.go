package keystone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// I11: another password ends whatever the old one had opened, on every node: other
// sessions of the API, browsers, refresh tokens, access tokens, what a device and an
// application hold. Whoever changes it themselves keeps the session in which they
// did, and nobody else loses anything.
func TestAttackI11_AnotherPasswordEndsTheRest(t *testing.T) {
	const chosen = "the new one of its owner"
	for name, change := range map[string]func(t *testing.T, s *keystonetest.Server, u keystonetest.User, own keystonetest.Tokens){
		"changed by its owner": func(t *testing.T, s *keystonetest.Server, u keystonetest.User, own keystonetest.Tokens) {
			as(s, own.AccessToken).json(t, "POST", "/api/v1/users/me/password", m{"current_password": u.Password, "new_password": chosen}).wants(t, 204, "change")
		},
		"reset by the page": func(t *testing.T, s *keystonetest.Server, u keystonetest.User, _ keystonetest.Tokens) {
			as(s, "").form(t, "/reset", "token", resetToken(t, s, u), "password", chosen).wants(t, 200, "reset")
		},
		"reset by the API": func(t *testing.T, s *keystonetest.Server, u keystonetest.User, _ keystonetest.Tokens) {
			as(s, "").json(t, "POST", "/api/v1/auth/reset-password", m{"token": resetToken(t, s, u), "password": chosen}).wants(t, 204, "reset")
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *keystonetest.Server) {
				node := s.AddNode()
				jane, john, app, tv := s.CreateUser("jane"), s.CreateUser("john"), webClient(s), deviceClient(s)
				opaque := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, FirstParty: true, AccessTokenFormat: keystone.FormatOpaque, Scopes: []string{"openid"}})
				own, thief, bystander := s.SignIn(jane), s.SignIn(jane), s.SignIn(john)
				var stored keystonetest.Tokens
				s.Call(http.MethodPost, "/api/v1/auth/login", "", m{"username": "jane", "password": jane.Password, "client_id": opaque.ID}, &stored)
				b, others := signedIn(t, s, jane, app), signedIn(t, s, john, app)
				_, web := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
				d := startDevice(t, s, tv, "openid offline_access")
				d.allow(newBrowser(t, s), jane)
				_, television := d.poll(s)
				access := map[string]string{"another session": thief.AccessToken, "an opaque token": stored.AccessToken, "an application": web["access_token"].(string), "a device": television["access_token"].(string)}
				path := func(what string) string {
					if what == "another session" {
						return "/api/v1/users/me"
					}
					return "/oauth2/userinfo"
				}
				for what, token := range access { // and the caches of the other node are warm
					as(node, token).json(t, "GET", path(what), nil).wants(t, 200, "%s before", what)
				}

				change(t, s, jane, own)
				for what, token := range access {
					settles(t, what+" works", func() bool { return as(node, token).json(t, "GET", path(what), nil).status == 401 })
				}
				for what, got := range map[string]answer{
					"another session": refresh(t, node, thief.RefreshToken), "an opaque token": refresh(t, node, stored.RefreshToken, "client_id", opaque.ID),
				} {
					got.wants(t, 401, "the refresh token of %s", what)
				}
				for what, got := range map[string]func() (int, map[string]any){
					"an application": func() (int, map[string]any) { return refreshed(t, node, app, web["refresh_token"]) },
					"a device":       func() (int, map[string]any) { return refreshed(t, node, tv, television["refresh_token"]) },
				} {
					if status, answer := got(); answer["error"] != "invalid_grant" {
						t.Errorf("the refresh token of %s: %d %v", what, status, answer)
					}
				}
				b.open(authorizeURL(s, app, "prompt", "none"))
				if got := b.answer(); got.Get("error") != "login_required" {
					t.Errorf("the browser is still signed in: %v", got)
				}
				as(node, bystander.AccessToken).json(t, "GET", "/api/v1/users/me", nil).wants(t, 200, "somebody else")
				others.code(app)
				kept := 401
				if strings.HasPrefix(name, "changed") {
					kept = 200
				}
				as(node, own.AccessToken).json(t, "GET", "/api/v1/users/me", nil).wants(t, kept, "the session of its owner")
				refresh(t, node, own.RefreshToken).wants(t, kept, "and its refresh token")
				as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "jane", "password": jane.Password}).wants(t, 401, "the old password")
				as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "jane", "password": chosen}).wants(t, 200, "the new one")
			})
		})
	}
}

// resetToken is what the link has that an administrator makes for a user.
func resetToken(t *testing.T, s *keystonetest.Server, u keystonetest.User) string {
	t.Helper()
	link := as(s, s.Admin()).json(t, "POST", "/api/v1/users/"+u.ID+"/password-reset", nil)
	_, value, ok := strings.Cut(link.text("reset_url"), "token=")
	if !ok {
		t.Fatalf("no reset link: %d %s", link.status, link.body)
	}
	return value
}
