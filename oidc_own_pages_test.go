package keystone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// ended are flows that nobody has: their pages say so, and begin nothing.
var ended = []string{"?flow=", "?flow=x", "?flow=01890000-0000-7000-8000-000000000000", "?flow=x%26y%0d%0aSet-Cookie:a=b", "?flow=x&flow=y"}

// TestOwnPages: the pages of a sign-in stand at their bare addresses. Whoever opens one by
// hand signs in to Keystone itself, and sees there what they allowed applications.
func TestOwnPages(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		b := newBrowser(t, s)
		arrived := func(path string) {
			t.Helper()
			if b.page.status != http.StatusOK || b.page.url.Path != path {
				t.Fatalf("at %s (%d), not %s:\n%s", b.page.url, b.page.status, path, b.page.body)
			}
		}
		b.open(s.URL + "/login")
		arrived("/login")
		for _, id := range []string{"login", "password", "submit", "register"} {
			b.at(id)
		}
		b.submit(map[string]string{"login": "jane", "password": "wrong"})
		b.at("error")
		b.signIn(jane)
		arrived("/account/apps")
		before := b.cookie()
		for _, path := range []string{"/login", "/consent"} { // who is signed in has nothing to prove
			b.open(s.URL + path)
			arrived("/account/apps")
		}
		if b.cookie() != before {
			t.Error("looking has changed the cookie")
		}
		b.open(s.URL + "/register") // another account, beside hers
		arrived("/register")
		for _, id := range []string{"username", "email", "password", "submit", "sign-in"} {
			b.at(id)
		}
		b.submit(map[string]string{"username": "joan", "email": "joan@example.com", "password": newPassword})
		arrived("/account/apps")
		if !strings.Contains(b.page.body, "jane") || !strings.Contains(b.page.body, "joan") {
			t.Errorf("%s", b.page.body)
		}

		anew := newBrowser(t, s)
		b = anew
		b.open(s.URL + "/consent")
		b.at("password")
		b.open(s.URL + "/register")
		b.follow("sign-in") // who has an account after all
		b.signIn(jane)
		arrived("/account/apps")

		// The question stands at its own address too, for the browser that is asked.
		b.open(authorizeURL(s, webClient(s)))
		b.at("consent-allow")
		flow := b.page.url.Query().Get("flow")
		b.open(s.URL + "/consent?flow=" + flow)
		b.at("consent-allow")
		other := newBrowser(t, s)
		other.open(s.URL + "/consent?flow=" + flow)
		if other.page.status != http.StatusNotFound {
			t.Errorf("another browser: %d", other.page.status)
		}
		b.submit(map[string]string{"decision": "allow"})
		if b.answer().Get("code") == "" {
			t.Error("no code")
		}

		stranger := newBrowser(t, s)
		for _, path := range []string{"/login", "/register", "/consent"} {
			for _, which := range append(ended, "?flow="+flow) {
				stranger.open(s.URL + path + which)
				if stranger.page.status != http.StatusNotFound || stranger.cookie() != "" || !strings.Contains(stranger.page.body, "This sign-in has ended") {
					t.Errorf("%s%s: %d %q\n%s", path, which, stranger.page.status, stranger.cookie(), stranger.page.body)
				}
			}
		}
	})
}

// TestOwnPagesClosed: where nobody registers, the page for it is the one to sign in.
func TestOwnPagesClosed(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"REGISTRATION": "closed"}))
	b := newBrowser(t, s)
	b.open(s.URL + "/register")
	if b.at("login"); b.page.url.Path != "/login" || strings.Contains(b.page.body, `id="register"`) {
		t.Errorf("%s\n%s", b.page.url, b.page.body)
	}
	b.signIn(s.CreateUser("jane"))
	if b.page.url.Path != "/account/apps" {
		t.Errorf("at %s", b.page.url)
	}
}

// TestOwnPagesBelow: an issuer with a path has them below it.
func TestOwnPagesBelow(t *testing.T) {
	s := keystonetest.Start(t)
	for path, want := range map[string]string{"/login": "login?flow=", "/register": "register?flow=", "/consent": "account/apps", "/consent?flow=a%26b%0d%0a": "login?flow=a%26b%0D%0A"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, want) || strings.ContainsAny(to, "/:") != strings.Contains(want, "/") {
			t.Errorf("%s: %d to %q, want %q", path, resp.StatusCode, to, want)
		}
	}
}
