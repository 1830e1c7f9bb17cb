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

const bye = "https://app.example/bye"

// leaver is a client that sends people to log out.
func leaver(s *keystonetest.Server) keystonetest.Client {
	return s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, PostLogoutURIs: []string{bye},
		Scopes: []string{"openid", "profile", "email", "offline_access"}})
}

func idTokenOf(t *testing.T, s *keystonetest.Server, c keystonetest.Client, b *browser) string {
	t.Helper()
	_, tokens := redeem(t, s, c, b.code(c))
	raw, _ := tokens["id_token"].(string)
	if raw == "" {
		t.Fatalf("no ID token: %v", tokens)
	}
	return raw
}

func logoutURL(s *keystonetest.Server, hint string, pairs ...string) string {
	q := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return s.URL + "/oauth2/logout?" + q.Encode()
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	kid, _ := idClaims(t, "x."+strings.Split(raw, ".")[0]+".x")["kid"].(string)
	return kid
}

// TestHintOutlivesItsKey: an ID token is a hint as long as its session may live,
// whatever has become of the key since; only a revoked key makes it none (OpenID
// Connect Core section 3.1.2.1, RP-Initiated Logout section 4).
func TestHintOutlivesItsKey(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, joe, app := s.CreateUser("jane"), s.CreateUser("joe"), leaver(s)
		b, other := signedIn(t, s, jane, app), signedIn(t, s, joe, app)
		hint := idTokenOf(t, s, app, b)
		rotate := func() {
			t.Helper()
			if status := s.Call(http.MethodPost, "/api/v1/admin/keys/rotate", s.Admin(), nil, nil); status != http.StatusCreated {
				t.Fatalf("rotate: %d", status)
			}
		}
		rotate()
		for range 4 { // 80 of 90 days
			s.Clock.Move(20 * 24 * time.Hour)
			s.Sweep()
			for who, want := range map[*browser]string{b: "", other: "login_required"} {
				who.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", hint))
				if got := who.answer(); got.Get("error") != want {
					t.Fatalf("%v, want %q", got, want)
				}
				who.code(app) // the session is used
			}
		}
		var set struct{ Keys []map[string]any }
		s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set)
		for _, key := range set.Keys {
			if key["kid"] == kidOf(t, hint) {
				t.Error("the old key is still published: nothing is shown here")
			}
		}
		b.open(logoutURL(s, hint))
		if b.page.url.String() != bye {
			t.Errorf("logging out with the old ID token ends at %s (%d)", b.page.url, b.page.status)
		}
		// It proves nothing else: it is no bearer token, and no other token lives longer.
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", hint, nil, nil); status != http.StatusUnauthorized {
			t.Errorf("as a bearer token: %d", status)
		}
		fresh := idTokenOf(t, s, app, other)
		if status := s.Call(http.MethodDelete, "/api/v1/admin/keys/"+kidOf(t, fresh), s.Admin(), nil, nil); status != http.StatusNoContent {
			t.Fatalf("revoke: %d", status)
		}
		other.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", fresh))
		if got := other.answer(); got.Get("error") != "invalid_request" {
			t.Errorf("under a revoked key: %v", got)
		}
		other.open(logoutURL(s, fresh))
		if other.page.status != http.StatusBadRequest {
			t.Errorf("logging out under a revoked key: %d", other.page.status)
		}
		s.Clock.Move(12 * 24 * time.Hour) // 92 days: of the first key's time no session lives
		s.Sweep()
		other.open(logoutURL(s, hint))
		if other.page.status == http.StatusSeeOther {
			t.Errorf("after all: %d", other.page.status)
		}
	})
}

// TestHintOfAnotherSession: an ID token speaks for its own session. That the same
// user is signed in elsewhere, or was here before, ends nothing without asking
// (RP-Initiated Logout section 2, I3).
func TestHintOfAnotherSession(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), leaver(s)
		first, elsewhere := signedIn(t, s, jane, app), signedIn(t, s, jane, app)
		stale, living := idTokenOf(t, s, app, first), idTokenOf(t, s, app, elsewhere)
		first.open(logoutURL(s, stale))
		if first.page.url.String() != bye {
			t.Fatalf("its own session: %s", first.page.url)
		}
		b := signedIn(t, s, jane, app)
		for name, hint := range map[string]string{"of a session that has ended": stale, "of a session in another browser": living} {
			b.open(logoutURL(s, hint, "state", "st"))
			b.at("logout-confirm")
			b.open(authorizeURL(s, app, "prompt", "none"))
			if b.answer().Get("code") == "" {
				t.Errorf("%s: jane was logged out", name)
			}
		}
		b.open(logoutURL(s, stale, "state", "st"))
		b.submit(nil)
		if b.page.url.String() != bye+"?state=st" {
			t.Errorf("who says yes ends at %s", b.page.url)
		}
		elsewhere.open(authorizeURL(s, app, "prompt", "none"))
		if elsewhere.answer().Get("code") == "" {
			t.Error("another browser was logged out, too")
		}
		// Of two accounts in a browser the hint's own is meant.
		both := signedIn(t, s, jane, app)
		mine := idTokenOf(t, s, app, both)
		both.open(authorizeURL(s, app, "prompt", "login"))
		both.signIn(s.CreateUser("john"))
		both.submit(map[string]string{"decision": "allow"})
		both.open(logoutURL(s, mine))
		if both.page.url.String() != bye {
			t.Errorf("of two accounts: %s", both.page.url)
		}
		both.open(authorizeURL(s, app, "prompt", "none"))
		if both.answer().Get("code") == "" {
			t.Error("john was logged out with jane")
		}
		// Who proves themselves again stays in their session, and so does its hint.
		again := signedIn(t, s, jane, app)
		before := idTokenOf(t, s, app, again)
		again.open(authorizeURL(s, app, "prompt", "login"))
		again.signIn(jane)
		again.open(logoutURL(s, before))
		if again.page.url.String() != bye {
			t.Errorf("after a second proof: %s", again.page.url)
		}
	})
}

// TestTokenEndsOnTime: at exp a token is over for whoever asks about it (RFC 7662
// section 2.2), and at the endpoints that it opens after ten seconds more at most.
func TestTokenEndsOnTime(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, AccessTokenFormat: format, Scopes: []string{"openid", "profile", "email", "offline_access"}})
			b := signedIn(t, s, s.CreateUser("jane-"+format), app)
			_, tokens := redeem(t, s, app, b.code(app))
			access := tokens["access_token"].(string)
			ask := func() (active any, exp float64, userinfo, api int) {
				_, seen := postForm(t, s, "/oauth2/introspect", credentials(app, "token", access))
				exp, _ = seen["exp"].(float64)
				return seen["active"], exp, s.Call(http.MethodGet, "/oauth2/userinfo", access, nil, nil), s.Call(http.MethodGet, "/api/v1/users", access, nil, nil)
			}
			active, exp, userinfo, api := ask()
			if active != true || userinfo != http.StatusOK || api != http.StatusForbidden {
				t.Fatalf("%s: %v %d %d", format, active, userinfo, api)
			}
			s.Clock.Move(time.Unix(int64(exp), 0).Sub(s.Clock.Now()) - time.Second)
			if active, _, userinfo, api := ask(); active != true || userinfo != http.StatusOK || api != http.StatusForbidden {
				t.Errorf("%s in its last second: %v %d %d", format, active, userinfo, api)
			}
			s.Clock.Move(time.Second)
			if active, _, _, _ := ask(); active != false {
				t.Errorf("%s at exp: %v", format, active)
			}
			s.Clock.Move(10 * time.Second)
			if active, _, userinfo, api := ask(); active != false || userinfo != http.StatusUnauthorized || api != http.StatusUnauthorized {
				t.Errorf("%s after exp: %v %d %d", format, active, userinfo, api)
			}
		}
	})
}
