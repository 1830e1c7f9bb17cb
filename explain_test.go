package keystone_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/keystonetest"
)

// trace is an answer of GET /api/v1/admin/traces/{request_id}.
type trace struct {
	Route    string            `json:"route"`
	ClientID string            `json:"client_id"`
	Status   int               `json:"status"`
	Error    string            `json:"error"`
	Refused  string            `json:"refused_by"`
	Fix      string            `json:"fix"`
	Checks   []string          `json:"checks"`
	Facts    map[string]string `json:"facts"`
}

// explain asks why a request was refused until it is known: traces are written
// once a second.
func explain(t *testing.T, s *keystonetest.Server, bearer, requestID string) (one trace, raw string) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp := get(t, s, "/api/v1/admin/traces/"+requestID, bearer)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Items []trace }
		if resp.StatusCode == http.StatusOK && json.Unmarshal(body, &list) == nil && len(list.Items) == 1 {
			return list.Items[0], string(body)
		}
		if resp.StatusCode != http.StatusNotFound || time.Now().After(until) {
			t.Fatalf("trace of %s: %d %s", requestID, resp.StatusCode, body)
		}
	}
}

func get(t *testing.T, s *keystonetest.Server, path, bearer string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestExplain: every refusal carries a request id under which an administrator,
// and nobody else, finds which check refused and what it compared, but no
// secret.
func TestExplain(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := s.SignIn(s.CreateUser("admin", keystone.RoleAdmin)).AccessToken
		jane := s.SignIn(s.CreateUser("jane")).AccessToken
		app := webClient(s)

		refused := func(form url.Values) string {
			t.Helper()
			resp, err := s.Client().PostForm(s.URL+"/oauth2/token", form)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var body struct {
				RequestID string `json:"request_id"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode == http.StatusOK || body.RequestID != resp.Header.Get("X-Request-Id") {
				t.Fatalf("%d %v %+v", resp.StatusCode, err, body)
			}
			return body.RequestID
		}

		t.Run("wrong secret", func(t *testing.T) {
			const canary = "ks_cs_canary-canary-canary"
			id := refused(url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {canary}})
			got, raw := explain(t, s, admin, id)
			if got.Error != "invalid_client" || got.Refused != "client and what proves it" || got.Facts["why"] != "the secret is not one of its living ones" || got.Route != "POST /oauth2/token" || got.Status != 401 {
				t.Errorf("%+v", got)
			}
			if strings.Contains(raw, canary) {
				t.Errorf("the secret is in the trace: %s", raw)
			}
		})
		t.Run("grant type", func(t *testing.T) {
			id := refused(url.Values{"grant_type": {"password"}, "client_id": {app.ID}, "client_secret": {app.Secret}})
			if got, _ := explain(t, s, admin, id); got.ClientID != app.ID || got.Facts["grant_type sent"] != "password" || !slices.Contains(got.Checks, "client and what proves it") {
				t.Errorf("%+v", got)
			}
		})
		t.Run("redirect_uri on the page", func(t *testing.T) {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, app, "redirect_uri", "https://app.example/other"))
			id := b.page.header.Get("X-Request-Id")
			if !strings.Contains(b.page.body, id) {
				t.Errorf("the page does not name the request id %s:\n%s", id, b.page.body)
			}
			got, _ := explain(t, s, admin, id)
			if got.Refused != "redirect_uri" || got.Facts["redirect_uri sent"] != "https://app.example/other" || got.Facts["redirect_uris registered"] != callback || got.Fix == "" {
				t.Errorf("%+v", got)
			}
		})
		t.Run("by redirect", func(t *testing.T) {
			resp, err := newBrowser(t, s).http.Get(authorizeURL(s, app, "code_challenge", ""))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got, _ := explain(t, s, admin, resp.Header.Get("X-Request-Id")); got.Refused != "code_challenge (PKCE)" || got.Error != "invalid_request" || got.Status != http.StatusSeeOther {
				t.Errorf("%+v", got)
			}
		})
		t.Run("N1 nobody else asks", func(t *testing.T) {
			resp := get(t, s, "/api/v1/admin/traces/some-request-id", jane)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("a user: %d", resp.StatusCode)
			}
			if got, _ := explain(t, s, admin, resp.Header.Get("X-Request-Id")); got.Refused != "scope of the route" || got.Facts["demanded"] != keystone.AuditRead {
				t.Errorf("%+v", got)
			}
			resp = get(t, s, "/api/v1/admin/traces/some-request-id", "")
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("nobody: %d", resp.StatusCode)
			}
		})
	})
}

// TestExplainWhy: of each route the check that refused is named, and what it found
// where the answer may not say it.
func TestExplainWhy(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := s.SignIn(s.CreateUser("admin", keystone.RoleAdmin)).AccessToken
		jane, app, other := s.CreateUser("jane"), webClient(s), webClient(s)
		b := signedIn(t, s, jane, app)
		idOf := func(resp *http.Response, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.Header.Get("X-Request-Id")
		}
		post := func(path string, form url.Values) string {
			t.Helper()
			return idOf(s.Client().PostForm(s.URL+path, form))
		}
		inJSON := func(path, body string) string {
			t.Helper()
			return idOf(s.Client().Post(s.URL+path, "application/json", strings.NewReader(body)))
		}
		page := func(address string) string {
			t.Helper()
			at := newBrowser(t, s)
			at.open(address)
			return at.page.header.Get("X-Request-Id")
		}
		back := func(pairs ...string) string {
			t.Helper()
			return idOf(newBrowser(t, s).http.Get(authorizeURL(s, app, pairs...)))
		}
		tokens := func() map[string]any {
			t.Helper()
			_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
			return tokens
		}
		refresh := func(c keystonetest.Client, raw any) string {
			t.Helper()
			return post("/oauth2/token", credentials(c, "grant_type", "refresh_token", "refresh_token", raw.(string)))
		}
		code := func(c keystonetest.Client, code string, pairs ...string) string {
			t.Helper()
			return post("/oauth2/token", credentials(c, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier}, pairs...)...))
		}
		const codeCheck, refreshCheck, stateCheck = "code", "refresh token", "state of the grant"

		type refusal struct{ name, id, by, fact, is string }
		var list []refusal
		explained := func() {
			t.Helper()
			for _, r := range list {
				got, raw := explain(t, s, admin, r.id)
				if got.Refused != r.by || r.fact != "" && !strings.Contains(got.Facts[r.fact], r.is) {
					t.Errorf("%s: want %q, %s %q: %s", r.name, r.by, r.fact, r.is, raw)
				}
				if strings.Contains(raw, "ks_") {
					t.Errorf("%s: something of value in %s", r.name, raw)
				}
			}
			list = nil
		}

		signIn := newBrowser(t, s)
		signIn.open(authorizeURL(s, app))
		signIn.submit(map[string]string{"login": "jane", "password": "wrong"})
		bare := tokens()
		_, plain := redeem(t, s, app, b.code(app, "scope", "profile"))
		list = []refusal{
			{"wrong password", inJSON("/api/v1/auth/login", `{"username":"jane","password":"wrong"}`), "password", "why", "wrong_password"},
			{"unknown user", inJSON("/api/v1/auth/login", `{"username":"nobody","password":"wrong"}`), "password", "why", "unknown_account"},
			{"third party's sign-in", inJSON("/api/v1/auth/login", `{"username":"jane","password":"wrong","client_id":"`+app.ID+`"}`), "first-party client", "", ""},
			{"wrong password on the page", signIn.page.header.Get("X-Request-Id"), "password", "why", "wrong_password"},
			{"no such flow", page(s.URL + "/login?flow=x"), "flow of this browser", "", ""},
			{"bad token at userinfo", idOf(get(t, s, "/oauth2/userinfo", "x"), nil), "access token", "", ""},
			{"no token at userinfo", idOf(get(t, s, "/oauth2/userinfo", ""), nil), "one access token", "", ""},
			{"no openid at userinfo", idOf(get(t, s, "/oauth2/userinfo", plain["access_token"].(string)), nil), "scope of the route", "demanded", "openid"},
			{"bad logout hint", page(s.URL + "/oauth2/logout?id_token_hint=x"), "id_token_hint", "", ""},
			{"bad logout address", page(logoutURL(s, bare["id_token"].(string))), "post_logout_redirect_uri", "post_logout_redirect_uri sent", bye},
			{"weak password", inJSON("/api/v1/auth/register", `{"username":"joe","email":"joe@example.com","password":"short"}`), "names, address and password", "field password", ""},
			{"name taken", inJSON("/api/v1/auth/register", `{"username":"jane","email":"x@example.com","password":"a good password for tests"}`), "name and address not taken", "", ""},
			{"bad reset link", inJSON("/api/v1/auth/reset-password", `{"token":"x","password":"a good password for tests"}`), "reset link", "", ""},
			{"not JSON", inJSON("/api/v1/auth/register", `{`), "what the request asks for", "", ""},
		}
		explained()
		list = []refusal{
			{"response_mode", page(authorizeURL(s, app, "response_mode", "smoke")), "response_mode", "response_mode sent", "smoke"},
			{"resource", back("resource", "https://evil.example"), "resource", "resource asked for", "https://evil.example"},
			{"details", back("authorization_details", `[{"type":"payment","secret":"4711"}]`), "authorization_details", "types of the client", ""},
			{"resource of a device", post("/oauth2/device_authorization", credentials(s.CreateClient(keystone.Client{Name: "TV", Kind: keystone.ClientWeb, Scopes: []string{"openid"}, Grants: []string{keystone.GrantDeviceCode}}),
				"resource", "https://evil.example")), "resource", "resource asked for", "https://evil.example"},
			{"resource of a code", code(app, b.code(app), "resource", "https://evil.example"), "resource", "audience asked for", "https://evil.example"},
			{"no code of ours", code(app, "ks_ac_x"), codeCheck, "why", "no code of this server"},
			{"no such code", code(app, secret.New(secret.AuthCode)), codeCheck, "why", "there is no such code"},
			{"another client's code", code(other, b.code(app)), codeCheck, "why", "issued to another client"},
			{"no refresh token of ours", refresh(app, "ks_rt_x"), refreshCheck, "why", "no refresh token of this server"},
			{"another client's refresh token", refresh(other, bare["refresh_token"]), refreshCheck, "why", "another client"},
		}
		used := b.code(app)
		redeem(t, s, app, used)
		list = append(list, refusal{"used code", code(app, used), codeCheck, "why", "used before"})
		explained()
		late := b.code(app)
		reused, revoked := tokens(), tokens()
		refreshed(t, s, app, reused["refresh_token"])
		postForm(t, s, "/oauth2/revoke", credentials(app, "token", revoked["refresh_token"].(string)))
		s.Clock.Move(61 * time.Second)
		admin = s.Admin()
		list = []refusal{
			{"late code", code(app, late), codeCheck, "why", "expired"},
			{"reuse", refresh(app, reused["refresh_token"]), stateCheck, "why", "used before and came again"},
			{"after reuse", refresh(app, reused["refresh_token"]), stateCheck, "why", "revoked: " + keystone.EndReuse},
			{"revoked", refresh(app, revoked["refresh_token"]), stateCheck, "why", "revoked: " + keystone.EndTokenRevoked},
		}
		ended, code2 := tokens(), b.code(app)
		s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID+"/sessions", admin, nil, nil)
		list = append(list, refusal{"session ended", refresh(app, ended["refresh_token"]), stateCheck, "why", "revoked: " + keystone.EndRevoked},
			refusal{"code of a session that has ended", code(app, code2), "session", "why", "session in which this was allowed has ended"})
		explained()
		b = signedIn(t, s, jane, app)
		unused := tokens()
		s.Clock.Move(31 * 24 * time.Hour)
		admin = s.Admin()
		list = []refusal{{"not used for long", refresh(app, unused["refresh_token"]), stateCheck, "why", "has expired, or was not used"}}
		explained()
	})
	s := keystonetest.Start(t, registering("token"))
	resp, err := s.Client().Post(s.URL+"/oauth2/register", "application/json", strings.NewReader(`{"redirect_uris":["https://app.example/cb"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got, raw := explain(t, s, s.Admin(), resp.Header.Get("X-Request-Id")); got.Refused != "initial access token" {
		t.Errorf("registration without its token: %s", raw)
	}
}
