package keystone_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// signedIn is a browser whose person has allowed the client what webClient may
// ask for.
func signedIn(t *testing.T, s *keystonetest.Server, u keystonetest.User, c keystonetest.Client, pairs ...string) *browser {
	t.Helper()
	b := newBrowser(t, s)
	b.open(authorizeURL(s, c, append([]string{"scope", "openid profile email offline_access"}, pairs...)...))
	b.signIn(u)
	if strings.Contains(b.page.body, "consent-allow") {
		b.submit(map[string]string{"decision": "allow"})
	}
	b.answer()
	return b
}

// code asks for a code that needs no page.
func (b *browser) code(c keystonetest.Client, pairs ...string) string {
	b.t.Helper()
	b.open(authorizeURL(b.server, c, append([]string{"prompt", "none"}, pairs...)...))
	code := b.answer().Get("code")
	if code == "" {
		b.t.Fatalf("no code: %s", b.page.url)
	}
	return code
}

// TestCodeRefused: C3, C8, C9 and codes of other clients; each with whether the
// code is burned by it.
func TestCodeRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, other := webClient(s), webClient(s)
		b := signedIn(t, s, s.CreateUser("jane"), app)
		for _, test := range []struct {
			name   string
			change []string
			want   string
			burned bool
		}{
			{"C3 no verifier", []string{"code_verifier", ""}, "invalid_grant", true},
			{"C3 wrong verifier", []string{"code_verifier", strings.Repeat("x", 43)}, "invalid_grant", true},
			{"C3 42 characters", []string{"code_verifier", verifier[:42]}, "invalid_grant", true},
			{"C3 129 characters", []string{"code_verifier", strings.Repeat("x", 129)}, "invalid_grant", true},
			{"C3 illegal characters", []string{"code_verifier", strings.Repeat("é ", 30)}, "invalid_grant", true},
			{"C9 other redirect_uri", []string{"redirect_uri", callback + "2"}, "invalid_grant", false},
			{"C9 no redirect_uri", []string{"redirect_uri", ""}, "invalid_grant", false},
			{"other client", []string{"client_id", other.ID, "client_secret", other.Secret}, "invalid_grant", false},
			{"wrong secret", []string{"client_secret", "wrong"}, "invalid_client", false},
			{"no code", []string{"code", ""}, "invalid_request", false},
		} {
			code := b.code(app)
			if status, answer := redeem(t, s, app, code, test.change...); answer["error"] != test.want || answer["access_token"] != nil || status < 400 || status > 401 {
				t.Errorf("%s: %d %v", test.name, status, answer)
			}
			if status, _ := redeem(t, s, app, code); (status != http.StatusOK) != test.burned {
				t.Errorf("%s: afterwards the code answers %d, burned should be %t", test.name, status, test.burned)
			}
		}
		code := b.code(app)
		flipped := []byte(code)
		flipped[len(flipped)-10] ^= 1
		for name, broken := range map[string]string{"truncated": code[:len(code)-1], "extended": code + "A", "changed": string(flipped), "empty of body": "ks_ac_", "huge": strings.Repeat("A", 10_000)} {
			if status, answer := redeem(t, s, app, broken); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				t.Errorf("C8 %s: %d %v", name, status, answer)
			}
		}
		s.Clock.Move(61 * time.Second)
		if status, answer := redeem(t, s, app, code); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("C8 after 61 s: %d %v", status, answer)
		}
	})
}

// TestCodeOnce: of 50 uses on two nodes at the same moment one wins, and the
// reuse ends what it won (C7; oidcc-codereuse, oidcc-codereuse-30seconds).
func TestCodeOnce(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)))
	nodes := []*keystonetest.Server{s, s.AddNode()}
	app := webClient(s)
	b := signedIn(t, s, s.CreateUser("jane"), app)
	for range 3 {
		code := b.code(app, "scope", "openid offline_access")
		var mu sync.Mutex
		var won []map[string]any
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 50 {
			wg.Go(func() {
				<-start
				status, answer := redeem(t, nodes[i%2], app, code)
				mu.Lock()
				defer mu.Unlock()
				if status == http.StatusOK {
					won = append(won, answer)
				} else if answer["error"] != "invalid_grant" {
					t.Errorf("%d %v", status, answer)
				}
			})
		}
		close(start)
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 50 won", len(won))
		}
		s.Clock.Move(2 * time.Second)
		for _, node := range nodes {
			if status := node.Call(http.MethodGet, "/oauth2/userinfo", won[0]["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
				t.Errorf("the winner's access token answers %d", status)
			}
		}
		if status, _ := refreshed(t, s, app, won[0]["refresh_token"]); status != http.StatusBadRequest {
			t.Errorf("the winner's refresh token answers %d", status)
		}
	}
	code := b.code(app)
	_, tokens := redeem(t, s, app, code)
	s.Clock.Move(90 * time.Second)
	if status, _ := redeem(t, s, app, code); status != http.StatusBadRequest {
		t.Errorf("reuse after the code's life: %d", status)
	}
	if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
		t.Errorf("after a late reuse the access token answers %d", status)
	}
}

func refreshed(t *testing.T, s *keystonetest.Server, c keystonetest.Client, token any, pairs ...string) (int, map[string]any) {
	t.Helper()
	raw, _ := token.(string)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}, "client_id": {c.ID}, "client_secret": {c.Secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return postForm(t, s, "/oauth2/token", form)
}

// TestScopesOfCode: nobody gets what was not asked for, allowed to the client,
// held by the person and consented to (B5, B9, D7, D10).
func TestScopesOfCode(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read", "orders:admin")
		s.CreateRole("reader", "orders:read")
		jane := s.CreateUser("jane", "reader")
		app := webClient(s, "openid", "orders:read", "orders:admin")
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid orders:read orders:admin users:write offline_access"))
		b.signIn(jane)
		for _, hidden := range []string{"orders:admin", "users:write", "offline_access"} {
			if strings.Contains(b.page.body, hidden) {
				t.Errorf("consent offers %s", hidden)
			}
		}
		// B5: a form that says more is not an answer to this page.
		b.submit(map[string]string{"decision": "allow", "scope": "openid orders:admin orders:read users:write"})
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, app, b.answer().Get("code"))
		if tokens["scope"] != "openid orders:read" || tokens["refresh_token"] != nil {
			t.Errorf("%v", tokens)
		}
		// B6, B9: what she cannot have is not asked about again, and not needed.
		_, tokens = redeem(t, s, app, b.code(app, "scope", "openid orders:read orders:admin"))
		if tokens["scope"] != "openid orders:read" {
			t.Errorf("%v", tokens)
		}
		status, answer := redeem(t, s, app, b.code(app, "scope", "openid"), "scope", "orders:read")
		if status == http.StatusOK && answer["scope"] != "openid" {
			t.Errorf("the token request widened the code: %d %v", status, answer)
		}
		// No scope at all is asked about like any other.
		b.open(authorizeURL(s, webClient(s), "scope", "", "prompt", "none"))
		if got := b.answer(); got.Get("error") != "consent_required" {
			t.Errorf("%v", got)
		}
		// Consent counts for what it was given for.
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", "none"))
		if b.answer().Get("code") == "" {
			t.Error("less than was allowed needs consent again")
		}
		fresh := webClient(s)
		b.open(authorizeURL(s, fresh, "prompt", "none"))
		if got := b.answer(); got.Get("error") != "consent_required" {
			t.Errorf("another client: %v", got)
		}
		b.open(authorizeURL(s, fresh))
		b.submit(map[string]string{"decision": "deny"})
		if got := b.answer(); got.Get("error") != "access_denied" || got.Get("code") != "" || got.Get("state") != "st" {
			t.Errorf("refused: %v", got)
		}
	})
}

// TestIDTokenIsNoBearer: F1, and F4 at userinfo.
func TestIDTokenIsNoBearer(t *testing.T) {
	s := keystonetest.Start(t)
	app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback},
		Scopes: []string{"openid", "profile", "email", "offline_access"}, Audiences: []string{"https://orders.example"}})
	b := signedIn(t, s, s.CreateUser("jane"), app, "resource", "https://orders.example")
	_, tokens := redeem(t, s, app, b.code(app))
	id := tokens["id_token"].(string)
	for _, path := range []string{"/oauth2/userinfo", "/api/v1/users/me", "/api/v1/users"} {
		if status := s.Call(http.MethodGet, path, id, nil, nil); status != http.StatusUnauthorized {
			t.Errorf("%s with an ID token: %d", path, status)
		}
	}
	if _, answer := postForm(t, s, "/oauth2/introspect", url.Values{"token": {id}, "client_id": {app.ID}, "client_secret": {app.Secret}}); answer["active"] != false {
		t.Errorf("introspection of an ID token: %v", answer)
	}
	// A third party's token opens userinfo and never the account.
	access := tokens["access_token"].(string)
	if status := s.Call(http.MethodGet, "/api/v1/users/me", access, nil, nil); status != http.StatusForbidden {
		t.Errorf("the account with a third party's token: %d", status)
	}
	_, tokens = redeem(t, s, app, b.code(app, "resource", "https://orders.example"))
	if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
		t.Errorf("F4: userinfo with a token for another API: %d", status)
	}
	// oidcc-userinfo-post-header, oidcc-userinfo-post-body; never in the address.
	status, answer := postForm(t, s, "/oauth2/userinfo", url.Values{"access_token": {access}})
	if status != http.StatusOK || answer["email"] == nil {
		t.Errorf("userinfo by form: %d %v", status, answer)
	}
	if status := s.Call(http.MethodPost, "/oauth2/userinfo", access, nil, nil); status != http.StatusOK {
		t.Errorf("userinfo by POST with header: %d", status)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} { // RFC 6750 section 3.1: more than one way, or one that is none
		var refused map[string]any
		if status := s.Call(method, "/oauth2/userinfo?access_token="+access, "", nil, &refused); status != http.StatusBadRequest || refused["error"] != "invalid_request" {
			t.Errorf("%s userinfo with the token in the address: %d %v", method, status, refused)
		}
		if status := s.Call(method, "/oauth2/userinfo?access_token="+access, access, nil, &refused); status != http.StatusBadRequest || refused["error"] != "invalid_request" {
			t.Errorf("%s userinfo with the token in the address and the header: %d %v", method, status, refused)
		}
	}
	as(s, access).form(t, "/oauth2/userinfo", "access_token", access).wants(t, http.StatusBadRequest, "userinfo with the token in the header and the form")
	as(s, access).form(t, "/oauth2/userinfo", "access_token", "x").wants(t, http.StatusBadRequest, "userinfo with another token in the form")
	as(s, access).with("Authorization", "Bearer "+access).form(t, "/oauth2/userinfo").wants(t, http.StatusBadRequest, "userinfo with two headers")
	as(s, access).form(t, "/oauth2/userinfo", "x", "y").wants(t, http.StatusOK, "userinfo with another form")
	as(s, "").form(t, "/oauth2/userinfo").wants(t, http.StatusUnauthorized, "userinfo with nothing")
}
