package keystone_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

const browserAccepts = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// TestBrowsersGetPages: who opens an address in a browser that is none is told so on a
// page, and programs in JSON.
func TestBrowsersGetPages(t *testing.T) {
	s := keystonetest.Start(t)
	for _, c := range []struct {
		method, path string
		status       int
		style        string
	}{
		{"GET", "/nope.html", 404, `href="static/`}, {"GET", "/nope/nope", 404, `href="../static/`}, {"GET", "/a/b/c", 404, `href="../../static/`}, {"DELETE", "/nope", 404, `href="static/`},
		{"DELETE", "/consent", 405, `href="static/`}, {"PUT", "/login", 405, `href="static/`}, {"POST", "/oauth2/resume", 405, `href="../static/`},
	} {
		got := as(s, "").with("Accept", browserAccepts).json(t, c.method, c.path, nil)
		got.wantsErrorPage(t, c.status, c.method+" "+c.path)
		if !strings.Contains(got.body, c.style) || (c.status == 405) != (got.header.Get("Allow") != "") {
			t.Errorf("%s %s: %v\n%s", c.method, c.path, got.header, got.body)
		}
		for _, accept := range []string{"", "*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0, */*", "text/html;q=x"} {
			got := as(s, "").with("Accept", accept).json(t, c.method, c.path, nil)
			if got.status != c.status || got.text("error") == "" || got.text("request_id") == "" {
				t.Errorf("%s %s for %q: %d %s", c.method, c.path, accept, got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/api/v1/nope", "/.well-known/nope", strings.Repeat("/x", 40)} {
		if got := as(s, "").with("Accept", browserAccepts).json(t, "GET", path, nil); got.status != 404 || got.text("error") != "not_found" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	german := as(s, "").with("Accept", browserAccepts).with("Accept-Language", "de").json(t, "DELETE", "/consent", nil)
	if !strings.Contains(german.body, "Öffnen Sie die Anwendung") {
		t.Errorf("%s", german.body)
	}

	// The root says what this is, and nothing that a stranger could use.
	home := as(s, "").with("Accept", browserAccepts).json(t, "GET", "/", nil)
	if home.status != http.StatusOK || !strings.Contains(home.body, `id="sign-in" href="account/apps"`) || strings.Contains(strings.ToLower(home.body), "version") || home.header.Get("Server") != "" {
		t.Errorf("%d %v %s", home.status, home.header, home.body)
	}
	if got := as(s, "").json(t, "GET", "/", nil); got.status != 404 || got.text("error") != "not_found" {
		t.Errorf("%d %s", got.status, got.body)
	}
	as(s, "").with("Accept", browserAccepts).with("Sec-Fetch-Site", "same-origin").form(t, "/").wantsErrorPage(t, 404, "POST /")
	b := newBrowser(t, s)
	b.open(s.URL + "/account/apps")
	b.at("password")

	limited := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_PAGE": "1/hour"}))
	for i, status := range []int{404, 429} {
		if got := as(limited, "").with("Accept", browserAccepts).json(t, "GET", "/nope", nil); got.status != status {
			t.Errorf("%d: %d", i, got.status)
		}
	}
}

var waits = regexp.MustCompile(`You can try again in [0-9]+ (seconds|minutes|hours)\.`)

// TestPagesSayHowLong: a person sees no header, so the page says how long to wait.
func TestPagesSayHowLong(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_LOGIN": "1/hour"}))
	var got answer
	for range 2 {
		got = as(s, "").with("Sec-Fetch-Site", "same-origin").form(t, "/login", "flow", "x")
	}
	if got.wantsErrorPage(t, http.StatusTooManyRequests, "the limit"); waits.FindString(got.body) != "You can try again in 60 minutes." || strings.Contains(got.body, "Retry-After") {
		t.Errorf("%s", got.body)
	}

	s = keystonetest.Start(t)
	jane := s.CreateUser("jane")
	jane.Password = "wrong"
	b := newBrowser(t, s)
	b.open(authorizeURL(s, webClient(s)))
	for range 40 {
		if b.signIn(jane); b.page.status == http.StatusTooManyRequests {
			break
		}
	}
	if b.page.status != http.StatusTooManyRequests || !waits.MatchString(b.page.body) || b.page.header.Get("Retry-After") == "" || strings.Contains(b.page.body, "Retry-After") {
		t.Errorf("%d %v\n%s", b.page.status, b.page.header, b.page.body)
	}
	b.at("password")
}

// TestRotationSwitch: a client that says that it does not rotate is told what that
// means where it is so, and refused where it could not be.
func TestRotationSwitch(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := as(s, s.Admin())
		const path = "/api/v1/admin/clients"
		base := func(kind string, more m) m {
			body := m{"name": "Shop", "kind": kind, "redirect_uris": []string{callback}, "scopes": []string{"openid"}}
			for name, value := range more {
				body[name] = value
			}
			return body
		}
		warnings := func(a answer) int { list, _ := a.fields["warnings"].([]any); return len(list) }
		loose := admin.json(t, "POST", path, base("web", m{"rotate_refresh_tokens": false}))
		if loose.status != http.StatusCreated || warnings(loose) != 1 || !strings.Contains(loose.body, "9700") {
			t.Errorf("%d %s", loose.status, loose.body)
		}
		for what, change := range map[string]m{"rotates": {"rotate_refresh_tokens": true}, "bound": {"rotate_refresh_tokens": false, "dpop_bound": true},
			"no refresh tokens": {"dpop_bound": false, "grants": []string{"authorization_code"}}} {
			if got := admin.json(t, "PATCH", path+"/"+loose.text("id"), change); got.status != http.StatusOK || warnings(got) != 0 {
				t.Errorf("%s: %d %s", what, got.status, got.body)
			}
		}
		for _, kind := range []string{"spa", "native"} {
			refused := admin.json(t, "POST", path, base(kind, m{"rotate_refresh_tokens": false}))
			refused.wants(t, http.StatusBadRequest, "a public client that does not rotate")
			if fields, _ := refused.fields["fields"].(map[string]any); fields["rotate_refresh_tokens"] == nil {
				t.Errorf("%s", refused.body)
			}
			made := admin.json(t, "POST", path, base(kind, nil))
			if made.fields["rotate_refresh_tokens"] != true || warnings(made) != 0 {
				t.Errorf("%d %s", made.status, made.body)
			}
			admin.json(t, "PATCH", path+"/"+made.text("id"), m{"rotate_refresh_tokens": false}).wants(t, http.StatusBadRequest, "by a change")
			admin.json(t, "PATCH", path+"/"+made.text("id"), m{"name": "Shop 2"}).wants(t, http.StatusOK, "another change")
		}
	})
}
