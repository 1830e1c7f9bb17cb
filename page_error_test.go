package keystone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// pages are the routes that people see in a browser.
var pages = []struct{ method, path, limit string }{
	{"GET", "/login?flow=x", "PAGE"}, {"POST", "/login", "LOGIN"}, {"POST", "/consent", "PAGE"},
	{"GET", "/oauth2/authorize", "PAGE"}, {"POST", "/oauth2/authorize", "PAGE"}, {"GET", "/oauth2/resume", "PAGE"},
	{"GET", "/oauth2/logout", "PAGE"}, {"POST", "/oauth2/logout", "PAGE"},
	{"GET", "/logout", "PAGE"}, {"POST", "/logout", "PAGE"},
	{"GET", "/setup", "PAGE"}, {"POST", "/setup", "PAGE"}, {"GET", "/reset", "PAGE"}, {"POST", "/reset", "LOGIN"},
	{"GET", "/register?flow=x", "PAGE"}, {"POST", "/register", "REGISTER"},
	{"GET", "/device", "PAGE"}, {"POST", "/device", "LOGIN"}, {"POST", "/requests", "PAGE"},
}

// wantsErrorPage fails unless people can read what went wrong.
func (a answer) wantsErrorPage(t *testing.T, status int, what string) {
	t.Helper()
	a.wants(t, status, "%s", what)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, `id="error"`) ||
		!strings.Contains(a.body, a.header.Get("X-Request-Id")) || a.header.Get("Content-Security-Policy") == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: not a page for people: %v %.600s", what, a.header, a.body)
	}
	if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && a.header.Get("Retry-After") == "" {
		t.Errorf("%s: no Retry-After", what)
	}
}

// TestLimitsOnPages: a limit answers people with a page and programs with JSON.
func TestLimitsOnPages(t *testing.T) {
	for _, p := range pages {
		t.Run(p.method+" "+p.path, func(t *testing.T) {
			s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_" + p.limit: "1/hour"}))
			send := func() answer {
				if p.method == http.MethodPost {
					return as(s, "").with("Sec-Fetch-Site", "same-origin").form(t, p.path)
				}
				return as(s, "").json(t, p.method, p.path, nil)
			}
			if got := send(); got.status == http.StatusTooManyRequests {
				t.Fatalf("the first one: %d %.300s", got.status, got.body)
			}
			got := send()
			got.wantsErrorPage(t, http.StatusTooManyRequests, "the second one")
			if up := strings.Contains(got.body, `href="../static/`); up != (strings.Count(p.path, "/") > 1) {
				t.Errorf("its style sheet is not where it looks: %.600s", got.body)
			}
		})
	}
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_LOGIN": "1/hour"}))
	for range 2 {
		if got := as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "x", "password": "x"}); got.fields["error"] == nil {
			t.Errorf("the JSON API answers with something else: %s", got.body)
		}
	}
}

// TestRefusalsOnPages: what the edge refuses is a page there, too.
func TestRefusalsOnPages(t *testing.T) {
	s := keystonetest.Start(t)
	as(s, "").with("Sec-Fetch-Site", "cross-site").form(t, "/login", "login", "x").wantsErrorPage(t, http.StatusForbidden, "a form of another site")
	as(s, "").with("Sec-Fetch-Site", "same-origin").json(t, "POST", "/login", `{}`).wantsErrorPage(t, http.StatusBadRequest, "not a form")
}

// TestOfficeSignsIn: thirty people behind one address sign in within a minute,
// where the limit of the JSON API would have stopped the first.
func TestOfficeSignsIn(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_PAGE": "1000/minute", "RATE_LIMIT_API": "1/minute"}))
	app, u := webClient(s), s.CreateUser("jane")
	for range 30 {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		b.signIn(u)
		if strings.Contains(b.page.body, `id="consent-allow"`) {
			b.submit(map[string]string{"decision": "allow"})
		}
		if b.answer().Get("code") == "" {
			t.Fatalf("no code: %s", b.page.url)
		}
	}
}
