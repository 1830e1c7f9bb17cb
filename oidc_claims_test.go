package keystone_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestClaimsByName: claims that are asked for by name come where they were asked
// for, after the person allowed them, and open nothing else (OpenID Connect Core
// section 5.5).
func TestClaimsByName(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		s.Call(http.MethodPatch, "/api/v1/users/"+jane.ID, s.Admin(), map[string]any{"first_name": "Jane", "last_name": "Doe"}, nil)
		app, narrow := webClient(s), webClient(s, "openid", "offline_access")
		wish := []string{"scope", "openid offline_access", "claims", `{"userinfo":{"name":null,"x":null,"auth_time":null},"id_token":{"email":{"essential":true},"sub":null}}`}
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, wish...))
		b.signIn(jane)
		for _, scope := range []string{"profile", "email"} {
			if !strings.Contains(b.page.body, scope) {
				t.Errorf("the person is not asked for %s:\n%s", scope, b.page.body)
			}
		}
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, app, b.answer().Get("code"))
		if tokens["scope"] != "offline_access openid" {
			t.Errorf("scope: %v", tokens["scope"])
		}
		if id := idClaims(t, tokens["id_token"]); id["email"] != jane.Email || id["name"] != nil {
			t.Errorf("ID token: %v", id)
		}
		info := func(tokens map[string]any) map[string]any {
			var info map[string]any
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, &info); status != http.StatusOK {
				t.Errorf("userinfo: %d", status)
			}
			return info
		}
		if got := info(tokens); got["name"] != "Jane Doe" || got["email"] != nil || got["given_name"] != nil {
			t.Errorf("userinfo: %v", got)
		}
		status, fresh := postForm(t, s, tokenPath, credentials(app, "grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)))
		if got := info(fresh); status != http.StatusOK || got["name"] != "Jane Doe" || got["email"] != nil {
			t.Errorf("after a refresh: %d %v", status, got)
		}
		b.open(authorizeURL(s, app, append(wish, "prompt", "none")...))
		if b.answer().Get("code") == "" {
			t.Errorf("asked again: %s", b.page.url)
		}
		b.open(authorizeURL(s, app, "scope", "openid"))
		if _, tokens := redeem(t, s, app, b.answer().Get("code")); info(tokens)["name"] != nil {
			t.Error("the claims of one request come with another")
		}

		b.open(authorizeURL(s, narrow, wish...))
		b.submit(map[string]string{"decision": "allow"})
		_, tokens = redeem(t, s, narrow, b.answer().Get("code"))
		if id, got := idClaims(t, tokens["id_token"]), info(tokens); id["email"] != nil || got["name"] != nil {
			t.Errorf("a client without the scopes: %v %v", id, got)
		}

		third := webClient(s)
		b.open(authorizeURL(s, third, "scope", "openid"))
		b.submit(map[string]string{"decision": "allow"})
		b.answer()
		b.open(authorizeURL(s, third, append(wish, "prompt", "none")...))
		if got := b.answer(); got.Get("error") != "consent_required" {
			t.Errorf("claims without consent: %v", got)
		}
		b.open(authorizeURL(s, third, wish...))
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "deny"})
		if got := b.answer(); got.Get("error") != "access_denied" {
			t.Errorf("denied: %v", got)
		}

		for _, claims := range []string{`{"userinfo":[]}`, `{"userinfo":{"name":1}}`, `[]`, `"x"`} {
			b.open(authorizeURL(s, app, "claims", claims))
			if got := b.answer(); got.Get("error") != "invalid_request" {
				t.Errorf("%s: %v", claims, got)
			}
		}
	})
}

// TestInitiate: the browser goes to the registered address and nowhere else
// (oidcc-3rd_party-init-login, oidcc-3rd_party-init-login-nohttps).
func TestInitiate(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS(), registering("token"))
	app := s.CreateClient(keystone.Client{Name: "App", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid"},
		ClientSettings: keystone.ClientSettings{InitiateLoginURI: "https://app.example/login?x=1"}})
	b := newBrowser(t, s)
	b.open(s.URL + "/oauth2/initiate?" + url.Values{"client_id": {app.ID}, "login_hint": {"jane@example.com"}, "target_link_uri": {"https://evil.example/"}, "iss": {"https://evil.example"}}.Encode())
	if got := b.page.url.Query(); b.page.status != http.StatusSeeOther || b.page.url.Host+b.page.url.Path != "app.example/login" || got.Get("iss") != s.Issuer || got.Get("login_hint") != "jane@example.com" || got.Get("x") != "1" || len(got) != 3 {
		t.Errorf("%d %s", b.page.status, b.page.url)
	}
	for _, bad := range []string{"", "?client_id=x", "?client_id=" + webClient(s).ID, "?client_id=" + app.ID + "&client_id=" + app.ID} {
		b.open(s.URL + "/oauth2/initiate" + bad)
		if b.page.status < 400 || b.page.header.Get("Location") != "" {
			t.Errorf("%s: %d", bad, b.page.status)
		}
	}
	for _, uri := range []string{"http://app.example/login", "http://127.0.0.1/login", "javascript:alert(1)", "https://app.example/#x", "https://u@app.example/", "x"} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+app.ID, s.Admin(), map[string]any{"initiate_login_uri": uri}, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", uri, status)
		}
	}
	// A client that registered itself has one where somebody vouches for it.
	initial := initialToken(t, s, m{"uses": 2, "scopes": []string{"openid"}}).text("registration_token")
	reg := registers(t, s, initial, "initiate_login_uri", "https://app.example/begin")
	reg.wants(t, http.StatusCreated, "with an initial access token")
	b.open(s.URL + "/oauth2/initiate?client_id=" + reg.client().ID)
	if b.page.url.Host+b.page.url.Path != "app.example/begin" {
		t.Errorf("%d %s", b.page.status, b.page.url)
	}
	registers(t, s, initial, "initiate_login_uri", "http://app.example/begin").wants(t, http.StatusBadRequest, "oidcc-3rd_party-init-login-nohttps")

	s.Call(http.MethodPatch, "/api/v1/admin/clients/"+app.ID, s.Admin(), map[string]any{"enabled": false}, nil)
	s.Clock.Move(2 * time.Second)
	b.open(s.URL + "/oauth2/initiate?client_id=" + app.ID)
	if b.page.status < 400 {
		t.Errorf("a client that is off: %d", b.page.status)
	}
}

// TestHintOfAnother: whoever is signed in is told why that is not enough, and not
// whom the application means (OpenID Connect Core section 3.1.2.1).
func TestHintOfAnother(t *testing.T) {
	s := keystonetest.Start(t)
	jane, joe, app := s.CreateUser("jane"), s.CreateUser("joe"), webClient(s)
	b := signedIn(t, s, jane, app)
	_, tokens := redeem(t, s, app, b.code(app))
	b = signedIn(t, s, joe, app)
	b.open(authorizeURL(s, app, "id_token_hint", tokens["id_token"].(string)))
	b.at("why")
	b.at("password")
	if !strings.Contains(b.page.body, "joe") || strings.Contains(b.page.body, "jane") {
		t.Errorf("%s", b.page.body)
	}
	b.signIn(joe) // the wrong one again
	b.at("why")
	b.signIn(jane)
	if b.answer().Get("code") == "" {
		t.Errorf("%s", b.page.url)
	}
	b.open(authorizeURL(s, app, "prompt", "login"))
	if strings.Contains(b.page.body, `id="why"`) {
		t.Error("a reason where there is none")
	}
}
