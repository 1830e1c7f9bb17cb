package keystone_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/keystonetest"
)

// sent is what one copy of a form brought.
type sent struct {
	status int
	to     string
	cookie string // empty: none
	body   string
}

// copyOf sends a form as a browser that carries the cookie, and follows nothing.
func (b *browser) copyOf(path string, form url.Values, cookie string) sent {
	req, err := http.NewRequest(http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Error(err)
		return sent{}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.AddCookie(&http.Cookie{Name: "keystone", Value: cookie})
	resp, err := b.server.Client().Transport.RoundTrip(req)
	if err != nil {
		b.t.Error(err)
		return sent{}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Error(err)
	}
	got := sent{status: resp.StatusCode, to: resp.Header.Get("Location"), body: string(body)}
	for _, c := range resp.Cookies() {
		got.cookie = c.Value
	}
	return got
}

func (b *browser) setCookie(value string) {
	u, _ := url.Parse(b.server.URL)
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: "keystone", Value: value, Path: "/"}})
}

// fields are those of the form of the page, with changes.
func (b *browser) fields(pairs ...string) url.Values {
	b.t.Helper()
	form, values := formTag.FindStringSubmatch(b.page.body), url.Values{}
	if form == nil {
		b.t.Fatalf("no form: %s", b.page.body)
	}
	for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
		if v := valueOf.FindStringSubmatch(input[0]); v != nil {
			values.Set(html.UnescapeString(input[1]), html.UnescapeString(v[1]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// living are the sessions of a user that have not ended.
func living(s *keystonetest.Server, username string) (n int) {
	var list struct{ Items []m }
	s.Call(http.MethodGet, "/api/v1/admin/sessions?limit=200", s.Admin(), nil, &list)
	for _, item := range list.Items {
		if item["username"] == username {
			n++
		}
	}
	return n
}

// TestFormsSentTwice: of two copies of a form, at the same moment or one after the other,
// the browser shows what the second one brings. It goes on, whether or not what the first
// one brought arrived; and no session lies under a cookie value that nobody has.
func TestFormsSentTwice(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, n := webClient(s), 0
		for _, form := range []string{"login", "consent", "register"} {
			for _, how := range []string{"together", "in turn", "after the first was followed"} {
				for _, lost := range []bool{false, true} {
					what := form + ", " + how
					if lost {
						what += ", the first answer lost"
					}
					n++
					b, name := newBrowser(t, s), "user"+strings.Repeat("x", n)
					b.open(authorizeURL(s, app, "scope", "openid"))
					var fields url.Values
					switch form {
					case "register":
						b.follow("register")
						fields = b.fields("username", name, "email", name+"@example.com", "password", newPassword)
					case "login":
						u := s.CreateUser(name)
						fields = b.fields("login", name, "password", u.Password)
					case "consent":
						b.signIn(s.CreateUser(name))
						b.at("consent-allow")
						fields = b.fields("decision", "allow")
					}
					old := b.cookie()
					var first, second sent
					if how == "together" {
						var wg sync.WaitGroup
						wg.Go(func() { first = b.copyOf("/"+form, fields, old) })
						wg.Go(func() { second = b.copyOf("/"+form, fields, old) })
						wg.Wait()
					} else {
						first = b.copyOf("/"+form, fields, old)
					}
					var code string
					if how == "after the first was followed" {
						other := newBrowser(t, s)
						if other.setCookie(old); first.cookie != "" {
							other.setCookie(first.cookie)
						}
						if other.open(s.URL + "/" + first.to); form == "consent" {
							code = other.answer().Get("code")
						}
					}
					if how != "together" {
						second = b.copyOf("/"+form, fields, old)
					}
					if first.status != http.StatusSeeOther || second.status != http.StatusSeeOther {
						t.Errorf("%s: %d, %d\n%s%s", what, first.status, second.status, first.body, second.body)
						continue
					}
					if form != "consent" && (first.cookie == "" || first.cookie != second.cookie || first.cookie == old) {
						t.Errorf("%s: cookies %q and %q", what, first.cookie, second.cookie)
					}
					if !lost && first.cookie != "" {
						b.setCookie(first.cookie)
					}
					if second.cookie != "" {
						b.setCookie(second.cookie)
					}
					b.open(s.URL + "/" + second.to)
					if form != "consent" {
						b.at("consent-allow")
						b.submit(map[string]string{"decision": "allow"})
					}
					got := b.answer()
					if code != "" && got.Get("code") != code || got.Get("state") != "st" {
						t.Errorf("%s: another code: %v", what, got)
					}
					if status, tokens := redeem(t, s, app, got.Get("code")); status != http.StatusOK {
						t.Errorf("%s: %d %v", what, status, tokens)
					}
					if got := living(s, name); got != 1 {
						t.Errorf("%s: %d sessions live", what, got)
					}
					if b.open(s.URL + "/account/apps"); !strings.Contains(b.page.body, name) {
						t.Errorf("%s: the session is not the browser's", what)
					}
					if form != "consent" {
						continue
					}
					// Redeemed, the code is not given again, and some seconds later nothing is.
					late := b.copyOf("/consent", fields, old)
					if b.open(s.URL + "/" + late.to); !strings.Contains(b.page.body, "completed already") {
						t.Errorf("%s, once more: %s\n%s", what, b.page.url, b.page.body)
					}
				}
			}
		}
	}, lets())
}

// TestTwoTabsAtOnce: of two sign-ins of one browser that are proved at the same moment, no
// session lies where nobody has it.
func TestTwoTabsAtOnce(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, jane, b := webClient(s), s.CreateUser("jane"), newBrowser(t, s)
		var forms [2]url.Values
		for i := range forms {
			b.open(authorizeURL(s, app, "scope", "openid"))
			forms[i] = b.fields("login", "jane", "password", jane.Password)
		}
		old := b.cookie()
		var got [2]sent
		var wg sync.WaitGroup
		for i := range forms {
			wg.Go(func() { got[i] = b.copyOf("/login", forms[i], old) })
		}
		wg.Wait()
		if (got[0].cookie == "") == (got[1].cookie == "") {
			t.Fatalf("cookies %q and %q", got[0].cookie, got[1].cookie)
		}
		b.setCookie(got[0].cookie + got[1].cookie)
		for i := range forms {
			b.open(s.URL + "/login?flow=" + forms[i].Get("flow"))
			b.at("consent-allow")
		}
		if n := living(s, "jane"); n != 1 {
			t.Errorf("%d sessions live", n)
		}
	})
}

// TestOldCookieIsWorthNothing: who has the cookie value of before a sign-in, and the
// address of its flow, gets nothing by them, nor by the password of somebody else (I1).
func TestOldCookieIsWorthNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, jane, john := webClient(s), s.CreateUser("jane"), s.CreateUser("john")
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid"))
		old, flow := b.cookie(), b.fields().Get("flow")
		b.signIn(jane)
		b.at("consent-allow")
		spy := newBrowser(t, s)
		for what, form := range map[string]url.Values{
			"a wrong password":       {"login": {"jane"}, "password": {"wrong"}},
			"his own":                {"login": {"john"}, "password": {john.Password}},
			"a choice":               {"account": {"x"}},
			"an account of his":      {"username": {"mallory"}, "email": {"mallory@example.com"}, "password": {newPassword}},
			"a name that was taken":  {"username": {"jane"}, "email": {"x@example.com"}, "password": {newPassword + "!"}},
			"an answer to the offer": {"decision": {"allow"}, "scope": {"openid"}},
		} {
			path := "/login"
			if form.Has("username") {
				path = "/register"
			} else if form.Has("decision") {
				path = "/consent"
			}
			form.Set("flow", flow)
			got := spy.copyOf(path, form, old)
			if got.cookie != "" {
				t.Errorf("%s: a cookie", what)
			}
			spy.setCookie(old)
			for _, address := range []string{"/login?flow=", "/oauth2/resume?flow="} {
				if spy.open(s.URL + address + flow); spy.page.status != http.StatusNotFound {
					t.Errorf("%s, then %s: %d", what, address, spy.page.status)
				}
			}
		}
		if n := living(s, "john") + living(s, "mallory"); n != 0 {
			t.Errorf("%d sessions of the spy live where nobody has them", n)
		}
		// Her own password some time later is too late; her browser goes on.
		s.Clock.Move(31 * time.Second)
		if got := spy.copyOf("/login", url.Values{"flow": {flow}, "login": {"jane"}, "password": {jane.Password}}, old); got.status != http.StatusNotFound || got.cookie != "" {
			t.Errorf("late: %d %q", got.status, got.cookie)
		}
		b.submit(map[string]string{"decision": "allow"})
		b.answer()
		s.Clock.Move(31 * time.Second)
		if b.open(s.URL + "/oauth2/resume?flow=" + flow); b.page.status != http.StatusNotFound {
			t.Errorf("a flow some time after its answer: %d", b.page.status)
		}
	}, lets())
}

// TestRefusedTwice: a refusal that is sent twice is one refusal.
func TestRefusedTwice(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, jane, b := webClient(s), s.CreateUser("jane"), newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid"))
		b.signIn(jane)
		fields := b.fields("decision", "deny")
		for range 2 {
			got := b.copyOf("/consent", fields, b.cookie())
			if b.open(s.URL + "/" + got.to); b.answer().Get("error") != "access_denied" {
				t.Errorf("%s", b.page.url)
			}
		}
		// What a device gets is said once more.
		d := startDevice(t, s, deviceClient(s), "openid")
		d.typeCode(b, keystonetest.User{})
		fields = b.fields("decision", "allow")
		b.submit(map[string]string{"decision": "allow"})
		got := b.copyOf("/consent", fields, b.cookie())
		if b.open(s.URL + "/" + got.to); b.page.status != http.StatusOK || !strings.Contains(b.page.body, "completed already") {
			t.Errorf("%d %s", b.page.status, b.page.body)
		}
		// A cookie whose sessions have all died is replaced there, too (R8).
		s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID+"/sessions", s.Admin(), nil, nil)
		s.Clock.Move(1100 * time.Millisecond)
		d = startDevice(t, s, d.client, "openid")
		b.open(s.URL + "/device")
		dead := b.cookie()
		if b.submit(map[string]string{"user-code": d.userCode}); b.cookie() == dead {
			t.Error("the dead cookie is still there")
		}
		b.at("password")
	})
}
