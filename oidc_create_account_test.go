package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// lets is a server on which as many may register as a test wants.
func lets(more ...string) keystonetest.Option {
	settings := map[string]string{"RATE_LIMIT_REGISTER": "off", "RATE_LIMIT_LOGIN": "off"}
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return keystonetest.WithSettings(settings)
}

const newPassword = "a good password for tests"

// follow opens the link with an id.
func (b *browser) follow(id string) {
	b.t.Helper()
	b.at(id)
	before, _, _ := strings.Cut(b.page.body[strings.Index(b.page.body, `id="`+id+`" href="`):], `">`)
	_, href, _ := strings.Cut(before, `href="`)
	at, err := b.page.url.Parse(strings.ReplaceAll(href, "&amp;", "&"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.open(at.String())
}

func people(s *keystonetest.Server, name string) int {
	var list struct {
		Items []m `json:"items"`
	}
	s.Call(http.MethodGet, "/api/v1/users?limit=200&q="+url.QueryEscape(name), s.Admin(), nil, &list)
	return len(list.Items)
}

// TestCreateAccount: whoever has no account makes one on the way to an application,
// is signed in with it, and arrives there.
func TestCreateAccount(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		b.follow("register")
		for _, id := range []string{"username", "email", "password", "submit", "sign-in"} {
			b.at(id)
		}
		b.in("en", "At least 12 characters")
		before := b.cookie()
		b.submit(map[string]string{"username": "Jane", "email": "jane@example.com", "password": newPassword})
		b.at("consent-allow")
		if b.cookie() == before {
			t.Error("the cookie is that of before the proof")
		}
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, app, b.answer().Get("code"))
		id := idClaims(t, tokens["id_token"])
		var info m
		s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, &info)
		if info["preferred_username"] != "Jane" || info["email"] != "jane@example.com" || info["email_verified"] != false || info["sub"] != id["sub"] {
			t.Error(info)
		}
		b.open(authorizeURL(s, app, "prompt", "none"))
		if b.answer().Get("code") == "" {
			t.Error("whoever has just registered is asked again")
		}
		if s.SignIn(keystonetest.User{Username: "jane", Password: newPassword}); people(s, "jane") != 1 {
			t.Error("the account is not as the API would have made it")
		}
	}, lets())
}

// TestCreateAccountRefused: the page says for each field what the API says of it.
func TestCreateAccountRefused(t *testing.T) {
	s := keystonetest.Start(t, lets())
	s.CreateUser("taken")
	app := webClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app, "login_hint", "bob@example.com"))
	b.follow("register")
	b.in("en", `value="bob@example.com"`)
	for what, c := range map[string]struct {
		username, email, password string
		status                    int
		problems                  string
	}{
		"nothing":              {"", "", "", 400, "username email password"},
		"a name of two words":  {"a b", "a@example.com", newPassword, 400, "username"},
		"an address":           {"abc", "nowhere", newPassword, 400, "email"},
		"a short password":     {"abc", "abc@example.com", "short", 400, "password"},
		"a common password":    {"abc", "abc@example.com", "iloveyou1234", 400, "password"},
		"a password about":     {"abcdefghijklm", "abc@example.com", "abcdefghijklm", 400, "password"},
		"a long name":          {strings.Repeat("a", 51), "abc@example.com", newPassword, 400, "username"},
		"a long password":      {"abc", "abc@example.com", strings.Repeat("\u20ac", 400), 400, "password"},
		"a name that is taken": {"TAKEN", "abc@example.com", newPassword, 409, "username"},
		"an address, taken":    {"abc", "Taken@example.com", newPassword, 409, "email"},
		"both taken":           {"taken", "taken@example.com", newPassword, 409, "username email"},
		"markup":               {`"><script>alert(1)</script>`, `"><script>@example.com`, newPassword, 400, "username email"},
		"bidi":                 {"a\u202eb", "abc@example.com", newPassword, 400, "username"},
	} {
		b.submit(map[string]string{"username": c.username, "email": c.email, "password": c.password})
		api := as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": c.username, "email": c.email, "password": c.password})
		if b.page.status != c.status || api.status != c.status {
			t.Errorf("%s: the page answered %d, the API %d %s", what, b.page.status, api.status, api.body)
		}
		b.at("error")
		fields, _ := api.fields["fields"].(map[string]any)
		for _, name := range strings.Fields("username email password") {
			marked := strings.Contains(b.page.body, `id="`+name+`-problem"`)
			if marked != strings.Contains(" "+c.problems+" ", " "+name+" ") || marked != (fields[name] != nil) && !strings.HasPrefix(what, "a long") {
				t.Errorf("%s: %s is marked: %v, and the API: %v", what, name, marked, fields)
			}
			if why, _ := fields[name].(string); why != "" && !strings.HasPrefix(what, "a long") && !strings.Contains(b.page.body, escapeText(why)) {
				t.Errorf("%s: the page does not say %q:\n%s", what, why, b.page.body)
			}
		}
		if strings.Contains(b.page.body, "<script") || c.password != c.username && c.password != "" && strings.Contains(b.page.body, c.password) || strings.Count(b.page.body, " autofocus") != 1 {
			t.Errorf("%s:\n%s", what, b.page.body)
		}
	}
	if people(s, "abc") != 0 {
		t.Error("a refused form made an account")
	}
	b.submit(map[string]string{"username": "abc", "email": "abc@example.com", "password": newPassword}) // the flow lives
	b.at("consent-allow")
}

func escapeText(s string) string {
	return strings.NewReplacer("&", "&amp;", "'", "&#39;", `"`, "&#34;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// TestCreateAccountClosed: where registration is closed nothing leads to the page,
// and a form that comes all the same is refused and audited as the API's call is.
func TestCreateAccountClosed(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		b.at("login")
		if strings.Contains(b.page.body, "register") {
			t.Errorf("the sign-in page names it:\n%s", b.page.body)
		}
		flow := b.page.url.Query().Get("flow")
		b.open(s.URL + "/register?flow=" + flow)
		if b.page.url.Path != "/login" {
			t.Errorf("at %s", b.page.url)
		}
		b.page.body = `<form method="post" action="register"><input name="flow" value="` + flow + `"></form>`
		b.submit(map[string]string{"username": "walkin", "email": "walkin@example.com", "password": newPassword})
		if b.page.status != http.StatusForbidden || !strings.Contains(b.page.body, "Registration is closed here.") || people(s, "walkin") != 0 {
			t.Errorf("%d %s", b.page.status, b.page.body)
		}
		var trail struct {
			Items []m `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=access.denied", s.Admin(), nil, &trail)
		if len(trail.Items) != 1 || !strings.Contains(fmt.Sprint(trail.Items[0]), "registration_closed") {
			t.Error(trail)
		}
		b.open(authorizeURL(s, app, "prompt", "create"))
		if b.answer().Get("error") != "invalid_request" {
			t.Error(b.page.url)
		}
		var facts struct {
			Prompts []string `json:"prompt_values_supported"`
		}
		if s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts); strings.Join(facts.Prompts, " ") != "none login consent select_account" {
			t.Error(facts)
		}
	}, lets("REGISTRATION", "closed"))
}

// TestCreateAccountLimit: page and API share one limit of the source.
func TestCreateAccountLimit(t *testing.T) {
	s := keystonetest.Start(t, lets("RATE_LIMIT_REGISTER", "2/hour"))
	b := newBrowser(t, s)
	b.open(authorizeURL(s, webClient(s)))
	b.follow("register")
	register := b.page
	as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": "one", "email": "one@example.com", "password": newPassword}).wants(t, 201, "the first one, by the API")
	b.submit(map[string]string{"username": "o", "email": "x", "password": "x"})
	if b.page.status != http.StatusBadRequest {
		t.Fatal(b.page.status)
	}
	b.page = register
	b.submit(map[string]string{"username": "two", "email": "two@example.com", "password": newPassword})
	if b.page.status != http.StatusTooManyRequests || b.page.header.Get("Retry-After") == "" || people(s, "two") != 0 {
		t.Errorf("%d %v", b.page.status, b.page.header)
	}
	b.in("en", "Too many requests.")
	as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": "three", "email": "three@example.com", "password": newPassword}).wants(t, 429, "by the API")
	b.open(s.URL + "/login?flow=" + flowOf(register)) // whoever has an account signs in all the same
	b.at("login")
}

func flowOf(p page) string { return p.url.Query().Get("flow") }

// TestCreateAccountForeign: forms of other sites, of other browsers and for flows
// that have ended make no account.
func TestCreateAccountForeign(t *testing.T) {
	s := keystonetest.Start(t, lets())
	b, thief := newBrowser(t, s), newBrowser(t, s)
	b.open(authorizeURL(s, webClient(s)))
	b.follow("register")
	form := url.Values{"flow": {flowOf(b.page)}, "username": {"joe"}, "email": {"joe@example.com"}, "password": {newPassword}}
	for _, header := range []map[string]string{
		{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
	} {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/register", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
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
	thief.page = b.page
	thief.submit(map[string]string{"username": "joe", "email": "joe@example.com", "password": newPassword})
	if thief.page.status != http.StatusNotFound {
		t.Errorf("in another browser: %d", thief.page.status)
	}
	for _, path := range []string{"/register?flow=", "/register?flow=x", "/register?flow=" + url.QueryEscape(`"><script>`)} {
		if b.open(s.URL + path); b.page.status != http.StatusNotFound || strings.Contains(b.page.body, "<script") {
			t.Errorf("%s: %d", path, b.page.status)
		}
	}
	for _, bad := range []struct{ what, body, contentType string }{
		{"JSON", `{"username":"joe"}`, "application/json"},
		{"a field twice", form.Encode() + "&username=joe", "application/x-www-form-urlencoded"},
		{"NUL", form.Encode() + "%00", "application/x-www-form-urlencoded"},
		{"no flow", "username=joe&email=joe@example.com&password=" + url.QueryEscape(newPassword), "application/x-www-form-urlencoded"},
	} {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/register", strings.NewReader(bad.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", bad.contentType)
		resp, err := b.http.Do(req)
		if b.arrive(resp, err); b.page.status != http.StatusBadRequest && b.page.status != http.StatusNotFound {
			t.Errorf("%s: %d", bad.what, b.page.status)
		}
	}
	if people(s, "joe") != 0 {
		t.Error("an account was made")
	}
}

// TestCreateAccountOnce: of many who want one name at once, one gets it.
func TestCreateAccountOnce(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		browsers := make([]*browser, 8)
		for i := range browsers {
			browsers[i] = newBrowser(t, s)
			browsers[i].open(authorizeURL(s, app))
			browsers[i].follow("register")
		}
		var wg sync.WaitGroup
		for _, b := range browsers {
			wg.Go(func() {
				b.submit(map[string]string{"username": "joe", "email": "joe@example.com", "password": newPassword})
			})
		}
		wg.Wait()
		won := 0
		for _, b := range browsers {
			switch {
			case strings.Contains(b.page.body, `id="consent-allow"`):
				won++
			case b.page.status != http.StatusConflict:
				t.Errorf("%d %s", b.page.status, b.page.body)
			}
		}
		if won != 1 || people(s, "joe") != 1 {
			t.Errorf("%d of them registered, %d accounts", won, people(s, "joe"))
		}
	}, lets())
}

// TestPromptCreate: Initiating User Registration via OpenID Connect 1.0.
func TestPromptCreate(t *testing.T) {
	s := keystonetest.Start(t, lets())
	jane, app := s.CreateUser("jane"), webClient(s)
	var facts struct {
		Prompts []string `json:"prompt_values_supported"`
	}
	if s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts); strings.Join(facts.Prompts, " ") != "none login consent select_account create" {
		t.Error(facts)
	}
	b := newBrowser(t, s).speaking("de")
	b.open(authorizeURL(s, app, "prompt", "create"))
	b.in("de", "<h1>Konto erstellen</h1>")
	b.in("de", "Mindestens 12 Zeichen")
	b.submit(map[string]string{"username": "x y", "email": "new@example.com", "password": newPassword})
	b.in("de", "Ein Benutzername ist ein Wort aus Buchstaben und Ziffern")
	b.submit(map[string]string{"username": "newcomer", "email": "new@example.com", "password": newPassword})
	b.submit(map[string]string{"decision": "allow"})
	if b.answer().Get("code") == "" {
		t.Error(b.page.url)
	}
	b.open(authorizeURL(s, app, "prompt", "create")) // somebody is signed in, and the page comes all the same
	b.follow("sign-in")
	if strings.Contains(b.page.body, `value="newcomer"`) {
		t.Error("the other account is filled in")
	}
	b.submit(map[string]string{"login": "jane", "password": "wrong"})
	b.at("error")
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	_, tokens := redeem(t, s, app, b.answer().Get("code"))
	if idClaims(t, tokens["id_token"])["sub"] != jane.ID {
		t.Error("whoever signed in instead is not who arrives")
	}
	b.open(authorizeURL(s, app, "prompt", "create")) // two accounts by now
	b.at("username")
	flow := flowOf(b.page)
	b.open(s.URL + "/oauth2/resume?flow=" + flow) // a redirect proves nothing
	b.at("username")

	b.open(authorizeURL(s, app, "prompt", "create", "id_token_hint", tokens["id_token"].(string)))
	b.submit(map[string]string{"username": "third", "email": "third@example.com", "password": newPassword})
	b.at("why") // the application means Jane
	for _, prompt := range []string{"create none", "none create", "Create", "create2"} {
		b.open(authorizeURL(s, app, "prompt", prompt))
		if b.answer().Get("error") != "invalid_request" {
			t.Errorf("%s: %s", prompt, b.page.url)
		}
	}
	service := s.CreateClient(keystone.Client{Name: "TV", Kind: keystone.ClientNative, Grants: []string{keystone.GrantDeviceCode}, Scopes: []string{"openid"}})
	_, device := postForm(t, s, "/oauth2/device_authorization", url.Values{"client_id": {service.ID}, "scope": {"openid"}})
	b = newBrowser(t, s)
	b.open(s.URL + "/device")
	b.submit(map[string]string{"user-code": device["user_code"].(string)})
	b.follow("register")
	b.submit(map[string]string{"username": "viewer", "email": "viewer@example.com", "password": newPassword})
	b.at("consent-allow")
}

// TestNameFilledIn: who has to sign in again need not type who they are; who is
// meant by the application is not told to whoever sits there.
func TestNameFilledIn(t *testing.T) {
	s := keystonetest.Start(t, lets())
	jane, john, app := s.CreateUser("jane"), s.CreateUser("john"), webClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	if strings.Contains(b.page.body, `value="jane"`) {
		t.Error("nobody is signed in")
	}
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	_, tokens := redeem(t, s, app, b.answer().Get("code"))
	for what, request := range map[string][]string{
		"prompt": {"prompt", "login"}, "max_age": {"max_age", "0"}, "its own hint": {"prompt", "login", "id_token_hint", tokens["id_token"].(string)},
	} {
		b.open(authorizeURL(s, app, request...))
		if !strings.Contains(b.page.body, `value="jane"`) || !strings.Contains(b.page.body[strings.Index(b.page.body, `id="password"`):], " autofocus") {
			t.Errorf("%s:\n%s", what, b.page.body)
		}
	}
	b.submit(map[string]string{"password": jane.Password})
	if b.answer().Get("code") == "" {
		t.Error(b.page.url)
	}
	b.open(authorizeURL(s, app, "prompt", "login", "login_hint", "john"))
	if !strings.Contains(b.page.body, `value="john"`) || strings.Contains(b.page.body, `value="jane"`) {
		t.Errorf("the application knows better:\n%s", b.page.body)
	}
	b.signIn(john) // two accounts now
	b.submit(map[string]string{"decision": "allow"})
	b.answer()
	b.open(authorizeURL(s, app, "prompt", "login select_account"))
	b.follow("other-account")
	if strings.Contains(b.page.body, `value="j`) {
		t.Errorf("another account was wanted:\n%s", b.page.body)
	}
	stranger := newBrowser(t, s)
	stranger.open(authorizeURL(s, app, "id_token_hint", tokens["id_token"].(string)))
	if strings.Contains(stranger.page.body, "jane") || strings.Contains(stranger.page.body, `id="register"`) {
		t.Errorf("a stranger is told who is meant, or that another account would do:\n%s", stranger.page.body)
	}
}
