package keystone_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// shown is the state that scripts of the issuer read in this browser, or "".
func (b *browser) shown() string {
	u, _ := url.Parse(b.server.URL)
	for _, c := range b.http.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "-state") {
			return c.Value
		}
	}
	return ""
}

// unchanged is what the frame's script computes for an application that asks from
// origin (OpenID Connect Session Management section 3.2).
func (b *browser) unchanged(clientID, origin, sessionState string) bool {
	hash, salt, _ := strings.Cut(sessionState, ".")
	sum := sha256.Sum256([]byte(clientID + " " + origin + " " + b.shown() + " " + salt))
	return salt != "" && base64.RawURLEncoding.EncodeToString(sum[:]) == hash
}

// TestSessionState: the session_state of a response holds until somebody signs in
// or out in this browser, for this application at its own origin alone.
func TestSessionState(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS(), inSettings("SESSION_IFRAME", "true"))
	jane, app := s.CreateUser("jane"), webClient(s)
	var facts struct {
		Frame string `json:"check_session_iframe"`
	}
	s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
	if facts.Frame != s.Issuer+"/oauth2/check_session" {
		t.Fatalf("check_session_iframe is %q", facts.Frame)
	}

	b := signedIn(t, s, jane, app)
	b.open(authorizeURL(s, app))
	first := b.answer().Get("session_state")
	b.open(authorizeURL(s, app, "prompt", "none"))
	second := b.answer().Get("session_state")
	if first == second || strings.Contains(first+second, " ") || !b.unchanged(app.ID, "https://app.example", first) || !b.unchanged(app.ID, "https://app.example", second) {
		t.Errorf("%q, %q", first, second)
	}
	if b.unchanged("another", "https://app.example", first) || b.unchanged(app.ID, "https://evil.example", first) {
		t.Error("another application is told")
	}
	if strings.Contains(b.shown(), b.cookie()) || b.shown() == "" {
		t.Errorf("the script sees %q", b.shown())
	}

	t.Run("cookie", func(t *testing.T) {
		fresh := newBrowser(t, s)
		fresh.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		fresh.open(authorizeURL(s, app))
		cookies := fresh.page.header.Values("Set-Cookie")
		if len(cookies) != 2 || !strings.Contains(cookies[0], "HttpOnly") || !strings.Contains(cookies[1], "__Host-keystone-state=") ||
			strings.Contains(cookies[1], "HttpOnly") || !strings.Contains(cookies[1], "Secure; SameSite=None") {
			t.Errorf("%q", cookies)
		}
	})
	t.Run("signed in again", func(t *testing.T) {
		b.open(authorizeURL(s, app, "prompt", "login"))
		b.signIn(jane)
		if again := b.answer().Get("session_state"); b.unchanged(app.ID, "https://app.example", first) || !b.unchanged(app.ID, "https://app.example", again) {
			t.Errorf("%q", again)
		}
	})
	t.Run("the state was lost", func(t *testing.T) {
		u, _ := url.Parse(s.URL)
		b.http.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-keystone-state", Value: "x", Path: "/", Secure: true}})
		b.open(authorizeURL(s, app, "prompt", "none"))
		first = b.answer().Get("session_state")
		if !b.unchanged(app.ID, "https://app.example", first) {
			t.Error("it is not set again")
		}
	})
	t.Run("logged out", func(t *testing.T) {
		b.open(s.URL + "/logout")
		b.submit(nil)
		if b.shown() != "" || b.unchanged(app.ID, "https://app.example", first) {
			t.Errorf("unchanged: %q", b.shown())
		}
	})
	t.Run("native", func(t *testing.T) {
		native := s.CreateClient(keystone.Client{Name: "Phone", Kind: keystone.ClientNative, RedirectURIs: []string{"com.example.app:/cb"}, Scopes: []string{"openid"}})
		n := newBrowser(t, s)
		n.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Scheme != "https" {
				return http.ErrUseLastResponse
			}
			return nil
		}
		n.open(authorizeURL(s, native, "redirect_uri", "com.example.app:/cb", "scope", "openid"))
		n.signIn(jane)
		n.submit(map[string]string{"decision": "allow"})
		if q := n.page.url.Query(); q.Get("code") == "" || q.Has("session_state") {
			t.Errorf("%s: there is no origin to ask from", n.page.url)
		}
	})
	t.Run("frame", func(t *testing.T) {
		resp, err := s.Client().Get(facts.Frame)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != http.StatusOK || !strings.Contains(policy, "frame-ancestors *") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(string(body), "check_session.js") || len(resp.Header.Values("Set-Cookie")) != 0 {
			t.Errorf("%d %q\n%s", resp.StatusCode, policy, body)
		}
		for _, path := range []string{"/login", "/oauth2/authorize", "/logout", "/device", "/oauth2/check_sessio"} {
			resp, err := s.Client().Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s may be framed: %q", path, policy)
			}
		}
	})
}

// TestNoSessionFrame: nothing of it is there unless it is switched on.
func TestNoSessionFrame(t *testing.T) {
	s := keystonetest.Start(t)
	app := webClient(s)
	b := signedIn(t, s, s.CreateUser("jane"), app)
	b.open(authorizeURL(s, app))
	if q := b.answer(); q.Has("session_state") || b.shown() != "" {
		t.Errorf("%v, state %q", q, b.shown())
	}
	var facts map[string]any
	s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
	if status := s.Call(http.MethodGet, "/oauth2/check_session", "", nil, nil); status != http.StatusNotFound || facts["check_session_iframe"] != nil {
		t.Errorf("%d, %v", status, facts["check_session_iframe"])
	}
}
