package keystone_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestTokenMetrics: every request for tokens is counted once, by its grant type and
// how it came out, wherever that was decided; nobody makes a label of their own.
func TestTokenMetrics(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"METRICS_PUBLIC": "true"}))
	read := func() map[string]string {
		t.Helper()
		resp, err := s.Client().Get(s.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]string{}
		for _, line := range strings.Split(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "keystone_tokens_total"); ok {
				name, n, _ := strings.Cut(rest, " ")
				counts[name] = n
			}
		}
		return counts
	}
	jane := s.CreateUser("jane")
	app := s.CreateClient(keystone.Client{Name: "All", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access", keystone.UsersRead},
		Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantRefreshToken, keystone.GrantClientCredentials, keystone.GrantDeviceCode, keystone.GrantCIBA, keystone.GrantTokenExchange, keystone.GrantJWTBearer}})
	b := signedIn(t, s, jane, app)
	_, device := postForm(t, s, "/oauth2/device_authorization", credentials(app, "scope", "openid"))
	post := func(pairs ...string) { postForm(t, s, "/oauth2/token", credentials(app, pairs...)) }
	code := func(code string) {
		post("grant_type", keystone.GrantAuthorizationCode, "code", code, "redirect_uri", callback, "code_verifier", verifier)
	}
	refresh := func(raw any) { post("grant_type", keystone.GrantRefreshToken, "refresh_token", raw.(string)) }
	var tokens map[string]any
	face := func(path string, body map[string]any) { s.Call(http.MethodPost, path, "", body, nil) }
	for _, step := range []struct {
		what string
		do   func()
		want string // grant result
	}{
		{"a code", func() { _, tokens = redeem(t, s, app, b.code(app, "scope", "openid offline_access")) }, "authorization_code issued"},
		{"no code", func() { code(secret.New(secret.AuthCode)) }, "authorization_code refused"},
		{"a bad client secret", func() { redeem(t, s, app, "x", "client_secret", "x") }, "authorization_code refused"},
		{"two methods", func() {
			as(s, "").with("Authorization", "Basic eDp5").form(t, "/oauth2/token", "grant_type", "authorization_code", "client_secret", "x")
		}, "authorization_code refused"},
		{"a refresh", func() { refresh(tokens["refresh_token"]) }, "refresh_token issued"},
		{"a bad refresh", func() { refresh("x") }, "refresh_token refused"},
		{"a service", func() { post("grant_type", keystone.GrantClientCredentials) }, "client_credentials issued"},
		{"a service that may not", func() { post("grant_type", keystone.GrantClientCredentials, "scope", "x") }, "client_credentials refused"},
		{"an unknown grant type", func() { post("grant_type", "password") }, "other refused"},
		{"one of the sign-in API", func() { post("grant_type", "made up") }, "other refused"},
		{"no grant type", func() { post() }, "other refused"},
		{"no form", func() { as(s, "").json(t, http.MethodPost, "/oauth2/token", "{}") }, "other refused"},
		{"a device that waits", func() { post("grant_type", keystone.GrantDeviceCode, "device_code", device["device_code"].(string)) }, keystone.GrantDeviceCode + " waiting"},
		{"a device that hurries", func() { post("grant_type", keystone.GrantDeviceCode, "device_code", device["device_code"].(string)) }, keystone.GrantDeviceCode + " waiting"},
		{"a bad device", func() { post("grant_type", keystone.GrantDeviceCode, "device_code", "x") }, keystone.GrantDeviceCode + " refused"},
		{"a bad request to a person", func() { post("grant_type", keystone.GrantCIBA, "auth_req_id", "x") }, keystone.GrantCIBA + " refused"},
		{"a bad exchange", func() { post("grant_type", keystone.GrantTokenExchange) }, keystone.GrantTokenExchange + " refused"},
		{"a bad assertion", func() { post("grant_type", keystone.GrantJWTBearer, "assertion", "x") }, keystone.GrantJWTBearer + " refused"},
		{"JSON token", func() { face("/api/v1/auth/token", map[string]any{"client_id": app.ID, "client_secret": app.Secret}) }, "client_credentials issued"},
		{"JSON token refused", func() { face("/api/v1/auth/token", map[string]any{"client_id": app.ID, "client_secret": "x"}) }, "client_credentials refused"},
		{"JSON refresh", func() { face("/api/v1/auth/refresh", map[string]any{"refresh_token": "x"}) }, "refresh_token refused"},
		{"sign-in", func() { s.SignIn(jane) }, "sign_in issued"},
		{"sign-in refused", func() { face("/api/v1/auth/login", map[string]any{"username": "jane", "password": "x"}) }, "sign_in refused"},
	} {
		before := read()
		step.do()
		after := read()
		grant, result, _ := strings.Cut(step.want, " ")
		want, changed := `{grant="`+grant+`",result="`+result+`"}`, []string{}
		for name, n := range after {
			if before[name] != n {
				changed = append(changed, name+" "+before[name]+" -> "+n)
			}
		}
		if len(changed) != 1 || !strings.HasPrefix(changed[0], want) || len(after) != len(before) {
			t.Errorf("%s: want %s, changed %q", step.what, want, changed)
		}
	}
}
