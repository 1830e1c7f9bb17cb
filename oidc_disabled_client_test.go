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

// TestDisabledClient goes with a client that is switched off to every endpoint that
// takes the name of one: it gets no tokens, no answers about them and no browsers,
// and what it was given is worth nothing (D6, P3).
func TestDisabledClient(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		made := func(kind keystone.ClientKind, grants ...string) keystonetest.Client {
			c := keystone.Client{Name: "Orders", Kind: kind, RedirectURIs: []string{callback}, PostLogoutURIs: []string{bye}, Grants: grants,
				Scopes: []string{"openid", "profile", "email", "offline_access"}, ClientSettings: keystone.ClientSettings{InitiateLoginURI: "https://app.example/begin"}}
			c.FrontchannelLogoutURI = "https://app.example/out"
			return s.CreateClient(c)
		}
		app := made(keystone.ClientWeb, keystone.GrantAuthorizationCode, keystone.GrantRefreshToken, keystone.GrantClientCredentials, keystone.GrantDeviceCode, keystone.GrantCIBA)
		public := made(keystone.ClientSPA)
		other := s.CreateClient(keystone.Client{Name: "API", Kind: keystone.ClientService, ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})

		b := signedIn(t, s, jane, app)
		_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
		access, hint := tokens["access_token"].(string), tokens["id_token"].(string)
		pb := signedIn(t, s, jane, public)
		_, publics := redeem(t, s, public, pb.code(public, "scope", "openid offline_access"))
		code := b.code(app)
		_, pushed := postForm(t, s, "/oauth2/par", credentials(app, "redirect_uri", callback, "response_type", "code", "scope", "openid", "code_challenge", challenge(), "code_challenge_method", "S256"))
		_, device := postForm(t, s, "/oauth2/device_authorization", credentials(app, "scope", "openid"))
		_, back := postForm(t, s, "/oauth2/bc-authorize", credentials(app, "scope", "openid", "login_hint", "jane"))
		flow := newBrowser(t, s)
		flow.open(authorizeURL(s, app)) // somebody stands at the sign-in page
		flow.at("password")
		asked := newBrowser(t, s)
		asked.open(authorizeURL(s, app, "prompt", "consent"))
		asked.signIn(jane)
		asked.at("consent-allow")

		for _, c := range []keystonetest.Client{app, public} {
			if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"enabled": false}, nil); status != http.StatusOK {
				t.Fatal(status)
			}
		}
		s.Clock.Move(time.Second)

		for what, form := range map[string]url.Values{
			"/oauth2/token code":                  credentials(app, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier),
			"/oauth2/token refresh":               credentials(app, "grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)),
			"/oauth2/token refresh of a public":   {"client_id": {public.ID}, "grant_type": {"refresh_token"}, "refresh_token": {publics["refresh_token"].(string)}},
			"/oauth2/token client_credentials":    credentials(app, "grant_type", "client_credentials"),
			"/oauth2/token device":                credentials(app, "grant_type", keystone.GrantDeviceCode, "device_code", device["device_code"].(string)),
			"/oauth2/token ciba":                  credentials(app, "grant_type", keystone.GrantCIBA, "auth_req_id", back["auth_req_id"].(string)),
			"/oauth2/par":                         credentials(app, "redirect_uri", callback, "response_type", "code"),
			"/oauth2/device_authorization":        credentials(app, "scope", "openid"),
			"/oauth2/bc-authorize":                credentials(app, "scope", "openid", "login_hint", "jane"),
			"/oauth2/introspect":                  credentials(app, "token", access),
			"/oauth2/revoke":                      credentials(app, "token", access),
			"/oauth2/revoke of a public":          {"client_id": {public.ID}, "token": {publics["refresh_token"].(string)}},
			"/oauth2/device_authorization public": {"client_id": {public.ID}},
		} {
			path, _, _ := strings.Cut(what, " ")
			if status, answer := postForm(t, s, path, form); status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
				t.Errorf("%s: %d %v", what, status, answer)
			}
		}
		for path, body := range map[string]map[string]any{
			"/api/v1/auth/token":   {"client_id": app.ID, "client_secret": app.Secret},
			"/api/v1/auth/refresh": {"client_id": public.ID, "refresh_token": publics["refresh_token"]},
			"/api/v1/auth/revoke":  {"client_id": public.ID, "token": publics["refresh_token"]},
		} {
			if status := s.Call(http.MethodPost, path, "", body, nil); status != http.StatusUnauthorized {
				t.Errorf("%s: %d", path, status)
			}
		}
		for _, path := range []string{"/oauth2/userinfo", "/api/v1/users/me"} {
			if status := s.Call(http.MethodGet, path, access, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("%s with its token: %d", path, status)
			}
		}
		for _, token := range []string{access, publics["access_token"].(string)} {
			if _, seen := postForm(t, s, "/oauth2/introspect", credentials(other, "token", token)); len(seen) != 1 || seen["active"] != false {
				t.Errorf("its token, introspected by another: %v", seen)
			}
		}

		// Browsers stay here.
		for what, address := range map[string]string{
			"authorize": authorizeURL(s, app), "authorize with prompt=none": authorizeURL(s, app, "prompt", "none"), "a public one": authorizeURL(s, public, "prompt", "none"),
			"pushed":                  s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed["request_uri"].(string)}}.Encode(),
			"initiate":                s.URL + "/oauth2/initiate?client_id=" + app.ID,
			"logout with its address": logoutURL(s, hint), "logout by name": s.URL + "/oauth2/logout?" + url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {bye}}.Encode(),
			"the device's code": s.URL + "/device?user_code=" + device["user_code"].(string),
		} {
			b.open(address)
			if b.page.url.Host == "app.example" {
				t.Errorf("%s: the browser is sent to %s", what, b.page.url)
			}
			if b.page.status != http.StatusBadRequest && what != "the device's code" {
				t.Errorf("%s: %d", what, b.page.status)
			}
		}
		b.open(s.URL + "/device")
		b.submit(map[string]string{"user-code": device["user_code"].(string)})
		if strings.Contains(b.page.body, "consent-allow") || b.page.status < 400 {
			t.Errorf("the device's code: %d %s", b.page.status, b.page.url)
		}
		b.open(s.URL + "/requests")
		b.at("no-requests")
		flow.signIn(jane)
		if flow.page.url.Host == "app.example" || strings.Contains(flow.page.body, "consent-allow") {
			t.Errorf("who stood at the sign-in page is at %s", flow.page.url)
		}
		asked.submit(map[string]string{"decision": "allow"})
		if asked.page.url.Host == "app.example" {
			t.Errorf("who was asked is at %s", asked.page.url)
		}
		// Its ID token ends nobody's session without asking, and nobody is told.
		b.open(s.URL + "/oauth2/logout?id_token_hint=" + hint)
		b.at("logout-confirm")
		b.submit(nil)
		if strings.Contains(b.page.body, "<iframe") {
			t.Errorf("it is told through the browser:\n%s", b.page.body)
		}
	})
}
