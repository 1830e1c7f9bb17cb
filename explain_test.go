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

// TestExplainToken: each access token that is refused says its own reason to who
// explains it, and the answer says none.
func TestExplainToken(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read")
		of := func(name string) (keystonetest.User, keystonetest.Tokens) {
			u := s.CreateUser(name)
			return u, s.SignIn(u)
		}
		service := func(format string) (keystonetest.Client, string) {
			c := s.CreateClient(keystone.Client{AccessTokenFormat: format, Scopes: []string{"orders:read"}, Audiences: []string{api1}})
			return c, s.ServiceToken(c)
		}
		jane, signed := of("jane")
		app := webClient(s)
		_, oidc := redeem(t, s, app, signedIn(t, s, jane, app).code(app, "scope", "openid"))
		foreign := keystonetest.Start(t)
		moved := s.AddNode(func(n *keystonetest.Server) { n.Issuer = "http://localhost:1" })

		out, gone, disabled := s.CreateUser("out"), s.CreateUser("gone"), s.CreateUser("off")
		outTokens, goneTokens, disabledTokens := s.SignIn(out), s.SignIn(gone), s.SignIn(disabled)
		admin := s.Admin()
		must := func(status, want int) {
			t.Helper()
			if status != want {
				t.Fatal("status", status)
			}
		}
		must(s.Call(http.MethodDelete, "/api/v1/users/"+out.ID+"/sessions", admin, nil, nil), http.StatusNoContent)
		must(s.Call(http.MethodDelete, "/api/v1/users/"+gone.ID, admin, nil, nil), http.StatusNoContent)
		must(s.Call(http.MethodPatch, "/api/v1/users/"+disabled.ID, admin, map[string]any{"enabled": false}, nil), http.StatusOK)
		_, reused := of("reused")
		must(s.Call(http.MethodPost, "/api/v1/auth/revoke", "", map[string]any{"token": reused.RefreshToken}, nil), http.StatusOK)
		_, revoked := of("revoked")
		must(s.Call(http.MethodPost, "/api/v1/auth/revoke", "", map[string]any{"token": revoked.AccessToken}, nil), http.StatusOK)
		opaque, opaqueToken := service(keystone.FormatOpaque)
		must(s.Call(http.MethodPost, "/api/v1/auth/revoke", "", map[string]any{"token": opaqueToken, "client_id": opaque.ID, "client_secret": opaque.Secret}, nil), http.StatusOK)
		off, offToken := service("")
		again, againToken := service("")
		deleted, deletedToken := service("")
		must(s.Call(http.MethodPatch, "/api/v1/admin/clients/"+off.ID, admin, map[string]any{"enabled": false}, nil), http.StatusOK)
		for _, enabled := range []bool{false, true} {
			must(s.Call(http.MethodPatch, "/api/v1/admin/clients/"+again.ID, admin, map[string]any{"enabled": enabled}, nil), http.StatusOK)
		}
		must(s.Call(http.MethodDelete, "/api/v1/admin/clients/"+deleted.ID, admin, nil, nil), http.StatusNoContent)
		other, _ := service("")
		elsewhere := s.ServiceTokenFor(other, api1)

		type refusal struct{ name, id, why string }
		var list []refusal
		const answer = "The access token is not valid (any more). Sign in or refresh to get another."
		refused := func(name string, node *keystonetest.Server, token, why string) {
			t.Helper()
			resp := get(t, node, "/api/v1/users/me", token)
			defer func() { _ = resp.Body.Close() }()
			var body struct {
				Description string `json:"error_description"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusUnauthorized || body.Description != answer {
				t.Errorf("%s: %d %q %v", name, resp.StatusCode, body.Description, err)
			}
			list = append(list, refusal{name, resp.Header.Get("X-Request-Id"), why})
		}
		explained := func() {
			t.Helper()
			for _, r := range list {
				got, raw := explain(t, s, s.Admin(), r.id)
				if got.Refused != "access token" || got.Facts["why"] == "" || !strings.Contains(got.Facts["why"], r.why) {
					t.Errorf("%s: want %q: %s", r.name, r.why, raw)
				}
				if strings.Contains(raw, "ks_") || strings.Contains(raw, "eyJ") {
					t.Errorf("%s: something of value in %s", r.name, raw)
				}
			}
			list = nil
		}
		good := signed.AccessToken
		last := good[len(good)-10:]
		refused("garbage", s, "xx", "it is no access token of this server")
		refused("half of one", s, good[:len(good)/2], "")
		refused("no such opaque one", s, secret.New(secret.AccessToken), "there is no such token")
		refused("refresh token", s, signed.RefreshToken, "it is a refresh token")
		refused("ID token", s, oidc["id_token"].(string), "an ID token")
		refused("broken signature", s, strings.TrimSuffix(good, last)+strings.Repeat("A", len(last)), "its signature is not right")
		refused("another server's", s, foreign.Admin(), "it is signed by no key of this server")
		refused("another issuer's", moved, good, "it is another issuer's")
		refused("another audience", s, elsewhere, "it is meant for others")
		explained() // of one address only so many a second are kept
		refused("session ended", s, outTokens.AccessToken, "its family of tokens was revoked: "+keystone.EndRevoked)
		refused("refresh token revoked", s, reused.AccessToken, "its family of tokens was revoked: "+keystone.EndTokenRevoked)
		refused("user deleted", s, goneTokens.AccessToken, "there is no such user any more")
		refused("user disabled", s, disabledTokens.AccessToken, "the user is disabled")
		refused("revoked", s, revoked.AccessToken, "it was revoked")
		refused("opaque, revoked", s, opaqueToken, "it was revoked")
		refused("client disabled", s, offToken, "the client is disabled")
		refused("client disabled and enabled", s, againToken, "all tokens of the client")
		refused("client deleted", s, deletedToken, "there is no such client any more")
		explained()

		k := newProofKey(t, s)
		tv := k.post(s, tokenPath, credentials(other, "grant_type", keystone.GrantClientCredentials), k.proof(http.MethodPost, tokenPath))
		bound, _ := tv.body["access_token"].(string)
		atKey := func(name, why string, a answered) {
			t.Helper()
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s: %d %v", name, a.status, a.body)
			}
			list = append(list, refusal{name, a.header.Get("X-Request-Id"), why})
		}
		for _, path := range []string{"/api/v1/users/me", "/oauth2/userinfo"} {
			atKey("bound under Bearer at "+path, "came as a bearer token", k.call(s, http.MethodGet, path, "Bearer", bound))
			atKey("plain under DPoP at "+path, "bound to no DPoP key", k.uses(s, http.MethodGet, path, good))
			atKey("another key at "+path, "bound to another DPoP key", newProofKey(t, s).uses(s, http.MethodGet, path, bound))
		}
		atKey("user disabled at userinfo", "the user is disabled", k.call(s, http.MethodGet, "/oauth2/userinfo", "Bearer", disabledTokens.AccessToken))

		explained()
		_, late := service(keystone.FormatOpaque)
		s.Clock.Move(16 * time.Minute)
		refused("expired", s, good, "it has expired")
		refused("opaque, expired", s, late, "it has expired")
		explained()
		key := s.Admin()
		var keys struct {
			Items []struct{ KID, Alg, State string }
		}
		must(s.Call(http.MethodGet, "/api/v1/admin/keys", key, nil, &keys), http.StatusOK)
		for _, k := range keys.Items {
			if k.Alg == keystone.ES256 && k.State == string(keystone.KeyCurrent) {
				must(s.Call(http.MethodDelete, "/api/v1/admin/keys/"+k.KID, s.Admin(), nil, nil), http.StatusNoContent)
				break
			}
		}
		s.Clock.Move(8 * time.Minute) // its half life: the next one is new
		refused("key revoked", s, key, "the key that it is signed with is revoked")
		explained()
	})
}

// TestExplainAsksFreely: asking again and again for what is not written yet takes
// no room of the refusals that come from the same address.
func TestExplainAsksFreely(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := s.Admin()
		var asked string
		for range 60 {
			resp := get(t, s, "/api/v1/admin/traces/no-such-request", admin)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Fatal("status", resp.StatusCode)
			}
			if asked == "" {
				asked = resp.Header.Get("X-Request-Id")
			}
		}
		resp := get(t, s, "/api/v1/users/me", "xx")
		_ = resp.Body.Close()
		explain(t, s, admin, resp.Header.Get("X-Request-Id")) // what came before it is written too
		resp = get(t, s, "/api/v1/admin/traces/"+asked, admin)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Error("asking for a trace left one", resp.StatusCode)
		}
	})
}

// TestExplainLinks: a worn setup or reset link is a refusal with a reason, and no
// fault of the server.
func TestExplainLinks(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		open := func(path string, status int) string {
			t.Helper()
			resp := get(t, s, path, "")
			_ = resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
			}
			return resp.Header.Get("X-Request-Id")
		}
		setup := open("/setup?token=zz", http.StatusUnauthorized)
		admin := s.Admin()
		for _, test := range []struct{ id, code, by, fix string }{
			{setup, "authentication_failed", "setup link", "keystone setup-link"},
			{open("/setup?token=zz", http.StatusGone), "conflict", "setup link", "The setup is done"},
			{open("/reset?token=zz", http.StatusUnauthorized), "authentication_failed", "reset link", "Ask whoever gave it to you"},
		} {
			if got, raw := explain(t, s, admin, test.id); got.Error != test.code || got.Refused != test.by || !strings.Contains(got.Fix, test.fix) {
				t.Errorf("want %+v: %s", test, raw)
			}
		}
		var none struct {
			Description string `json:"error_description"`
		}
		if status := s.Call(http.MethodGet, "/api/v1/admin/traces/no-such-request", admin, nil, &none); status != http.StatusNotFound || !strings.Contains(none.Description, "are not recorded") {
			t.Errorf("%d %q", status, none.Description)
		}
	})
}

// TestExplainAttempts: attempts count before their password is looked at, so the
// refusal of one too many does not say that the others were wrong.
func TestExplainAttempts(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin, jane := s.Admin(), s.CreateUser("jane")
		for range 10 {
			body := m{"username": jane.Username, "password": "wrong"}
			a := as(s, "").json(t, "POST", "/api/v1/auth/login", body)
			if a.status == http.StatusUnauthorized {
				continue
			}
			a.wants(t, http.StatusTooManyRequests, "one too many")
			if !strings.Contains(a.body, "failed or simultaneous") {
				t.Error(a.body)
			}
			if got, raw := explain(t, s, admin, a.header.Get("X-Request-Id")); got.Refused != "failed attempts" || !strings.Contains(got.Facts["why"], "before its password is looked at") {
				t.Error(raw)
			}
			return
		}
		t.Error("nothing stopped them")
	})
}
