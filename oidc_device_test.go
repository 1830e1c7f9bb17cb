package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// deviceClient is a public client of people's devices.
func deviceClient(s *keystonetest.Server) keystonetest.Client {
	return s.CreateClient(keystone.Client{Name: "Television", Kind: keystone.ClientNative, Scopes: []string{"openid", "profile", "offline_access"},
		Grants: []string{keystone.GrantDeviceCode, keystone.GrantRefreshToken}})
}

// device is a device with the codes that it was given.
type device struct {
	t              *testing.T
	s              *keystonetest.Server
	client         keystonetest.Client
	code, userCode string
	complete       string
}

func startDevice(t *testing.T, s *keystonetest.Server, c keystonetest.Client, scope string) device {
	t.Helper()
	form := url.Values{"client_id": {c.ID}, "scope": {scope}}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	status, answer := postForm(t, s, "/oauth2/device_authorization", form)
	code, _ := answer["device_code"].(string)
	user, _ := answer["user_code"].(string)
	complete, _ := answer["verification_uri_complete"].(string)
	if status != http.StatusOK || code == "" || len(user) != 9 || answer["verification_uri"] != s.Issuer+"/device" || complete != s.Issuer+"/device?user_code="+user {
		t.Fatalf("device authorization: %d %v", status, answer)
	}
	return device{t, s, c, code, user, complete}
}

// poll asks at a node.
func (d device) poll(node *keystonetest.Server) (int, map[string]any) {
	d.t.Helper()
	form := url.Values{"grant_type": {keystone.GrantDeviceCode}, "device_code": {d.code}, "client_id": {d.client.ID}}
	if d.client.Secret != "" {
		form.Set("client_secret", d.client.Secret)
	}
	return postForm(d.t, node, "/oauth2/token", form)
}

func (d device) wants(code string) {
	d.t.Helper()
	if status, answer := d.poll(d.s); status != http.StatusBadRequest || answer["error"] != code || answer["access_token"] != nil {
		d.t.Fatalf("want %s: %d %v", code, status, answer)
	}
}

// typeCode types the code and signs in up to the question.
func (d device) typeCode(b *browser, u keystonetest.User) {
	d.t.Helper()
	b.open(d.s.URL + "/device")
	b.at("user-code")
	b.submit(map[string]string{"user-code": d.userCode})
	if strings.Contains(b.page.body, `id="password"`) {
		b.signIn(u)
	}
	b.at("consent-allow")
}

func (d device) allow(b *browser, u keystonetest.User) {
	d.t.Helper()
	d.typeCode(b, u)
	b.submit(map[string]string{"decision": "allow"})
	if b.page.status != http.StatusOK || !strings.Contains(b.page.body, "<h1>Done") {
		d.t.Fatalf("%d %s", b.page.status, b.page.body)
	}
}

// TestDevice is the whole way of RFC 8628.
func TestDevice(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, tv := s.CreateUser("jane"), deviceClient(s)
		d := startDevice(t, s, tv, "openid profile offline_access")
		d.wants("authorization_pending")
		b := newBrowser(t, s)
		d.typeCode(b, jane)
		for _, want := range []string{"Television", `id="origin">127.0.0.1<`, "jane", "consent-deny"} {
			if !strings.Contains(b.page.body, want) {
				t.Errorf("the question does not show %q:\n%s", want, b.page.body)
			}
		}
		s.Clock.Move(6 * time.Second)
		d.wants("authorization_pending")
		b.submit(map[string]string{"decision": "allow"})
		s.Clock.Move(6 * time.Second)
		status, tokens := d.poll(s)
		if status != http.StatusOK || tokens["refresh_token"] == nil || tokens["scope"] != "offline_access openid profile" {
			t.Fatalf("%d %v", status, tokens)
		}
		id := idClaims(t, tokens["id_token"])
		if id["sub"] != jane.ID || id["aud"] != tv.ID || id["auth_time"] == nil || id["sid"] == nil || id["c_hash"] != nil {
			t.Errorf("ID token: %v", id)
		}
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusOK {
			t.Errorf("userinfo answers %d", status)
		}
		d.wants("invalid_grant")
		if status, _ := refreshed(t, s, tv, tokens["refresh_token"]); status != http.StatusOK {
			t.Errorf("refresh answers %d", status)
		}
		// The code is used up on the page too, and a refusal reaches the device.
		b.open(s.URL + "/device")
		b.submit(map[string]string{"user-code": d.userCode})
		b.at("error")
		d = startDevice(t, s, tv, "openid")
		d.typeCode(b, jane)
		b.submit(map[string]string{"decision": "deny"})
		if !strings.Contains(b.page.body, "refused") {
			t.Errorf("%s", b.page.body)
		}
		d.wants("access_denied")
		var actions []string
		var trail struct {
			Items []struct {
				Action  string `json:"action"`
				ActorID string `json:"actor_id"`
			} `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=authorization.&limit=200", s.Admin(), nil, &trail)
		for _, e := range trail.Items {
			actions = append(actions, e.Action)
		}
		if got := strings.Join(actions, " "); got != "authorization.denied authorization.redeemed authorization.approved" {
			t.Errorf("the trail: %s", got)
		}
	})
}

// TestH13NeverByItself: an address with the code in it approves nothing,
// whoever is signed in, whatever they allowed before, whoever the client is.
func TestH13NeverByItself(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		ours := s.CreateClient(keystone.Client{Name: "Own television", Kind: keystone.ClientNative, FirstParty: true, Scopes: []string{"openid"}, Grants: []string{keystone.GrantDeviceCode}})
		for _, tv := range []keystonetest.Client{deviceClient(s), ours} {
			b := newBrowser(t, s)
			startDevice(t, s, tv, "openid").allow(b, jane)
			d := startDevice(t, s, tv, "openid")
			b.open(strings.Replace(d.complete, s.Issuer, s.URL, 1))
			b.at("user-code")
			if !strings.Contains(b.page.body, `value="`+d.userCode+`"`) {
				t.Errorf("the code is not shown: %s", b.page.body)
			}
			d.wants("authorization_pending")
			b.submit(nil)
			b.at("consent-allow") // asked again, though she is signed in and allowed it before
			flow := regexp.MustCompile(`name="flow" value="([^"]*)"`).FindStringSubmatch(b.page.body)[1]
			s.Clock.Move(6 * time.Second)
			d.wants("authorization_pending")
			// Going around the question leads back to it.
			b.open(s.URL + "/oauth2/resume?flow=" + flow)
			b.at("consent-allow")
			// Another site's form reaches neither page.
			for _, path := range []string{"/device", "/consent"} {
				thief := *b
				thief.crossPost(path, url.Values{"user-code": {d.userCode}, "flow": {flow}, "decision": {"allow"}})
				if thief.page.status != http.StatusForbidden {
					t.Errorf("a cross-site POST to %s answered %d", path, thief.page.status)
				}
			}
			// Another browser with the flow's number has nothing of it.
			other := newBrowser(t, s)
			other.open(s.URL + "/login?flow=" + flow)
			if other.page.status != http.StatusNotFound {
				t.Errorf("a stranger's browser answers %d", other.page.status)
			}
			s.Clock.Move(6 * time.Second)
			d.wants("authorization_pending")
		}
		b := newBrowser(t, s)
		for _, path := range []string{"/device", "/device?user_code=" + url.QueryEscape(`"><script>alert(1)</script>`), "/device?user_code=bcdf%20ghjk"} {
			b.open(s.URL + path)
			if b.page.status != http.StatusOK || strings.Contains(b.page.body, "<script") || b.page.header.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(b.page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s: %d %v", path, b.page.status, b.page.header)
			}
		}
		if !strings.Contains(b.page.body, `value="BCDF-GHJK"`) {
			t.Error("a code in lower case is not understood")
		}
	})
}

// TestH11Guessing: wrong codes have to wait, by browser and by source, and a
// right one is not let through while they do.
func TestH11Guessing(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		tv := deviceClient(s)
		d := startDevice(t, s, tv, "openid")
		b := newBrowser(t, s)
		b.open(s.URL + "/device")
		guess := func(b *browser, code string) int {
			b.open(s.URL + "/device")
			b.submit(map[string]string{"user-code": code})
			return b.page.status
		}
		// A browser of somebody who has been here, so that it has a cookie.
		b.open(authorizeURL(s, webClient(s)))
		free := 0
		for guess(b, fmt.Sprintf("BCDFGHJ%c", "BCDFGHJKLMNPQRSTVWXZ"[free%20])) == http.StatusBadRequest {
			if free++; free > 30 {
				t.Fatal("a browser may guess for ever")
			}
		}
		if free > 5 || b.page.status != http.StatusTooManyRequests || b.page.header.Get("Retry-After") == "" || b.page.header.Get("RateLimit-Remaining") != "0" || b.page.header.Get("RateLimit-Reset") != b.page.header.Get("Retry-After") {
			t.Errorf("after %d guesses: %d %v", free, b.page.status, b.page.header)
		}
		if status := guess(b, d.userCode); status != http.StatusTooManyRequests {
			t.Errorf("the right code while waiting: %d", status)
		}
		// Without the cookie the source counts, over all browsers.
		for free = 0; guess(newBrowser(t, s), "BCDFGHJK") == http.StatusBadRequest; {
			if free++; free > 60 {
				t.Fatal("a source may guess for ever")
			}
		}
		if free > 20 {
			t.Errorf("%d free guesses for a source", free)
		}
		// Who waits gets in; and codes that were right cost nothing.
		s.Clock.Move(16 * time.Minute)
		for range 30 {
			d := startDevice(t, s, tv, "openid")
			if status := guess(newBrowser(t, s), d.userCode); status != http.StatusOK {
				t.Fatalf("a right code: %d", status)
			}
		}
		if status := guess(newBrowser(t, s), "not a code"); status != http.StatusTooManyRequests && status != http.StatusBadRequest {
			t.Errorf("%d", status)
		}
	})
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_LOGIN": "5/minute"}))
	b := newBrowser(t, s)
	b.open(s.URL + "/device")
	for i := range 6 {
		form := b.page
		b.submit(map[string]string{"user-code": "BCDFGHJK"})
		if i == 5 && b.page.status != http.StatusTooManyRequests {
			t.Errorf("the sign-in limit does not hold here: %d", b.page.status)
		}
		b.page = form
	}
}

// TestH10Polling: polls of many devices write nothing, and are slowed down each
// for itself.
func TestH10Polling(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		tv := deviceClient(s)
		var devices []device
		for range 20 {
			devices = append(devices, startDevice(t, s, tv, "openid"))
		}
		for _, d := range devices {
			d.wants("authorization_pending")
		}
		writes := commits(t, s)
		var wg sync.WaitGroup
		for _, d := range devices {
			wg.Go(func() {
				for range 20 {
					if status, answer := d.poll(s); status != http.StatusBadRequest || answer["error"] != "slow_down" {
						t.Errorf("%d %v", status, answer)
					}
				}
			})
		}
		wg.Wait()
		if after := commits(t, s); after != writes {
			t.Errorf("400 polls made %s commits of %s", after, writes)
		}
		// The interval has grown to its bound, and no further.
		s.Clock.Move(6 * time.Second)
		devices[0].wants("authorization_pending")
		s.Clock.Move(55 * time.Second)
		devices[0].wants("slow_down")
		s.Clock.Move(15 * time.Second)
		devices[0].wants("authorization_pending")
		d := startDevice(t, s, tv, "openid") // and is nobody else's
		for range 3 {
			d.wants("authorization_pending")
			s.Clock.Move(5 * time.Second)
		}
	}, inSettings("METRICS_PUBLIC", "true"))
}

func commits(t *testing.T, s *keystonetest.Server) string {
	t.Helper()
	resp, err := s.Client().Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s)
	b.arrive(resp, nil)
	m := regexp.MustCompile(`keystone_commit_group_size_sum (\S+)`).FindStringSubmatch(b.page.body)
	if m == nil {
		t.Fatal("no count of commits")
	}
	return m[1]
}

// TestX16DeviceCode: of 32 polls at the same moment on two nodes after the
// approval one gets tokens, and they hold.
func TestX16DeviceCode(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)))
	nodes := []*keystonetest.Server{s, s.AddNode()}
	jane, tv := s.CreateUser("jane"), deviceClient(s)
	b := newBrowser(t, s)
	for range 5 {
		d := startDevice(t, s, tv, "openid offline_access")
		d.allow(b, jane)
		s.Clock.Move(2 * time.Second)
		var mu sync.Mutex
		var won []map[string]any
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 32 {
			wg.Go(func() {
				<-start
				status, answer := d.poll(nodes[i%2])
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
			t.Fatalf("%d of 32 won", len(won))
		}
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", won[0]["access_token"].(string), nil, nil); status != http.StatusOK {
			t.Errorf("the winner's token answers %d", status)
		}
	}
}

// TestM1Device: what ends between the approval and the poll gives no tokens.
func TestM1Device(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for name, test := range map[string]struct {
			change func(u keystonetest.User, c keystonetest.Client, b *browser)
			status int
			want   string
		}{
			"user disabled": {func(u keystonetest.User, _ keystonetest.Client, _ *browser) {
				s.Call(http.MethodPatch, "/api/v1/users/"+u.ID, s.Admin(), map[string]any{"enabled": false}, nil)
			}, 400, "invalid_grant"},
			"user deleted": {func(u keystonetest.User, _ keystonetest.Client, _ *browser) {
				s.Call(http.MethodDelete, "/api/v1/users/"+u.ID, s.Admin(), nil, nil)
			}, 400, "invalid_grant"},
			"client disabled": {func(_ keystonetest.User, c keystonetest.Client, _ *browser) {
				s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"enabled": false}, nil)
			}, 401, "invalid_client"},
			"grant type taken away": {func(_ keystonetest.User, c keystonetest.Client, _ *browser) {
				s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"grants": []string{"refresh_token"}}, nil)
			}, 400, "unauthorized_client"},
			"sessions ended": {func(u keystonetest.User, _ keystonetest.Client, _ *browser) {
				s.Call(http.MethodDelete, "/api/v1/users/"+u.ID+"/sessions", s.Admin(), nil, nil)
			}, 400, "invalid_grant"},
			"consent taken back": {func(u keystonetest.User, c keystonetest.Client, _ *browser) {
				s.Call(http.MethodDelete, "/api/v1/users/me/apps/"+c.ID, s.SignIn(u).AccessToken, nil, nil)
			}, 400, "invalid_grant"},
			"ten minutes": {func(keystonetest.User, keystonetest.Client, *browser) { s.Clock.Move(10 * time.Minute) }, 400, "expired_token"},
		} {
			u, c := s.CreateUser("jane"+strings.ReplaceAll(name, " ", "")), deviceClient(s)
			b := newBrowser(t, s)
			d := startDevice(t, s, c, "openid")
			d.allow(b, u)
			test.change(u, c, b)
			s.Clock.Move(2 * time.Second)
			if status, answer := d.poll(s); status != test.status || answer["error"] != test.want || answer["access_token"] != nil {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
		// Before the answer: a client that is switched off is not on the page.
		jane, tv := s.CreateUser("jane"), deviceClient(s)
		d := startDevice(t, s, tv, "openid")
		b := newBrowser(t, s)
		d.typeCode(b, jane)
		question := b.page
		s.Call(http.MethodPatch, "/api/v1/admin/clients/"+tv.ID, s.Admin(), map[string]any{"enabled": false}, nil)
		s.Clock.Move(2 * time.Second)
		b.submit(map[string]string{"decision": "allow"})
		b.open(s.URL + "/device")
		b.submit(map[string]string{"user-code": d.userCode})
		b.at("error")
		s.Call(http.MethodPatch, "/api/v1/admin/clients/"+tv.ID, s.Admin(), map[string]any{"enabled": true}, nil)
		s.Clock.Move(2 * time.Second)
		d.wants("authorization_pending")
		// After its end the question answers nothing.
		s.Clock.Move(10 * time.Minute)
		b.page = question
		b.submit(map[string]string{"decision": "allow"})
		if b.page.status != http.StatusNotFound || strings.Contains(b.page.body, "<h1>Done") {
			t.Errorf("late: %d %s", b.page.status, b.page.body)
		}
		d.wants("expired_token")
		// Ending the session later ends what the device got.
		d = startDevice(t, s, tv, "openid offline_access")
		d.allow(b, jane)
		s.Clock.Move(2 * time.Second)
		_, tokens := d.poll(s)
		s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID+"/sessions", s.Admin(), nil, nil)
		s.Clock.Move(2 * time.Second)
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
			t.Errorf("after its session the token answers %d", status)
		}
		if status, _ := refreshed(t, s, tv, tokens["refresh_token"]); status != http.StatusBadRequest {
			t.Errorf("after its session the refresh token answers %d", status)
		}
	})
}

// TestDeviceQR: the picture says nothing about whether the code exists.
func TestDeviceQR(t *testing.T) {
	s := keystonetest.Start(t)
	d := startDevice(t, s, deviceClient(s), "openid")
	for code, want := range map[string]int{d.userCode: 200, strings.ToLower(d.userCode): 200, "BCDFGHJK": 200, "": 400, "AAAA-AAAA": 400, strings.Repeat("B", 5000): 400} {
		resp, err := s.Client().Get(s.URL + "/device/qr?user_code=" + url.QueryEscape(code))
		b := newBrowser(t, s)
		b.arrive(resp, err)
		if b.page.status != want || want == 200 && (b.page.header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(b.page.body, "<svg") || b.page.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%q: %d %v", code, b.page.status, b.page.header)
		}
	}
}
