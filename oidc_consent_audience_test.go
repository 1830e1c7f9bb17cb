package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const calendarAPI, bankAPI = "https://calendar.example", "https://bank.example"

// TestConsentNamesResources: what a person allows for one resource opens no other
// (RFC 8707 section 3), by whichever way a client asks.
func TestConsentNamesResources(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := s.CreateClient(keystone.Client{Name: "Planner", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Audiences: []string{calendarAPI, bankAPI},
			Scopes: []string{"openid", "profile"}, Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantDeviceCode}})
		jane, b := s.CreateUser("jane"), newBrowser(t, s)
		silent := func(pairs ...string) string {
			b.open(authorizeURL(s, app, append([]string{"scope", "openid", "prompt", "none"}, pairs...)...))
			return b.answer().Get("error")
		}
		b.open(authorizeURL(s, app, "scope", "openid"))
		b.signIn(jane)
		if strings.Contains(b.page.body, `id="audiences"`) {
			t.Errorf("names the server itself:\n%s", b.page.body)
		}
		b.submit(map[string]string{"decision": "allow"})
		if got := silent("resource", calendarAPI); got != "consent_required" {
			t.Errorf("allowed for Keystone alone, and for the calendar: %q", got)
		}

		b.open(authorizeURL(s, app, "scope", "openid", "resource", calendarAPI))
		b.at("audiences")
		if !strings.Contains(b.page.body, calendarAPI) || strings.Contains(b.page.body, bankAPI) {
			t.Errorf("%s", b.page.body)
		}
		// A form that says more is not an answer to this page.
		b.submit(map[string]string{"decision": "allow", "audience": bankAPI + " " + calendarAPI})
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "allow"})
		if _, tokens := redeem(t, s, app, b.answer().Get("code")); fmt.Sprint(idClaims(t, tokens["access_token"])["aud"]) != fmt.Sprint([]any{calendarAPI}) {
			t.Errorf("%v", tokens)
		}
		both := authorizeURL(s, app, "scope", "openid", "prompt", "none", "resource", calendarAPI) + "&resource=" + url.QueryEscape(bankAPI)
		for want, address := range map[string]string{
			"none of it is for it alone":  authorizeURL(s, app, "scope", "openid", "prompt", "none", "resource", bankAPI),
			"nor for it beside the other": both,
		} {
			if b.open(address); b.answer().Get("error") != "consent_required" {
				t.Errorf("%s: %s", want, b.page.url)
			}
		}
		for _, pairs := range [][]string{nil, {"resource", calendarAPI}, {"resource", s.Issuer}} {
			if got := silent(pairs...); got != "" {
				t.Errorf("allowed, and asked again for %v: %s", pairs, got)
			}
		}

		// The page that answers for a device says it too, and it adds up.
		status, answer := postForm(t, s, "/oauth2/device_authorization", url.Values{"client_id": {app.ID}, "client_secret": {app.Secret}, "scope": {"openid"}, "resource": {bankAPI}})
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, answer)
		}
		b.open(answer["verification_uri_complete"].(string))
		b.submit(nil)
		b.at("audiences")
		if !strings.Contains(b.page.body, bankAPI) {
			t.Errorf("%s", b.page.body)
		}
		b.submit(map[string]string{"decision": "allow"})
		if b.open(both); b.answer().Get("code") == "" {
			t.Errorf("allowed one after the other: %s", b.page.url)
		}
		code := b.answer().Get("code")

		// People see it, and taking it back takes all of it, codes on the way too.
		var apps struct{ Items []map[string]any }
		own := s.SignIn(jane).AccessToken
		s.Call(http.MethodGet, "/api/v1/users/me/apps", own, nil, &apps)
		if len(apps.Items) != 1 || fmt.Sprint(apps.Items[0]["audiences"]) != fmt.Sprint([]any{bankAPI, calendarAPI}) {
			t.Fatalf("%v", apps)
		}
		if status := s.Call(http.MethodDelete, "/api/v1/users/me/apps/"+app.ID, own, nil, nil); status != http.StatusNoContent {
			t.Fatal(status)
		}
		if status, tokens := redeem(t, s, app, code); status != http.StatusBadRequest || tokens["error"] != "invalid_grant" {
			t.Errorf("a code after it was taken back: %d %v", status, tokens)
		}
		// Allowed anew for one, the code for both is worth nothing still.
		b.open(authorizeURL(s, app, "scope", "openid", "resource", calendarAPI))
		b.submit(map[string]string{"decision": "allow"})
		if status, tokens := redeem(t, s, app, code); status != http.StatusBadRequest || tokens["error"] != "invalid_grant" {
			t.Errorf("a code for more than is allowed now: %d %v", status, tokens)
		}
		if got := silent("resource", bankAPI); got != "consent_required" {
			t.Errorf("after it was taken back: %q", got)
		}
	})
}

// TestConsentIsOfPairs: a scope that was allowed for one resource opens no other, and
// Keystone itself, its administration too, is a resource like the others.
func TestConsentIsOfPairs(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("pay:read", "pay:send")
		s.CreateRole("payer", "pay:read", "pay:send", keystone.UsersRead)
		app := s.CreateClient(keystone.Client{Name: "Planner", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Audiences: []string{calendarAPI, bankAPI},
			Scopes: []string{"openid", "profile", "offline_access", "pay:read", "pay:send", keystone.UsersRead}})
		jane, b := s.CreateUser("jane", "payer"), newBrowser(t, s)
		ask := func(scope string, resources []string, pairs ...string) url.Values {
			address := authorizeURL(s, app, append([]string{"scope", scope}, pairs...)...)
			for _, r := range resources {
				address += "&resource=" + url.QueryEscape(r)
			}
			b.open(address)
			return b.page.url.Query()
		}
		allow := func(scope string, resources ...string) string {
			t.Helper()
			ask(scope, resources)
			if strings.Contains(b.page.body, `name="password"`) {
				b.signIn(jane)
			}
			b.at("consent-allow")
			b.submit(map[string]string{"decision": "allow"})
			return b.answer().Get("code")
		}
		allow("pay:read", calendarAPI)
		allow("pay:send", bankAPI)
		allow("openid "+keystone.UsersRead, bankAPI)
		for _, c := range []struct {
			what, scope string
			resources   []string
			given       bool
		}{
			{"as allowed", "pay:read", []string{calendarAPI}, true},
			{"as allowed at the bank, in another step", "openid pay:send " + keystone.UsersRead, []string{bankAPI}, true},
			{"the bank's at the calendar", "pay:send", []string{calendarAPI}, false},
			{"the calendar's at the bank", "pay:read", []string{bankAPI}, false},
			{"both at both", "pay:read pay:send", []string{calendarAPI, bankAPI}, false},
			{"one at both", "pay:send", []string{calendarAPI, bankAPI}, false},
			{"the bank's at Keystone itself", keystone.UsersRead, nil, false},
			{"the bank's at Keystone by its name", keystone.UsersRead, []string{s.Issuer}, false},
			{"the bank's at it and at Keystone", keystone.UsersRead, []string{bankAPI, s.Issuer}, false},
			{"who one is, at Keystone", "openid", nil, true},
			{"who one is, at the calendar", "openid pay:read", []string{calendarAPI}, true},
			{"what was never allowed", "openid profile", []string{bankAPI}, false},
		} {
			got := ask(c.scope, c.resources, "prompt", "none")
			if (got.Get("code") != "") != c.given || !c.given && got.Get("error") != "consent_required" {
				t.Errorf("%s: %v", c.what, got)
			}
		}
		// Keystone itself is on the page where it is named beside others.
		ask(keystone.UsersRead, []string{bankAPI, s.Issuer})
		if b.at("audiences"); !strings.Contains(b.page.body, "<strong>"+s.Issuer+"</strong>") {
			t.Errorf("%s", b.page.body)
		}
		_, tokens := redeem(t, s, app, allow("openid offline_access "+keystone.UsersRead, bankAPI), "resource", "")
		status, answer := refreshed(t, s, app, tokens["refresh_token"], "resource", s.Issuer)
		if status != http.StatusBadRequest || answer["error"] != "invalid_target" {
			t.Errorf("refreshed for Keystone itself: %d %v", status, answer)
		}
		if status := s.Call(http.MethodGet, "/api/v1/users", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
			t.Errorf("the bank's token at the administration: %d", status)
		}

		var apps struct {
			Items []struct {
				Allowed []struct {
					Audience string
					Scopes   []string
				}
			}
		}
		s.Call(http.MethodGet, "/api/v1/users/me/apps", s.SignIn(jane).AccessToken, nil, &apps)
		want := fmt.Sprint([]any{s.Issuer, []string{"offline_access", "openid"}, bankAPI, []string{"pay:send", keystone.UsersRead}, calendarAPI, []string{"pay:read"}})
		var got []any
		for _, at := range apps.Items[0].Allowed {
			got = append(got, at.Audience, at.Scopes)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	})
}
