package keystone_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestAppsPage: people see in the browser what they allowed applications and take it
// back there, each their own; another site cannot, nor who is not signed in.
func TestAppsPage(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read")
		s.CreateRole("reader", "orders:read")
		app := s.CreateClient(keystone.Client{Name: "Planner <b>", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Audiences: []string{calendarAPI},
			Scopes: []string{"openid", "profile", "offline_access", "orders:read"}})
		other := webClient(s)
		jane, john := s.CreateUser("jane", "reader"), s.CreateUser("john")

		// Where it is said how long, it is said where.
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid offline_access orders:read", "resource", calendarAPI))
		b.signIn(jane)
		if b.at("apps"); !strings.Contains(b.page.body, `href="account/apps" target="_blank"`) || !strings.Contains(b.page.body, "until then your answer is remembered") {
			t.Errorf("%s", b.page.body)
		}
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, app, b.answer().Get("code"))
		b.open(s.URL + "/device")
		b.at("apps")
		b.open(authorizeURL(s, other, "scope", "openid"))
		b.submit(map[string]string{"decision": "allow"})
		b.answer()

		b.open(s.URL + "/account/apps")
		if !strings.HasSuffix(b.page.url.Path, "/account/apps") || !strings.Contains(b.page.body, "Planner &lt;b&gt;") || !strings.Contains(b.page.body, calendarAPI) ||
			!strings.Contains(b.page.body, "Orders") || !strings.Contains(b.page.body, "orders:read") || strings.Contains(b.page.header.Get("Content-Security-Policy"), "script-src") {
			t.Fatalf("%s %v\n%s", b.page.url, b.page.header, b.page.body)
		}
		session := regexp.MustCompile(`name="account" value="([^"]+)"`).FindStringSubmatch(b.page.body)[1]

		// John sees his own; the number of Jane's session opens nothing to him.
		his := newBrowser(t, s)
		his.open(s.URL + "/account/apps")
		his.signIn(john)
		if !strings.HasSuffix(his.page.url.Path, "/account/apps") || !strings.Contains(his.page.body, "no-apps") || strings.Contains(his.page.body, "Planner") {
			t.Fatalf("%s\n%s", his.page.url, his.page.body)
		}
		take := url.Values{"account": {session}, "app": {app.ID}}
		for what, status := range map[string]int{"same-origin": http.StatusOK, "cross-site": http.StatusForbidden, "same-site": http.StatusForbidden} {
			req, _ := http.NewRequest(http.MethodPost, s.URL+"/account/apps", strings.NewReader(take.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", what)
			from := his
			if status == http.StatusForbidden { // with her own cookies
				from = b
			}
			resp, err := from.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("%s: %d", what, resp.StatusCode)
			}
		}
		b.crossPost("/account/apps", take)
		status, tokens := refreshed(t, s, app, tokens["refresh_token"])
		if status != http.StatusOK {
			t.Fatalf("taken back by others: %d %v", status, tokens)
		}

		b.open(s.URL + "/account/apps")
		b.submit(map[string]string{"app": app.ID})
		if !strings.HasSuffix(b.page.url.Path, "/account/apps") || strings.Contains(b.page.body, "Planner") || !strings.Contains(b.page.body, "Orders") {
			t.Errorf("%s\n%s", b.page.url, b.page.body)
		}
		if status, _ := refreshed(t, s, app, tokens["refresh_token"]); status == http.StatusOK {
			t.Error("refreshed though taken back")
		}
		if rows := audited(t, s, "action="+keystone.ActConsentRevoked); len(rows) != 1 || rows[0]["actor_id"] != jane.ID {
			t.Errorf("%v", rows)
		}
		b.submit(map[string]string{"app": app.ID}) // once more, from another window
		if b.page.status != http.StatusOK {
			t.Errorf("twice: %d", b.page.status)
		}
		b.open(s.URL + "/account/apps?ui_locales=de")
		if !strings.Contains(b.page.body, "Verbundene Anwendungen") {
			t.Errorf("%s", b.page.body)
		}
	})
}
