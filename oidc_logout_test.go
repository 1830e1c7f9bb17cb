package keystone_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// receiver is a client's back channel, over https. Each client has a path.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	tokens map[string][]string // by path
	answer http.HandlerFunc    // nil: 200
}

// newReceiver starts one, and returns the settings under which Keystone reaches it.
func newReceiver(t *testing.T) (*receiver, keystonetest.Option) {
	t.Helper()
	r := &receiver{tokens: map[string][]string{}}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || req.ParseForm() != nil || len(req.PostForm) != 1 {
			t.Errorf("back channel: %s %v %v", req.Method, req.Header, req.PostForm)
		}
		r.mu.Lock()
		r.tokens[req.URL.Path] = append(r.tokens[req.URL.Path], req.PostForm.Get("logout_token"))
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	return r, reached(t, r.Server)
}

// reached starts a server over https, and returns the settings under which Keystone
// reaches it.
func reached(t *testing.T, server *httptest.Server) keystonetest.Option {
	t.Helper()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return keystonetest.WithSettings(map[string]string{"OUTBOUND_ALLOW": "127.0.0.1", "OUTBOUND_CA_FILE": file})
}

func (r *receiver) got(path string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.tokens[path]...)
}

// wait returns the logout tokens of a path once there are n.
func (r *receiver) wait(t *testing.T, path string, n int) []string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got := r.got(path); len(got) >= n {
			return got
		}
	}
	t.Fatalf("%s: %d logout tokens, want %d", path, len(r.got(path)), n)
	return nil
}

// logoutClaims verifies a logout token with a library that we did not write and
// holds it to OpenID Connect Back-Channel Logout section 2.4.
func logoutClaims(t *testing.T, s *keystonetest.Server, clientID, raw string) map[string]any {
	t.Helper()
	ctx := oidc.ClientContext(context.Background(), s.Client())
	provider, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: clientID, SkipExpiryCheck: true}).Verify(ctx, raw); err != nil {
		t.Fatal("logout token: ", err)
	}
	header, _ := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	var h map[string]string
	if json.Unmarshal(header, &h) != nil || h["typ"] != "logout+jwt" || h["alg"] != "RS256" {
		t.Errorf("header %s", header)
	}
	claims := idClaims(t, raw)
	events, _ := claims["events"].(map[string]any)
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok || len(events) != 1 {
		t.Errorf("events %v", claims["events"])
	}
	if _, nonce := claims["nonce"]; nonce || claims["jti"] == "" || claims["exp"].(float64)-claims["iat"].(float64) > 120 {
		t.Errorf("claims %v", claims)
	}
	return claims
}

// life is somebody signed in to a client of the back channel, in a browser and at
// the API.
type life struct {
	s       *keystonetest.Server
	user    keystonetest.User
	app     keystonetest.Client
	b       *browser
	id      string
	sid     string
	access  string
	refresh any
	api     keystonetest.Tokens // another session, of the sign-in API
}

func newLife(t *testing.T, s *keystonetest.Server, r *receiver, name string) *life {
	t.Helper()
	l := &life{s: s, user: s.CreateUser(name)}
	l.app = s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "offline_access"},
		ClientSettings: keystone.ClientSettings{BackchannelLogoutURI: r.URL + "/" + name, BackchannelLogoutSession: true}})
	l.b = signedIn(t, s, l.user, l.app)
	_, tokens := redeem(t, s, l.app, l.b.code(l.app, "scope", "openid offline_access"))
	l.id, l.access, l.refresh = tokens["id_token"].(string), tokens["access_token"].(string), tokens["refresh_token"]
	l.sid = idClaims(t, l.id)["sid"].(string)
	l.api = s.SignIn(l.user)
	return l
}

func (l *life) call(method, path, token string, body any) {
	l.b.t.Helper()
	if status := l.s.Call(method, path, token, body, nil); status >= 300 {
		l.b.t.Fatalf("%s %s: %d", method, path, status)
	}
}

// ends is every way in which a session ends, and what it does to be so. Whether
// clients are told: a session that reaches its time or pause has no event.
var ends = []struct {
	name  string
	told  bool
	event func(l *life)
}{
	{"end-session-hint", true, func(l *life) { l.b.open(l.s.URL + "/oauth2/logout?id_token_hint=" + l.id) }},
	{"end-session-asked", true, func(l *life) {
		l.b.open(l.s.URL + "/oauth2/logout")
		l.b.submit(nil)
	}},
	{"own-page", true, func(l *life) {
		l.b.open(l.s.URL + "/logout")
		l.b.at("logout-confirm")
		l.b.submit(map[string]string{"account": "all"})
	}},
	{"own-session-by-id", true, func(l *life) { l.call(http.MethodDelete, "/api/v1/users/me/sessions/"+l.sid, l.api.AccessToken, nil) }},
	{"own-other-sessions", true, func(l *life) { l.call(http.MethodDelete, "/api/v1/users/me/sessions", l.api.AccessToken, nil) }},
	{"own-password", true, func(l *life) {
		l.call(http.MethodPost, "/api/v1/users/me/password", l.api.AccessToken, map[string]any{"current_password": l.user.Password, "new_password": "another good password 7"})
	}},
	{"own-account-deleted", true, func(l *life) {
		l.call(http.MethodDelete, "/api/v1/users/me", l.api.AccessToken, map[string]any{"current_password": l.user.Password})
	}},
	{"admin-session-by-id", true, func(l *life) { l.call(http.MethodDelete, "/api/v1/admin/sessions/"+l.sid, l.s.Admin(), nil) }},
	{"admin-all-sessions", true, func(l *life) { l.call(http.MethodDelete, "/api/v1/users/"+l.user.ID+"/sessions", l.s.Admin(), nil) }},
	{"password-reset", true, func(l *life) {
		var link struct {
			URL string `json:"reset_url"`
		}
		l.s.Call(http.MethodPost, "/api/v1/users/"+l.user.ID+"/password-reset", l.s.Admin(), nil, &link)
		u, err := url.Parse(link.URL)
		if err != nil {
			l.b.t.Fatal(err)
		}
		l.call(http.MethodPost, "/api/v1/auth/reset-password", "", map[string]any{"token": u.Query().Get("token"), "password": "another good password 7"})
	}},
	{"user-disabled", true, func(l *life) {
		l.call(http.MethodPatch, "/api/v1/users/"+l.user.ID, l.s.Admin(), map[string]any{"enabled": false})
	}},
	{"user-deleted", true, func(l *life) { l.call(http.MethodDelete, "/api/v1/users/"+l.user.ID, l.s.Admin(), nil) }},
	{"paused-too-long", false, func(l *life) { l.s.Clock.Move(61 * time.Minute) }},
	{"its-time-is-over", false, func(l *life) {
		for range 9 {
			l.s.Clock.Move(50 * time.Minute)
			_, answer := refreshed(l.b.t, l.s, l.app, l.refresh)
			l.refresh, l.access = answer["refresh_token"], answer["access_token"].(string)
		}
		l.s.Clock.Move(35 * time.Minute)
	}},
}

// TestEverySessionEnd holds the class: however a session ends, its cookie, its
// refresh token and its access token are worth nothing within a second, and the
// clients that signed in within it are told, once.
func TestEverySessionEnd(t *testing.T) {
	r, reach := newReceiver(t)
	s := keystonetest.Start(t, reach, keystonetest.WithSettings(map[string]string{"SESSION_IDLE_MINUTES": "60", "SESSION_MAX_HOURS": "8"}))
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			l := newLife(t, s, r, end.name)
			end.event(l)
			s.Clock.Move(1100 * time.Millisecond)
			if status, answer := refreshed(t, s, l.app, l.refresh); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				t.Errorf("refresh token: %d %v", status, answer)
			}
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", l.access, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("access token: %d", status)
			}
			l.b.open(authorizeURL(s, l.app, "prompt", "none"))
			if got := l.b.answer(); got.Get("error") != "login_required" {
				t.Errorf("cookie: %v", got)
			}
			if !end.told {
				return
			}
			got := r.wait(t, "/"+end.name, 1)
			claims := logoutClaims(t, s, l.app.ID, got[0])
			if claims["sub"] != l.user.ID || claims["sid"] != l.sid || claims["aud"] != l.app.ID || claims["iss"] != s.Issuer {
				t.Errorf("%v", claims)
			}
			if left := claims["exp"].(float64) - float64(s.Clock.Now().Unix()); left < 30 || left > 120 {
				t.Errorf("good for %v s more", left)
			}
			// It is no ID token: not as a hint, and nobody signs in with it.
			l.b.open(s.URL + "/oauth2/logout?id_token_hint=" + got[0])
			if l.b.page.status != http.StatusBadRequest {
				t.Errorf("a logout token as id_token_hint: %d", l.b.page.status)
			}
		})
	}
	time.Sleep(1500 * time.Millisecond) // a round of the job: nothing comes twice
	for _, end := range ends {
		if got := r.got("/" + end.name); len(got) > 1 || len(got) == 1 && !end.told {
			t.Errorf("%s: told %d times", end.name, len(got))
		}
	}
}

// TestOwnSessionEnd: a session of the sign-in API ends with its tokens too, and its
// client is told once, on both databases.
func TestOwnSessionEnd(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database keystonetest.Option) {
		r, reach := newReceiver(t)
		s := keystonetest.Start(t, database, reach)
		jane := s.CreateUser("jane")
		for how, end := range map[string]func(app keystonetest.Client, tokens keystonetest.Tokens){
			"/revoke": func(app keystonetest.Client, tokens keystonetest.Tokens) {
				if status, _ := postForm(t, s, "/oauth2/revoke", url.Values{"client_id": {app.ID}, "token": {tokens.RefreshToken}}); status != http.StatusOK {
					t.Errorf("revoke: %d", status)
				}
			},
			"/logout": func(_ keystonetest.Client, tokens keystonetest.Tokens) {
				s.Call(http.MethodPost, "/api/v1/auth/logout", tokens.AccessToken, nil, nil)
			},
		} {
			app := s.CreateClient(keystone.Client{Name: "App", Kind: keystone.ClientSPA, FirstParty: true, RedirectURIs: []string{callback}, Scopes: []string{"openid"},
				ClientSettings: keystone.ClientSettings{BackchannelLogoutURI: r.URL + how}})
			var tokens keystonetest.Tokens
			if status := s.Call(http.MethodPost, "/api/v1/auth/login", "", map[string]any{"username": "jane", "password": jane.Password, "client_id": app.ID}, &tokens); status != http.StatusOK {
				t.Fatal(status)
			}
			end(app, tokens)
			if claims := logoutClaims(t, s, app.ID, r.wait(t, how, 1)[0]); claims["sub"] != jane.ID {
				t.Errorf("%s: %v", how, claims)
			}
			end(app, tokens)
		}
		time.Sleep(1500 * time.Millisecond)
		if len(r.got("/revoke")) != 1 || len(r.got("/logout")) != 1 {
			t.Errorf("told %d and %d times", len(r.got("/revoke")), len(r.got("/logout")))
		}
	})
}

// TestBackchannelLogout: I12, X26; oidcc-backchannel-rp-initiated-logout. Whoever
// logs out never waits for a receiver; what fails comes again with a fresh token,
// and no redirect is followed.
func TestBackchannelLogout(t *testing.T) {
	r, reach := newReceiver(t)
	s := keystonetest.Start(t, reach, keystonetest.WithTLS())
	var inside int
	target := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside++ }))
	defer target.Close()
	var mu sync.Mutex
	fail, hang := true, make(chan struct{})
	r.answer = func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		failing := fail
		mu.Unlock()
		switch {
		case !failing:
		case req.URL.Path == "/redirects":
			http.Redirect(w, req, target.URL, http.StatusTemporaryRedirect)
		case req.URL.Path == "/hangs":
			<-hang
		case req.URL.Path == "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	lives := map[string]*life{}
	for _, name := range []string{"redirects", "hangs", "fails", "works"} {
		l := newLife(t, s, r, name)
		lives[name] = l
		began := time.Now()
		l.b.open(s.URL + "/oauth2/logout?id_token_hint=" + l.id)
		if took := time.Since(began); took > 3*time.Second || l.b.page.status != http.StatusOK {
			t.Errorf("%s: logging out took %s: %d", name, took, l.b.page.status)
		}
	}
	for name := range lives {
		r.wait(t, "/"+name, 1)
	}
	mu.Lock()
	fail = false
	mu.Unlock()
	close(hang)
	time.Sleep(200 * time.Millisecond) // what is in flight is written down
	s.Clock.Move(5 * time.Minute)      // longer than a token lives
	for name, l := range lives {
		if name == "hangs" || name == "works" {
			continue // one attempt was enough, or may have been
		}
		got := r.wait(t, "/"+name, 2)
		logoutClaims(t, s, l.app.ID, got[len(got)-1])
		first, again := idClaims(t, got[0]), idClaims(t, got[1])
		if first["jti"] == again["jti"] || again["iat"].(float64)-first["iat"].(float64) < 4 {
			t.Errorf("%s: not made anew: %v %v", name, first, again)
		}
	}
	if got := r.got("/works"); len(got) != 1 {
		t.Errorf("what was delivered came %d times", len(got))
	}
	if inside != 0 {
		t.Error("a redirect was followed")
	}
}

// TestFrontchannelLogout: oidcc-frontchannel-rp-initiated-logout. The page loads
// each client's address once, only those, without script, and goes on.
func TestFrontchannelLogout(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS())
	const back = "https://app.example/bye"
	jane := s.CreateUser("jane")
	front := func(uri string, session bool) keystonetest.Client {
		return s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback, "https://other.example:8443/cb"}, PostLogoutURIs: []string{back},
			Scopes: []string{"openid"}, ClientSettings: keystone.ClientSettings{FrontchannelLogoutURI: uri, FrontchannelLogoutSession: session}})
	}
	plain, withSID, unused := front("https://app.example/out?a=1", false), front("https://other.example:8443/out", true), front("https://app.example/unused", false)
	b := signedIn(t, s, jane, plain)
	redeem(t, s, plain, b.code(plain, "scope", "openid"))
	b.open(authorizeURL(s, withSID, "scope", "openid"))
	b.submit(map[string]string{"decision": "allow"})
	_, tokens := redeem(t, s, withSID, b.answer().Get("code"))
	id := tokens["id_token"].(string)
	b.open(authorizeURL(s, unused, "scope", "openid")) // consent is asked; nothing was issued
	b.open(s.URL + "/oauth2/logout?" + url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {back}, "state": {"s 1"}}.Encode())
	var frames []string
	for _, m := range regexp.MustCompile(`<iframe src="([^"]*)"`).FindAllStringSubmatch(b.page.body, -1) {
		frames = append(frames, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	want := map[string]bool{"https://app.example/out?a=1": true,
		"https://other.example:8443/out?" + url.Values{"iss": {s.Issuer}, "sid": {idClaims(t, id)["sid"].(string)}}.Encode(): true}
	if len(frames) != 2 || !want[frames[0]] || !want[frames[1]] || frames[0] == frames[1] {
		t.Errorf("frames %q", frames)
	}
	csp := b.page.header.Get("Content-Security-Policy")
	if !strings.HasSuffix(csp, "; frame-src https://app.example https://other.example:8443") || strings.Contains(csp, "script") || strings.Contains(b.page.body, "<script") {
		t.Errorf("policy %q", csp)
	}
	if got := b.page.header.Get("Refresh"); got != "2; url="+back+"?state=s+1" || !strings.Contains(b.page.body, `id="continue" href="`+back+`?state=s`) {
		t.Errorf("on to %q\n%s", got, b.page.body)
	}
	// Without anybody to tell there is no page, and no frame on any other.
	b.open(s.URL + "/oauth2/logout?" + url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {back}}.Encode())
	if b.page.url.String() != back {
		t.Errorf("to %s", b.page.url)
	}
	b.open(s.URL + "/logout")
	if strings.Contains(b.page.header.Get("Content-Security-Policy"), "frame-src") {
		t.Error("frames where there are none")
	}
}

// TestOwnLogout: I2, I3, I5 and R8 on the page where people log out by themselves.
func TestOwnLogout(t *testing.T) {
	s := keystonetest.Start(t)
	jane, john, app := s.CreateUser("jane"), s.CreateUser("john"), webClient(s)
	b := signedIn(t, s, jane, app)
	b.open(authorizeURL(s, app, "prompt", "login"))
	b.signIn(john)
	b.submit(map[string]string{"decision": "allow"})
	b.answer()
	b.open(s.URL + "/logout") // by GET nothing happens
	b.at("logout-confirm")
	page, before := b.page, b.cookie()
	for _, header := range []map[string]string{{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}} {
		req, _ := http.NewRequest(http.MethodPost, s.URL+"/logout", strings.NewReader("confirm=yes"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", header, resp.StatusCode)
		}
	}
	b.page = page
	account := regexp.MustCompile(`name="account" value="([^"]+)">Log out jane<`).FindStringSubmatch(b.page.body)
	if account == nil {
		t.Fatalf("jane is not on\n%s", b.page.body)
	}
	b.submit(map[string]string{"account": "01900000-0000-7000-8000-000000000000"}) // somebody else's session
	b.at("logout-confirm")
	b.submit(map[string]string{"account": account[1]})
	if !strings.Contains(b.page.body, "Still signed in here: john.") || b.cookie() == before {
		t.Errorf("after one of two:\n%s", b.page.body)
	}
	_, tokens := redeem(t, s, app, b.code(app))
	if idClaims(t, tokens["id_token"])["sub"] != john.ID {
		t.Error("john was logged out with jane")
	}
	s.Call(http.MethodDelete, "/api/v1/users/"+john.ID+"/sessions", s.Admin(), nil, nil)
	s.Clock.Move(1100 * time.Millisecond)
	dead := b.cookie()
	b.open(authorizeURL(s, app)) // R8: the page after the death brings another cookie
	b.at("login")
	if b.cookie() == dead || b.cookie() == "" {
		t.Error("the dead cookie is still there")
	}
	fresh := b.cookie()
	b.open(authorizeURL(s, app))
	if b.cookie() != fresh {
		t.Error("a cookie without any session is renewed at each request")
	}
	b.open(s.URL + "/logout")
	if b.cookie() != "" || !strings.Contains(b.page.body, "You are logged out") {
		t.Errorf("nobody is signed in, and the cookie is %q:\n%s", b.cookie(), b.page.body)
	}
}
