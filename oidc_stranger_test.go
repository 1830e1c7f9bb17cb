package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// clientCount is how many clients there are besides Keystone's own.
func clientCount(s *keystonetest.Server) int {
	var list struct{ Items []map[string]any }
	s.Call(http.MethodGet, "/api/v1/admin/clients?limit=200", s.Admin(), nil, &list)
	return len(list.Items) - 1
}

// TestRefusedDocumentLeavesNoRow: that somebody names the address of a document writes
// nothing, at whichever endpoint, until what they ask for is begun or proved.
func TestRefusedDocumentLeavesNoRow(t *testing.T) {
	site := newDocumentSite(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		key, other := newClientKey(t, "ES256", "a"), newClientKey(t, "ES256", "a")
		keyed := site.put("/keyed.json", "token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, key))
		garbage := other.sign(t, "", assertionClaims(s, keyed.ID))
		for _, path := range []string{"/oauth2/token", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/device_authorization", "/oauth2/bc-authorize"} {
			status, answer := postForm(t, s, path, withAssertion(garbage, url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "token": {"x"}, "scope": {"openid"}}))
			wantInvalidClient(t, path, status, answer["error"])
		}
		app, b := site.put("/app.json"), newBrowser(t, s)
		for what, address := range map[string]string{
			"no redirect_uri":       authorizeURL(s, app, "redirect_uri", ""),
			"another redirect_uri":  authorizeURL(s, app, "redirect_uri", "https://evil.example/cb"),
			"no PKCE":               authorizeURL(s, app, "code_challenge", "", "code_challenge_method", ""),
			"no page allowed":       authorizeURL(s, app, "prompt", "none"),
			"no page, in a JWT":     authorizeURL(s, app, "prompt", "none", "response_mode", "jwt"),
			"somebody else's begin": s.URL + "/oauth2/initiate?client_id=" + url.QueryEscape(app.ID),
		} {
			if b.open(address); b.page.status >= 500 {
				t.Errorf("%s: %d", what, b.page.status)
			}
		}
		if n := clientCount(s); n != 0 {
			t.Errorf("%d clients after refusals", n)
		}
		b.open(authorizeURL(s, app))
		b.at("password")
		if n := clientCount(s); n != 1 {
			t.Errorf("%d clients after a sign-in began", n)
		}
		form := withAssertion(key.sign(t, "", assertionClaims(s, keyed.ID)), url.Values{"grant_type": {"authorization_code"}, "code": {"x"}})
		if status, answer := postForm(t, s, "/oauth2/token", form); answer["error"] != "invalid_grant" || clientCount(s) != 2 {
			t.Errorf("proved: %d %v, %d clients", status, answer, clientCount(s))
		}

		// What strangers wrote on somebody's site is no document of that site.
		for kind, taken := range map[string]bool{"text/html; charset=utf-8": false, "text/plain": false, "": false, "application/octet-stream": false, "application/x+json2": false,
			"application/json; charset=utf-8": true, "application/oauth-client+json": true} {
			path := "/" + url.PathEscape(strings.NewReplacer("/", "-", " ", "-", ";", "-").Replace("typed"+kind))
			id := site.url + path
			site.serve(path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{kind}
				_, _ = fmt.Fprintf(w, `{"client_id":%q,"client_name":"Desk","redirect_uris":[%q]}`, id, callback)
			}))
			b.open(authorizeURL(s, keystonetest.Client{ID: id}))
			if got := b.page.status == http.StatusOK; got != taken {
				t.Errorf("%q: taken is %t: %d %s", kind, got, b.page.status, b.page.url)
			}
		}
	}, site.settings("consent", nil))
}

// TestRegistrationGivesWay: whoever fills the place for registrations shuts nobody out
// for longer than an hour, and drives out nobody who came within it.
func TestRegistrationGivesWay(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		body := m{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"}
		from := func(i int) answer {
			return as(s, "").with("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i)).json(t, "POST", "/oauth2/register", body)
		}
		first := from(0)
		for i := range 19 {
			from(1+i/5).wants(t, http.StatusCreated, "registration %d", i)
		}
		from(9).wants(t, http.StatusTooManyRequests, "while all are new")
		b := newBrowser(t, s)
		b.open(authorizeURL(s, first.client()))
		b.signIn(s.CreateUser("jane"))
		b.submit(map[string]string{"decision": "allow"})
		b.answer()
		s.Clock.Move(61 * time.Minute)
		for i := range 7 {
			from(10+i/5).wants(t, http.StatusCreated, "registration %d an hour later", i)
		}
		if n := clientCount(s); n != 21 { // the one that somebody has allowed something is not counted
			t.Errorf("%d clients", n)
		}
		as(s, s.Admin()).json(t, "GET", "/api/v1/admin/clients/"+first.text("client_id"), nil).wants(t, http.StatusOK, "the one that is used")
	}, registering("open", "CLIENT_REGISTRATION_MOST", "20", "TRUSTED_PROXIES", "127.0.0.1"))
}

// TestStrangersAnswersGoWhereSaid: what a person allows a stranger at one address gives
// it no code at another, and a program on their device none by its name alone (RFC 8252
// section 8.6). Clients that somebody here vouches for are remembered.
func TestStrangersAnswersGoWhereSaid(t *testing.T) {
	site := newDocumentSite(t)
	const evil, local = "https://evil.example/cb", "http://127.0.0.1/cb"
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		none := []any{"token_endpoint_auth_method", "none"}
		with := func(uris ...string) []any { return append(none, "redirect_uris", uris) }
		initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid"}}).text("registration_token")
		jane, n := s.CreateUser("jane"), 0
		for _, c := range []struct {
			what     string
			app      keystonetest.Client
			first    string // where it is allowed
			then     string // and asked for next
			remember bool
		}{
			{"registered", registers(t, s, "", with(callback, evil)...).client(), callback, evil, false},
			{"registered, with a secret", registers(t, s, "", "redirect_uris", []string{callback, evil}).client(), callback, evil, false},
			{"registered, at the first again", registers(t, s, "", with(callback, evil)...).client(), callback, callback, false},
			{"document", site.put("/two.json", with(callback, evil)...), callback, evil, false},
			{"document of one host", site.put("/one.json", with(callback, callback+"2")...), callback, callback + "2", true},
			{"registered for one host", registers(t, s, "", with(callback, callback+"2")...).client(), callback, callback + "2", true},
			{"loopback", registers(t, s, "", with(local)...).client(), local, "http://127.0.0.1:51004/cb", false},
			{"loopback, with a secret", registers(t, s, "", "redirect_uris", []string{local}).client(), local, local, true},
			{"private scheme", site.put("/scheme.json", with("com.example.app:/cb")...), "com.example.app:/cb", "com.example.app:/cb", false},
			{"loopback, then elsewhere", registers(t, s, "", append(with(callback, evil, local), "application_type", "native")...).client(), local, evil, false},
			{"with a token", registers(t, s, initial, with(callback, evil)...).client(), callback, evil, true},
			{"of an administrator", s.CreateClient(keystone.Client{Kind: keystone.ClientNative, RedirectURIs: []string{local, evil}, Scopes: []string{"openid"}}), local, evil, true},
		} {
			n++
			b := newBrowser(t, s)
			b.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
				if !strings.HasPrefix(r.URL.String(), s.URL) {
					return http.ErrUseLastResponse
				}
				return nil
			}
			ask := func(to string, pairs ...string) url.Values {
				b.open(authorizeURL(s, c.app, append([]string{"scope", "openid", "redirect_uri", to}, pairs...)...))
				return b.page.url.Query()
			}
			ask(c.first)
			b.signIn(jane)
			b.at("consent-allow")
			if anew := strings.Contains(b.page.body, "You are asked again each time."); anew == c.remember {
				t.Errorf("%s: says that it is remembered: %t", c.what, !anew)
			}
			b.submit(map[string]string{"decision": "allow"})
			if b.page.url.Query().Get("code") == "" {
				t.Fatalf("%s: %s\n%s", c.what, b.page.url, b.page.body)
			}
			if got := ask(c.then, "prompt", "none"); (got.Get("code") != "") != c.remember || !c.remember && got.Get("error") != "consent_required" {
				t.Errorf("%s, silently: %v", c.what, got)
			}
			if c.remember {
				continue
			}
			if ask(c.then, "prompt", "x"); !strings.HasPrefix(b.page.url.String(), s.URL) {
				t.Errorf("%s: sent with an error to %s", c.what, b.page.url)
			}
			ask(c.then)
			if host := keystone.DisplayHost(c.then); !strings.Contains(b.page.body, "<strong>"+host+"</strong>") {
				t.Errorf("%s: the page does not say %s", c.what, host)
			}
			b.submit(map[string]string{"decision": "allow"})
			if b.page.url.Query().Get("code") == "" || !strings.HasPrefix(b.page.url.String(), c.then) {
				t.Errorf("%s: allowed again: %s", c.what, b.page.url)
			}
		}
	}, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "open"}))
}

// TestNamesCanBeSeen: nobody who registers, documents or asks is shown with a name that
// cannot be seen or that turns the text around it.
func TestNamesCanBeSeen(t *testing.T) {
	site := newDocumentSite(t)
	s := keystonetest.Start(t, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "open"}))
	user, desk := s.CreateUser("jane"), bankClient(s)
	own := s.SignIn(user).AccessToken
	for i, name := range []string{"\u200b", " ", "\u3164", "Desk\u2028x", "Desk\u2029x", "Desk\u202ex", "Desk\u2066x", "De\u00adsk", "\u200dDesk", "Desk\ufeff", "De\U000e0041sk"} {
		got := registers(t, s, "", "client_name", name)
		if got.status != http.StatusBadRequest || got.text("error") != "invalid_client_metadata" {
			t.Errorf("client_name %q: %d %s", name, got.status, got.body)
		}
		if got := registers(t, s, "", "client_name#de", name); got.status != http.StatusBadRequest {
			t.Errorf("client_name#de %q: %d", name, got.status)
		}
		b := newBrowser(t, s)
		b.open(authorizeURL(s, site.put(fmt.Sprintf("/n%d.json", i), "client_name", name)))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("a document's %q: %d", name, b.page.status)
		}
		as(s, own).json(t, "PATCH", "/api/v1/users/me", m{"first_name": name}).wants(t, http.StatusBadRequest, "first_name %q", name)
		as(s, "").form(t, "/oauth2/bc-authorize", "client_id", desk.ID, "client_secret", desk.Secret, "scope", "openid", "login_hint", "jane", "binding_message", name).
			wants(t, http.StatusBadRequest, "binding_message %q", name)
	}
	for _, name := range []string{"Desk", "می\u200cخواهم", "क्\u200dष", "👩\u200d💻", "❤\ufe0f\u200d🔥", "D'Arcy & Söhne, 2nd"} {
		registers(t, s, "", "client_name", name).wants(t, http.StatusCreated, "%q", name)
	}
}

// TestRequestsAreKeptWithinBounds: however often something is said, what is kept of a
// request is bounded, by whichever way it comes.
func TestRequestsAreKeptWithinBounds(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		var scopes []string
		for i := range 190 {
			scopes = append(scopes, fmt.Sprintf("%s:%d", strings.Repeat("x", 94), i))
		}
		s.CreateScope(scopes...)
		app := s.CreateClient(keystone.Client{Name: "Wide", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: append(scopes, "openid"),
			Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantDeviceCode}})
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", strings.Repeat("login ", 5200)))
		b.at("password")
		all := strings.Join(scopes, " ")
		if b.open(authorizeURL(s, app, "scope", all)); b.answer().Get("error") != "invalid_request" {
			t.Errorf("%s", b.page.url)
		}
		form := url.Values{"client_id": {app.ID}, "client_secret": {app.Secret}, "scope": {all}, "response_type": {"code"}, "redirect_uri": {callback}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
		for _, path := range []string{"/oauth2/device_authorization", "/oauth2/par"} {
			if status, answer := postForm(t, s, path, form); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
				t.Errorf("%s: %d %v", path, status, answer)
			}
		}
	})
}

// TestNoFetchWithoutToken: who may not register has the server ask nobody anything,
// and the trace says that the token was it.
func TestNoFetchWithoutToken(t *testing.T) {
	var hits atomic.Int64
	site, ca := tlsSite(t, func(w http.ResponseWriter, _ *http.Request) { hits.Add(1); w.WriteHeader(http.StatusNotFound) })
	s := keystonetest.Start(t, registering("token", "OUTBOUND_ALLOW", "127.0.0.1", "OUTBOUND_CA_FILE", ca, "SOFTWARE_STATEMENT_ISSUERS", "https://directory.example="+site.URL+"/jwks"))
	statement := newClientKey(t, "PS256", "d").sign(t, "JWT", map[string]any{"iss": "https://directory.example", "software_id": "x"})
	spent := initialToken(t, s, m{"uses": 1}).text("registration_token")
	reg := registers(t, s, spent)
	reg.wants(t, http.StatusCreated, "with a token")
	path := "/oauth2/register/" + reg.text("client_id")
	for what, pairs := range map[string][]any{
		"sector": {"subject_type", "pairwise", "sector_identifier_uri", site.URL + "/sector"}, "statement": {"software_statement", statement},
	} {
		for _, token := range []string{"", spent, "ks_ia_made-up", reg.text("registration_access_token")} {
			got := registers(t, s, token, pairs...)
			got.wants(t, http.StatusUnauthorized, "%s, token %q", what, token)
			if one, _ := explain(t, s, s.Admin(), got.header.Get("X-Request-Id")); one.Refused != "initial access token" {
				t.Errorf("%s: refused by %q", what, one.Refused)
			}
		}
		body := m{"client_id": reg.text("client_id"), "redirect_uris": []string{callback}}
		for i := 0; i < len(pairs); i += 2 {
			body[pairs[i].(string)] = pairs[i+1]
		}
		for _, token := range []string{"", spent} {
			as(s, token).json(t, "PUT", path, body).wants(t, http.StatusUnauthorized, "PUT of %s", what)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests on the word of strangers", n)
	}
}

// TestRegisteredMethods: a method that is not served cannot be registered.
func TestRegisteredMethods(t *testing.T) {
	s := keystonetest.Start(t, registering("open"))
	for what, pairs := range map[string][]any{
		"tls_client_auth":             {"token_endpoint_auth_method", keystone.AuthTLS, "tls_client_auth_subject_dn", "CN=app"},
		"self_signed_tls_client_auth": {"token_endpoint_auth_method", keystone.AuthSelfSignedTLS, "jwks", jwks(t, newClientKey(t, "ES256", "a"))},
		"bound tokens":                {"tls_client_certificate_bound_access_tokens", true},
	} {
		if got := registers(t, s, "", pairs...); got.status != http.StatusBadRequest || got.text("error") != "invalid_client_metadata" {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
}

// TestAdministratorsGifts: what an administrator gave a client that registered itself
// stays through its own changes, and is no way to more.
func TestAdministratorsGifts(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read", "orders:write")
		initial := initialToken(t, s, m{"scopes": []string{"openid", "profile"}})
		reg := registers(t, s, initial.text("registration_token"), "scope", "openid profile")
		reg.wants(t, http.StatusCreated, "registration")
		id, own := reg.text("client_id"), as(s, reg.text("registration_access_token"))
		put := func(pairs ...any) answer {
			body := m{"client_id": id, "client_name": "Self", "redirect_uris": []string{callback}}
			for i := 0; i < len(pairs); i += 2 {
				body[pairs[i].(string)] = pairs[i+1]
			}
			return own.json(t, "PUT", "/oauth2/register/"+id, body)
		}
		admin := as(s, s.Admin())
		admin.json(t, "PATCH", "/api/v1/admin/clients/"+id, m{"scopes": []string{"openid", "profile", "orders:read"}, "audiences": []string{bankAPI},
			"grants": []string{"authorization_code", "refresh_token", "client_credentials"}}).wants(t, http.StatusOK, "gifts")
		given := func() string {
			got := admin.json(t, "GET", "/api/v1/admin/clients/"+id, nil)
			return fmt.Sprint(got.fields["scopes"], got.fields["audiences"], got.fields["grants"])
		}
		for what, c := range map[string]struct {
			pairs []any
			want  string
		}{
			"nothing said":   {nil, "[openid orders:read profile] [https://bank.example] [authorization_code client_credentials]"},
			"less":           {[]any{"scope", "openid"}, "[openid orders:read] [https://bank.example] [authorization_code client_credentials]"},
			"what it has":    {[]any{"scope", "openid profile orders:read", "grant_types", []string{"authorization_code", "client_credentials"}}, "[openid orders:read profile] [https://bank.example] [authorization_code client_credentials]"},
			"more than that": {[]any{"scope", "openid orders:read orders:write"}, "[openid orders:read] [https://bank.example] [authorization_code client_credentials]"},
		} {
			put(c.pairs...).wants(t, http.StatusOK, "%s", what)
			if got := given(); got != c.want {
				t.Errorf("%s: %s, want %s", what, got, c.want)
			}
		}
		put("grant_types", []string{"authorization_code", keystone.GrantDeviceCode}).wants(t, http.StatusBadRequest, "a grant that nobody gave")
		put("scope", "orders:write").wants(t, http.StatusBadRequest, "a scope that nobody gave")
		own.json(t, "DELETE", "/oauth2/register/"+id, nil).wants(t, http.StatusNoContent, "remove")
	}, registering("token"))
}
