package keystone_test

import (
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

// bankClient asks people who are somewhere else (OpenID Connect CIBA).
func bankClient(s *keystonetest.Server, more ...func(*keystone.Client)) keystonetest.Client {
	c := keystone.Client{Name: "Bank desk", Kind: keystone.ClientWeb, Scopes: []string{"openid", "profile", "offline_access"}, Audiences: []string{"https://accounts.example"},
		Grants: []string{keystone.GrantCIBA, keystone.GrantRefreshToken}}
	for _, change := range more {
		change(&c)
	}
	return s.CreateClient(c)
}

// asked is a request that waits for its person.
type asked struct {
	t      *testing.T
	s      *keystonetest.Server
	client keystonetest.Client
	id     string
}

func askBack(t *testing.T, s *keystonetest.Server, c keystonetest.Client, pairs ...string) (int, map[string]any) {
	t.Helper()
	form := credentials(c, "scope", "openid profile")
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return postForm(t, s, "/oauth2/bc-authorize", form)
}

func startBack(t *testing.T, s *keystonetest.Server, c keystonetest.Client, pairs ...string) asked {
	t.Helper()
	status, answer := askBack(t, s, c, pairs...)
	id, _ := answer["auth_req_id"].(string)
	if status != http.StatusOK || id == "" || answer["interval"] != 5.0 {
		t.Fatalf("backchannel authentication: %d %v", status, answer)
	}
	return asked{t, s, c, id}
}

func (a asked) poll(node *keystonetest.Server, pairs ...string) (int, map[string]any) {
	a.t.Helper()
	return postForm(a.t, node, "/oauth2/token", credentials(a.client, append([]string{"grant_type", keystone.GrantCIBA, "auth_req_id", a.id}, pairs...)...))
}

func (a asked) wants(code string) {
	a.t.Helper()
	if status, answer := a.poll(a.s); status != http.StatusBadRequest || answer["error"] != code || answer["access_token"] != nil {
		a.t.Fatalf("want %s: %d %v", code, status, answer)
	}
}

// requests opens the page of what waits, signed in.
func (b *browser) requests(u keystonetest.User) {
	b.t.Helper()
	b.open(b.server.URL + "/requests")
	if strings.Contains(b.page.body, `id="password"`) {
		b.signIn(u)
	}
	if b.page.status != http.StatusOK || !strings.HasSuffix(b.page.url.Path, "/requests") {
		b.t.Fatalf("not at the list but at %s (%d):\n%s", b.page.url, b.page.status, b.page.body)
	}
}

// look goes from the list to the question about the first request.
func (b *browser) look(u keystonetest.User) {
	b.t.Helper()
	b.requests(u)
	b.at("requests")
	b.submit(nil)
	b.at("consent-allow")
}

func (b *browser) says(decision string) {
	b.t.Helper()
	b.submit(map[string]string{"decision": decision})
	if want := map[string]string{"allow": "<h1>Done", "deny": "<h1>Access refused"}[decision]; b.page.status != http.StatusOK || !strings.Contains(b.page.body, want) {
		b.t.Fatalf("%s: %d %s", decision, b.page.status, b.page.body)
	}
}

// TestCIBA is the whole way of OpenID Connect CIBA with polls.
func TestCIBA(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, bank := s.CreateUser("jane"), bankClient(s)
		a := startBack(t, s, bank, "login_hint", "jane", "binding_message", "Transfer 4711 <b>", "scope", "openid profile offline_access", "acr_values", "a b", "resource", "https://accounts.example")
		a.wants("authorization_pending")
		b := newBrowser(t, s)
		b.open(s.URL + "/requests")
		b.at("password") // who that is comes first
		b.look(jane)
		for _, want := range []string{"Bank desk", `id="origin">127.0.0.1<`, `id="binding-message">Transfer 4711 &lt;b&gt;<`, `id="until">`, "jane", "consent-deny"} {
			if !strings.Contains(b.page.body, want) {
				t.Errorf("the question does not show %q:\n%s", want, b.page.body)
			}
		}
		s.Clock.Move(6 * time.Second)
		a.wants("authorization_pending")
		b.says("allow")
		s.Clock.Move(6 * time.Second)
		status, tokens := a.poll(s)
		if status != http.StatusOK || tokens["refresh_token"] == nil || tokens["scope"] != "offline_access openid profile" {
			t.Fatalf("%d %v", status, tokens)
		}
		id := idClaims(t, tokens["id_token"])
		if id["sub"] != jane.ID || id["aud"] != bank.ID || id["auth_time"] == nil || id["sid"] == nil || id["nonce"] != nil ||
			id["urn:openid:params:jwt:claim:auth_req_id"] != nil { // that is for push
			t.Errorf("ID token: %v", id)
		}
		if access := idClaims(t, tokens["access_token"]); access["aud"].([]any)[0] != "https://accounts.example" {
			t.Errorf("access token: %v", access)
		}
		a.wants("invalid_grant")
		if status, _ := refreshed(t, s, bank, tokens["refresh_token"]); status != http.StatusOK {
			t.Errorf("refresh answers %d", status)
		}
		b.requests(jane)
		b.at("no-requests")
		// She allowed it before, and is asked again: this time she refuses.
		a = startBack(t, s, bank, "id_token_hint", tokens["id_token"].(string))
		b.look(jane)
		b.says("deny")
		a.wants("access_denied")
		var actions []string
		var trail struct {
			Items []struct {
				Action string `json:"action"`
			} `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=authorization.&limit=200", s.Admin(), nil, &trail)
		for _, e := range trail.Items {
			actions = append(actions, e.Action)
		}
		if got := strings.Join(actions, " "); got != "authorization.denied authorization.asked authorization.redeemed authorization.approved authorization.asked" {
			t.Errorf("the trail: %s", got)
		}
		// A second account of the browser has a list of its own, and the question goes
		// to whom it is for.
		joe := s.CreateUser("joe")
		b.open(s.URL + "/requests?account=other")
		b.at("other-account")
		b.open(s.URL + "/login?other=1&flow=" + regexp.MustCompile(`name="flow" value="([^"]*)"`).FindStringSubmatch(b.page.body)[1])
		b.signIn(joe)
		a = startBack(t, s, bank, "login_hint", "joe")
		b.look(joe)
		if !strings.Contains(b.page.body, "<strong>joe</strong>") {
			t.Errorf("the wrong account is asked:\n%s", b.page.body)
		}
		b.says("allow")
		s.Clock.Move(2 * time.Second)
		if _, tokens := a.poll(s); idClaims(t, tokens["id_token"])["sub"] != joe.ID {
			t.Errorf("%v", tokens)
		}
	})
}

// TestCIBARefused: every refusal of the endpoint has the code of OpenID Connect CIBA
// section 13, and leaves nothing behind.
func TestCIBARefused(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, off, bank, shop := s.CreateUser("jane"), s.CreateUser("off"), bankClient(s), webClient(s)
		s.Call(http.MethodPatch, "/api/v1/users/"+off.ID, s.Admin(), map[string]any{"enabled": false}, nil)
		told := bankClient(s, func(c *keystone.Client) {
			c.BackchannelDelivery, c.BackchannelNotify = keystone.DeliveryPing, "https://bank.example/told"
		})
		b := signedIn(t, s, jane, shop)
		_, tokens := redeem(t, s, shop, b.code(shop))
		ofShop := tokens["id_token"].(string)
		for _, test := range []struct {
			name   string
			client keystonetest.Client
			pairs  []string
			status int
			want   string
		}{
			{"no client", keystonetest.Client{}, []string{"client_id", "", "client_secret", "", "login_hint", "jane"}, 401, "invalid_client"},
			{"wrong secret", bank, []string{"client_secret", "wrong", "login_hint", "jane"}, 401, "invalid_client"},
			{"not registered for the grant", shop, []string{"login_hint", "jane"}, 400, "unauthorized_client"},
			{"public", deviceClient(s), []string{"login_hint", "jane"}, 400, "unauthorized_client"},
			{"no hint", bank, nil, 400, "invalid_request"},
			{"two hints", bank, []string{"login_hint", "jane", "id_token_hint", ofShop}, 400, "invalid_request"},
			{"login_hint_token", bank, []string{"login_hint_token", "x"}, 400, "invalid_request"},
			{"login_hint_token beside another", bank, []string{"login_hint", "jane", "login_hint_token", "x"}, 400, "invalid_request"},
			{"no scope", bank, []string{"scope", "", "login_hint", "jane"}, 400, "invalid_request"},
			{"no openid", bank, []string{"scope", "profile", "login_hint", "jane"}, 400, "invalid_scope"},
			{"a scope that is not the client's", bank, []string{"scope", "openid users:write", "login_hint", "jane"}, 400, "invalid_scope"},
			{"a broken scope", bank, []string{"scope", `openid "`, "login_hint", "jane"}, 400, "invalid_scope"},
			{"a resource that is not the client's", bank, []string{"resource", "https://other.example", "login_hint", "jane"}, 400, "invalid_target"},
			{"nobody", bank, []string{"login_hint", "nobody"}, 400, "unknown_user_id"},
			{"nobody's address", bank, []string{"login_hint", "nobody@example.com"}, 400, "unknown_user_id"},
			{"nobody's sub", bank, []string{"login_hint", keystone.NewID(time.Now())}, 400, "unknown_user_id"},
			{"not a name", bank, []string{"login_hint", "jane\tjoe"}, 400, "unknown_user_id"},
			{"a long name", bank, []string{"login_hint", strings.Repeat("j", 10_000)}, 400, "unknown_user_id"},
			{"switched off", bank, []string{"login_hint", "off"}, 400, "unknown_user_id"},
			{"another client's ID token", bank, []string{"id_token_hint", ofShop}, 400, "invalid_request"},
			{"no ID token", bank, []string{"id_token_hint", "x.y.z"}, 400, "invalid_request"},
			{"a long message", bank, []string{"binding_message", strings.Repeat("x", 101), "login_hint", "jane"}, 400, "invalid_binding_message"},
			{"two lines", bank, []string{"binding_message", "a\nb", "login_hint", "jane"}, 400, "invalid_binding_message"},
			{"a text that turns around", bank, []string{"binding_message", "pay \u202e001 EUR", "login_hint", "jane"}, 400, "invalid_binding_message"},
			{"expiry of text", bank, []string{"requested_expiry", "soon", "login_hint", "jane"}, 400, "invalid_request"},
			{"expiry of 0", bank, []string{"requested_expiry", "0", "login_hint", "jane"}, 400, "invalid_request"},
			{"expiry below 0", bank, []string{"requested_expiry", "-5", "login_hint", "jane"}, 400, "invalid_request"},
			{"told, without a token", told, []string{"login_hint", "jane"}, 400, "invalid_request"},
			{"told, a short token", told, []string{"client_notification_token", strings.Repeat("x", 21), "login_hint", "jane"}, 400, "invalid_request"},
			{"told, a long token", told, []string{"client_notification_token", strings.Repeat("x", 1025), "login_hint", "jane"}, 400, "invalid_request"},
			{"told, a token that is none", told, []string{"client_notification_token", "0123456789 0123456789 0123456789", "login_hint", "jane"}, 400, "invalid_request"},
			{"told, a token with a header in it", told, []string{"client_notification_token", "0123456789012345678901\r\nX: y", "login_hint", "jane"}, 400, "invalid_request"},
			{"signed, without keys", bank, []string{"scope", "", "request", "x.y.z"}, 400, "invalid_request"},
		} {
			status, answer := askBack(t, s, test.client, test.pairs...)
			if status != test.status || answer["error"] != test.want || answer["auth_req_id"] != nil {
				t.Errorf("%s: %d %v", test.name, status, answer)
			}
		}
		b.requests(jane)
		b.at("no-requests")
		for name, code := range map[string]string{"no id": "invalid_request", "not an id": "invalid_grant", "a device code": "invalid_grant"} {
			d := startDevice(t, s, deviceClient(s), "openid")
			id := map[string]string{"not an id": "ks_ar_x", "a device code": d.code}[name]
			(asked{t, s, bank, id}).wants(code)
		}
	})
}

// TestCIBAHints: whom a client can mean, and whom not.
func TestCIBAHints(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, joe := s.CreateUser("jane"), s.CreateUser("joe")
		bank := bankClient(s)
		// Joe takes an address that he has not shown to be his.
		s.Call(http.MethodPatch, "/api/v1/users/"+joe.ID, s.Admin(), map[string]any{"email": "boss@example.com"}, nil)
		if status, answer := askBack(t, s, bank, "login_hint", "boss@example.com"); answer["error"] != "unknown_user_id" {
			t.Errorf("an address that nobody has shown to have: %d %v", status, answer)
		}
		shared := func(c *keystone.Client) {
			c.SubjectType, c.SectorURI, c.AccessTokenFormat = keystone.SubjectPairwise, "https://bank.example/sector.json", keystone.FormatOpaque
		}
		pair := bankClient(s, shared)
		b := newBrowser(t, s)
		a := startBack(t, s, pair, "login_hint", "jane")
		b.look(jane)
		b.says("allow")
		s.Clock.Move(2 * time.Second)
		_, tokens := a.poll(s)
		sub := idClaims(t, tokens["id_token"])["sub"].(string)
		if sub == jane.ID || sub == "" {
			t.Fatalf("sub %q", sub)
		}
		s.Clock.Move(2 * time.Hour) // an expired ID token still says whom it was about
		for name, test := range map[string]struct {
			client keystonetest.Client
			pairs  []string
			found  bool
		}{
			"username":           {bank, []string{"login_hint", "jane"}, true},
			"in capitals":        {bank, []string{"login_hint", "JANE"}, true},
			"address":            {bank, []string{"login_hint", "Jane@Example.com"}, true},
			"sub":                {bank, []string{"login_hint", jane.ID}, true},
			"pairwise sub":       {pair, []string{"login_hint", sub}, true},
			"ID token":           {pair, []string{"id_token_hint", tokens["id_token"].(string)}, true},
			"id behind the sub":  {pair, []string{"login_hint", jane.ID}, false},
			"another one's sub":  {bank, []string{"login_hint", sub}, false},
			"another sector's":   {bankClient(s, shared, func(c *keystone.Client) { c.SectorURI = "https://other.example/s.json" }), []string{"login_hint", sub}, false},
			"ID token of others": {bank, []string{"id_token_hint", tokens["id_token"].(string)}, false},
		} {
			if status, answer := askBack(t, s, test.client, test.pairs...); (status == http.StatusOK) != test.found {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
	})
}

// TestCIBANames: a client that names many people who are nobody has to wait, and
// then learns of nobody; one that names people who are there does not.
func TestCIBANames(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_TOKEN": "10/minute"}))
	s.CreateUser("jane")
	bank, other := bankClient(s), bankClient(s)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() { askBack(t, s, bank, "login_hint", "nobody") })
	}
	wg.Wait()
	for _, name := range []string{"nobody", "jane"} {
		if status, answer := askBack(t, s, bank, "login_hint", name); status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	for range 4 {
		startBack(t, s, other, "login_hint", "jane")
	}
	s.Clock.Move(time.Minute)
	startBack(t, s, bank, "login_hint", "jane")
	for i := range 20 { // who is somebody costs nothing
		s.CreateUser("u" + string(rune('a'+i)))
		startBack(t, s, bank, "login_hint", "u"+string(rune('a'+i)))
	}
}

// TestCIBAStrangers: nobody but the person answers, and nobody but the client polls.
func TestCIBAStrangers(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, joe, bank, other := s.CreateUser("jane"), s.CreateUser("joe"), bankClient(s), bankClient(s)
		a := startBack(t, s, bank, "login_hint", "jane")
		hers := newBrowser(t, s)
		hers.requests(jane)
		form := hers.page
		number := regexp.MustCompile(`name="request" value="([^"]*)"`).FindStringSubmatch(form.body)[1]
		// Joe does not see it, and its number opens nothing.
		his := newBrowser(t, s)
		his.requests(joe)
		his.at("no-requests")
		his.page = form
		his.submit(nil)
		if his.page.status != http.StatusNotFound {
			t.Errorf("another account: %d %s", his.page.status, his.page.body)
		}
		stranger := newBrowser(t, s)
		stranger.page = form
		stranger.submit(nil)
		if stranger.page.status != http.StatusNotFound {
			t.Errorf("nobody: %d %s", stranger.page.status, stranger.page.body)
		}
		// A device's request is not answered here, nor hers on the page of devices.
		d := startDevice(t, s, deviceClient(s), "openid")
		his.open(s.URL + "/device")
		his.submit(map[string]string{"user-code": number})
		his.at("error")
		// Another site's form reaches neither page, nor does a flow in another browser.
		hers.submit(nil)
		hers.at("consent-allow")
		flow := regexp.MustCompile(`name="flow" value="([^"]*)"`).FindStringSubmatch(hers.page.body)[1]
		question := hers.page
		for path, fields := range map[string]url.Values{"/requests": {"request": {number}}, "/consent": {"flow": {flow}, "decision": {"allow"}}} {
			thief := *hers
			thief.crossPost(path, fields)
			if thief.page.status != http.StatusForbidden {
				t.Errorf("a cross-site POST to %s answered %d", path, thief.page.status)
			}
		}
		his.page = question
		his.submit(map[string]string{"decision": "allow"})
		if his.page.status != http.StatusNotFound {
			t.Errorf("her flow in his browser: %d", his.page.status)
		}
		// Joe, in her browser and in her flow, is not who is asked, signed in or chosen.
		for _, fields := range []map[string]string{{"login": "joe", "password": joe.Password}, {"account": ""}} {
			hers.page = question
			hers.page.body = `<form method="post" action="login"><input name="flow" value="` + flow + `"></form>`
			if _, choosing := fields["account"]; choosing {
				hers.open(s.URL + "/logout")
				for _, m := range regexp.MustCompile(`value="([0-9a-f-]{36})">Log out joe<`).FindAllStringSubmatch(hers.page.body, -1) {
					fields["account"] = m[1]
				}
				if fields["account"] == "" {
					t.Fatalf("he is not signed in here:\n%s", hers.page.body)
				}
				hers.page.url, hers.page.body = question.url, `<form method="post" action="login"><input name="flow" value="`+flow+`"></form>`
			}
			hers.submit(fields)
			hers.at("password")
			if strings.Contains(hers.page.body, "consent-allow") {
				t.Errorf("%v is asked:\n%s", fields, hers.page.body)
			}
			hers.open(s.URL + "/oauth2/resume?flow=" + flow)
			hers.at("password")
			hers.submit(map[string]string{"login": "jane", "password": jane.Password})
			hers.at("consent-allow")
			question = hers.page
		}
		hers.open(s.URL + "/oauth2/resume?flow=" + flow) // around the question
		hers.at("consent-allow")
		a.wants("authorization_pending")
		// Only the client gets the tokens, once.
		hers.page = question
		hers.says("allow")
		hers.page = question
		hers.submit(map[string]string{"decision": "deny"}) // what was said stays
		if !strings.Contains(hers.page.body, "completed already") {
			t.Errorf("the same answer again: %d %s", hers.page.status, hers.page.body)
		}
		s.Clock.Move(2 * time.Second)
		if status, answer := (asked{t, s, other, a.id}).poll(s); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("another client's: %d %v", status, answer)
		}
		if status, answer := (device{t: t, s: s, client: d.client, code: a.id}).poll(s); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("as a device: %d %v", status, answer)
		}
		if status, answer := a.poll(s, "client_secret", "wrong"); status != http.StatusUnauthorized {
			t.Errorf("without its secret: %d %v", status, answer)
		}
		if status, answer := a.poll(s); status != http.StatusOK {
			t.Errorf("the client: %d %v", status, answer)
		}
	})
}

// TestCIBATimes: how long a request lives, and how often may be asked.
func TestCIBATimes(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, bank := s.CreateUser("jane"), bankClient(s)
		for wish, want := range map[string]float64{"": 300, "1": 30, "120": 120, "100000": 600, "2147483647": 600} {
			if status, answer := askBack(t, s, bank, "login_hint", "jane", "requested_expiry", wish); status != http.StatusOK || answer["expires_in"] != want {
				t.Errorf("%q: %d %v", wish, status, answer)
			}
		}
		s.Clock.Move(11 * time.Minute)
		a := startBack(t, s, bank, "login_hint", "jane", "requested_expiry", "60")
		a.wants("authorization_pending")
		a.wants("slow_down")
		s.Clock.Move(6 * time.Second)
		a.wants("authorization_pending")
		s.Clock.Move(6 * time.Second)
		a.wants("slow_down") // it is ten seconds now
		s.Clock.Move(16 * time.Second)
		a.wants("authorization_pending")
		b := newBrowser(t, s)
		b.look(jane)
		question := b.page
		s.Clock.Move(time.Minute)
		b.submit(map[string]string{"decision": "allow"})
		if b.page.status != http.StatusNotFound || strings.Contains(b.page.body, "<h1>Done") {
			t.Errorf("late: %d %s", b.page.status, b.page.body)
		}
		b.requests(jane)
		b.at("no-requests")
		b.page = question
		b.submit(map[string]string{"decision": "allow"})
		a.wants("expired_token")
		// An approval that nobody comes for ends too.
		a = startBack(t, s, bank, "login_hint", "jane", "requested_expiry", "60")
		b.look(jane)
		b.says("allow")
		s.Clock.Move(61 * time.Second)
		a.wants("expired_token")
	})
}

// TestCIBAManyWait: a person is not worn down. What they refused counts until its
// time, and of those who ask at the same moment no more get through.
func TestCIBAManyWait(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, bank := s.CreateUser("jane"), bankClient(s)
		count := func(c keystonetest.Client) (n int) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					status, answer := askBack(t, s, c, "login_hint", "jane")
					mu.Lock()
					defer mu.Unlock()
					if status == http.StatusOK {
						n++
					} else if status != http.StatusTooManyRequests {
						t.Errorf("%d %v", status, answer)
					}
				})
			}
			wg.Wait()
			return n
		}
		if n := count(bank); n != 5 {
			t.Errorf("%d requests of one client wait", n)
		}
		b := newBrowser(t, s)
		for range 5 {
			b.look(jane)
			b.says("deny")
		}
		if n := count(bank); n != 0 {
			t.Errorf("%d more after she refused them all", n)
		}
		total := 5
		for range 5 {
			total += count(bankClient(s))
		}
		if total != 20 {
			t.Errorf("%d requests of all clients", total)
		}
		s.CreateUser("joe")
		startBack(t, s, bank, "login_hint", "joe") // nobody else's matter
		s.Clock.Move(5*time.Minute + time.Second)
		startBack(t, s, bank, "login_hint", "jane")
	})
}

// TestX16CIBA: of 32 polls at the same moment on two nodes after the approval one
// gets tokens.
func TestX16CIBA(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)))
	nodes := []*keystonetest.Server{s, s.AddNode()}
	jane, bank := s.CreateUser("jane"), bankClient(s)
	b := newBrowser(t, s)
	for range 3 {
		a := startBack(t, s, bank, "login_hint", "jane")
		b.look(jane)
		b.says("allow")
		s.Clock.Move(2 * time.Second)
		var mu sync.Mutex
		won := 0
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				status, answer := a.poll(nodes[i%2])
				mu.Lock()
				defer mu.Unlock()
				if status == http.StatusOK {
					won++
				} else if answer["error"] != "invalid_grant" {
					t.Errorf("%d %v", status, answer)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("%d of 32 won", won)
		}
	}
}

// TestM1CIBA: what ends between the approval and the poll gives no tokens.
func TestM1CIBA(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for name, test := range map[string]struct {
			change func(u keystonetest.User, c keystonetest.Client)
			status int
			want   string
		}{
			"user disabled": {func(u keystonetest.User, _ keystonetest.Client) {
				s.Call(http.MethodPatch, "/api/v1/users/"+u.ID, s.Admin(), map[string]any{"enabled": false}, nil)
			}, 400, "invalid_grant"},
			"client disabled": {func(_ keystonetest.User, c keystonetest.Client) {
				s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"enabled": false}, nil)
			}, 401, "invalid_client"},
			"grant type taken away": {func(_ keystonetest.User, c keystonetest.Client) {
				s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"grants": []string{"refresh_token"}}, nil)
			}, 400, "unauthorized_client"},
			"sessions ended": {func(u keystonetest.User, _ keystonetest.Client) {
				s.Call(http.MethodDelete, "/api/v1/users/"+u.ID+"/sessions", s.Admin(), nil, nil)
			}, 400, "invalid_grant"},
			"consent taken back": {func(u keystonetest.User, c keystonetest.Client) {
				s.Call(http.MethodDelete, "/api/v1/users/me/apps/"+c.ID, s.SignIn(u).AccessToken, nil, nil)
			}, 400, "invalid_grant"},
		} {
			u, c := s.CreateUser("jane"+strings.ReplaceAll(name, " ", "")), bankClient(s)
			b := newBrowser(t, s)
			a := startBack(t, s, c, "login_hint", u.Username)
			b.look(u)
			b.says("allow")
			test.change(u, c)
			s.Clock.Move(2 * time.Second)
			if status, answer := a.poll(s); status != test.status || answer["error"] != test.want || answer["access_token"] != nil {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
		// A client that is switched off is not on the list.
		jane, bank := s.CreateUser("jane"), bankClient(s)
		startBack(t, s, bank, "login_hint", "jane")
		s.Call(http.MethodPatch, "/api/v1/admin/clients/"+bank.ID, s.Admin(), map[string]any{"enabled": false}, nil)
		s.Clock.Move(2 * time.Second)
		b := newBrowser(t, s)
		b.requests(jane)
		b.at("no-requests")
	})
}
