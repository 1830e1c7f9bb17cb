package keystone_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

func registering(mode string, more ...string) keystonetest.Option {
	settings := map[string]string{"CLIENT_REGISTRATION": mode}
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return keystonetest.WithSettings(settings)
}

// registers sends a registration; pairs change the metadata, a nil value takes one
// away.
func registers(t *testing.T, s *keystonetest.Server, token string, pairs ...any) answer {
	t.Helper()
	body := m{"redirect_uris": []string{callback}, "client_name": "Self", "token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"authorization_code", "refresh_token"}}
	for i := 0; i < len(pairs); i += 2 {
		if body[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(body, pairs[i].(string))
		}
	}
	return as(s, token).json(t, "POST", "/oauth2/register", body)
}

func (a answer) client() keystonetest.Client {
	return keystonetest.Client{ID: a.text("client_id"), Secret: a.text("client_secret")}
}

// initialToken makes an initial access token as an administrator.
func initialToken(t *testing.T, s *keystonetest.Server, body m) answer {
	t.Helper()
	body = maps.Clone(body)
	if body["name"] == nil {
		body["name"] = "test"
	}
	made := as(s, s.Admin()).json(t, "POST", "/api/v1/admin/registration-tokens", body)
	made.wants(t, http.StatusCreated, "initial access token %v", body)
	return made
}

// TestRegistration: a client that registers itself goes the whole way; people are
// asked, see what it says of itself as text and links, and are asked again when
// that changes (N11, P1).
func TestRegistration(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		reg := registers(t, s, "", "client_name", `<img src=x onerror=alert(1)>`, "client_uri", "https://app.example/about", "logo_uri", "https://app.example/logo.svg",
			"policy_uri", "https://app.example/privacy", "tos_uri", "https://app.example/terms", "contacts", []string{"ops@app.example"})
		reg.wants(t, http.StatusCreated, "register")
		app, jane := reg.client(), s.CreateUser("jane")
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid profile users:write"))
		b.signIn(jane)
		b.at("unknown-client")
		for _, part := range []string{`href="https://app.example/about"`, `href="https://app.example/logo.svg"`, `href="https://app.example/privacy"`, `href="https://app.example/terms"`, "ops@app.example", "&lt;img src=x"} {
			if !strings.Contains(b.page.body, part) {
				t.Errorf("the page does not show %s", part)
			}
		}
		if strings.Contains(b.page.body, "<img") || strings.Contains(b.page.body, "users:write") || strings.Contains(b.page.header.Get("Content-Security-Policy"), "app.example") {
			t.Errorf("the page: %s\n%s", b.page.header.Get("Content-Security-Policy"), b.page.body)
		}
		b.submit(map[string]string{"decision": "allow"})
		status, tokens := redeem(t, s, app, b.answer().Get("code"))
		if status != http.StatusOK || tokens["scope"] != "openid profile" {
			t.Fatalf("%d %v", status, tokens)
		}
		b.open(authorizeURL(s, app, "scope", "openid", "code_challenge", "", "code_challenge_method", ""))
		if got := b.answer(); got.Get("error") != "invalid_request" {
			t.Errorf("without PKCE: %v", got)
		}
		// What was allowed stays allowed, until the client shows itself otherwise.
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", "none"))
		if b.answer().Get("code") == "" {
			t.Error("asked again for what was allowed")
		}
		path, own := "/oauth2/register/"+app.ID, as(s, reg.text("registration_access_token"))
		changed := m{"client_id": app.ID, "redirect_uris": []string{callback}, "client_name": "Your Bank", "token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"authorization_code", "refresh_token"}}
		own.json(t, "PUT", path, changed).wants(t, http.StatusOK, "another name")
		settles(t, "asked again under another name", func() bool {
			b.open(authorizeURL(s, app, "scope", "openid", "prompt", "none"))
			return b.answer().Get("error") == "consent_required"
		})
		var apps struct{ Items []map[string]any }
		if s.Call("GET", "/api/v1/users/me/apps", s.SignIn(jane).AccessToken, nil, &apps); len(apps.Items) != 1 {
			t.Errorf("its tokens cannot be taken back: %v", apps)
		}
		// Each step is in the trail, by whom it was.
		for action, want := range map[string]string{keystone.ActClientCreated: "registration without a token", keystone.ActClientUpdated: `<img src=x onerror=alert(1)>`} {
			rows := audited(t, s, "action="+action+"&target="+app.ID)
			if len(rows) != 1 || rows[0]["actor_kind"] != "registration" || rows[0]["actor_name"] != want || rows[0]["source"] == "" {
				t.Errorf("%s: %v", action, rows)
			}
		}
		// An administrator sees how it came here, cannot make it first-party, and
		// switches it off for good: its own token does not bring it back.
		admin := as(s, s.Admin())
		if got := admin.json(t, "GET", "/api/v1/admin/clients/"+app.ID, nil); got.fields["registration"] != "dynamic" {
			t.Errorf("%v", got.fields)
		}
		admin.json(t, "PATCH", "/api/v1/admin/clients/"+app.ID, m{"first_party": true}).wants(t, http.StatusBadRequest, "first party")
		admin.json(t, "PATCH", "/api/v1/admin/clients/"+app.ID, m{"enabled": false}).wants(t, http.StatusOK, "switch off")
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			var body any
			if method == "PUT" {
				body = changed
			}
			own.json(t, method, path, body).wants(t, http.StatusUnauthorized, "%s of a client that is switched off", method)
		}
		if status, _ := refreshed(t, s, app, tokens["refresh_token"]); status == http.StatusOK {
			t.Error("refreshed though switched off")
		}
		admin.json(t, "PATCH", "/api/v1/admin/clients/"+app.ID, m{"enabled": true}).wants(t, http.StatusOK, "switch on")
		own.json(t, "DELETE", path, nil).wants(t, http.StatusNoContent, "remove")
		admin.json(t, "GET", "/api/v1/admin/clients/"+app.ID, nil).wants(t, http.StatusNotFound, "after removal")
	}, registering("open"))
}

// TestRegistrationRefused: what cannot be registered, by whatever name (A4, E11, N11).
func TestRegistrationRefused(t *testing.T) {
	s := keystonetest.Start(t, registering("open"))
	s.CreateScope("orders:read")
	key, other := newClientKey(t, "ES256", "a"), newClientKey(t, "ES256", "b")
	private, _ := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "d": "AQ"}}})
	for _, uri := range []string{"https://app.example/*", "https://*.example/cb", "https://app.example/cb#x", "https://u:p@app.example/cb", "javascript:alert(1)", "data:text/html,x",
		"http://app.example/cb", "https://app.example/a/../cb", "https://app.example/%2e%2e/cb", "com.example.app:/cb", "cb", "", "https://app.example/ cb", "file:///etc/passwd", "https:///cb", "https://app.example\\@evil.example/"} {
		if got := registers(t, s, "", "redirect_uris", []string{callback, uri}); got.status != http.StatusBadRequest || got.text("error") != "invalid_redirect_uri" {
			t.Errorf("A4 %q: %d %s", uri, got.status, got.body)
		}
	}
	for name, pairs := range map[string][]any{
		"native, javascript":       {"application_type", "native", "token_endpoint_auth_method", "none", "redirect_uris", []string{"javascript:alert(1)"}},
		"first redirect as object": {"redirect_uris", []any{m{}}},
		"scope of Keystone":        {"scope", "users:write"},
		"scope not for strangers":  {"scope", "orders:read"},
		"scope not well formed":    {"scope", "a\"b"},
		"password grant":           {"grant_types", []string{"password"}},
		"sign-in grant":            {"grant_types", []string{"sign_in"}},
		"implicit":                 {"grant_types", []string{"authorization_code", "implicit"}},
		"client_credentials":       {"grant_types", []string{"client_credentials"}, "redirect_uris", nil},
		"token exchange":           {"grant_types", []string{keystone.GrantTokenExchange}, "redirect_uris", nil},
		"response type token":      {"response_types", []string{"token"}},
		"no response type":         {"response_types", []string{}},
		"unknown method":           {"token_endpoint_auth_method", "password"},
		"key method without keys":  {"token_endpoint_auth_method", "private_key_jwt"},
		"alg none":                 {"token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, key), "token_endpoint_auth_signing_alg", "none"},
		"E11 private key":          {"token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(private)},
		"E11 off the curve":        {"token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`)},
		"E11 symmetric":            {"token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
		"keys twice":               {"token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, key, other), "jwks_uri", "https://app.example/jwks"},
		"keys at http":             {"token_endpoint_auth_method", "private_key_jwt", "jwks_uri", "http://app.example/jwks"},
		"keys at a number":         {"token_endpoint_auth_method", "private_key_jwt", "jwks_uri", "https://2130706433/jwks"},
		"logo javascript":          {"logo_uri", "javascript:alert(1)"},
		"logo data":                {"logo_uri", "data:image/svg+xml;base64,AA"},
		"policy http":              {"policy_uri", "http://app.example/"},
		"terms javascript":         {"tos_uri", "JaVaScRiPt:alert(1)"},
		"client_uri user":          {"client_uri", "https://bank.example@evil.example/"},
		"eleven contacts":          {"contacts", strings.Split("a b c d e f g h i j k", " ")},
		"contact with a line":      {"contacts", []string{"a\nb"}},
		"name too long":            {"client_name", strings.Repeat("x", 101)},
		"name turned around":       {"client_name", "gnp\u202ee.exe"},
		"name is a list":           {"client_name", []string{"x"}},
		"algorithm not served":     {"id_token_signed_response_alg", "none"},
		"encryption":               {"id_token_encrypted_response_alg", "RSA1_5"},
		"sector":                   {"sector_identifier_uri", "https://app.example/sector"},
		"sector of another":        {"subject_type", "pairwise", "sector_identifier_uri", "https://127.0.0.1/sector"},
		"unknown subject":          {"subject_type", "secret"},
		"browsers on its word":     {"initiate_login_uri", "https://app.example/begin"},
		"fetched at each sign-in":  {"request_uris", []string{"https://app.example/request.jwt"}, "jwks", jwks(t, key)},
		"application type":         {"application_type", "desktop"},
		"back channel to http":     {"backchannel_logout_uri", "http://app.example/"},
		"front channel elsewhere":  {"frontchannel_logout_uri", "https://evil.example/"},
	} {
		got := registers(t, s, "", pairs...)
		got.wants(t, http.StatusBadRequest, "%s", name)
		if code := got.text("error"); code != "invalid_client_metadata" && (code != "invalid_redirect_uri" || !strings.Contains(name, "javascript")) {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	for name, raw := range map[string]string{"list": "[]", "null": "null", "nothing": "", "name twice": `{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`, "large": `{"client_name":"` + strings.Repeat("x", 200<<10) + `"}`} {
		if got := as(s, "").with("Content-Type", "application/json").send(t, "POST", "/oauth2/register", []byte(raw)); got.status != http.StatusBadRequest && got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	// Names in another case are other names.
	got := registers(t, s, "", "Scope", "users:write", "GRANT_TYPES", []string{"client_credentials"}, "token_Endpoint_auth_method", "none")
	if got.status != http.StatusCreated || got.text("token_endpoint_auth_method") != "client_secret_post" || strings.Contains(got.body, "users:write") {
		t.Errorf("names in another case: %d %s", got.status, got.body)
	}
	var list struct{ Items []map[string]any }
	if s.Call("GET", "/api/v1/admin/clients?limit=200", s.Admin(), nil, &list); len(list.Items) != 2 {
		t.Errorf("%d clients after refusals", len(list.Items))
	}
}

// TestRegistrationOff: nothing is served or announced where it was not switched on.
func TestRegistrationOff(t *testing.T) {
	s := keystonetest.Start(t)
	registers(t, s, "").wants(t, http.StatusNotFound, "off")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		as(s, "ks_ra_x").json(t, method, "/oauth2/register/"+keystone.NewID(time.Now()), nil).wants(t, http.StatusNotFound, "%s", method)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if got := as(s, "").json(t, "GET", path, nil); strings.Contains(got.body, "registration_endpoint") {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

// TestInitialAccessTokens: a token registers as many clients as it says, on all
// nodes together; within its policy; not after its end; and nobody makes one that
// gives more than they hold (N11, N2).
func TestInitialAccessTokens(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		nodes := []*keystonetest.Server{s, s.AddNode()}
		registers(t, s, "").wants(t, http.StatusUnauthorized, "without a token")
		made := initialToken(t, s, m{"uses": 5, "scopes": []string{"openid"}})
		if !strings.HasPrefix(made.text("registration_token"), "ks_ia_") {
			t.Fatalf("%s", made.body)
		}
		var mu sync.Mutex
		codes := map[int]int{}
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				got := registers(t, nodes[i%2], made.text("registration_token"))
				mu.Lock()
				codes[got.status]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if codes[201] != 5 || codes[401] != 19 {
			t.Errorf("%v, want 5 of 24", codes)
		}
		rows := audited(t, s, "action="+keystone.ActClientCreated+"&actor="+made.text("id"))
		if len(rows) != 5 || rows[0]["actor_kind"] != "registration" || rows[0]["actor_name"] != "test" {
			t.Errorf("%d rows: %v", len(rows), rows)
		}
		listed := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/registration-tokens", nil)
		if strings.Contains(listed.body, "ks_ia_") || !strings.Contains(listed.body, `"uses":0`) {
			t.Errorf("%s", listed.body)
		}

		short := initialToken(t, s, m{"uses": 9, "expires_in_seconds": 60})
		s.Clock.Move(61 * time.Second)
		registers(t, s, short.text("registration_token")).wants(t, http.StatusUnauthorized, "expired")
		gone := initialToken(t, s, m{"uses": 9})
		as(s, s.Admin()).json(t, "DELETE", "/api/v1/admin/registration-tokens/"+gone.text("id"), nil).wants(t, http.StatusNoContent, "revoke")
		registers(t, nodes[1], gone.text("registration_token")).wants(t, http.StatusUnauthorized, "revoked")
		as(s, s.Admin()).json(t, "DELETE", "/api/v1/admin/registration-tokens/"+gone.text("id"), nil).wants(t, http.StatusNotFound, "revoke twice")

		_, helperToken := limitedAdmin(s, "clients-helper", keystone.ClientsRead, keystone.ClientsWrite)
		as(s, helperToken).json(t, "POST", "/api/v1/admin/registration-tokens", m{"name": "x", "scopes": []string{keystone.UsersWrite}}).wants(t, http.StatusForbidden, "more than they hold")
		mighty := initialToken(t, s, m{"uses": 9, "scopes": []string{keystone.UsersRead, "openid"}, "grants": []string{"client_credentials", "authorization_code"}})
		as(s, helperToken).json(t, "DELETE", "/api/v1/admin/registration-tokens/"+mighty.text("id"), nil).wants(t, http.StatusForbidden, "revoke what they could not make")
		// Not even an administrator's token gives a client power of its own over Keystone.
		registers(t, s, mighty.text("registration_token"), "grant_types", []string{"client_credentials"}, "redirect_uris", nil, "scope", keystone.UsersRead).wants(t, http.StatusBadRequest, "privileged and by itself")
		reg := registers(t, s, mighty.text("registration_token"), "grant_types", []string{"authorization_code"})
		reg.wants(t, http.StatusCreated, "privileged, for people who hold it")

		// The policy holds for changes too, and other tokens manage nothing.
		path := "/oauth2/register/" + reg.text("client_id")
		put := func(token string, pairs ...any) answer {
			body := m{"client_id": reg.text("client_id"), "redirect_uris": []string{callback}}
			for i := 0; i < len(pairs); i += 2 {
				body[pairs[i].(string)] = pairs[i+1]
			}
			return as(s, token).json(t, "PUT", path, body)
		}
		own := reg.text("registration_access_token")
		put(own, "grant_types", []string{"authorization_code", "refresh_token"}).wants(t, http.StatusBadRequest, "a grant beyond the policy")
		put(own, "scope", keystone.UsersWrite).wants(t, http.StatusBadRequest, "a scope beyond the policy")
		put(own, "grant_types", []string{"client_credentials", "authorization_code"}).wants(t, http.StatusBadRequest, "privileged and by itself")
		for _, token := range []string{"", mighty.text("registration_token"), reg.text("client_secret"), s.Admin(), own[:len(own)-1] + "B"} {
			put(token).wants(t, http.StatusUnauthorized, "another token")
			as(s, token).json(t, "GET", path, nil).wants(t, http.StatusUnauthorized, "another token")
			as(s, token).json(t, "DELETE", path, nil).wants(t, http.StatusUnauthorized, "another token")
		}
		if got := put(own, "scope", "openid"); got.status != http.StatusOK || got.text("scope") != "openid" {
			t.Errorf("%d %s", got.status, got.body)
		}
		// A client that an administrator made has no such token.
		web := webClient(s)
		as(s, own).json(t, "GET", "/oauth2/register/"+web.ID, nil).wants(t, http.StatusUnauthorized, "a client of an administrator")
	}, registering("token"))
}

// TestRegistrationQuota: strangers fill the database up to a bound, in all and from
// one source, and what they leave unused goes (N11, Q7).
func TestRegistrationQuota(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		nodes := []*keystonetest.Server{s, s.AddNode()}
		from := func(i int) ask {
			return as(nodes[i%2], "").with("X-Forwarded-For", fmt.Sprintf("2001:db8:0:%x::%d", i/5, i))
		}
		body := m{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"}
		var mu sync.Mutex
		codes := map[int]int{}
		var first answer
		var wg sync.WaitGroup
		for i := range 40 { // seven of each source, in its /64
			wg.Go(func() {
				got := from(i%5+5*(i/7)).json(t, "POST", "/oauth2/register", body)
				mu.Lock()
				defer mu.Unlock()
				codes[got.status]++
				if got.status == http.StatusCreated && first.status == 0 {
					first = got
				}
			})
		}
		wg.Wait()
		if codes[201] != 20 || codes[429] != 20 {
			t.Fatalf("%v, want 20 of 40", codes)
		}
		got := from(1000).json(t, "POST", "/oauth2/register", body)
		got.wants(t, http.StatusTooManyRequests, "the twenty-first")
		if got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		initial := initialToken(t, s, m{"scopes": []string{"openid"}})
		registers(t, s, initial.text("registration_token")).wants(t, http.StatusCreated, "who has a token does not wait for strangers")

		// One is used; the sweeper takes the others a day later, with audit rows.
		b := newBrowser(t, s)
		app := first.client()
		b.open(authorizeURL(s, app))
		b.signIn(s.CreateUser("jane"))
		b.submit(map[string]string{"decision": "allow"})
		if status, tokens := redeem(t, s, app, b.answer().Get("code")); status != http.StatusOK {
			t.Fatalf("%d %v", status, tokens)
		}
		s.Clock.Move(25 * time.Hour)
		s.Sweep()
		if n := len(audited(t, s, "action="+keystone.ActClientDeleted)); n != 20 {
			t.Errorf("%d clients were swept, want 20", n)
		}
		as(s, s.Admin()).json(t, "GET", "/api/v1/admin/clients/"+app.ID, nil).wants(t, http.StatusOK, "the one that is used")
		from(3).json(t, "POST", "/oauth2/register", body).wants(t, http.StatusCreated, "room again")
	}, registering("open", "CLIENT_REGISTRATION_MOST", "20", "CLIENT_REGISTRATION_UNUSED_DAYS", "1", "TRUSTED_PROXIES", "127.0.0.1"))
}

// TestRegistrationRate: one source registers no faster than the limit says.
func TestRegistrationRate(t *testing.T) {
	s := keystonetest.Start(t, registering("open", "RATE_LIMIT_CLIENT_REGISTRATION", "3/hour"))
	for i := range 5 {
		if got := registers(t, s, ""); (got.status == http.StatusCreated) != (i < 3) || i >= 3 && got.status != http.StatusTooManyRequests {
			t.Errorf("registration %d: %d", i+1, got.status)
		}
	}
}

// TestRegistrationTrail: what a stranger changes again and again is limited as what
// they register is, and no row of the trail is as long as they like.
func TestRegistrationTrail(t *testing.T) {
	s := keystonetest.Start(t, registering("open", "RATE_LIMIT_CLIENT_REGISTRATION", "5/hour"))
	uris := func(n int) (list []string) {
		for i := range 45 {
			list = append(list, fmt.Sprintf("https://app%d.example/%d/%s", i, n, strings.Repeat("x", 1900)))
		}
		return list
	}
	reg := registers(t, s, "", "redirect_uris", uris(0))
	reg.wants(t, http.StatusCreated, "registration")
	own, path := as(s, reg.text("registration_access_token")), "/oauth2/register/"+reg.text("client_id")
	for i := range 6 {
		want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 4]
		own.json(t, "PUT", path, m{"client_id": reg.text("client_id"), "redirect_uris": uris(i + 1)}).wants(t, want, "change %d", i)
	}
	own.json(t, "GET", path, nil).wants(t, http.StatusOK, "looking")
	trail := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?target="+reg.text("client_id"), nil)
	if trail.wants(t, http.StatusOK, "the trail"); strings.Count(trail.body, `"shortened":`) != 5 || len(trail.body) > 5*20<<10 || !strings.Contains(trail.body, " more") {
		t.Errorf("%d bytes, %d rows that are shortened", len(trail.body), strings.Count(trail.body, `"shortened":`))
	}
	// What an administrator does stands there whole.
	all := append(uris(9), "https://last.example/cb")
	as(s, s.Admin()).json(t, "PATCH", "/api/v1/admin/clients/"+reg.text("client_id"), m{"redirect_uris": all}).wants(t, http.StatusOK, "an administrator")
	trail = as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?limit=1&target="+reg.text("client_id"), nil)
	for _, uri := range all {
		if !strings.Contains(trail.body, uri) {
			t.Errorf("%.40s is not in the trail", uri)
		}
	}
}

// TestRegistrationTrailNamesAll: however long what a client says of itself is, the trail
// names everything that it changed.
func TestRegistrationTrailNamesAll(t *testing.T) {
	s := keystonetest.Start(t, registering("open"))
	long := func(tag string, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("https://%s%d.example/%s", tag, i, strings.Repeat("x", 1000)))
		}
		return list
	}
	first := long("a", 40)
	reg := registers(t, s, "", "redirect_uris", first)
	body := m{"client_id": reg.text("client_id"), "redirect_uris": append(first, "https://new.example/cb"), "post_logout_redirect_uris": long("p", 40), "client_uri": first[0], "scope": "openid email",
		"policy_uri": first[1], "tos_uri": first[2], "logo_uri": first[3], "contacts": []string{"ops@example.com"}, "require_pushed_authorization_requests": true}
	as(s, reg.text("registration_access_token")).json(t, "PUT", "/oauth2/register/"+reg.text("client_id"), body).wants(t, http.StatusOK, "change")
	trail := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?limit=1&action=client.updated&target="+reg.text("client_id"), nil)
	for _, want := range []string{`"shortened"`, "https://new.example/cb", "and 40 that stay", `"post_logout_redirect_uris"`, `"policy_uri"`, `"tos_uri"`, `"logo_uri"`, "ops@example.com", `"require_par":true`, `"scopes"`, `"before"`} {
		if !strings.Contains(trail.body, want) {
			t.Errorf("%s is not in the trail: %s", want, trail.body)
		}
	}
	if len(trail.body) > 20<<10 {
		t.Errorf("%d bytes", len(trail.body))
	}
}

// TestRegistrationTrailOfTheServer: what the server says when it makes room for other
// clients is no longer than what they could say themselves, whatever their keys look like.
func TestRegistrationTrailOfTheServer(t *testing.T) {
	s := keystonetest.Start(t, registering("open", "CLIENT_REGISTRATION_MOST", "2"))
	key := publicJWK(t, newClientKey(t, "ES256", "k")).(map[string]any)
	for i := range 380 {
		key[fmt.Sprintf("%d-%s", i, strings.Repeat("n", 100))] = "v"
	}
	var uris []string
	for i := range 20 {
		uris = append(uris, fmt.Sprintf("https://app%d.example/%s", i, strings.Repeat("x", 800)))
	}
	for range 4 {
		registers(t, s, "", "redirect_uris", uris, "jwks", m{"keys": []any{key}}, "token_endpoint_auth_method", "private_key_jwt").wants(t, http.StatusCreated, "registration")
		s.Clock.Move(2 * time.Hour)
	}
	trail := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?limit=100", nil)
	deleted := 0
	for _, item := range trail.fields["items"].([]any) {
		row := item.(m)
		text, err := json.Marshal(row)
		if err != nil || len(text) > 18<<10 {
			t.Errorf("%v: %d bytes", row["action"], len(text))
		}
		if row["action"] == "client.deleted" {
			deleted++
		}
	}
	if deleted != 2 || !strings.Contains(trail.body, `"jwks"`) {
		t.Errorf("%d clients made room: %.2000s", deleted, trail.body)
	}
}

// TestSoftwareStatement: a statement of a trusted issuer goes over the request, also
// over later ones; any other is refused (RFC 7591 section 2.3).
func TestSoftwareStatement(t *testing.T) {
	key, stranger := newClientKey(t, "PS256", "d"), newClientKey(t, "PS256", "d")
	site, ca := tlsSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks(t, key)) })
	s := keystonetest.Start(t, registering("open", "OUTBOUND_ALLOW", "127.0.0.1", "OUTBOUND_CA_FILE", ca, "SOFTWARE_STATEMENT_ISSUERS", "https://directory.example="+site.URL+"/jwks"))
	claims := func(pairs ...any) map[string]any {
		c := map[string]any{"iss": "https://directory.example", "software_id": "4NRB1-0XZABZI9E6-5SM3R", "client_name": "Certified", "redirect_uris": []string{"https://certified.example/cb"},
			"client_id": "x", "client_secret": "y", "iat": s.Clock.Now().Unix()}
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i].(string)] = pairs[i+1]
		}
		return c
	}
	good := key.sign(t, "JWT", claims())
	reg := registers(t, s, "", "software_statement", good, "client_name", "Mine", "policy_uri", "https://certified.example/p")
	if reg.status != http.StatusCreated || reg.text("client_name") != "Certified" || fmt.Sprint(reg.fields["redirect_uris"]) != "[https://certified.example/cb]" ||
		reg.text("software_statement") != good || reg.text("policy_uri") == "" || reg.text("client_id") == "x" {
		t.Fatalf("%d %s", reg.status, reg.body)
	}
	own, path := as(s, reg.text("registration_access_token")), "/oauth2/register/"+reg.text("client_id")
	got := own.json(t, "PUT", path, m{"client_id": reg.text("client_id"), "client_name": "Mine", "redirect_uris": []string{"https://evil.example/cb"}})
	if got.status != http.StatusOK || got.text("client_name") != "Certified" || strings.Contains(got.body, "evil") || got.text("software_statement") != good {
		t.Errorf("left behind by a change: %d %s", got.status, got.body)
	}
	if got := own.json(t, "GET", path, nil); got.text("software_statement") != good {
		t.Errorf("%s", got.body)
	}
	for name, c := range map[string]struct{ raw, code string }{
		"other key":     {stranger.sign(t, "JWT", claims()), "unapproved_software_statement"},
		"other issuer":  {key.sign(t, "JWT", claims("iss", "https://other.example")), "unapproved_software_statement"},
		"no issuer":     {key.sign(t, "JWT", claims("iss", nil)), "unapproved_software_statement"},
		"expired":       {key.sign(t, "JWT", claims("exp", s.Clock.Now().Add(-time.Hour).Unix())), "invalid_software_statement"},
		"of tomorrow":   {key.sign(t, "JWT", claims("nbf", s.Clock.Now().Add(time.Hour).Unix())), "invalid_software_statement"},
		"alg none":      {"eyJhbGciOiJub25lIn0.e30.", "invalid_software_statement"},
		"HMAC":          {signJWT(t, "HS256", []byte(jwks(t, key)), nil, claims()), "invalid_software_statement"},
		"no JWT":        {"x", "invalid_software_statement"},
		"access token":  {key.sign(t, "at+jwt", claims()), "invalid_software_statement"},
		"bad redirects": {key.sign(t, "JWT", claims("redirect_uris", []string{"http://certified.example/"})), "invalid_redirect_uri"},
		"more scopes":   {key.sign(t, "JWT", claims("scope", "users:write")), "invalid_client_metadata"},
	} {
		if got := registers(t, s, "", "software_statement", c.raw); got.status != http.StatusBadRequest || got.text("error") != c.code {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// TestRedirectHosts: what an initial access token says of hosts holds for every address to
// which browsers are sent, then and at each change.
func TestRedirectHosts(t *testing.T) {
	s := keystonetest.Start(t, registering("token"))
	initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid"}, "redirect_hosts": []string{"app.example"}}).text("registration_token")
	const evil = "https://evil.example/phish"
	reg := registers(t, s, initial, "initiate_login_uri", "https://app.example/begin", "frontchannel_logout_uri", "https://app.example/frame")
	reg.wants(t, http.StatusCreated, "at home")
	for name, value := range map[string]any{"initiate_login_uri": evil, "frontchannel_logout_uri": evil, "post_logout_redirect_uris": []string{evil}, "redirect_uris": []string{callback, evil}} {
		registers(t, s, initial, name, value).wants(t, http.StatusBadRequest, "%s", name)
		body := m{"client_id": reg.text("client_id"), "redirect_uris": []string{callback}, "token_endpoint_auth_method": "client_secret_post", name: value}
		as(s, reg.text("registration_access_token")).json(t, "PUT", "/oauth2/register/"+reg.text("client_id"), body).wants(t, http.StatusBadRequest, "%s by PUT", name)
	}
	b := newBrowser(t, s)
	b.open(s.URL + "/oauth2/initiate?client_id=" + reg.text("client_id"))
	if b.page.url.Host != "app.example" {
		t.Errorf("begun at %s", b.page.url)
	}
}
