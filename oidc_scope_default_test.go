package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestScopesOfNewClients: who makes a client for people and says nothing of scopes gets
// one with which people sign in. What is said holds, and changes add nothing.
func TestScopesOfNewClients(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const people = "[email offline_access openid profile]"
		s.CreateScope("orders:read")
		s.CreateRole("clerks", keystone.ClientsWrite, keystone.ClientsRead)
		clerk := s.CreateUser("clerk", "clerks") // nobody needs more for it
		token := s.SignIn(clerk).AccessToken
		for _, test := range []struct {
			kind   string
			scopes any // left out where it is nil
			want   string
		}{
			{"web", nil, people},
			{"spa", nil, people},
			{"native", nil, people},
			{"service", nil, "[]"},
			{"web", []string{}, "[]"},
			{"spa", []string{"openid"}, "[openid]"},
		} {
			body := map[string]any{"name": "New", "kind": test.kind}
			if test.kind != "service" {
				body["redirect_uris"] = []string{callback}
			}
			if test.scopes != nil {
				body["scopes"] = test.scopes
			}
			var made struct {
				ClientID string `json:"client_id"`
				Scopes   []string
			}
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", token, body, &made); status != http.StatusCreated || fmt.Sprint(made.Scopes) != test.want {
				t.Errorf("%s %v: %d %v", test.kind, test.scopes, status, made.Scopes)
			}
			if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+made.ClientID, token, map[string]any{"name": "Renamed"}, &made); status != http.StatusOK || fmt.Sprint(made.Scopes) != test.want {
				t.Errorf("%s %v, changed: %d %v", test.kind, test.scopes, status, made.Scopes)
			}
			if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+made.ClientID, token, map[string]any{"scopes": []string{}}, &made); status != http.StatusOK || len(made.Scopes) != 0 {
				t.Errorf("%s %v, emptied: %d %v", test.kind, test.scopes, status, made.Scopes)
			}
		}
		// As a newcomer does it: made with a name, a kind and a redirect URI, people can sign in.
		app := s.CreateClient(keystone.Client{Name: "Newcomer", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}})
		b := signedIn(t, s, clerk, app)
		if _, tokens := redeem(t, s, app, b.code(app, "scope", "openid profile email offline_access")); tokens["id_token"] == nil || tokens["refresh_token"] == nil {
			t.Errorf("%v", tokens)
		}
	})
}

// TestOpenIDNotForClient: whoever asks for openid without being registered for it is
// told what to do, by every way, in place of waiting for an ID token; what else is not
// the client's is left out.
func TestOpenIDNotForClient(t *testing.T) {
	const say = "not registered for the scope openid"
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read")
		s.CreateRole("clerk", "orders:read")
		jane := s.CreateUser("jane", "clerk")
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"orders:read"},
			Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantDeviceCode, keystone.GrantCIBA}})
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid orders:read"))
		if got := b.answer(); got.Get("error") != "invalid_scope" || got.Get("state") != "st" || !strings.Contains(got.Get("error_description"), say) {
			t.Errorf("authorize: %v", got)
		}
		request := url.Values{"redirect_uri": {callback}, "response_type": {"code"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "login_hint": {"jane"}}
		for _, path := range []string{"/oauth2/par", "/oauth2/device_authorization", "/oauth2/bc-authorize"} {
			form := credentials(app, "scope", "orders:read openid")
			for name, values := range request {
				form[name] = values
			}
			if status, answer := postForm(t, s, path, form); status != http.StatusBadRequest || answer["error"] != "invalid_scope" || !strings.Contains(answer["error_description"].(string), say) {
				t.Errorf("%s: %d %v", path, status, answer)
			}
		}
		b.open(authorizeURL(s, app, "scope", "orders:read profile unknown:scope"))
		b.signIn(jane)
		b.submit(map[string]string{"decision": "allow"})
		if _, tokens := redeem(t, s, app, b.answer().Get("code")); tokens["scope"] != "orders:read" || tokens["id_token"] != nil {
			t.Errorf("others are left out: %v", tokens)
		}
	})
}
