package keystone_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// F9: no answer about a token or a person may be kept by whoever stands between,
// and none is answered as unchanged: a gateway that revalidates sees the revocation,
// on every node within the second.
func TestAttackF9_AnswersAreNotKept(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		node := s.AddNode()
		u := s.CreateUser("revoked")
		gateway := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
		fresh := func(what string, got answer) {
			t.Helper()
			if got.status == http.StatusNotModified || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d, Cache-Control %q", what, got.status, got.header.Get("Cache-Control"))
			}
			for _, name := range []string{"ETag", "Last-Modified", "Expires", "Age"} {
				if v := got.header.Get(name); v != "" {
					t.Errorf("%s: %s is %s", what, name, v)
				}
			}
		}
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			c := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, FirstParty: true, AccessTokenFormat: format, Scopes: []string{"openid"}})
			var tokens keystonetest.Tokens
			s.Call(http.MethodPost, "/api/v1/auth/login", "", m{"username": u.Username, "password": u.Password, "client_id": c.ID}, &tokens)
			ask := func(at *keystonetest.Server, kind string) answer {
				return as(at, "").with("Accept", kind).with("If-None-Match", "*").with("If-Modified-Since", "Sat, 01 Jan 2050 00:00:00 GMT").
					form(t, "/oauth2/introspect", "token", tokens.AccessToken, "client_id", gateway.ID, "client_secret", gateway.Secret)
			}
			const signed = "application/token-introspection+jwt"
			for _, kind := range []string{"application/json", signed} {
				got := ask(node, kind)
				fresh(format+" introspected as "+kind, got)
				if on := got.fields["active"] == true || kind == signed && strings.Count(got.body, ".") == 2; !on {
					t.Errorf("%s as %s does not work to begin with: %d %s", format, kind, got.status, got.body)
				}
			}
			fresh("userinfo", as(node, tokens.AccessToken).with("If-None-Match", "*").json(t, "GET", "/oauth2/userinfo", nil))
			fresh("the account", as(node, tokens.AccessToken).json(t, "GET", "/api/v1/users/me/sessions", nil))
			as(s, "").form(t, "/oauth2/revoke", "token", tokens.AccessToken, "client_id", c.ID).wants(t, 200, "revoke")
			settles(t, format+" is active", func() bool { return ask(node, "application/json").fields["active"] == false })
			for _, kind := range []string{"application/json", signed} {
				fresh(format+" that is revoked as "+kind, ask(node, kind))
			}
			fresh("userinfo of it", as(node, tokens.AccessToken).json(t, "GET", "/oauth2/userinfo", nil))
		}
		fresh("a client's mistake", as(s, "").form(t, "/oauth2/introspect", "token", "x", "client_id", gateway.ID, "client_secret", "x"))
		as(s, "").json(t, "GET", "/oauth2/introspect?"+url.Values{"token": {"x"}, "client_id": {gateway.ID}}.Encode(), nil).wants(t, 405, "by GET, which is kept by address")
	})
	// The case asks for the words, too.
	if text, err := os.ReadFile("docs/SECURITY.md"); err != nil || !strings.Contains(string(text), "**Staleness of introspection**") {
		t.Error("docs/SECURITY.md does not say how old an answer may be", err)
	}
}
