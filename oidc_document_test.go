package keystone_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// documentSite serves metadata documents and counts who asks.
type documentSite struct {
	url  string
	ca   string
	hits atomic.Int64
	mu   sync.Mutex
	docs map[string]any // by path; a string is sent as it is, an int is a status
}

func newDocumentSite(t *testing.T) *documentSite {
	t.Helper()
	d := &documentSite{docs: map[string]any{}}
	site, ca := tlsSite(t, func(w http.ResponseWriter, r *http.Request) {
		d.hits.Add(1)
		d.mu.Lock()
		defer d.mu.Unlock()
		switch doc := d.docs[r.URL.Path].(type) {
		case nil:
			w.WriteHeader(http.StatusNotFound)
		case int:
			w.Header().Set("Location", "/good.json")
			w.WriteHeader(doc)
		case string:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(doc))
		case http.HandlerFunc:
			doc(w, r)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(doc)
		}
	})
	d.url, d.ca = site.URL, ca
	return d
}

// put serves a document at the path and returns its client_id; pairs change it, a
// nil value takes one away.
func (d *documentSite) put(path string, pairs ...any) keystonetest.Client {
	id := d.url + path
	doc := map[string]any{"client_id": id, "client_name": "Desk", "redirect_uris": []string{callback}, "grant_types": []string{"authorization_code", "refresh_token", keystone.GrantDeviceCode}}
	for i := 0; i < len(pairs); i += 2 {
		if doc[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(doc, pairs[i].(string))
		}
	}
	d.serve(path, doc)
	return keystonetest.Client{ID: id}
}

func (d *documentSite) serve(path string, doc any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.docs[path] = doc
}

func (d *documentSite) settings(mode string, more map[string]string) keystonetest.Option {
	all := map[string]string{"CLIENT_ID_METADATA": mode, "OUTBOUND_ALLOW": "127.0.0.1", "OUTBOUND_CA_FILE": d.ca}
	maps.Copy(all, more)
	return keystonetest.WithSettings(all)
}

// TestClientDocument: a client whose client_id is the address of its metadata signs
// people in; it is what the document says now; everything that ends a client's
// tokens ends its.
func TestClientDocument(t *testing.T) {
	site := newDocumentSite(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, jane := site.put("/oauth/desk.json", "logo_uri", "https://desk.example/logo.png"), s.CreateUser("jane")
		b := newBrowser(t, s)
		full := []string{"scope", "openid offline_access users:write"}
		b.open(authorizeURL(s, app, full...))
		b.signIn(jane)
		host := strings.TrimPrefix(site.url, "https://")
		b.at("client-host")
		b.at("unknown-client")
		if !strings.Contains(b.page.body, host) || !strings.Contains(b.page.body, "Desk") || strings.Contains(b.page.body, "users:write") {
			t.Errorf("%s", b.page.body)
		}
		b.submit(map[string]string{"decision": "allow"})
		status, tokens := redeem(t, s, app, b.answer().Get("code"))
		if status != http.StatusOK || tokens["scope"] != "offline_access openid" {
			t.Fatalf("%d %v", status, tokens)
		}
		if id := idClaims(t, tokens["id_token"]); id["aud"] != app.ID {
			t.Errorf("aud is %v", id["aud"])
		}
		before := site.hits.Load()
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", "none"))
		if b.answer().Get("code") == "" || site.hits.Load() != before {
			t.Errorf("asked again, or fetched again: %d", site.hits.Load()-before)
		}
		if status, tokens = refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusOK {
			t.Fatalf("refresh: %d %v", status, tokens)
		}

		// The document changes: within minutes the client does, and people are asked.
		site.put("/oauth/desk.json", "client_name", "Bank", "redirect_uris", []string{callback, "https://desk.example/cb"})
		s.Clock.Move(6 * time.Minute)
		b.open(authorizeURL(s, app, "scope", "openid", "prompt", "none"))
		if got := b.answer(); got.Get("error") != "consent_required" {
			t.Errorf("another name: %v", got)
		}
		b.open(authorizeURL(s, app, "scope", "openid", "redirect_uri", "https://desk.example/cb", "prompt", "none"))
		if !strings.HasPrefix(b.page.url.String(), "https://desk.example/cb?") {
			t.Errorf("a new redirect URI: %s", b.page.url)
		}
		rows := audited(t, s, "action="+keystone.ActClientUpdated+"&target="+url.QueryEscape(app.ID))
		if len(rows) != 1 || rows[0]["actor_kind"] != "registration" {
			t.Errorf("%v", rows)
		}

		// Its site is gone: who is signed in stays, for an hour sign-ins go on, then
		// none begins.
		site.serve("/oauth/desk.json", http.StatusInternalServerError)
		s.Clock.Move(6 * time.Minute)
		if status, tokens = refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusOK {
			t.Fatalf("refresh while the site is down: %d %v", status, tokens)
		}
		s.Clock.Move(2 * time.Hour)
		b.open(authorizeURL(s, app, "scope", "openid"))
		b.at("error")
		if status, tokens = refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusOK {
			t.Errorf("refresh after hours: %d %v", status, tokens)
		}
		site.put("/oauth/desk.json")
		s.Clock.Move(time.Minute)

		// Administrators and people find it under the id without its scheme.
		path := "/api/v1/admin/clients/" + url.PathEscape(host+"/oauth/desk.json")
		admin := as(s, s.Admin())
		got := admin.json(t, "GET", path, nil)
		if got.text("client_id") != app.ID || "/api/v1/admin/clients/"+url.PathEscape(got.text("id")) != path || got.text("registration") != "document" {
			t.Fatalf("%d %s", got.status, got.body)
		}
		admin.json(t, "PATCH", path, m{"enabled": false}).wants(t, http.StatusOK, "switch off")
		s.Clock.Move(6 * time.Minute)
		b.open(authorizeURL(s, app))
		if b.page.status != http.StatusBadRequest {
			t.Errorf("a client that is switched off: %d", b.page.status)
		}
		if status, _ = refreshed(t, s, app, tokens["refresh_token"]); status == http.StatusOK {
			t.Error("refreshed though switched off")
		}
		admin.json(t, "PATCH", path, m{"enabled": true}).wants(t, http.StatusOK, "switch on")
		s.Clock.Move(2 * time.Second)
		b.open(authorizeURL(s, app, full...))
		b.submit(map[string]string{"decision": "allow"})
		if status, tokens = redeem(t, s, app, b.answer().Get("code")); status != http.StatusOK {
			t.Fatalf("%d %v", status, tokens)
		}
		var apps struct{ Items []struct{ ID string } }
		own := s.SignIn(jane).AccessToken
		s.Call("GET", "/api/v1/users/me/apps", own, nil, &apps)
		if len(apps.Items) != 1 || s.Call("DELETE", "/api/v1/users/me/apps/"+url.PathEscape(apps.Items[0].ID), own, nil, nil) != http.StatusNoContent {
			t.Fatalf("taking back: %v", apps)
		}
		if status, _ = refreshed(t, s, app, tokens["refresh_token"]); status == http.StatusOK {
			t.Error("refreshed though taken back")
		}
		admin.json(t, "DELETE", path, nil).wants(t, http.StatusNoContent, "delete")
	}, site.settings("consent", nil))
}

// TestClientDocumentWithKeys: such a client may prove itself, with keys in the
// document or at its jwks_uri; its first request may be a pushed one.
func TestClientDocumentWithKeys(t *testing.T) {
	site := newDocumentSite(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		k, stranger := newClientKey(t, "ES256", "a"), newClientKey(t, "ES256", "a")
		inside := site.put("/inside.json", "token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, k))
		site.serve("/keys", string(jwks(t, k)))
		beside := site.put("/beside.json", "token_endpoint_auth_method", "private_key_jwt", "jwks_uri", site.url+"/keys")
		b := newBrowser(t, s)
		jane := s.CreateUser("jane")
		for i, app := range []keystonetest.Client{inside, beside} {
			request := url.Values{"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"st"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
			status, answer := postForm(t, s, "/oauth2/par", withAssertion(stranger.sign(t, "", assertionClaims(s, app.ID)), request))
			wantInvalidClient(t, "another's key", status, answer["error"])
			status, answer = postForm(t, s, "/oauth2/par", withAssertion(k.sign(t, "", assertionClaims(s, app.ID)), request))
			if status != http.StatusCreated {
				t.Fatalf("%s: %d %v", app.ID, status, answer)
			}
			b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {answer["request_uri"].(string)}}.Encode())
			if i == 0 {
				b.signIn(jane)
			}
			b.submit(map[string]string{"decision": "allow"})
			code := b.answer().Get("code")
			if status, answer := redeem(t, s, app, code); status != http.StatusUnauthorized {
				t.Errorf("without proof: %d %v", status, answer)
			}
			form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
			if status, answer := postForm(t, s, "/oauth2/token", withAssertion(k.sign(t, "", assertionClaims(s, app.ID)), form)); status != http.StatusOK {
				t.Errorf("%s: %d %v", app.ID, status, answer)
			}
		}
		// It stops proving itself: what it was has ended.
		site.put("/inside.json", "client_name", "Inside")
		s.Clock.Move(6 * time.Minute)
		b.open(authorizeURL(s, inside, "prompt", "none", "scope", "openid"))
		if got := b.answer(); got.Get("error") != "consent_required" {
			t.Errorf("%v", got)
		}
	}, site.settings("consent", nil))
}

// TestClientDocumentRefused: what is no document of a client, and what is not even
// asked for.
func TestClientDocumentRefused(t *testing.T) {
	site := newDocumentSite(t)
	s := keystonetest.Start(t, site.settings("consent", nil))
	asked := func(id string) (refused bool) {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, keystonetest.Client{ID: id}))
		if strings.HasPrefix(b.page.url.String(), callback) {
			t.Errorf("%s: sent back to %s", id, b.page.url)
		}
		return b.page.status == http.StatusBadRequest
	}
	key := newClientKey(t, "ES256", "a")
	for name, pairs := range map[string][]any{
		"other id":        {"client_id", "https://other.example/client.json"},
		"id missing":      {"client_id", nil},
		"id a list":       {"client_id", []string{site.url}},
		"secret":          {"client_secret", "x"},
		"secret expires":  {"client_secret_expires_at", 0},
		"basic":           {"token_endpoint_auth_method", "client_secret_basic"},
		"post":            {"token_endpoint_auth_method", "client_secret_post"},
		"secret jwt":      {"token_endpoint_auth_method", "client_secret_jwt"},
		"no keys":         {"token_endpoint_auth_method", "private_key_jwt"},
		"private key":     {"token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","d":"AQ"}]}`)},
		"keys at http":    {"token_endpoint_auth_method", "private_key_jwt", "jwks_uri", "http://127.0.0.1/keys"},
		"no redirects":    {"redirect_uris", nil},
		"javascript":      {"redirect_uris", []string{callback, "javascript:alert(1)"}},
		"plain http":      {"redirect_uris", []string{callback, "http://app.example/cb"}},
		"wildcard":        {"redirect_uris", []string{callback, "https://app.example/*"}},
		"other grants":    {"grant_types", []string{"client_credentials"}},
		"other responses": {"response_types", []string{"token"}},
		"other scopes":    {"scope", "users:write"},
		"logo":            {"logo_uri", "javascript:alert(1)", "jwks", jwks(t, key)},
		"other callback":  {"redirect_uris", []string{"https://elsewhere.example/cb"}},
	} {
		if app := site.put("/"+strings.ReplaceAll(name, " ", "-"), pairs...); !asked(app.ID) {
			t.Errorf("%s is taken", name)
		}
	}
	site.put("/good.json")
	for path, doc := range map[string]any{"/list": "[]", "/text": "x", "/null": "null", "/empty": "", "/large": `{"client_id":"` + site.url + `/large","x":"` + strings.Repeat("x", 2<<20) + `"}`, "/moved": http.StatusFound, "/fails": http.StatusInternalServerError} {
		if site.serve(path, doc); !asked(site.url + path) {
			t.Errorf("%s is taken", path)
		}
	}
	before := site.hits.Load()
	for _, id := range []string{
		strings.Replace(site.url, "https:", "http:", 1) + "/good.json", site.url, site.url + "/good.json#x", site.url + "/good.json?x=y", site.url + "/a/../good.json",
		site.url + "/%2e%2e/good.json", site.url + "/./good.json", site.url + "/.git/good.json", site.url + "//good.json", strings.Replace(site.url, "//", "//user@", 1) + "/good.json", strings.ToUpper(site.url[:6]) + site.url[6:] + "/good.json",
		site.url + "/good%2ejson/%2f", site.url + `/good.json\x`, site.url + "/" + strings.Repeat("x", 600), "https://2130706433/good.json", "https://[::ffff:127.0.0.1]/good.json", "https:///good.json", "javascript:alert(1)",
	} {
		if !asked(id) {
			t.Errorf("%s is taken", id)
		}
	}
	if n := site.hits.Load() - before; n != 0 {
		t.Errorf("%d requests for ids that are none", n)
	}
	// Other endpoints are no way to have Keystone ask for anything.
	unknown := site.put("/unknown.json").ID
	for _, path := range []string{"/oauth2/token", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/device_authorization"} {
		if status, _ := postForm(t, s, path, url.Values{"client_id": {unknown}, "grant_type": {"refresh_token"}, "token": {"x"}}); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, status)
		}
	}
	if n := site.hits.Load() - before; n != 0 {
		t.Errorf("%d requests on the word of a stranger", n)
	}
	var list struct{ Items []map[string]any }
	if s.Call("GET", "/api/v1/admin/clients?limit=200", s.Admin(), nil, &list); len(list.Items) != 1 { // Keystone's own
		t.Errorf("%d clients after refusals: %v", len(list.Items), list.Items)
	}

	for name, settings := range map[string]map[string]string{"off": {"CLIENT_ID_METADATA": "off"}, "another host": {"CLIENT_ID_METADATA": "allow-list", "CLIENT_ID_METADATA_HOSTS": "desk.example"}} {
		s = keystonetest.Start(t, site.settings("off", settings))
		if before := site.hits.Load(); !asked(site.url+"/good.json") || site.hits.Load() != before {
			t.Errorf("%s: served, or asked for", name)
		}
		var facts map[string]any
		s.Call("GET", "/.well-known/openid-configuration", "", nil, &facts)
		if supported := facts["client_id_metadata_document_supported"] == true; supported != (name != "off") {
			t.Errorf("%s: announced %t", name, supported)
		}
	}
	s = keystonetest.Start(t, site.settings("allow-list", map[string]string{"CLIENT_ID_METADATA_HOSTS": "127.0.0.1"}))
	if asked(site.url + "/good.json") {
		t.Error("a listed host is refused")
	}
}

// TestClientDocumentQuota: strangers fill the database with such clients up to a
// bound, no faster than the limit says, and the unused ones go (Q7).
func TestClientDocumentQuota(t *testing.T) {
	site := newDocumentSite(t)
	s := keystonetest.Start(t, site.settings("consent", map[string]string{"CLIENT_REGISTRATION_MOST": "20", "CLIENT_REGISTRATION_UNUSED_DAYS": "1", "TRUSTED_PROXIES": "127.0.0.1"}))
	taken := func(s *keystonetest.Server, i int) int {
		app := site.put(fmt.Sprintf("/%d.json", i))
		address := strings.TrimPrefix(authorizeURL(s, app), s.URL)
		return as(s, "").with("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i/4)).json(t, "GET", address, nil).status
	}
	count := func() (n int) {
		var list struct{ Items []map[string]any }
		s.Call("GET", "/api/v1/admin/clients?limit=200", s.Admin(), nil, &list)
		return len(list.Items) - 1
	}
	// One is used: it stays whatever comes.
	first, b := site.put("/first.json"), newBrowser(t, s)
	b.open(authorizeURL(s, first))
	b.signIn(s.CreateUser("jane"))
	b.submit(map[string]string{"decision": "allow"})
	if status, tokens := redeem(t, s, first, b.answer().Get("code")); status != http.StatusOK {
		t.Fatalf("%d %v", status, tokens)
	}
	refused := 0
	for i := range 30 {
		if taken(s, i) == http.StatusTooManyRequests {
			refused++
		}
	}
	// The oldest give way, so whoever fills the place shuts nobody out.
	if n := count(); n != 21 || refused != 0 {
		t.Errorf("%d clients, %d refused", n, refused)
	}
	if b.open(authorizeURL(s, first, "prompt", "none")); b.answer().Get("code") == "" {
		t.Error("the one that is used gave way")
	}
	s.Clock.Move(25 * time.Hour)
	s.Sweep()
	if n := count(); n != 1 {
		t.Errorf("%d unused clients are left", n)
	}
	// One that is asked about silently, again and again, counts once.
	silent := keystonetest.Start(t, site.settings("consent", map[string]string{"RATE_LIMIT_CLIENT_REGISTRATION": "3/hour"}))
	for i := range 10 {
		b := newBrowser(t, silent)
		if b.open(authorizeURL(silent, first, "prompt", "none")); b.answer().Get("error") != "login_required" {
			t.Errorf("%d: %s", i, b.page.url)
		}
	}
	limited := keystonetest.Start(t, site.settings("consent", map[string]string{"RATE_LIMIT_CLIENT_REGISTRATION": "3/hour", "TRUSTED_PROXIES": "127.0.0.1"}))
	before := site.hits.Load()
	for range 4 {
		taken(limited, 1)
	}
	for _, i := range []int{0, 2, 3} {
		taken(limited, i)
	}
	if n := site.hits.Load() - before; n != 3 {
		t.Errorf("%d documents were asked for, want 3", n)
	}
}
