package keystone_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// askedBy are the ways in which a client names whom tokens are to be for, besides at
// the token endpoint. Each ends with the answer to the request, where it is refused, or
// with the tokens that come of it.
func askedBy(t *testing.T, s *keystonetest.Server, jane keystonetest.User) map[string]func(reach url.Values) map[string]any {
	key := newClientKey(t, "ES256", "k")
	audiences := []string{api1, api2}
	app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "offline_access"}, Audiences: audiences,
		ClientSettings: keystone.ClientSettings{JWKS: jwks(t, key), AuthMethod: keystone.AuthSecretPost}})
	tv := s.CreateClient(keystone.Client{Name: "Television", Kind: keystone.ClientNative, Scopes: []string{"openid", "offline_access"}, Audiences: audiences,
		Grants: []string{keystone.GrantDeviceCode, keystone.GrantRefreshToken}})
	bank := bankClient(s, func(c *keystone.Client) { c.Audiences = audiences })
	b := signedIn(t, s, jane, app, "scope", "openid offline_access")

	// answered is what came of an authorization request that the browser has made.
	answered := func() map[string]any {
		if strings.Contains(b.page.body, "consent-allow") {
			b.submit(map[string]string{"decision": "allow"})
		}
		got := b.answer()
		if got.Get("code") == "" {
			return map[string]any{"error": got.Get("error")}
		}
		_, tokens := redeem(t, s, app, got.Get("code"))
		return tokens
	}
	with := func(form, reach url.Values) url.Values {
		maps.Copy(form, reach)
		return form
	}
	plain := func(reach url.Values) url.Values {
		return with(url.Values{"client_id": {app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid offline_access"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}, reach)
	}
	return map[string]func(url.Values) map[string]any{
		"GET": func(reach url.Values) map[string]any {
			b.open(s.URL + "/oauth2/authorize?" + plain(reach).Encode())
			return answered()
		},
		"POST": func(reach url.Values) map[string]any {
			b.crossPost("/oauth2/authorize", plain(reach))
			return answered()
		},
		"pushed": func(reach url.Values) map[string]any {
			status, pushed := postForm(t, s, "/oauth2/par", with(plain(reach), url.Values{"client_secret": {app.Secret}}))
			if status != http.StatusCreated {
				return pushed
			}
			b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed["request_uri"].(string)}}.Encode())
			return answered()
		},
		"signed": func(reach url.Values) map[string]any {
			claims := objectClaims(s, app.ID, "scope", "openid offline_access")
			for name, values := range reach {
				if claims[name] = values; len(values) == 1 {
					claims[name] = values[0]
				}
			}
			// What stands beside the object is ignored (RFC 9101 section 6.3).
			b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "redirect_uri": {callback}, "audience": {"https://beside.example"}, "request": {key.sign(t, objectType, claims)}}.Encode())
			return answered()
		},
		"device": func(reach url.Values) map[string]any {
			status, answer := postForm(t, s, "/oauth2/device_authorization", with(url.Values{"client_id": {tv.ID}, "scope": {"openid offline_access"}}, reach))
			if status != http.StatusOK {
				return answer
			}
			d := device{t, s, tv, answer["device_code"].(string), answer["user_code"].(string), ""}
			d.allow(newBrowser(t, s), jane)
			s.Clock.Move(6 * time.Second)
			_, tokens := d.poll(s)
			return tokens
		},
		"ciba": func(reach url.Values) map[string]any {
			status, answer := postForm(t, s, "/oauth2/bc-authorize", with(credentials(bank, "scope", "openid offline_access", "login_hint", jane.Username), reach))
			if status != http.StatusOK {
				return answer
			}
			phone := newBrowser(t, s)
			phone.look(jane)
			phone.says("allow")
			s.Clock.Move(6 * time.Second)
			_, tokens := postForm(t, s, "/oauth2/token", credentials(bank, "grant_type", keystone.GrantCIBA, "auth_req_id", answer["auth_req_id"].(string)))
			return tokens
		},
	}
}

// TestAudienceIsResource: audience and resource mean the same wherever either may stand:
// what is registered for the client is honoured, anything else refused, and neither is
// ignored for the other.
func TestAudienceIsResource(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const evil = "https://evil.example"
		for name, ask := range askedBy(t, s, s.CreateUser("jane")) {
			for _, test := range []struct {
				reach url.Values
				want  string // empty: invalid_target
			}{
				{url.Values{"audience": {api1}}, "[" + api1 + "]"},
				{url.Values{"audience": {api2, api1}}, "[" + api1 + " " + api2 + "]"},
				{url.Values{"audience": {api2}, "resource": {api1}}, "[" + api1 + " " + api2 + "]"},
				{url.Values{"audience": {api1, api1}, "resource": {api1}}, "[" + api1 + "]"},
				{url.Values{"audience": {s.Issuer}}, "[" + s.Issuer + "]"},
				{url.Values{"audience": {""}}, "[" + s.Issuer + "]"}, // without a value it is as if not sent
				{url.Values{"audience": {evil}}, ""},
				{url.Values{"audience": {evil}, "resource": {api1}}, ""},
				{url.Values{"audience": {api1}, "resource": {evil}}, ""},
				{url.Values{"audience": {api1, evil}}, ""},
				{url.Values{"audience": {api1 + " " + api2}}, ""},
			} {
				answer := ask(test.reach)
				if test.want == "" {
					if answer["error"] != "invalid_target" || answer["access_token"] != nil {
						t.Errorf("%s %v: %v", name, test.reach, answer)
					}
					continue
				}
				if answer["access_token"] == nil || audienceOf(t, answer["access_token"]) != test.want {
					t.Errorf("%s %v: %v", name, test.reach, answer)
				}
			}
		}
	})
}
