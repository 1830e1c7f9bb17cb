package keystone_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestCookie: I7, and the value changes at each proof; the old one is worth
// nothing.
func TestCookie(t *testing.T) {
	s := keystonetest.Start(t)
	jane, app := s.CreateUser("jane"), webClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	before := b.cookie()
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	b.answer()
	after := b.cookie()
	if before == "" || after == before || len(after) < 40 {
		t.Fatalf("%q, then %q", before, after)
	}
	b.open(authorizeURL(s, app, "prompt", "login"))
	b.signIn(jane)
	b.answer()
	if b.cookie() == after {
		t.Error("a new proof left the cookie as it was")
	}
	for name, value := range map[string]string{"before sign-in": before, "before the second proof": after, "malformed": "x", "empty": ""} {
		thief := newBrowser(t, s)
		u, _ := url.Parse(s.URL)
		thief.http.Jar.SetCookies(u, []*http.Cookie{{Name: "keystone", Value: value, Path: "/"}})
		thief.open(authorizeURL(s, app, "prompt", "none"))
		if got := thief.answer(); got.Get("error") != "login_required" {
			t.Errorf("%s: %v", name, got)
		}
	}

	https := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"ISSUER": "https://id.example"}))
	for _, server := range []*keystonetest.Server{s, https} {
		resp, err := newBrowser(t, server).http.Transport.RoundTrip(mustRequest(t, authorizeURL(server, webClient(server))))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		cookies := resp.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%v", resp.Header)
		}
		c := cookies[0]
		secure := server == https
		if c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
			t.Errorf("%s: %s", server.Issuer, c)
		}
	}
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFlowIsTheBrowsers: a flow belongs to the browser that began it, and ends
// with its answer.
func TestFlowIsTheBrowsers(t *testing.T) {
	s := keystonetest.Start(t)
	jane, app := s.CreateUser("jane"), webClient(s)
	b, thief := newBrowser(t, s), newBrowser(t, s)
	b.open(authorizeURL(s, app))
	b.signIn(jane)
	flow := regexp.MustCompile(`name="flow" value="([^"]+)"`).FindStringSubmatch(b.page.body)[1]
	for _, path := range []string{"/login?flow=", "/oauth2/resume?flow="} {
		thief.open(s.URL + path + flow)
		if thief.page.status != http.StatusNotFound {
			t.Errorf("%s in another browser: %d", path, thief.page.status)
		}
	}
	b.open(s.URL + "/oauth2/resume?flow=" + flow) // before the answer: back to the page
	b.at("consent-allow")
	b.submit(map[string]string{"decision": "allow"})
	code := b.answer().Get("code")
	b.open(s.URL + "/oauth2/resume?flow=" + flow)
	if again := b.answer().Get("code"); again != code { // for a form that was sent twice
		t.Error("a flow was answered twice, by two codes")
	}
	thief.open(s.URL + "/oauth2/resume?flow=" + flow)
	if thief.page.status != http.StatusNotFound {
		t.Errorf("an answer in another browser: %d", thief.page.status)
	}
	s.Clock.Move(31 * time.Second)
	b.open(s.URL + "/oauth2/resume?flow=" + flow)
	if b.page.status != http.StatusNotFound {
		t.Errorf("a flow was answered half a minute later: %d", b.page.status)
	}
	for path, want := range map[string]int{"/consent?flow=x": http.StatusNotFound, "/register?flow=x": http.StatusNotFound, "/login?flow=x": http.StatusNotFound} { // B11
		b.open(s.URL + path)
		if b.page.status != want {
			t.Errorf("GET %s: %d", path, b.page.status)
		}
	}
}

// TestForeignForms: I2. Forms of other sites and from nowhere are refused, each
// with the real flow and cookie.
func TestForeignForms(t *testing.T) {
	s := keystonetest.Start(t)
	jane, app := s.CreateUser("jane"), webClient(s)
	for _, page := range []string{"login", "consent"} {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		form := url.Values{"login": {jane.Username}, "password": {jane.Password}, "decision": {"allow"}}
		if page == "consent" {
			b.signIn(jane)
		}
		for _, m := range inputTag.FindAllStringSubmatch(b.page.body, -1) {
			if v := valueOf.FindStringSubmatch(m[0]); v != nil && form.Get(m[1]) == "" {
				form.Set(m[1], v[1])
			}
		}
		for _, header := range []map[string]string{
			{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
			{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		} {
			req, _ := http.NewRequest(http.MethodPost, s.URL+"/"+page, strings.NewReader(form.Encode()))
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
				t.Errorf("%s with %v: %d", page, header, resp.StatusCode)
			}
		}
	}
}

// TestPages: I6, B12 and P1 on every page of the flow.
func TestPages(t *testing.T) {
	s := keystonetest.Start(t)
	const evil = `"><img src=x onerror=alert(1)>`
	jane := s.CreateUser("jane")
	app := s.CreateClient(keystone.Client{Name: "A" + evil, Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid"}})
	b := newBrowser(t, s)
	check := func(page string) {
		t.Helper()
		h := b.page.header
		if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", page, h)
		}
		if strings.Contains(b.page.body, "<img") || strings.Contains(b.page.body, "http://") {
			t.Errorf("%s:\n%s", page, b.page.body)
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*static[^"]*)"`).FindAllStringSubmatch(b.page.body, -1) {
			asset, _ := b.page.url.Parse(m[1])
			if resp, err := s.Client().Get(asset.String()); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s is not there", page, asset)
			} else {
				_ = resp.Body.Close()
			}
		}
	}
	b.open(authorizeURL(s, app, "login_hint", "jane"+evil, "state", evil, "response_mode", "form_post"))
	check("sign in")
	b.submit(map[string]string{"login": evil, "password": "wrong"})
	check("sign in refused")
	b.submit(map[string]string{"login": jane.Username, "password": jane.Password})
	check("consent")
	b.submit(map[string]string{"decision": "allow"})
	form := formTag.FindStringSubmatch(b.page.body)
	if b.page.status != http.StatusOK || form == nil || form[1] != callback || !strings.Contains(b.page.body, `name="code"`) || !strings.Contains(b.page.body, `name="iss"`) || strings.Contains(b.page.body, "<img") {
		t.Errorf("form_post: %d\n%s", b.page.status, b.page.body)
	}
	b.page.body = strings.NewReplacer(s.Issuer, "").Replace(b.page.body)
	check("form_post")
	b.open(authorizeURL(s, app, "redirect_uri", "https://evil.example/"))
	check("error")
	b.open(s.URL + "/oauth2/logout")
	check("logout")
	b.at("logout-confirm")
}

// TestAccounts: several accounts in one browser; a proof and a consent are those
// of one account.
func TestAccounts(t *testing.T) {
	s := keystonetest.Start(t)
	jane, john, app := s.CreateUser("jane"), s.CreateUser("john"), webClient(s)
	b := signedIn(t, s, jane, app)
	b.open(authorizeURL(s, app, "prompt", "login"))
	b.signIn(john)
	b.at("consent-allow") // john never allowed anything
	b.submit(map[string]string{"decision": "allow"})
	_, tokens := redeem(t, s, app, b.answer().Get("code"))
	johnsHint := tokens["id_token"].(string)
	if idClaims(t, johnsHint)["sub"] != john.ID {
		t.Fatal("not john")
	}
	b.open(authorizeURL(s, app, "prompt", "none"))
	if got := b.answer(); got.Get("error") != "login_required" {
		t.Errorf("two accounts, no page: %v", got)
	}
	_, tokens = redeem(t, s, app, b.code(app, "id_token_hint", johnsHint))
	if idClaims(t, tokens["id_token"])["sub"] != john.ID {
		t.Error("the hint named john")
	}
	account := func(name string) string {
		t.Helper()
		m := regexp.MustCompile(`name="account" value="([^"]+)">` + name + `<`).FindStringSubmatch(b.page.body)
		if m == nil {
			t.Fatalf("no account %s on\n%s", name, b.page.body)
		}
		return m[1]
	}
	b.open(authorizeURL(s, app, "prompt", "select_account"))
	b.submit(map[string]string{"account": account("jane")})
	_, tokens = redeem(t, s, app, b.answer().Get("code"))
	if idClaims(t, tokens["id_token"])["sub"] != jane.ID {
		t.Error("jane was chosen")
	}
	b.open(authorizeURL(s, app, "prompt", "select_account login"))
	b.submit(map[string]string{"account": account("jane")})
	b.at("login")
	if b.submit(map[string]string{"account": "01900000-0000-7000-8000-000000000000", "login": "", "password": ""}); b.page.status != http.StatusOK {
		t.Errorf("somebody else's session chosen: %d", b.page.status)
	}
	b.at("login")

	// B8: a hint for somebody who is not here.
	alone := signedIn(t, s, jane, app)
	alone.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", johnsHint))
	if got := alone.answer(); got.Get("error") != "login_required" {
		t.Errorf("a hint for another user: %v", got)
	}
	// oidcc-max-age-1, oidcc-max-age-10000, oidcc-prompt-login.
	s.Clock.Move(3 * time.Second)
	alone.open(authorizeURL(s, app, "max_age", "10000"))
	first := idClaims(t, second(redeem(t, s, app, alone.answer().Get("code")))["id_token"])
	alone.open(authorizeURL(s, app, "max_age", "1"))
	alone.signIn(jane)
	again := idClaims(t, second(redeem(t, s, app, alone.answer().Get("code")))["id_token"])
	if again["auth_time"].(float64) < first["auth_time"].(float64)+2 || again["sid"] != first["sid"] {
		t.Errorf("%v then %v", first, again)
	}
	// A consent page that was shown for one account does not count for another.
	late := webClient(s)
	b.open(authorizeURL(s, late, "prompt", "select_account"))
	b.submit(map[string]string{"account": account("jane")})
	b.at("consent-allow")
	shown := b.page
	b.open(authorizeURL(s, app, "prompt", "select_account"))
	johns := account("john")
	b.page = shown
	b.submit(map[string]string{"decision": "allow", "account": johns})
	b.at("consent-allow")
}

func second(_ int, answer map[string]any) map[string]any { return answer }

// TestLogout: A11, I3, I5; oidcc-rp-initiated-logout with its negative cases.
func TestLogout(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const back = "https://app.example/bye"
		jane := s.CreateUser("jane")
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, PostLogoutURIs: []string{back},
			Scopes: []string{"openid", "profile", "email", "offline_access"}})
		address := func(pairs ...string) string {
			q := url.Values{}
			for i := 0; i < len(pairs); i += 2 {
				q.Set(pairs[i], pairs[i+1])
			}
			return s.URL + "/oauth2/logout?" + q.Encode()
		}
		b := signedIn(t, s, jane, app)
		_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
		id := tokens["id_token"].(string)
		alive := func() bool {
			b.open(authorizeURL(s, app, "prompt", "none"))
			return b.answer().Get("code") != ""
		}
		for name, pairs := range map[string][]string{
			"unregistered":          {"id_token_hint", id, "post_logout_redirect_uri", "https://evil.example/"},
			"query added":           {"id_token_hint", id, "post_logout_redirect_uri", back + "?x=1"},
			"no hint, no client":    {"post_logout_redirect_uri", back},
			"broken hint":           {"id_token_hint", id[:len(id)-4] + "AAAA", "post_logout_redirect_uri", back},
			"access token as hint":  {"id_token_hint", tokens["access_token"].(string), "post_logout_redirect_uri", back},
			"hint of other client":  {"id_token_hint", id, "client_id", webClient(s).ID, "post_logout_redirect_uri", back},
			"callback, not back":    {"id_token_hint", id, "post_logout_redirect_uri", callback},
			"unregistered, no hint": {"client_id", app.ID, "post_logout_redirect_uri", "https://evil.example/"},
		} {
			b.open(address(pairs...))
			if b.page.header.Get("Location") != "" || !strings.HasPrefix(b.page.url.String(), s.URL) {
				t.Errorf("%s: to %s", name, b.page.url)
			}
			if !alive() {
				t.Fatalf("%s ended the session", name)
			}
		}
		// I3: without proof that it is ours, a page asks.
		b.open(address())
		b.at("logout-confirm")
		b.crossPost("/oauth2/logout", url.Values{"confirm": {"yes"}})
		b.at("logout-confirm")
		if !alive() {
			t.Fatal("another site's form logged out")
		}
		old := b.cookie()
		b.open(address("client_id", app.ID, "post_logout_redirect_uri", back, "state", "s&1"))
		b.at("logout-confirm")
		b.submit(nil)
		if b.page.url.String() != back+"?state=s%261" {
			t.Errorf("to %s", b.page.url)
		}
		// I5.
		s.Clock.Move(2 * time.Second)
		if alive() {
			t.Error("alive after logout")
		}
		thief := newBrowser(t, s)
		u, _ := url.Parse(s.URL)
		thief.http.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-keystone", Value: old, Path: "/", Secure: true}})
		thief.open(authorizeURL(s, app, "prompt", "none"))
		if thief.answer().Get("code") != "" {
			t.Error("the old cookie works after logout")
		}
		if status, _ := refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusBadRequest {
			t.Errorf("refresh after logout: %d", status)
		}
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
			t.Errorf("access token after logout: %d", status)
		}
		// Without an address to go back to, the page says that it is done
		// (oidcc-rp-initiated-logout-no-post-logout-redirect-uri, …-only-state).
		for _, asks := range []bool{false, true} {
			b = signedIn(t, s, jane, app)
			_, tokens = redeem(t, s, app, b.code(app))
			if asks {
				b.open(address("state", "s"))
				b.at("logout-confirm")
				b.submit(nil)
			} else {
				b.open(address("id_token_hint", tokens["id_token"].(string), "state", "s"))
			}
			if b.page.status != http.StatusOK || b.page.header.Get("Location") != "" || strings.Contains(b.page.body, "logout-confirm") || alive() {
				t.Errorf("asks %t: %d at %s", asks, b.page.status, b.page.url)
			}
		}
		// With the ID token of this very session, nobody is asked; by form too.
		for _, byForm := range []bool{false, true} {
			b = newBrowser(t, s)
			b.open(authorizeURL(s, app))
			b.signIn(jane)
			_, tokens = redeem(t, s, app, b.answer().Get("code"))
			q := url.Values{"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {back}}
			if byForm {
				b.crossPost("/oauth2/logout", q)
			} else {
				b.open(s.URL + "/oauth2/logout?" + q.Encode())
			}
			if b.page.url.String() != back {
				t.Errorf("by form %t: to %s", byForm, b.page.url)
			}
			if alive() {
				t.Errorf("by form %t: alive", byForm)
			}
		}
	}, keystonetest.WithTLS())
}

// TestRevokedMidway: M1 and D6. Whatever is taken away holds for what is in
// flight: the cookie, a code, an access token, a refresh token, on another node.
func TestRevokedMidway(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)))
	node := s.AddNode()
	s.CreateScope("orders:read")
	s.CreateRole("reader", "orders:read")
	for name, end := range map[string]func(u keystonetest.User, c keystonetest.Client){
		"user disabled": func(u keystonetest.User, _ keystonetest.Client) {
			s.Call(http.MethodPatch, "/api/v1/users/"+u.ID, s.Admin(), map[string]any{"enabled": false}, nil)
		},
		"client disabled": func(_ keystonetest.User, c keystonetest.Client) {
			s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"enabled": false}, nil)
		},
		"sessions ended": func(u keystonetest.User, _ keystonetest.Client) {
			s.Call(http.MethodDelete, "/api/v1/users/"+u.ID+"/sessions", s.Admin(), nil, nil)
		},
		"consent revoked": func(u keystonetest.User, c keystonetest.Client) {
			if status := s.Call(http.MethodDelete, "/api/v1/users/me/apps/"+c.ID, s.SignIn(u).AccessToken, nil, nil); status != http.StatusNoContent {
				t.Errorf("revoke consent: %d", status)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, app := s.CreateUser(strings.ReplaceAll(name, " ", "-"), "reader"), webClient(s, "openid", "offline_access", "profile", "email", "orders:read")
			b := signedIn(t, s, u, app, "scope", "openid offline_access orders:read")
			_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access orders:read"))
			inFlight := b.code(app, "scope", "openid offline_access orders:read")
			end(u, app)
			s.Clock.Move(1100 * time.Millisecond)
			for _, n := range []*keystonetest.Server{s, node} {
				if status, answer := redeem(t, n, app, inFlight); status == http.StatusOK && n.Call(http.MethodGet, "/oauth2/userinfo", answer["access_token"].(string), nil, nil) == http.StatusOK {
					t.Errorf("the code in flight: %d", status)
				} else if status == http.StatusOK {
					t.Errorf("the code in flight gave dead tokens, want a refusal")
				}
				if status := n.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
					t.Errorf("access token: %d", status)
				}
				if status, answer := refreshed(t, n, app, tokens["refresh_token"]); status < 400 {
					t.Errorf("refresh token: %d %v", status, answer)
				}
			}
			b.open(authorizeURL(s, app, "prompt", "none"))
			if b.page.url.Query().Get("code") != "" {
				t.Error("the cookie still brings codes")
			}
		})
	}
	// D6: a role that is gone narrows what a family brings.
	u, app := s.CreateUser("narrowed", "reader"), webClient(s, "openid", "offline_access", "profile", "email", "orders:read")
	b := signedIn(t, s, u, app, "scope", "openid offline_access orders:read")
	_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access orders:read"))
	s.Call(http.MethodPut, "/api/v1/users/"+u.ID+"/roles", s.Admin(), map[string]any{"roles": []string{}}, nil)
	s.Clock.Move(1100 * time.Millisecond)
	if status, answer := refreshed(t, node, app, tokens["refresh_token"]); status != http.StatusOK || answer["scope"] != "offline_access openid" {
		t.Errorf("%d %v", status, answer)
	}
}

// TestSignInRefusals: J1 and J6 on the page. Whatever is wrong, it says the same,
// and the page and the API share their counters.
func TestSignInRefusals(t *testing.T) {
	s := keystonetest.Start(t)
	jane, gone, app := s.CreateUser("jane"), s.CreateUser("gone"), webClient(s)
	s.Call(http.MethodPatch, "/api/v1/users/"+gone.ID, s.Admin(), map[string]any{"enabled": false}, nil)
	var pages []string
	for _, try := range [][2]string{{"jane", "wrong-password"}, {"nobody", "wrong-password"}, {"gone", "wrong-password"}, {"gone", gone.Password}} {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		before := b.cookie()
		b.submit(map[string]string{"login": try[0], "password": try[1]})
		if b.page.status != http.StatusUnauthorized || b.cookie() != before {
			t.Errorf("%v: %d", try, b.page.status)
		}
		body := regexp.MustCompile(`(name="flow" value="|flow=)[^"]+"`).ReplaceAllString(b.page.body, "")
		pages = append(pages, strings.ReplaceAll(body, `value="`+try[0]+`"`, ""))
	}
	for i, page := range pages {
		if page != pages[0] {
			t.Errorf("page %d tells itself apart:\n%s\n%s", i, pages[0], page)
		}
	}
	// The API's failures count on the page.
	for range 30 {
		s.Call(http.MethodPost, "/api/v1/auth/login", "", map[string]any{"username": "jane", "password": "wrong-password"}, nil)
	}
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	b.signIn(jane)
	if b.page.status == http.StatusOK && !strings.Contains(b.page.body, `id="login"`) {
		t.Errorf("30 failures at the API and the page lets the next attempt in: %d", b.page.status)
	}
	s.Clock.Move(time.Hour)
	b.open(authorizeURL(s, app))
	b.signIn(jane)
	b.at("consent-allow")
}

// TestIdleSession: a browser's session ends after its pause, not after its use.
func TestIdleSession(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"SESSION_IDLE_MINUTES": "60"}))
	app := webClient(s)
	b := signedIn(t, s, s.CreateUser("jane"), app)
	for range 3 {
		s.Clock.Move(50 * time.Minute)
		b.code(app)
	}
	s.Clock.Move(61 * time.Minute)
	b.open(authorizeURL(s, app, "prompt", "none"))
	if got := b.answer(); got.Get("error") != "login_required" {
		t.Errorf("%v", got)
	}
}

// TestIdleRefreshToken: introspection says of a refresh token what the token endpoint would.
func TestIdleRefreshToken(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"SESSION_IDLE_MINUTES": "60"}))
	app := webClient(s)
	b := signedIn(t, s, s.CreateUser("jane"), app)
	code := b.code(app, "scope", "openid offline_access")
	soonest := s.Clock.Now().Add(time.Hour).Unix()
	status, tokens := redeem(t, s, app, code)
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, tokens)
	}
	latest := s.Clock.Now().Add(time.Hour).Unix()
	inspect := func() map[string]any {
		_, seen := postForm(t, s, "/oauth2/introspect", credentials(app, "token", tokens["refresh_token"].(string)))
		return seen
	}
	s.Clock.Move(59 * time.Minute)
	seen := inspect()
	if ends, ok := seen["exp"].(float64); seen["active"] != true || !ok || int64(ends) < soonest || int64(ends) > latest {
		t.Errorf("not yet idle for an hour: %v, want an end at %d to %d", seen, soonest, latest)
	}
	s.Clock.Move(time.Minute)
	if seen := inspect(); len(seen) != 1 || seen["active"] != false {
		t.Errorf("idle for an hour: %v", seen)
	}
	if status, refused := refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusBadRequest || refused["error"] != "invalid_grant" {
		t.Errorf("%d %v", status, refused)
	}
}
