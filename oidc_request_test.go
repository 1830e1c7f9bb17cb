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

// TestRequestsOnPage: where client or redirect URI are not certain, the browser
// goes nowhere (A1, A3, A7, A8; oidcc-ensure-registered-redirect-uri).
func TestRequestsOnPage(t *testing.T) {
	s := keystonetest.Start(t)
	app := webClient(s)
	bare := s.CreateClient(keystone.Client{Name: "Bare", Kind: keystone.ClientWeb, Scopes: []string{"openid"}})
	off := webClient(s)
	s.Call(http.MethodPatch, "/api/v1/admin/clients/"+off.ID, s.Admin(), map[string]any{"enabled": false}, nil)
	s.Clock.Move(2 * time.Second)
	type pairs = []string
	for name, change := range map[string]pairs{
		"A1 userinfo":              {"redirect_uri", "https://app.example@evil.example/cb"},
		"A1 other host":            {"redirect_uri", "https://evil.example/cb"},
		"A3 dot segments":          {"redirect_uri", callback + "/../cb"},
		"A3 encoded dots":          {"redirect_uri", "https://app.example/%2e%2e/cb"},
		"A3 twice encoded dots":    {"redirect_uri", "https://app.example/%252e%252e/cb"},
		"A3 path parameter":        {"redirect_uri", callback + ";x"},
		"A3 double slash":          {"redirect_uri", "https://app.example//cb"},
		"A3 trailing slash":        {"redirect_uri", callback + "/"},
		"A3 added query":           {"redirect_uri", callback + "?x=1"},
		"A3 empty query":           {"redirect_uri", callback + "?"},
		"A3 added fragment":        {"redirect_uri", callback + "#x"},
		"A3 other case of path":    {"redirect_uri", "https://app.example/CB"},
		"A3 other case of host":    {"redirect_uri", "https://APP.example/cb"},
		"A3 port":                  {"redirect_uri", "https://app.example:443/cb"},
		"A3 space":                 {"redirect_uri", callback + " "},
		"A7 none sent":             {"redirect_uri", ""},
		"A7 none registered":       {"client_id", bare.ID},
		"A7 none of either":        {"client_id", bare.ID, "redirect_uri", ""},
		"A8 unknown client":        {"client_id", "01900000-0000-7000-8000-000000000000"},
		"A8 malformed client":      {"client_id", "<script>"},
		"A8 no client":             {"client_id", ""},
		"A8 disabled client":       {"client_id", off.ID},
		"A8 bad type and bad URI":  {"response_type", "token", "redirect_uri", "https://evil.example/cb"},
		"A8 prompt=none, bad URI":  {"prompt", "none", "redirect_uri", "https://evil.example/cb"},
		"H1 unknown request_uri":   {"request_uri", "urn:ietf:params:oauth:request_uri:x"},
		"H1 request_uri elsewhere": {"request_uri", "https://evil.example/request"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, app, change...))
			if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" || b.page.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
			}
			if strings.Contains(b.page.body, "evil") {
				t.Error("the page repeats what was sent")
			}
		})
	}
	t.Run("parameter twice", func(t *testing.T) {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app) + "&redirect_uri=" + url.QueryEscape("https://evil.example/cb"))
		if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
			t.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
		}
	})
}

// TestRequestsBack: every other refusal goes to the registered URI, with code,
// state and iss, and repeats nothing (A13, B1, B2, B6, C1, C2, C5;
// oidcc-response-type-missing, oidcc-prompt-none-not-logged-in,
// oidcc-request-object-rejected).
func TestRequestsBack(t *testing.T) {
	s := keystonetest.Start(t)
	app := webClient(s)
	spa := s.CreateClient(keystone.Client{Name: "Page", Kind: keystone.ClientSPA, RedirectURIs: []string{callback}, Scopes: []string{"openid"}})
	lax := s.CreateClient(keystone.Client{Name: "Old", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid"}, PKCEOptional: true})
	for _, kind := range []string{"spa", "native"} {
		body := map[string]any{"name": "Loose", "kind": kind, "redirect_uris": []string{callback}, "require_pkce": false}
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, nil); status != http.StatusBadRequest {
			t.Errorf("a client of kind %s without PKCE: made with %d", kind, status)
		}
	}
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+spa.ID, s.Admin(), map[string]any{"require_pkce": false}, nil); status != http.StatusBadRequest {
		t.Errorf("PKCE of a public client switched off: %d", status)
	}
	const canary = "canary-4711"
	for _, test := range []struct {
		name   string
		client keystonetest.Client
		change []string
		want   string
	}{
		{"B1 token", app, []string{"response_type", "token"}, "unsupported_response_type"},
		{"B1 id_token", app, []string{"response_type", "id_token"}, "unsupported_response_type"},
		{"B1 code token", app, []string{"response_type", "code token"}, "unsupported_response_type"},
		{"B1 none", app, []string{"response_type", "none"}, "unsupported_response_type"},
		{"B1 missing", app, []string{"response_type", ""}, "invalid_request"},
		{"B6 nobody signed in", app, []string{"prompt", "none"}, "login_required"},
		{"B6 none with login", app, []string{"prompt", "none login"}, "invalid_request"},
		{"unknown prompt", app, []string{"prompt", canary}, "invalid_request"},
		{"response_mode", app, []string{"response_mode", canary}, "invalid_request"},
		{"max_age", app, []string{"max_age", "-1"}, "invalid_request"},
		{"claims", app, []string{"claims", "{" + canary}, "invalid_request"},
		{"scope", app, []string{"scope", "openid \"" + canary}, "invalid_scope"},
		{"hint", app, []string{"id_token_hint", canary}, "invalid_request"},
		{"request object", app, []string{"request", canary}, "request_not_supported"},
		{"long state", app, []string{"nonce", strings.Repeat("n", 2001)}, "invalid_request"},
		{"C1 public, no challenge", spa, []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"C5 confidential, stripped", app, []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"C2 no method", app, []string{"code_challenge_method", ""}, "invalid_request"},
		{"C2 plain", app, []string{"code_challenge_method", "plain", "code_challenge", verifier}, "invalid_request"},
		{"C2 plain where PKCE is optional", lax, []string{"code_challenge_method", "plain", "code_challenge", verifier}, "invalid_request"},
		{"C2 short challenge", app, []string{"code_challenge", "short"}, "invalid_request"},
		{"resource", app, []string{"resource", "https://" + canary + ".example"}, "invalid_target"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, test.client, test.change...))
			got := b.answer()
			if got.Get("error") != test.want || got.Get("state") != "st" || got.Get("code") != "" || strings.Contains(b.page.url.String(), canary) {
				t.Errorf("%v, want %s", got, test.want)
			}
			for name := range got {
				if name != "error" && name != "error_description" && name != "state" && name != "iss" {
					t.Errorf("the answer has %s", name)
				}
			}
		})
	}
}

// TestLoopbackPort: the port of a loopback address is the program's own (A5, RFC
// 8252 section 7.3).
func TestLoopbackPort(t *testing.T) {
	s := keystonetest.Start(t)
	tool := s.CreateClient(keystone.Client{Name: "Tool", Kind: keystone.ClientNative, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid"}})
	for uri, good := range map[string]bool{
		"http://127.0.0.1:51004/cb": true, "http://127.0.0.1/cb": true,
		"http://127.0.0.1:51004/other": false, "http://127.0.0.1:80@evil.example/cb": false, "http://localhost:51004/cb": false,
		"http://localhost.evil.example/cb": false, "https://127.0.0.1:51004/cb": false, "http://127.0.0.1:51004/cb?x": false,
	} {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, tool, "redirect_uri", uri, "prompt", "none"))
		if went := b.page.status == http.StatusSeeOther && strings.HasPrefix(b.page.url.String(), uri+"?error=login_required"); went != good {
			t.Errorf("%s: %d to %s", uri, b.page.status, b.page.url)
		}
	}
}

// TestRequestsBounded: what is not known is ignored, up to a limit (B10;
// oidcc-ensure-request-with-unknown-parameter-succeeds).
func TestRequestsBounded(t *testing.T) {
	s := keystonetest.Start(t)
	app := webClient(s)
	b := newBrowser(t, s)
	many := authorizeURL(s, app, "acr_values", "urn:unknown level2", "ui_locales", "fr se", "claims_locales", "se", "display", "popup",
		"claims", `{"userinfo":{"x":null},"id_token":{"y":{"essential":true},"name":null}}`)
	for i := range 200 {
		many += "&extra" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "=1"
	}
	b.open(many)
	b.at("login")
	started := time.Now()
	resp, err := s.Client().Get(authorizeURL(s, app) + "&x=" + strings.Repeat("x", 64<<10))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestURITooLong && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge || time.Since(started) > 5*time.Second {
		t.Errorf("64 KiB of query: %d after %s", resp.StatusCode, time.Since(started))
	}
}

// TestPushed: PAR (H1, H2; RFC 9126).
func TestPushed(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app, other := s.CreateUser("jane"), webClient(s), webClient(s)
		push := func(c keystonetest.Client, pairs ...string) (int, map[string]any) {
			u, _ := url.Parse(authorizeURL(s, c, append([]string{"client_secret", c.Secret}, pairs...)...))
			return postForm(t, s, "/oauth2/par", u.Query())
		}
		by := func(c keystonetest.Client, uri string, more ...string) string {
			q := url.Values{"client_id": {c.ID}, "request_uri": {uri}}
			for i := 0; i < len(more); i += 2 {
				q.Set(more[i], more[i+1])
			}
			return s.URL + "/oauth2/authorize?" + q.Encode()
		}
		status, answer := push(app)
		uri, _ := answer["request_uri"].(string)
		if status != http.StatusCreated || uri == "" || answer["expires_in"] != 90.0 {
			t.Fatalf("%d %v", status, answer)
		}
		b := newBrowser(t, s)
		b.open(by(other, uri))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("another client's request_uri answered %d", b.page.status)
		}
		b.open(by(app, uri, "scope", "openid admin", "state", "evil", "redirect_uri", "https://evil.example/"))
		b.at("login")
		s.Clock.Move(5 * time.Minute) // people take longer than the reference lives
		b.signIn(jane)
		b.submit(map[string]string{"decision": "allow"})
		if got := b.answer(); got.Get("state") != "st" || got.Get("code") == "" {
			t.Fatalf("the parameters beside request_uri counted: %v", got)
		}
		b.open(by(app, uri))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("a used request_uri answered %d", b.page.status)
		}

		_, answer = push(app)
		uri = answer["request_uri"].(string)
		b.open(by(app, uri))
		b.answer()
		b.open(by(app, uri))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("a request_uri that was answered at once can be used again: %d", b.page.status)
		}
		_, answer = push(app)
		s.Clock.Move(91 * time.Second)
		b.open(by(app, answer["request_uri"].(string)))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("an expired request_uri answered %d", b.page.status)
		}

		if status, answer := push(app, "request_uri", uri); status != http.StatusBadRequest {
			t.Errorf("request_uri inside: %d %v", status, answer)
		}
		if status, answer := push(app, "client_secret", "wrong"); status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
			t.Errorf("wrong secret: %d %v", status, answer)
		}
		if status, answer := push(app, "redirect_uri", "https://evil.example/"); status != http.StatusBadRequest {
			t.Errorf("wrong redirect URI: %d %v", status, answer)
		}
		if status, answer := push(app, "code_challenge", ""); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
			t.Errorf("no challenge: %d %v", status, answer)
		}
		spa := s.CreateClient(keystone.Client{Name: "Page", Kind: keystone.ClientSPA, RedirectURIs: []string{callback}, Scopes: []string{"openid"}})
		q, _ := url.Parse(authorizeURL(s, spa))
		if status, answer := postForm(t, s, "/oauth2/par", q.Query()); status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
			t.Errorf("public client: %d %v", status, answer)
		}
		resp, err := s.Client().Get(s.URL + "/oauth2/par")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d", resp.StatusCode)
		}
	})
}

// TestRequestByForm: another site's form carries no cookie, and the session is
// found all the same (oidcc-ensure-post-request-succeeds).
func TestRequestByForm(t *testing.T) {
	s := keystonetest.Start(t)
	jane, app := s.CreateUser("jane"), webClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	b.answer()
	u, _ := url.Parse(authorizeURL(s, app))
	b.crossPost("/oauth2/authorize", u.Query())
	if got := b.answer(); got.Get("code") == "" {
		t.Errorf("%v", got)
	}
	q := u.Query()
	q.Set("redirect_uri", "https://evil.example/")
	b.crossPost("/oauth2/authorize", q)
	if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
		t.Errorf("%d", b.page.status)
	}
}

// TestMustPush: a client that must push its requests gets nowhere with one that
// came through the browser, by GET and by POST (H4; RFC 9126 section 5).
func TestMustPush(t *testing.T) {
	s := keystonetest.Start(t)
	s.CreateUser("jane")
	app := s.CreateClient(keystone.Client{Name: "Bank", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid"},
		ClientSettings: keystone.ClientSettings{RequirePAR: true}})
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	if got := b.answer(); got.Get("error") != "invalid_request" || got.Get("code") != "" {
		t.Errorf("GET: %v", got)
	}
	q, _ := url.Parse(authorizeURL(s, app))
	b.crossPost("/oauth2/authorize", q.Query())
	if got := b.answer(); got.Get("error") != "invalid_request" || got.Get("code") != "" {
		t.Errorf("POST: %v", got)
	}
	form := q.Query()
	form.Set("client_secret", app.Secret)
	status, pushed := postForm(t, s, "/oauth2/par", form)
	if status != http.StatusCreated {
		t.Fatalf("pushed: %d %v", status, pushed)
	}
	b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed["request_uri"].(string)}}.Encode())
	b.at("login")
}
