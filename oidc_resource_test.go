package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const api1, api2 = "https://api1.example", "https://api2.example"

// redemption is something that a person has allowed for api1 and api2, or for
// nobody in particular, and that a client now comes for.
type redemption func(pairs ...string) (int, map[string]any)

func send(t *testing.T, s *keystonetest.Server, form url.Values, pairs []string) (int, map[string]any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return postForm(t, s, "/oauth2/token", form)
}

// allowedFor asks by each grant type through which a person allows something.
var allowedFor = map[string]func(t *testing.T, s *keystonetest.Server, jane keystonetest.User, resources ...string) (keystonetest.Client, redemption){
	"code": func(t *testing.T, s *keystonetest.Server, jane keystonetest.User, resources ...string) (keystonetest.Client, redemption) {
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"}, Audiences: []string{api1, api2}})
		b := signedIn(t, s, jane, app)
		address := authorizeURL(s, app, "scope", "openid offline_access")
		if len(resources) > 0 {
			address += "&" + url.Values{"resource": resources}.Encode()
		}
		b.open(address)
		if strings.Contains(b.page.body, "consent-allow") { // resources are asked about
			b.submit(map[string]string{"decision": "allow"})
		}
		code := b.answer().Get("code")
		return app, func(pairs ...string) (int, map[string]any) {
			return send(t, s, credentials(app, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier), pairs)
		}
	},
	"device": func(t *testing.T, s *keystonetest.Server, jane keystonetest.User, resources ...string) (keystonetest.Client, redemption) {
		tv := s.CreateClient(keystone.Client{Name: "Television", Kind: keystone.ClientNative, Scopes: []string{"openid", "offline_access"}, Audiences: []string{api1, api2},
			Grants: []string{keystone.GrantDeviceCode, keystone.GrantRefreshToken}})
		_, answer := postForm(t, s, "/oauth2/device_authorization", url.Values{"client_id": {tv.ID}, "scope": {"openid offline_access"}, "resource": resources})
		d := device{t, s, tv, answer["device_code"].(string), answer["user_code"].(string), ""}
		d.allow(newBrowser(t, s), jane)
		return tv, func(pairs ...string) (int, map[string]any) {
			s.Clock.Move(6 * time.Second)
			return send(t, s, url.Values{"grant_type": {keystone.GrantDeviceCode}, "device_code": {d.code}, "client_id": {tv.ID}}, pairs)
		}
	},
	"ciba": func(t *testing.T, s *keystonetest.Server, jane keystonetest.User, resources ...string) (keystonetest.Client, redemption) {
		bank := bankClient(s, func(c *keystone.Client) { c.Audiences = []string{api1, api2} })
		form := credentials(bank, "scope", "openid offline_access", "login_hint", jane.Username)
		form["resource"] = resources
		_, answer := postForm(t, s, "/oauth2/bc-authorize", form)
		b := newBrowser(t, s)
		b.look(jane)
		b.says("allow")
		return bank, func(pairs ...string) (int, map[string]any) {
			s.Clock.Move(6 * time.Second)
			return send(t, s, credentials(bank, "grant_type", keystone.GrantCIBA, "auth_req_id", answer["auth_req_id"].(string)), pairs)
		}
	},
}

func audienceOf(t *testing.T, access any) string {
	t.Helper()
	return fmt.Sprint(idClaims(t, access)["aud"])
}

// TestResourceAtToken: a token request names those of the authorized resources that
// this access token is for, and no other; the grant keeps them all (RFC 8707
// sections 2 and 2.2). What is refused uses nothing up.
func TestResourceAtToken(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for name, allow := range allowedFor {
			t.Run(name, func(t *testing.T) {
				jane := s.CreateUser("jane-" + name)
				refused := func(redeem redemption, pairs ...string) {
					t.Helper()
					if status, answer := redeem(pairs...); status != http.StatusBadRequest || answer["error"] != "invalid_target" || answer["access_token"] != nil {
						t.Errorf("%v: %d %v", pairs, status, answer)
					}
				}
				app, redeem := allow(t, s, jane, api1, api2)
				for _, pairs := range [][]string{{"resource", "https://evil.example"}, {"resource", s.Issuer}, {"audience", s.Issuer}, {"resource", api1 + "/"},
					{"resource", api1, "resource", "https://evil.example"}, {"resource", api1, "audience", "x"}, {"resource", "not a URI"}} {
					refused(redeem, pairs...)
				}
				status, tokens := redeem("resource", api1)
				if status != http.StatusOK || audienceOf(t, tokens["access_token"]) != "["+api1+"]" {
					t.Fatalf("one of two: %d %v", status, tokens)
				}
				refresh := tokens["refresh_token"]
				for _, test := range []struct{ ask, want string }{{api2, "[" + api2 + "]"}, {"", "[" + api1 + " " + api2 + "]"}} {
					pairs := []string{"resource", test.ask}
					status, tokens = refreshed(t, s, app, refresh, pairs...)
					if status != http.StatusOK || audienceOf(t, tokens["access_token"]) != test.want {
						t.Errorf("refreshed for %q: %d %v", test.ask, status, tokens)
					}
					refresh = tokens["refresh_token"]
				}
				if status, answer := refreshed(t, s, app, refresh, "resource", s.Issuer); status != http.StatusBadRequest || answer["error"] != "invalid_target" {
					t.Errorf("refreshed for more: %d %v", status, answer)
				}
				_, redeem = allow(t, s, jane, api1, api2)
				if status, tokens = redeem("audience", api2, "resource", api1); status != http.StatusOK || audienceOf(t, tokens["access_token"]) != "["+api1+" "+api2+"]" {
					t.Errorf("both: %d %v", status, tokens)
				}
				_, redeem = allow(t, s, jane) // for nobody in particular: for Keystone
				refused(redeem, "resource", api1)
				refused(redeem, "resource", s.Issuer, "resource", api1)
				if status, tokens = redeem("resource", s.Issuer); status != http.StatusOK || audienceOf(t, tokens["access_token"]) != "["+s.Issuer+"]" {
					t.Errorf("Keystone itself: %d %v", status, tokens)
				}
			})
		}
	})
}

// TestPersonScopesOfAService: what is about a person is not a client's own, whatever
// it has registered: not when it asks, and not when it leaves scope out (F11).
func TestPersonScopesOfAService(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		all := append(keystone.OpenIDScopeNames(), keystone.UsersRead)
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			for _, kind := range []keystone.ClientKind{keystone.ClientService, keystone.ClientWeb} {
				c := keystone.Client{Name: "Svc", Kind: kind, Scopes: all, AccessTokenFormat: format, Grants: []string{keystone.GrantClientCredentials}}
				svc := s.CreateClient(c)
				for _, scope := range slices.Concat(keystone.OpenIDScopeNames(), []string{"openid " + keystone.UsersRead}) {
					if status, answer := postForm(t, s, "/oauth2/token", credentials(svc, "grant_type", "client_credentials", "scope", scope)); status != http.StatusBadRequest || answer["error"] != "invalid_scope" {
						t.Errorf("%s %s: %d %v", kind, scope, status, answer)
					}
					var face map[string]any
					status := s.Call(http.MethodPost, "/api/v1/auth/token", "", map[string]any{"client_id": svc.ID, "client_secret": svc.Secret, "scope": scope}, &face)
					if fields, _ := face["fields"].(map[string]any); status != http.StatusBadRequest || fields["scope"] == nil || face["access_token"] != nil {
						t.Errorf("JSON %s %s: %d %v", kind, scope, status, face)
					}
				}
				status, answer := postForm(t, s, "/oauth2/token", credentials(svc, "grant_type", "client_credentials"))
				if status != http.StatusOK || answer["scope"] != keystone.UsersRead || answer["id_token"] != nil || answer["refresh_token"] != nil {
					t.Errorf("%s without scope: %d %v", kind, status, answer)
				}
				if _, seen := postForm(t, s, "/oauth2/introspect", credentials(svc, "token", answer["access_token"].(string))); seen["scope"] != keystone.UsersRead || seen["sub"] != svc.ID {
					t.Errorf("%s introspected: %v", kind, seen)
				}
				var face map[string]any
				if status := s.Call(http.MethodPost, "/api/v1/auth/token", "", map[string]any{"client_id": svc.ID, "client_secret": svc.Secret}, &face); status != http.StatusOK || face["scope"] != keystone.UsersRead {
					t.Errorf("JSON %s without scope: %d %v", kind, status, face)
				}
			}
		}
	})
}
