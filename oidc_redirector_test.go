package keystone_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

var continueLink = regexp.MustCompile(`id="continue" href="([^"]+)"`)

// TestStrangerIsNoRedirector: who registers a client gets no way to send people from
// here to any address (RFC 9700 section 4.11.2).
func TestStrangerIsNoRedirector(t *testing.T) {
	site := newDocumentSite(t)
	const out = "https://evil.example/out"
	s := keystonetest.Start(t, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "open"}))
	metadata := []any{"post_logout_redirect_uris", []string{out}, "token_endpoint_auth_method", "none"}
	initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid", "profile"}})
	strangers := map[string]keystonetest.Client{"registered": registers(t, s, "", metadata...).client(), "document": site.put("/out.json", metadata...)}
	vouched := registers(t, s, initial.text("registration_token"), metadata...).client()
	shows := func(b *browser, what, host string) string {
		t.Helper()
		link := continueLink.FindStringSubmatch(b.page.body)
		if link == nil || !strings.Contains(b.page.body, ">"+host+"<") || !strings.HasPrefix(b.page.url.String(), s.URL) || b.page.header.Get("Refresh") != "" {
			t.Fatalf("%s: %d %s %v\n%s", what, b.page.status, b.page.url, b.page.header, b.page.body)
		}
		return html.UnescapeString(link[1])
	}
	for name, app := range strangers {
		b := newBrowser(t, s)
		for what, pairs := range map[string][]string{"no PKCE": {"code_challenge", ""}, "a bad prompt": {"prompt", "x"}, "a fragment": {"prompt", "x", "response_mode", "fragment"}, "a JWT": {"prompt", "x", "response_mode", "jwt"},
			"another type": {"response_type", "token"}, "a bad prompt, and none": {"prompt", "none x"}} {
			b.open(authorizeURL(s, app, pairs...))
			if to := shows(b, name+", "+what, "app.example"); !strings.HasPrefix(to, callback) || !strings.Contains(to, "error=") && !strings.Contains(to, "response=") || b.page.status != http.StatusBadRequest {
				t.Errorf("%s, %s: %d %s", name, what, b.page.status, to)
			}
		}
		b.open(authorizeURL(s, app, "prompt", "x", "response_mode", "form_post"))
		if b.at("continue"); strings.Contains(b.page.body, "<script") || !strings.Contains(b.page.body, `value="invalid_request"`) {
			t.Errorf("%s by form: %s", name, b.page.body)
		}
		b.crossPost("/oauth2/authorize", url.Values{"client_id": {app.ID}, "redirect_uri": {callback}, "response_type": {"token"}})
		shows(b, name+" by POST", "app.example")
		// Silent requests have no page: the application would never hear.
		if b.open(authorizeURL(s, app, "prompt", "none", "scope", "openid")); b.answer().Get("error") != "login_required" {
			t.Errorf("%s: %s", name, b.page.url)
		}
		b.open(authorizeURL(s, app, "scope", "openid"))
		away := s.URL + "/oauth2/logout?" + url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {out}, "state": {"st"}}.Encode()
		b.open(away)
		if to := shows(b, name+" after logging out", "evil.example"); to != out+"?state=st" {
			t.Errorf("%s: %s", name, to)
		}

		// Who signed in and allowed it goes back by themselves, also with an error.
		b.open(authorizeURL(s, app, "scope", "openid"))
		b.signIn(s.CreateUser("jane-" + name))
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", "x"))
		shows(b, name+", signed in and nothing allowed", "app.example")
		b.open(authorizeURL(s, app, "scope", "openid"))
		b.submit(map[string]string{"decision": "allow"})
		redeem(t, s, app, b.answer().Get("code"))
		if b.open(authorizeURL(s, app, "scope", "openid", "prompt", "x")); b.answer().Get("error") != "invalid_request" {
			t.Errorf("%s, allowed: %s", name, b.page.url)
		}
		b.open(away)
		b.at("logout-confirm")
		if b.submit(map[string]string{"account": "all"}); b.page.url.String() != out+"?state=st" {
			t.Errorf("%s, confirmed: %s", name, b.page.url)
		}
	}
	for name, app := range map[string]keystonetest.Client{"with a token": vouched, "of an administrator": webClient(s)} {
		b := newBrowser(t, s)
		if b.open(authorizeURL(s, app, "prompt", "x")); b.answer().Get("error") != "invalid_request" {
			t.Errorf("%s: %s", name, b.page.url)
		}
	}
	b := newBrowser(t, s)
	b.open(s.URL + "/oauth2/logout?" + url.Values{"client_id": {vouched.ID}, "post_logout_redirect_uri": {out}}.Encode())
	if b.page.url.String() != out {
		t.Errorf("with a token: %s", b.page.url)
	}
}

// TestStrangerTheyNeverUsed: whoever is signed in and logs out on a page to which a
// stranger's link led them goes to the stranger's address only where they say so, unless a
// session that ends has used it (A11, RFC 9700 section 4.11.2).
func TestStrangerTheyNeverUsed(t *testing.T) {
	site := newDocumentSite(t)
	const out = "https://evil.example/fake-sign-in"
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		metadata := []any{"post_logout_redirect_uris", []string{out}, "token_endpoint_auth_method", "none"}
		registered, document := registers(t, s, "", metadata...).client(), site.put("/out.json", metadata...)
		initial := initialToken(t, s, m{"uses": 1, "scopes": []string{"openid"}})
		vouched := registers(t, s, initial.text("registration_token"), metadata...).client()
		jane, app := s.CreateUser("jane"), webClient(s)
		away := func(c keystonetest.Client) string {
			return s.URL + "/oauth2/logout?" + url.Values{"client_id": {c.ID}, "post_logout_redirect_uri": {out}}.Encode()
		}
		allows := func(b *browser, c keystonetest.Client) map[string]any {
			t.Helper()
			b.open(authorizeURL(s, c, "scope", "openid"))
			b.at("consent-allow")
			b.submit(map[string]string{"decision": "allow"})
			_, tokens := redeem(t, s, c, b.answer().Get("code"))
			return tokens
		}
		other := signedIn(t, s, s.CreateUser("joe"), app) // somebody else uses both
		for _, c := range []keystonetest.Client{document, registered} {
			allows(other, c)
		}
		for name, c := range map[string]struct {
			app  keystonetest.Client
			used bool
			goes bool
		}{
			"registered": {registered, false, false}, "document": {document, false, false},
			"registered, used": {registered, true, true}, "document, used": {document, true, true},
			"with a token": {vouched, false, true},
		} {
			b := signedIn(t, s, jane, app)
			if c.used {
				allows(b, c.app)
			}
			b.open(away(c.app))
			b.at("logout-confirm")
			b.submit(map[string]string{"account": "all"})
			switch {
			case c.goes && b.page.url.String() != out:
				t.Errorf("%s: stays at %s", name, b.page.url)
			case !c.goes && (!strings.HasPrefix(b.page.url.String(), s.URL) || !strings.Contains(b.page.body, ">evil.example<") || continueLink.FindStringSubmatch(b.page.body) == nil || b.page.header.Get("Refresh") != ""):
				t.Errorf("%s: %d %s %v", name, b.page.status, b.page.url, b.page.header)
			}
			if b.open(authorizeURL(s, app, "prompt", "none")); b.answer().Get("error") != "login_required" {
				t.Errorf("%s: still signed in: %s", name, b.page.url)
			}
		}
		// Another account of the same browser has used it: it is not the one that ends.
		b := signedIn(t, s, jane, app)
		b.open(authorizeURL(s, registered, "scope", "openid", "prompt", "select_account"))
		b.open(b.page.url.String() + "&other=1")
		b.signIn(s.CreateUser("ann"))
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, registered, b.answer().Get("code"))
		b.open(away(registered))
		session, _ := idClaims(t, tokens["id_token"])["sid"].(string)
		var another string
		for _, v := range regexp.MustCompile(`name="account" value="([^"]+)"`).FindAllStringSubmatch(b.page.body, -1) {
			if v[1] != session && v[1] != "all" {
				another = v[1]
			}
		}
		b.submit(map[string]string{"account": another})
		if another == "" || !strings.HasPrefix(b.page.url.String(), s.URL) || !strings.Contains(b.page.body, ">evil.example<") {
			t.Errorf("another account: %q %s\n%s", another, b.page.url, b.page.body)
		}
		// An ID token of the session that ends is as good as a word of the person.
		b.open(s.URL + "/oauth2/logout?" + url.Values{"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {out}}.Encode())
		if b.page.url.String() != out {
			t.Errorf("with its ID token: %s", b.page.url)
		}
	}, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "open"}))
}
