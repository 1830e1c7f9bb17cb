package keystone_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/keystonetest"
)

// dynamicPlan is what the modules of the Dynamic OP plan run against: each registers
// its clients by itself, with an initial access token as an operator gives it to the
// suite, whose clients send no PKCE.
type dynamicPlan struct {
	basicPlan
	initial string
}

// registers returns the plan with a client of its own; pairs are its metadata.
func (p dynamicPlan) registers(pairs ...any) basicPlan {
	p.Helper()
	reg := registers(p.T, p.s, p.initial, append([]any{"token_endpoint_auth_method", "client_secret_basic"}, pairs...)...)
	reg.wants(p.T, http.StatusCreated, "registration %v", pairs)
	made := p.basicPlan
	made.app = reg.client()
	return made
}

// byKey redeems a code or a refresh token with a signed assertion.
func (p basicPlan) byKey(k clientKey, form url.Values) (int, map[string]any) {
	p.Helper()
	return postForm(p.T, p.s, "/oauth2/token", withAssertion(k.sign(p.T, "", assertionClaims(p.s, p.app.ID)), form))
}

func (p basicPlan) codeForm(b *browser, pairs ...string) url.Values {
	p.Helper()
	return url.Values{"grant_type": {"authorization_code"}, "code": {p.goTo(b, p.app, pairs...).Get("code")}, "redirect_uri": {callback}}
}

// headerOf returns the header of a JWT.
func headerOf(t *testing.T, token any) (h struct{ Alg, Kid string }) {
	t.Helper()
	part, _, _ := strings.Cut(token.(string), ".")
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// shownAtConsent checks that what the client has registered is a link on the page
// where people are asked, and nothing that the page loads.
func shownAtConsent(name string) func(dynamicPlan, *browser) {
	return func(p dynamicPlan, b *browser) {
		address := "https://app.example/" + name
		app := p.registers(name, address)
		b.open(authorizeURL(p.s, app.app, app.plain()...))
		b.signIn(p.user)
		b.at("consent-allow")
		if !strings.Contains(b.page.body, `href="`+address+`"`) || strings.Contains(b.page.body, "<img") {
			p.Errorf("%s", b.page.body)
		}
	}
}

// refusedRedirect checks that a request with another redirect URI than the
// registered one ends on a page.
func refusedRedirect(registered, asked string) func(dynamicPlan, *browser) {
	return func(p dynamicPlan, b *browser) {
		app := p.registers("redirect_uris", []string{registered})
		b.open(authorizeURL(p.s, app.app, app.plain("redirect_uri", asked)...))
		if b.at("error"); b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
			p.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
		}
	}
}

// refusedMetadata checks that a registration is refused.
func refusedMetadata(code string, pairs ...any) func(dynamicPlan, *browser) {
	return func(p dynamicPlan, _ *browser) {
		if got := registers(p.T, p.s, p.initial, pairs...); got.status != http.StatusBadRequest || got.text("error") != code {
			p.Errorf("%d %s", got.status, got.body)
		}
	}
}

// TestDynamicPlan goes through modules of oidcc-dynamic-certification-test-plan by
// their names, over https.
func TestDynamicPlan(t *testing.T) {
	var keys atomic.Pointer[json.RawMessage]
	var request atomic.Value
	site, ca := tlsSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sector":
			_, _ = io.WriteString(w, `["https://other.example/", "`+callback+`"]`)
		case "/request":
			_, _ = io.WriteString(w, request.Load().(string))
		default:
			_, _ = w.Write(*keys.Load())
		}
	})
	s := keystonetest.Start(t, keystonetest.WithTLS(), registering("token", "JWT_ALGORITHM", "RS256", "OUTBOUND_ALLOW", "127.0.0.1", "OUTBOUND_CA_FILE", ca))
	p := dynamicPlan{basicPlan: basicPlan{T: t, s: s, user: s.CreateUser("jane")}}
	p.initial = initialToken(t, s, m{"uses": 100, "scopes": []string{"openid", "profile", "email", "offline_access"}, "pkce_optional": true}).text("registration_token")
	publish := func(k clientKey) {
		set := jwks(t, k)
		keys.Store(&set)
	}
	for _, module := range []struct {
		name string
		run  func(dynamicPlan, *browser)
	}{
		{"oidcc-idtoken-rs256", func(p dynamicPlan, b *browser) {
			tokens, _ := p.registers("id_token_signed_response_alg", "RS256").flow(b)
			if h := headerOf(p.T, tokens["id_token"]); h.Alg != "RS256" || h.Kid == "" {
				p.Errorf("%+v", h)
			}
		}},
		{"oidcc-idtoken-unsigned", refusedMetadata("invalid_client_metadata", "id_token_signed_response_alg", "none")},
		{"oidcc-userinfo-rs256", func(p dynamicPlan, b *browser) {
			app := p.registers("userinfo_signed_response_alg", "RS256")
			tokens, _ := app.flow(b)
			got := as(p.s, tokens["access_token"].(string)).json(p.T, "GET", "/oauth2/userinfo", nil)
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/jwt" || headerOf(p.T, got.body).Alg != "RS256" {
				p.Fatalf("%d %s", got.status, got.body)
			}
			if info := idClaims(p.T, got.body); info["sub"] != p.user.ID || info["iss"] != p.s.Issuer || info["aud"] != app.app.ID {
				p.Errorf("%v", info)
			}
		}},
		{"oidcc-ensure-redirect-uri-in-authorization-request", refusedRedirect(callback, "")},
		{"oidcc-redirect-uri-query-OK", func(p dynamicPlan, b *browser) {
			app := p.registers("redirect_uris", []string{callback + "?foo=bar"})
			got := app.goTo(b, app.app, "redirect_uri", callback+"?foo=bar")
			if got.Get("foo") != "bar" || got.Get("code") == "" {
				p.Errorf("%v", got)
			}
			form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {callback + "?foo=bar"}}
			if status, tokens := app.post("/oauth2/token", app.app, form); status != http.StatusOK {
				p.Errorf("%d %v", status, tokens)
			}
		}},
		{"oidcc-redirect-uri-query-mismatch", refusedRedirect(callback+"?foo=bar", callback+"?bar=foo")},
		{"oidcc-redirect-uri-query-added", refusedRedirect(callback, callback+"?foo=bar")},
		{"oidcc-redirect-uri-regfrag", refusedMetadata("invalid_redirect_uri", "redirect_uris", []string{callback + "#foobar"})},
		{"oidcc-discovery-endpoint-verification", func(p dynamicPlan, _ *browser) {
			var facts map[string]any
			p.s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
			for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint"} {
				if address, _ := facts[name].(string); !strings.HasPrefix(address, p.s.Issuer+"/") || !strings.HasPrefix(address, "https://") {
					p.Errorf("%s is %v", name, facts[name])
				}
			}
			if list, _ := facts["id_token_signing_alg_values_supported"].([]any); !slices.Contains(list, any("RS256")) {
				p.Errorf("%v", list)
			}
		}},
		{"oidcc-server", func(p dynamicPlan, b *browser) {
			app := p.registers()
			tokens, id := app.flow(b)
			if id["nonce"] != "n-1" || id["at_hash"] == nil {
				p.Errorf("%v", id)
			}
			app.userinfo(tokens)
		}},
		{"oidcc-registration-logo-uri", shownAtConsent("logo_uri")},
		{"oidcc-registration-policy-uri", shownAtConsent("policy_uri")},
		{"oidcc-registration-tos-uri", shownAtConsent("tos_uri")},
		{"oidcc-registration-jwks-uri", func(p dynamicPlan, b *browser) {
			k := newClientKey(p.T, "RS256", "one")
			publish(k)
			app := p.registers("token_endpoint_auth_method", "private_key_jwt", "jwks_uri", site.URL+"/jwks")
			if status, tokens := app.byKey(k, app.codeForm(b)); status != http.StatusOK || tokens["id_token"] == nil {
				p.Errorf("%d %v", status, tokens)
			}
		}},
		{"oidcc-server-rotate-keys", func(p dynamicPlan, b *browser) {
			app := p.registers()
			was, _ := app.flow(b)
			p.s.Call(http.MethodPost, "/api/v1/admin/keys/rotate", p.s.Admin(), nil, nil)
			var set struct{ Keys []struct{ Kid string } }
			p.s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set)
			p.s.Clock.Move(10 * time.Minute)
			is, _ := app.flow(b)
			before, after := headerOf(p.T, was["id_token"]), headerOf(p.T, is["id_token"])
			if before.Kid == after.Kid || !slices.ContainsFunc(set.Keys, func(k struct{ Kid string }) bool { return k.Kid == before.Kid }) ||
				!slices.ContainsFunc(set.Keys, func(k struct{ Kid string }) bool { return k.Kid == after.Kid }) {
				p.Errorf("%v, then %v, of %v", before, after, set)
			}
		}},
		{"oidcc-refresh-token-rp-key-rotation", func(p dynamicPlan, b *browser) {
			old, fresh := newClientKey(p.T, "RS256", "old"), newClientKey(p.T, "RS256", "fresh")
			publish(old)
			app := p.registers("token_endpoint_auth_method", "private_key_jwt", "jwks_uri", site.URL+"/rotated")
			status, tokens := app.byKey(old, app.codeForm(b, "scope", "openid offline_access"))
			if status != http.StatusOK || tokens["refresh_token"] == nil {
				p.Fatalf("%d %v", status, tokens)
			}
			publish(fresh)
			p.s.Clock.Move(11 * time.Second)
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
			if status, tokens := app.byKey(fresh, form); status != http.StatusOK || tokens["access_token"] == nil {
				p.Errorf("%d %v", status, tokens)
			}
		}},
		{"oidcc-registration-sector-uri", func(p dynamicPlan, _ *browser) {
			subs := map[string]any{}
			for name, pairs := range map[string][]any{"one": {"sector_identifier_uri", site.URL + "/sector"}, "sister": {"sector_identifier_uri", site.URL + "/sector"}, "alone": nil} {
				app := p.registers(append(pairs, "subject_type", "pairwise")...)
				_, tokens := app.post("/oauth2/token", app.app, app.codeForm(newBrowser(p.T, p.s)))
				if subs[name] = idClaims(p.T, tokens["id_token"])["sub"]; subs[name] == nil || subs[name] == p.user.ID {
					p.Errorf("%s: %v", name, subs[name])
				}
				if access, _ := tokens["access_token"].(string); strings.HasPrefix(access, "eyJ") {
					p.Errorf("%s: a JWT tells the user's id", name)
				}
			}
			if subs["one"] != subs["sister"] || subs["one"] == subs["alone"] {
				p.Errorf("%v", subs)
			}
		}},
		{"oidcc-registration-sector-bad", func(p dynamicPlan, b *browser) {
			for _, pairs := range [][]any{
				{"redirect_uris", []string{callback, "https://stranger.example/cb"}, "sector_identifier_uri", site.URL + "/sector"},
				{"sector_identifier_uri", site.URL + "/keys"},
				{"sector_identifier_uri", "http" + strings.TrimPrefix(site.URL, "https") + "/sector"},
				{"sector_identifier_uri", "https://169.254.169.254/sector"},
			} {
				refusedMetadata("invalid_client_metadata", append([]any{"subject_type", "pairwise"}, pairs...)...)(p, b)
			}
		}},
		{"oidcc-request-uri-signed-rs256", func(p dynamicPlan, b *browser) {
			k := newClientKey(p.T, "RS256", "r")
			at := site.URL + "/request"
			app := p.registers("request_uris", []string{at}, "request_object_signing_alg", "RS256", "jwks", jwks(p.T, k))
			request.Store(k.sign(p.T, objectType, objectClaims(p.s, app.app.ID, "state", "inside")))
			b.open(p.s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.app.ID}, "request_uri": {at}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}}.Encode())
			b.signIn(p.user)
			b.submit(map[string]string{"decision": "allow"})
			if got := b.answer(); got.Get("code") == "" || got.Get("state") != "inside" {
				p.Errorf("%v", got)
			}
		}},
		{"oidcc-request-uri-unsigned", func(p dynamicPlan, b *browser) { // refused by choice: without a signature anybody could have written it
			k := newClientKey(p.T, "RS256", "u")
			at := site.URL + "/request"
			app := p.registers("request_uris", []string{at}, "jwks", jwks(p.T, k))
			head, body := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), strings.Split(k.sign(p.T, objectType, objectClaims(p.s, app.app.ID)), ".")[1]
			request.Store(head + "." + body + ".")
			p.s.Clock.Move(2 * time.Hour) // what was fetched before is forgotten
			b.open(p.s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.app.ID}, "request_uri": {at}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}}.Encode())
			if got := b.answer(); got.Get("error") != "invalid_request_object" || got.Has("code") {
				p.Errorf("%v", got)
			}
		}},
		{"oidcc-ensure-request-object-with-redirect-uri", func(p dynamicPlan, b *browser) {
			k := newClientKey(p.T, "RS256", "o")
			app := p.registers("redirect_uris", []string{callback, callback + "/second"}, "request_object_signing_alg", "RS256", "jwks", jwks(p.T, k))
			raw := k.sign(p.T, objectType, objectClaims(p.s, app.app.ID, "redirect_uri", callback+"/second"))
			b.open(p.s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.app.ID}, "request": {raw}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}}.Encode())
			b.signIn(p.user)
			b.submit(map[string]string{"decision": "allow"})
			if got := b.answer(); got.Get("code") == "" || b.page.url.Path != "/cb/second" {
				p.Errorf("%s", b.page.url)
			}
		}},
		{"oidcc-refresh-token", func(p dynamicPlan, b *browser) {
			app := p.registers()
			tokens, id := app.flow(b, "scope", "openid offline_access")
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
			status, again := app.post("/oauth2/token", app.app, form)
			if status != http.StatusOK || again["access_token"] == tokens["access_token"] {
				p.Fatalf("%d %v", status, again)
			}
			if again["id_token"] != nil {
				if next := idClaims(p.T, again["id_token"]); next["sub"] != id["sub"] || next["iss"] != id["iss"] || next["aud"] != id["aud"] {
					p.Errorf("%v, then %v", id, next)
				}
			}
			other := p.registers()
			if status, answer := other.post("/oauth2/token", other.app, form); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				p.Errorf("by another client: %d %v", status, answer)
			}
		}},
		{"oidcc-ensure-client-assertion-with-iss-aud-succeeds", func(p dynamicPlan, b *browser) {
			k := newClientKey(p.T, "PS256", "a")
			app := p.registers("token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(p.T, k))
			if status, tokens := app.byKey(k, app.codeForm(b)); status != http.StatusOK {
				p.Errorf("%d %v", status, tokens)
			}
		}},
	} {
		t.Run(module.name, func(t *testing.T) {
			p := p
			p.T = t
			module.run(p, newBrowser(t, s))
		})
	}
}
