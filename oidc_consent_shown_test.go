package keystone_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestConsentIsToWhatWasShown: a client that changes what it is while the page is open gets
// nothing by it. The page comes again and says what the client says now; the answer to that
// counts (B5).
func TestConsentIsToWhatWasShown(t *testing.T) {
	site := newDocumentSite(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const evil = "https://app.example/evil"
		key := newClientKey(t, "ES256", "a")
		reg := registers(t, s, "", "client_name", "Good App", "token_endpoint_auth_method", "none")
		put := func(name string, uris ...string) {
			body := m{"client_id": reg.text("client_id"), "client_name": name, "redirect_uris": uris, "token_endpoint_auth_method": "none"}
			as(s, reg.text("registration_access_token")).json(t, "PUT", "/oauth2/register/"+reg.text("client_id"), body).wants(t, http.StatusOK, "PUT")
		}
		document := site.put("/app.json", "client_name", "Good App", "token_endpoint_auth_method", "none")
		reread := func(pairs ...any) func() {
			return func() {
				site.put("/app.json", pairs...)
				s.Clock.Move(6 * time.Minute)
				newBrowser(t, s).open(authorizeURL(s, document, "scope", "openid")) // somebody else asks
				s.Clock.Move(time.Second)
			}
		}
		for i, c := range []struct {
			what   string
			app    keystonetest.Client
			change func()
		}{
			{"registered, by name and address", reg.client(), func() { put("Your Bank", callback, evil) }},
			{"registered, back again", reg.client(), func() { put("Good App", callback); put("Your Bank", callback) }},
			{"document, by name", document, reread("client_name", "Your Bank", "token_endpoint_auth_method", "none")},
			{"document, another kind", document, reread("client_name", "Your Bank", "token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, key))},
		} {
			jane := s.CreateUser(fmt.Sprint("jane", i))
			b := newBrowser(t, s)
			b.open(authorizeURL(s, c.app, "scope", "openid"))
			b.signIn(jane)
			b.at("consent-allow")
			if strings.Contains(b.page.body, "Your Bank") && c.what == "registered, by name and address" {
				t.Fatalf("%s: %s", c.what, b.page.body)
			}
			c.change()
			b.submit(map[string]string{"decision": "allow"})
			b.at("consent-allow")
			if !strings.Contains(b.page.body, "<strong>Your Bank</strong>") || b.page.status != http.StatusOK {
				t.Errorf("%s: %d %s", c.what, b.page.status, b.page.body)
			}
			var apps struct{ Items []map[string]any }
			if s.Call("GET", "/api/v1/users/me/apps", s.SignIn(jane).AccessToken, nil, &apps); len(apps.Items) != 0 {
				t.Errorf("%s: allowed by the old page: %v", c.what, apps.Items)
			}
			b.submit(map[string]string{"decision": "allow", "client": ""})
			b.at("consent-allow")
			fields := b.fields("decision", "allow")
			b.submit(map[string]string{"decision": "allow"})
			if b.answer().Get("code") == "" {
				t.Errorf("%s: %s", c.what, b.page.url)
			}
			got := b.copyOf("/consent", fields, b.cookie()) // the same form once more
			if b.open(s.URL + "/" + got.to); b.answer().Get("code") == "" {
				t.Errorf("%s, sent twice: %s", c.what, b.page.url)
			}
		}
	}, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "open"}))
}

// TestConsentPageOfTheReleaseBefore: a page that does not say which client it showed is
// good for a client that an administrator made, and for no other: behind a balancer, pages
// and their answers meet nodes of two releases.
func TestConsentPageOfTheReleaseBefore(t *testing.T) {
	s := keystonetest.Start(t, registering("open"))
	reg := registers(t, s, "")
	for what, c := range map[string]struct {
		app  keystonetest.Client
		good bool
	}{"an administrator's": {webClient(s), true}, "registered": {reg.client(), false}} {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, c.app, "scope", "openid"))
		b.signIn(s.CreateUser("jane-" + strings.ReplaceAll(what[:2], " ", "")))
		b.at("consent-allow")
		b.page.body = regexp.MustCompile(`<input type="hidden" name="client"[^>]*>`).ReplaceAllString(b.page.body, "")
		b.submit(map[string]string{"decision": "allow"})
		if gone := strings.HasPrefix(b.page.url.String(), callback); gone != c.good {
			t.Errorf("%s: %s %d", what, b.page.url, b.page.status)
		}
	}
}
