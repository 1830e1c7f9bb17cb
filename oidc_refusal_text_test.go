package keystone_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestUserinfoSaysWhy: each 401 of userinfo says what to do about it, under the same
// code as ever.
func TestUserinfoSaysWhy(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "offline_access"}, Audiences: []string{api1}})
		b := signedIn(t, s, jane, app, "scope", "openid")
		tokenFor := func(resources ...string) string {
			t.Helper()
			b.open(authorizeURL(s, app, "scope", "openid") + "&" + url.Values{"resource": resources}.Encode())
			if strings.Contains(b.page.body, "consent-allow") {
				b.submit(map[string]string{"decision": "allow"})
			}
			_, tokens := redeem(t, s, app, b.answer().Get("code"))
			return tokens["access_token"].(string)
		}
		revoked := tokenFor()
		if status, answer := postForm(t, s, "/oauth2/revoke", credentials(app, "token", revoked)); status != http.StatusOK {
			t.Fatal(answer)
		}
		const none, gone = "Send an access token with the scope openid", "is not valid (any more)"
		for name, test := range map[string]struct{ header, say string }{
			"nothing":              {"", none},
			"another scheme":       {"Basic YTpi", none},
			"a scheme alone":       {"Bearer", none},
			"no token of ours":     {"Bearer x", gone},
			"a revoked one":        {"Bearer " + revoked, gone},
			"for another audience": {"Bearer " + tokenFor(api1), "for another audience: ask for resource=" + s.Issuer + " too"},
			"of a client itself":   {"Bearer " + s.ServiceToken(s.CreateClient(keystone.Client{})), "a client's own"},
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				req, _ := http.NewRequest(method, s.URL+"/oauth2/userinfo", nil)
				if test.header != "" {
					req.Header.Set("Authorization", test.header)
				} else {
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // where a token could have been
				}
				got := (&proofKey{t: t, s: s}).do(s, req)
				say, _ := got.body["error_description"].(string)
				if got.is(t, http.StatusUnauthorized, "invalid_token"); !strings.Contains(say, test.say) || got.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: %s %v", method, name, say, got.header["Www-Authenticate"])
				}
			}
		}
		var info map[string]any
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokenFor(api1, s.Issuer), nil, &info); status != http.StatusOK || info["sub"] != jane.ID {
			t.Errorf("as the text says: %d %v", status, info)
		}
	})
}

// TestRegistrationNamesItsFields: a refused registration names what is wrong as the
// request does, not as Keystone's own API would.
func TestRegistrationNamesItsFields(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		reg := registers(t, s, "")
		reg.wants(t, http.StatusCreated, "a good one")
		own, path := as(s, reg.text("registration_access_token")), "/oauth2/register/"+reg.text("client_id")
		for _, test := range []struct {
			name string
			say  any
			want string
		}{
			{"grant_types", []string{"password"}, "grant_types"},
			{"grant_types", []string{"client_credentials"}, "grant_types"},
			{"grant_types", 7, "grant_types"},
			{"scope", "users:write", "scope"},
			{"scope", "\"", "scope"},
			{"client_name", strings.Repeat("x", 101), "client_name"},
			{"client_name#de", strings.Repeat("x", 101), "client_name#TAG"},
			{"require_pushed_authorization_requests", "yes", "require_pushed_authorization_requests"},
			{"dpop_bound_access_tokens", "yes", "dpop_bound_access_tokens"},
			{"redirect_uris", []string{"http://app.example/"}, "redirect_uris"},
			{"contacts", []string{strings.Repeat("x", 2000)}, "contacts"},
			{"initiate_login_uri", "https://app.example/begin", "initiate_login_uri"},
		} {
			body := m{"redirect_uris": []string{callback}, "client_name": "Self", "token_endpoint_auth_method": "client_secret_post", test.name: test.say}
			change := m{"client_id": reg.text("client_id")}
			for name, v := range body {
				change[name] = v
			}
			for what, got := range map[string]answer{"registering": as(s, "").json(t, "POST", "/oauth2/register", body), "changing": own.json(t, "PUT", path, change)} {
				fields, _ := got.fields["fields"].(map[string]any)
				if got.status != http.StatusBadRequest || len(fields) != 1 || fields[test.want] == nil || !strings.HasPrefix(got.text("error"), "invalid_") {
					t.Errorf("%s %s: %d %v", what, test.name, got.status, got.fields)
				}
			}
		}
	}, registering("open"))
}

// TestSpacesAfterScheme: one space or more parts the scheme from what follows it,
// whatever the scheme and the endpoint (RFC 9110 section 11.4); nothing else does.
func TestSpacesAfterScheme(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		k := newProofKey(t, s)
		jane, svc, app := s.CreateUser("jane"), s.CreateClient(keystone.Client{}), webClient(s)
		b := signedIn(t, s, jane, app)
		_, tokens := redeem(t, s, app, b.code(app))
		plain, _ := tokens["access_token"].(string)
		bound, _ := k.post(s, "/oauth2/token", codeForm(app, b.code(app)), k.proof(http.MethodPost, "/oauth2/token")).body["access_token"].(string)
		own := s.SignIn(jane).AccessToken
		initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid"}}).text("registration_token")
		basic := base64.StdEncoding.EncodeToString([]byte(svc.ID + ":" + svc.Secret))
		type call struct {
			method, path, scheme, value string
			form                        url.Values
			good, bad                   int
		}
		for _, c := range []call{
			{"GET", "/oauth2/userinfo", "Bearer", plain, nil, 200, 401},
			{"GET", "/oauth2/userinfo", "bearer", plain, nil, 200, 401},
			{"GET", "/oauth2/userinfo", "DPoP", bound, nil, 200, 401},
			{"GET", "/api/v1/users/me", "Bearer", own, nil, 200, 401},
			{"POST", "/oauth2/token", "Basic", basic, url.Values{"grant_type": {"client_credentials"}}, 200, 401},
			{"POST", "/oauth2/introspect", "BASIC", basic, url.Values{"token": {"x"}}, 200, 401},
			{"GET", "/oauth2/register/" + svc.ID, "Bearer", initial, nil, 401, 401},
		} {
			send := func(header string) answered {
				t.Helper()
				req, _ := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(c.form.Encode()))
				if c.form != nil {
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				req.Header.Set("Authorization", header)
				if c.scheme == "DPoP" {
					sum := hashed(c.value)
					return k.do(s, req, k.proof(c.method, c.path, "ath", sum))
				}
				return k.do(s, req)
			}
			for _, header := range []string{c.scheme + " " + c.value, c.scheme + "  " + c.value, c.scheme + "     " + c.value} {
				if got := send(header); got.status != c.good {
					t.Errorf("%q of %s: %d %v", header[:12], c.path, got.status, got.body)
				}
			}
			for _, header := range []string{c.scheme + c.value, c.scheme + "\t" + c.value, c.scheme + " \t" + c.value, c.scheme + "  x " + c.value, c.scheme + "  "} {
				if got := send(header); got.status != c.bad {
					t.Errorf("%q of %s: %d %v", header[:min(12, len(header))], c.path, got.status, got.body)
				}
			}
		}
		req, _ := http.NewRequest("POST", s.URL+"/oauth2/register", strings.NewReader(`{"redirect_uris":["`+callback+`"]}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer   "+initial)
		if got := k.do(s, req); got.status != http.StatusCreated {
			t.Errorf("register: %d %v", got.status, got.body)
		}
	}, registering("token"))
}
