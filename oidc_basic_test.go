package keystone_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// basicPlan is what the modules of the Basic OP plan run against: a server over
// https, a filled user, and clients as the suite has them, without PKCE.
type basicPlan struct {
	*testing.T
	s        *keystonetest.Server
	mode     string // response_mode; empty: none is sent
	user     keystonetest.User
	app, two keystonetest.Client
}

// plain is a request as the suite sends it: without PKCE.
func (p basicPlan) plain(pairs ...string) []string {
	return append([]string{"code_challenge", "", "code_challenge_method", "", "response_mode", p.mode}, pairs...)
}

// answer returns what the application got: in its address, or in the form that the
// browser is to send there.
func (p basicPlan) answer(b *browser) url.Values {
	p.Helper()
	if p.mode != "form_post" {
		return b.answer()
	}
	form := formTag.FindStringSubmatch(b.page.body)
	if form == nil || html.UnescapeString(form[1]) != callback {
		p.Fatalf("no form for the application at %s (%d):\n%s", b.page.url, b.page.status, b.page.body)
	}
	values := url.Values{}
	for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
		value := valueOf.FindStringSubmatch(input[0])
		values.Set(html.UnescapeString(input[1]), html.UnescapeString(value[1]))
	}
	if values.Get("iss") != p.s.Issuer {
		p.Fatalf("iss is %q (RFC 9207)", values.Get("iss"))
	}
	return values
}

// goTo sends an authorization request and goes through whatever page comes.
func (p basicPlan) goTo(b *browser, c keystonetest.Client, pairs ...string) url.Values {
	p.Helper()
	b.open(authorizeURL(p.s, c, p.plain(pairs...)...))
	p.through(b)
	return p.answer(b)
}

func (p basicPlan) through(b *browser) {
	p.Helper()
	if strings.Contains(b.page.body, `id="password"`) {
		b.signIn(p.user)
	}
	if strings.Contains(b.page.body, `id="consent-allow"`) {
		b.submit(map[string]string{"decision": "allow"})
	}
}

// token redeems a code with client_secret_basic.
func (p basicPlan) token(c keystonetest.Client, code string) (int, map[string]any) {
	p.Helper()
	return p.post("/oauth2/token", c, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}})
}

func (p basicPlan) post(path string, c keystonetest.Client, form url.Values) (status int, answer map[string]any) {
	p.Helper()
	req, err := http.NewRequest(http.MethodPost, p.s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	resp, err := p.s.Client().Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, answer
}

// flow is the whole way: the tokens, and the claims of the ID token, whose fixed
// claims are checked.
func (p basicPlan) flow(b *browser, pairs ...string) (tokens, id map[string]any) {
	p.Helper()
	status, tokens := p.token(p.app, p.goTo(b, p.app, pairs...).Get("code"))
	if status != http.StatusOK || tokens["token_type"] != "Bearer" {
		p.Fatalf("token endpoint: %d %v", status, tokens)
	}
	id = idClaims(p.T, tokens["id_token"])
	if id["iss"] != p.s.Issuer || id["aud"] != p.app.ID || id["sub"] != p.user.ID {
		p.Fatalf("ID token: %v", id)
	}
	return tokens, id
}

func (p basicPlan) userinfo(tokens map[string]any) (info map[string]any) {
	p.Helper()
	if status := p.s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, &info); status != http.StatusOK || info["sub"] != p.user.ID {
		p.Fatalf("userinfo: %d %v", status, info)
	}
	return info
}

// wants checks which claims userinfo has under a scope, and that no other has.
func (p basicPlan) wants(scope string, claims ...string) {
	p.Helper()
	info := p.userinfo(first(p.flow(newBrowser(p.T, p.s), "scope", scope)))
	for _, name := range []string{"name", "given_name", "family_name", "preferred_username", "updated_at", "email", "email_verified", "address", "phone_number", "phone_number_verified"} {
		if _, has := info[name]; has != slices.Contains(claims, name) {
			p.Errorf("scope %q: %s is %v", scope, name, info[name])
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

var (
	profileClaims = []string{"name", "given_name", "family_name", "preferred_username", "updated_at"}
	emailClaims   = []string{"email", "email_verified"}
)

// TestBasicPlan goes through the modules of oidcc-basic-certification-test-plan by
// their names, over https, as the suite does: two clients with secrets and without
// PKCE, and a browser that only sends forms.
func TestBasicPlan(t *testing.T) { runBasicPlan(t, "") }

// TestFormPostPlan is the same with response_mode=form_post:
// oidcc-formpost-basic-certification-test-plan.
func TestFormPostPlan(t *testing.T) { runBasicPlan(t, "form_post") }

func runBasicPlan(t *testing.T, mode string) {
	s := keystonetest.Start(t, keystonetest.WithTLS())
	if !strings.HasPrefix(s.Issuer, "https://") {
		t.Fatalf("issuer %s", s.Issuer)
	}
	p := basicPlan{T: t, s: s, mode: mode, user: s.CreateUser("jane")}
	s.Call(http.MethodPatch, "/api/v1/users/"+p.user.ID, s.Admin(), map[string]any{"first_name": "Jane", "last_name": "Doe"}, nil)
	client := keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, PKCEOptional: true, Scopes: []string{"openid", "profile", "email", "offline_access"}}
	p.app, p.two = s.CreateClient(client), s.CreateClient(client)
	for _, module := range basicModules {
		t.Run(module.name, func(t *testing.T) {
			p := p
			p.T = t
			module.run(p, newBrowser(t, s))
		})
	}
}

// TestConfigPlan: oidcc-discovery-endpoint-verification. What the metadata says is
// complete, https throughout, and the keys are there without private parts.
func TestConfigPlan(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS())
	var facts map[string]any
	s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
	if facts["issuer"] != s.Issuer {
		t.Errorf("issuer %v", facts["issuer"])
	}
	for name, value := range facts {
		if address, ok := value.(string); ok && !strings.HasPrefix(address, s.Issuer) {
			t.Errorf("%s is %s", name, address)
		}
	}
	for name, want := range map[string]string{"response_types_supported": "code", "subject_types_supported": "public", "scopes_supported": "openid",
		"id_token_signing_alg_values_supported": "RS256", "claims_supported": "sub", "grant_types_supported": "authorization_code",
		"token_endpoint_auth_methods_supported": "client_secret_basic", "response_modes_supported": "form_post", "code_challenge_methods_supported": "S256"} {
		list, _ := facts[name].([]any)
		if !slices.Contains(list, any(want)) {
			t.Errorf("%s lacks %s: %v", name, want, list)
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri"} {
		if facts[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"} {
		if facts[name] != true {
			t.Errorf("%s is %v", name, facts[name])
		}
	}
	var set struct{ Keys []map[string]any }
	s.Call(http.MethodGet, facts["jwks_uri"].(string), "", nil, &set)
	ids := map[any]bool{}
	for _, key := range set.Keys {
		if key["kid"] == nil || ids[key["kid"]] || key["use"] != "sig" || key["d"] != nil || key["k"] != nil {
			t.Errorf("key %v", key)
		}
		ids[key["kid"]] = true
	}
	if len(ids) == 0 {
		t.Error("no keys")
	}
}

func unsignedObject(p basicPlan, claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		p.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

// rejected checks that an answer is a clean refusal: the error, state and no code.
func (p basicPlan) rejected(b *browser, want string, pairs ...string) {
	p.Helper()
	b.open(authorizeURL(p.s, p.app, p.plain(pairs...)...))
	if got := p.answer(b); got.Get("error") != want || got.Get("state") != "st" || got.Has("code") {
		p.Errorf("%v, want %s", got, want)
	}
}

// succeeds checks that parameters change nothing for the worse.
func succeeds(pairs ...string) func(basicPlan, *browser) {
	return func(p basicPlan, b *browser) { p.Helper(); p.userinfo(first(p.flow(b, pairs...))) }
}

func scopeGives(scope string, claims ...string) func(basicPlan, *browser) {
	return func(p basicPlan, _ *browser) { p.Helper(); p.wants(scope, claims...) }
}

// notOffered checks that a scope whose claims Keystone does not keep is neither
// announced nor granted, and does no harm: the suite then skips the module.
func notOffered(scope string) func(basicPlan, *browser) {
	return func(p basicPlan, b *browser) {
		var facts struct {
			Scopes []string `json:"scopes_supported"`
		}
		p.s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
		if slices.Contains(facts.Scopes, scope) || !slices.Contains(facts.Scopes, "openid") {
			p.Errorf("scopes_supported: %v", facts.Scopes)
		}
		if tokens, _ := p.flow(b, "scope", "openid "+scope); tokens["scope"] != "openid" {
			p.Errorf("granted: %v", tokens["scope"])
		}
	}
}

func reused(wait time.Duration) func(basicPlan, *browser) {
	return func(p basicPlan, b *browser) {
		code := p.goTo(b, p.app).Get("code")
		_, tokens := p.token(p.app, code)
		p.userinfo(tokens)
		p.s.Clock.Move(wait)
		if status, answer := p.token(p.app, code); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			p.Errorf("used twice: %d %v", status, answer)
		}
		p.s.Clock.Move(2 * time.Second)
		if status := p.s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
			p.Errorf("the token of a code that was used twice: %d", status)
		}
	}
}

// secondLogin checks that a request asks for the password again, and says so in
// auth_time.
func secondLogin(pairs ...string) func(basicPlan, *browser) {
	return func(p basicPlan, b *browser) {
		_, was := p.flow(b)
		p.s.Clock.Move(3 * time.Second)
		b.open(authorizeURL(p.s, p.app, p.plain(pairs...)...))
		b.at("password")
		p.through(b)
		_, tokens := p.token(p.app, p.answer(b).Get("code"))
		is := idClaims(p.T, tokens["id_token"])
		if is["auth_time"].(float64) < was["auth_time"].(float64)+2 || is["sub"] != was["sub"] {
			p.Errorf("%v, then %v", was, is)
		}
	}
}

// sameLogin checks that a request is answered without a page, for the same sign-in.
func sameLogin(pairs func(tokens map[string]any) []string) func(basicPlan, *browser) {
	return func(p basicPlan, b *browser) {
		tokens, was := p.flow(b)
		p.s.Clock.Move(3 * time.Second)
		b.open(authorizeURL(p.s, p.app, p.plain(pairs(tokens)...)...))
		_, tokens = p.token(p.app, p.answer(b).Get("code"))
		is := idClaims(p.T, tokens["id_token"])
		if is["auth_time"] != was["auth_time"] || is["sub"] != was["sub"] {
			p.Errorf("%v, then %v", was, is)
		}
	}
}

var basicModules = []struct {
	name string
	run  func(basicPlan, *browser)
}{
	{"oidcc-server", func(p basicPlan, b *browser) {
		tokens, id := p.flow(b)
		if id["nonce"] != "n-1" || id["at_hash"] == nil || id["exp"].(float64) <= id["iat"].(float64) || tokens["expires_in"] == nil {
			p.Errorf("%v %v", tokens, id)
		}
		p.userinfo(tokens)
	}},
	{"oidcc-response-type-missing", func(p basicPlan, b *browser) { p.rejected(b, "invalid_request", "response_type", "") }},
	{"oidcc-idtoken-signature", func(p basicPlan, b *browser) {
		ctx := oidc.ClientContext(context.Background(), p.s.Client())
		provider, err := oidc.NewProvider(ctx, p.s.Issuer)
		if err != nil {
			p.Fatal(err)
		}
		tokens, _ := p.flow(b)
		verifier := provider.Verifier(&oidc.Config{ClientID: p.app.ID, SupportedSigningAlgs: []string{oidc.RS256}})
		raw := tokens["id_token"].(string)
		if _, err := verifier.Verify(ctx, raw); err != nil {
			p.Error(err)
		}
		if _, err := verifier.Verify(ctx, raw[:len(raw)-6]+"AAAAAA"); err == nil {
			p.Error("a changed signature is taken")
		}
	}},
	{"oidcc-idtoken-unsigned", func(p basicPlan, _ *browser) {
		var facts map[string]any
		p.s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
		algs, _ := facts["id_token_signing_alg_values_supported"].([]any)
		if !slices.Contains(algs, any("RS256")) || slices.Contains(algs, any("none")) {
			p.Errorf("%v", algs)
		}
	}},
	{"oidcc-userinfo-get", succeeds()},
	{"oidcc-userinfo-post-header", func(p basicPlan, b *browser) {
		tokens, _ := p.flow(b)
		var info map[string]any
		if status := p.s.Call(http.MethodPost, "/oauth2/userinfo", tokens["access_token"].(string), nil, &info); status != http.StatusOK || info["sub"] != p.user.ID {
			p.Errorf("%d %v", status, info)
		}
	}},
	{"oidcc-userinfo-post-body", func(p basicPlan, b *browser) {
		tokens, _ := p.flow(b)
		if status, info := postForm(p.T, p.s, "/oauth2/userinfo", url.Values{"access_token": {tokens["access_token"].(string)}}); status != http.StatusOK || info["sub"] != p.user.ID {
			p.Errorf("%d %v", status, info)
		}
	}},
	{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", func(p basicPlan, b *browser) {
		if _, id := p.flow(b, "nonce", ""); id["nonce"] != nil {
			p.Errorf("%v", id)
		}
	}},
	{"oidcc-scope-profile", scopeGives("openid profile", profileClaims...)},
	{"oidcc-scope-email", scopeGives("openid email", emailClaims...)},
	{"oidcc-scope-address", notOffered("address")},
	{"oidcc-scope-phone", notOffered("phone")},
	{"oidcc-scope-all", scopeGives("openid profile email address phone", slices.Concat(profileClaims, emailClaims)...)},
	{"oidcc-alternate-happy-flow", func(p basicPlan, b *browser) { // scopes and parameters the other way round
		at, query, _ := strings.Cut(authorizeURL(p.s, p.two, p.plain("scope", "email profile openid")...), "?")
		parameters := strings.Split(query, "&")
		slices.Reverse(parameters)
		b.open(at + "?" + strings.Join(parameters, "&"))
		p.through(b)
		if status, tokens := p.token(p.two, p.answer(b).Get("code")); status != http.StatusOK || tokens["id_token"] == nil {
			p.Errorf("%d %v", status, tokens)
		}
	}},
	{"oidcc-display-page", succeeds("display", "page")},
	{"oidcc-display-popup", succeeds("display", "popup")},
	{"oidcc-prompt-login", secondLogin("prompt", "login")},
	{"oidcc-prompt-none-not-logged-in", func(p basicPlan, b *browser) { p.rejected(b, "login_required", "prompt", "none") }},
	{"oidcc-prompt-none-logged-in", sameLogin(func(map[string]any) []string { return []string{"prompt", "none"} })},
	{"oidcc-max-age-1", secondLogin("max_age", "1")},
	{"oidcc-max-age-10000", sameLogin(func(map[string]any) []string { return []string{"max_age", "10000"} })},
	{"oidcc-ensure-request-with-unknown-parameter-succeeds", succeeds("extra", "foobar")},
	{"oidcc-id-token-hint", sameLogin(func(tokens map[string]any) []string {
		return []string{"prompt", "none", "id_token_hint", tokens["id_token"].(string)}
	})},
	{"oidcc-login-hint", func(p basicPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app, p.plain("login_hint", "bob@example.com")...))
		if !strings.Contains(b.page.body, `value="bob@example.com"`) {
			p.Errorf("the hint is not in the form:\n%s", b.page.body)
		}
		p.through(b)
		if status, _ := p.token(p.app, p.answer(b).Get("code")); status != http.StatusOK {
			p.Error(status)
		}
	}},
	{"oidcc-ui-locales", succeeds("ui_locales", "se")},
	{"oidcc-claims-locales", succeeds("claims_locales", "se")},
	{"oidcc-ensure-request-with-acr-values-succeeds", func(p basicPlan, b *browser) {
		if _, id := p.flow(b, "acr_values", "1 2"); id["acr"] != keystone.ACRPassword {
			p.Errorf("%v", id)
		}
	}},
	{"oidcc-codereuse", reused(0)},
	{"oidcc-codereuse-30seconds", reused(30 * time.Second)},
	{"oidcc-ensure-registered-redirect-uri", func(p basicPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app, p.plain("redirect_uri", callback+"/foo")...))
		if b.at("error"); b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
			p.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
		}
	}},
	{"oidcc-ensure-post-request-succeeds", func(p basicPlan, b *browser) {
		at, err := url.Parse(authorizeURL(p.s, p.app, p.plain()...))
		if err != nil {
			p.Fatal(err)
		}
		b.crossPost("/oauth2/authorize", at.Query())
		p.through(b)
		if status, _ := p.token(p.app, p.answer(b).Get("code")); status != http.StatusOK {
			p.Error(status)
		}
	}},
	{"oidcc-server-client-secret-post", func(p basicPlan, b *browser) {
		if status, tokens := redeem(p.T, p.s, p.app, p.goTo(b, p.app).Get("code"), "code_verifier", ""); status != http.StatusOK || tokens["id_token"] == nil {
			p.Errorf("%d %v", status, tokens)
		}
	}},
	{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", func(p basicPlan, b *browser) {
		p.rejected(b, "request_not_supported", "request", unsignedObject(p, map[string]any{"client_id": p.app.ID, "response_type": "code"}))
	}},
	{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", func(p basicPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app, p.plain("request_uri", "https://suite.example/requests/1")...))
		if b.at("error"); b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
			p.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
		}
	}},
	{"oidcc-claims-essential", func(p basicPlan, b *browser) {
		if info := p.userinfo(first(p.flow(b, "scope", "openid", "claims", `{"userinfo":{"name":{"essential":true}}}`))); info["name"] != "Jane Doe" || info["given_name"] != nil {
			p.Errorf("%v", info)
		}
	}},
	{"oidcc-ensure-request-object-with-redirect-uri", func(p basicPlan, b *browser) {
		p.rejected(b, "request_not_supported", "request", unsignedObject(p, map[string]any{"redirect_uri": callback + "/foo"}))
	}},
	{"oidcc-refresh-token", func(p basicPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app, p.plain("scope", "openid offline_access", "prompt", "consent")...))
		p.through(b)
		_, tokens := p.token(p.app, p.answer(b).Get("code"))
		was := idClaims(p.T, tokens["id_token"])
		old, _ := tokens["refresh_token"].(string)
		if status, answer := p.post("/oauth2/token", p.two, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}}); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			p.Fatalf("with the other client: %d %v", status, answer)
		}
		status, fresh := p.post("/oauth2/token", p.app, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}})
		if status != http.StatusOK || fresh["access_token"] == tokens["access_token"] {
			p.Fatalf("%d %v", status, fresh)
		}
		if is := idClaims(p.T, fresh["id_token"]); is["sub"] != was["sub"] || is["auth_time"] != was["auth_time"] || is["iss"] != was["iss"] || is["aud"] != was["aud"] || is["nonce"] != nil {
			p.Errorf("%v, then %v", was, is)
		}
		p.userinfo(fresh)
	}},
	{"oidcc-ensure-request-with-valid-pkce-succeeds", func(p basicPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app, "response_mode", p.mode))
		p.through(b)
		code := p.answer(b).Get("code")
		if status, tokens := redeem(p.T, p.s, p.app, code); status != http.StatusOK || tokens["id_token"] == nil {
			p.Errorf("%d %v", status, tokens)
		}
	}},
}
