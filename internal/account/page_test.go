package account_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
)

// form is the form of a page: its hidden fields, and the values that it shows.
func (a answer) form(t *testing.T) url.Values {
	t.Helper()
	values := url.Values{}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(a.text, -1) {
		name := regexp.MustCompile(` name="([^"]*)"`).FindStringSubmatch(tag)
		if name == nil {
			t.Fatal("a field without a name:", tag)
		}
		if value := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(tag); value != nil {
			values.Set(name[1], value[1])
		} else {
			values.Set(name[1], "")
		}
	}
	return values
}

func (w *world) setupToken() string {
	w.t.Helper()
	value, err := w.store.SetupToken(context.Background(), keystone.Operator("test"))
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

func wantPage(t *testing.T, what string, a answer, status int, texts ...string) {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "text/html; charset=utf-8" || a.header.Get("Referrer-Policy") != "no-referrer" ||
		a.header.Get("Cache-Control") != "no-store" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s: %d %v", what, a.status, a.header)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%s: %q is missing:\n%s", what, text, a.text)
		}
	}
	if (status >= 400) != strings.Contains(a.text, `id="error"`) {
		t.Errorf("%s: status %d and the element error do not agree", what, status)
	}
}

func TestSetup(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		token := w.setupToken()
		link := "/setup?token=" + token
		for range 3 { // following the link uses nothing up
			page := w.call("", "GET", link, nil)
			wantPage(t, "the form", page, 200, `id="username"`, `id="email"`, `id="password"`, `id="submit"`, `action="setup"`, "At least 12 characters")
			if page.form(t).Get("token") != token {
				t.Errorf("the token is not carried on: %s", page.text)
			}
		}
		good := url.Values{"token": {token}, "username": {"Boss"}, "email": {"boss@example.com"}, "password": {right}}
		with := func(name, value string) url.Values {
			v := url.Values{}
			for k := range good {
				v[k] = good[k]
			}
			v.Set(name, value)
			return v
		}
		for what, c := range map[string]struct {
			sent   url.Values
			status int
			text   string
		}{
			"name":      {with("username", "a <b>"), 400, `value="a &lt;b&gt;"`},
			"no name":   {with("username", ""), 400, `id="username-problem"`},
			"address":   {with("email", "nowhere"), 400, `id="email-problem"`},
			"password":  {with("password", "short"), 400, "Use at least 12 characters."},
			"about":     {with("password", "boss@example.com"), 400, `id="password-problem"`},
			"long":      {with("password", strings.Repeat("\u20ac", 400)), 400, `id="password-problem"`},
			"bad token": {with("token", token[:len(token)-1]+"x"), 401, "keystone setup-link"},
			"no token":  {with("token", ""), 401, "keystone setup-link"},
			"other":     {with("token", secret.New(secret.OneTime)), 401, "keystone setup-link"},
		} {
			page := w.call("", "POST", "/setup", c.sent)
			wantPage(t, what, page, c.status, c.text)
			if pass := c.sent.Get("password"); strings.Contains(page.text, pass) && pass != "boss@example.com" {
				t.Errorf("%s: the password is repeated", what)
			}
			if c.status == 400 {
				if kept := page.form(t); kept.Get("token") != token || kept.Get("password") != "" || c.sent.Get("email") != kept.Get("email") {
					t.Errorf("%s: what was typed is lost: %v", what, kept)
				}
				if strings.Count(page.text, " autofocus") != 1 {
					t.Errorf("%s: one field has the focus", what)
				}
			}
		}
		// Neither JSON, nor another type, nor a query makes an administrator.
		if a := w.call("", "POST", "/setup", obj{"token": token, "username": "boss"}); a.status != 400 {
			t.Errorf("as JSON: %d", a.status)
		}
		if a := w.call("", "POST", "/setup?"+good.Encode(), url.Values{}); a.status != 400 {
			t.Errorf("in the query: %d", a.status)
		}
		if needed, err := w.store.NeedsSetup(context.Background()); !needed || err != nil {
			t.Fatal("a refused form closed the setup:", needed, err)
		}

		wantPage(t, "done", w.call("", "POST", "/setup", good), 200, "Boss", issuer+"/api/v1/auth/login")
		if !w.signsIn("boss", right) {
			t.Error("the administrator cannot sign in")
		}
		u, err := w.store.FindUser(context.Background(), "boss")
		if err != nil || fmt.Sprint(u.Roles) != "[admin user]" {
			t.Error(u, err)
		}
		// Closed for ever, whatever the link.
		for _, value := range []string{token, secret.New(secret.OneTime), "", "x"} {
			wantPage(t, "link afterwards", w.call("", "GET", "/setup?token="+value, nil), 410, "Setup is done")
			wantPage(t, "form afterwards", w.call("", "POST", "/setup", with("token", value)), 410, "Setup is done")
		}
	})
}

func TestSetupLinkExpires(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		token := w.setupToken()
		w.clock.Move(time.Hour)
		wantPage(t, "expired link", w.call("", "GET", "/setup?token="+token, nil), 401, "keystone setup-link")
		wantPage(t, "expired form", w.call("", "POST", "/setup", url.Values{"token": {token}, "username": {"boss"}, "email": {"boss@example.com"}, "password": {right}}), 401)
		for _, query := range []string{"", "?token=", "?token=%00", "?token=%ff", "?token=x&token=y", "?other=1", "?token=" + strings.Repeat("a", 10000)} {
			wantPage(t, query, w.call("", "GET", "/setup"+query, nil), 401)
		}
	})
}

// P1, X17: of many forms at once one makes the administrator; the others learn
// that it is done, and leave nothing.
func TestSetupRace(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		tokens := []string{w.setupToken(), w.setupToken()}
		var mu sync.Mutex
		count := map[int]int{}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				a := w.call("", "POST", "/setup", url.Values{
					"token": {tokens[i%2]}, "username": {fmt.Sprintf("boss%d", i)}, "email": {fmt.Sprintf("boss%d@example.com", i)}, "password": {right},
				})
				mu.Lock()
				defer mu.Unlock()
				count[a.status]++
			})
		}
		wg.Wait()
		users, err := w.store.Users(context.Background(), "", keystone.Page{})
		if count[200] != 1 || count[410] != 11 || err != nil || len(users.Items) != 1 {
			t.Errorf("%v, %d users, %v", count, len(users.Items), err)
		}
	})
}

func TestSetupNameTaken(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		token := w.setupToken()
		w.person("boss") // somebody registered before there was an administrator
		taken := url.Values{"token": {token}, "username": {"Boss"}, "email": {"boss@example.com"}, "password": {right}}
		wantPage(t, "taken", w.call("", "POST", "/setup", taken), 409, "This username is taken.", `id="email-problem"`, `value="Boss"`)
		taken.Set("username", "chief")
		taken.Set("email", "chief@example.com")
		wantPage(t, "corrected", w.call("", "POST", "/setup", taken), 200)
	})
}

// Where the hash queue is full the form comes back and the link still works.
func TestSetupOverload(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		token, calm := w.setupToken(), w.slice.Hasher
		busy, err := password.New(password.Options{Slots: 1, Queue: 1, MaxWait: time.Millisecond, Params: password.Params{Memory: 64 << 10, Time: 16, Lanes: 1}})
		if err != nil {
			t.Fatal(err)
		}
		w.slice.Hasher = busy
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := busy.Hash(context.Background(), right); err != nil {
				t.Error(err)
			}
		})
		for inUse := 0; inUse == 0; inUse, _ = busy.Stats() {
			runtime.Gosched()
		}
		form := url.Values{"token": {token}, "username": {"boss"}, "email": {"boss@example.com"}, "password": {right}}
		page := w.call("", "POST", "/setup", form)
		wantPage(t, "overload", page, 503, "Try again", `value="boss"`)
		if page.header.Get("Retry-After") != "2" {
			t.Errorf("Retry-After: %q", page.header.Get("Retry-After"))
		}
		wg.Wait()
		w.slice.Hasher = calm
		wantPage(t, "afterwards", w.call("", "POST", "/setup", form), 200)
	})
}

func TestResetPage(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		user := w.person("user")
		start := func() string {
			t.Helper()
			value, _, err := w.slice.Proof.StartReset(context.Background(), keystone.Operator("test"), user.ID)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		token := start()
		page := w.call("", "GET", "/reset?token="+token, nil)
		wantPage(t, "the form", page, 200, `id="password"`, `action="reset"`)
		if strings.Contains(page.text, "user@example.com") || page.form(t).Get("token") != token {
			t.Errorf("the page tells whose link it is, or loses it: %s", page.text)
		}
		wantPage(t, "short", w.call("", "POST", "/reset", url.Values{"token": {token}, "password": {"short"}}), 400, `id="password-problem"`)
		wantPage(t, "about", w.call("", "POST", "/reset", url.Values{"token": {token}, "password": {"user@example.com"}}), 400)
		wantPage(t, "done", w.call("", "POST", "/reset", url.Values{"token": {token}, "password": {another}}), 200, "Your password is set")
		wantPage(t, "again", w.call("", "POST", "/reset", url.Values{"token": {token}, "password": {right}}), 401)
		wantPage(t, "used link", w.call("", "GET", "/reset?token="+token, nil), 401)
		if !w.signsIn("user", another) || w.alive(user.SessionID) {
			t.Error("the password was not set, or a session goes on")
		}

		w.clock.Move(time.Second)
		token = start()
		const api = "/api/v1/auth/reset-password"
		if a := w.want(400, "", "POST", api, obj{"token": token, "password": "short"}); a.fields() != "password" {
			t.Error(a.text)
		}
		w.want(400, "", "POST", api, obj{"token": token, "password": right, "username": "other"})
		w.want(204, "", "POST", api, obj{"token": token, "password": right})
		for _, bad := range []string{token, secret.New(secret.OneTime), w.setupToken(), "x", ""} {
			if a := w.want(401, "", "POST", api, obj{"token": bad, "password": right}); a.str("error") != "authentication_failed" || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%.8s: %s", bad, a.text)
			}
		}
		if !w.signsIn("user", right) {
			t.Error("the password was not set through the API")
		}
	})
}

func TestStaticFiles(t *testing.T) {
	eachDB(t, func(t *testing.T, w *world) {
		page := w.call("", "GET", "/setup", nil)
		for _, m := range regexp.MustCompile(`href="(static/[^"]+)"`).FindAllStringSubmatch(page.text, -1) {
			w.want(200, "", "GET", "/"+m[1], nil)
		}
		w.want(404, "", "GET", "/static/nothing.css", nil)
		w.want(404, "", "GET", "/static/..%2fweb.go", nil)
	})
}
