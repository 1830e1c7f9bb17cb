package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestAttackX1_KilledWhilePeopleAct: X1. The server is killed again and again between any
// two steps of what people do: sign in and allow an application something, whose codes are
// redeemed; take it back; change a password; and while keys are rotated. What was
// acknowledged holds afterwards, and what was not has happened or has not, never half.
func TestAttackX1_KilledWhilePeopleAct(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m = m.onPort()
		m.okWith("a rather long one for all", "user", "create", "--username", "chief", "--email", "chief@example.com", "--role", "admin", "--password-stdin")
		c := m.object("client", "create", "--name", "app", "--kind", "web", "--redirect-uri", appCallback, "--scope", "openid", "--scope", "offline_access")
		n := m.serve()
		admin := text(n.signIn("chief", "a rather long one for all")["access_token"])
		lives := []life{&keyKeeper{admin: admin}}
		for i := range 2 {
			name := fmt.Sprint("person", i)
			m.okWith("a rather long one for "+name, "user", "create", "--username", name, "--email", name+"@example.com", "--password-stdin")
			lives = append(lives, &mover{name: name, now: "a rather long one for " + name})
			name = fmt.Sprint("visitor", i)
			m.okWith("a rather long one for "+name, "user", "create", "--username", name, "--email", name+"@example.com", "--password-stdin")
			lives = append(lives, newVisitor(t, n, admin, name, url.Values{"client_id": {text(c["client_id"])}, "client_secret": {text(c["client_secret"])}}))
		}
		for round := range *kills {
			var wg sync.WaitGroup
			for _, l := range lives {
				wg.Go(func() {
					for l.act(t, n) == nil {
					}
				})
			}
			time.Sleep(time.Duration(60+(round*139)%500) * time.Millisecond)
			n.kill()
			wg.Wait()
			n = m.serve()
			for _, l := range lives {
				l.check(t, n)
			}
		}
		for _, l := range lives {
			t.Logf("%T: %d acknowledged", l, l.done())
			if l.done() == 0 {
				t.Errorf("%T: nothing went on", l)
			}
		}
		if code := n.signal(syscall.SIGTERM); code != exitDone {
			t.Errorf("SIGTERM: exit %d", code)
		}
		if r := m.object("audit", "verify"); r["ok"] != true {
			t.Errorf("the chain over the trail: %v", r)
		}
	})
}

// life is what one program or person does, again and again.
type life interface {
	act(t *testing.T, n *node) error // not nil: the server has gone
	check(t *testing.T, n *node)     // against the server that came after it
	done() int
}

// errOut ends what somebody does: the test has failed.
var errOut = errors.New("out")

// mover changes their password again and again.
type mover struct {
	name, now, next string // next: the change to it was not answered
	token           string
	changes         int
}

func (v *mover) done() int { return v.changes }

func (v *mover) act(t *testing.T, n *node) error {
	if v.token == "" {
		status, answer, err := n.try(http.MethodPost, "/api/v1/auth/login", "", asJSON(map[string]any{"username": v.name, "password": v.now}))
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			t.Errorf("%s: an acknowledged password answers %d %v", v.name, status, answer)
			return errOut
		}
		v.token = text(answer["access_token"])
	}
	v.next = fmt.Sprintf("%s, the long one number %d", strings.ToUpper(v.name[:1])+v.name[1:], v.changes)
	status, answer, err := n.try(http.MethodPost, "/api/v1/users/me/password", v.token, asJSON(map[string]any{"current_password": v.now, "new_password": v.next}))
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		t.Errorf("%s changes the password: %d %v", v.name, status, answer)
		return errOut
	}
	v.now, v.next = v.next, ""
	v.changes++
	return nil
}

func (v *mover) check(t *testing.T, n *node) {
	works := func(password string) bool {
		status, _ := n.post("/api/v1/auth/login", "", map[string]any{"username": v.name, "password": password})
		return status == http.StatusOK
	}
	before := works(v.now)
	after := v.next != "" && works(v.next)
	if before == after {
		t.Errorf("%s: the password before works: %t, the one that was not acknowledged: %t", v.name, before, after)
	}
	if after {
		v.now = v.next
		v.changes++
	}
	v.next, v.token = "", ""
}

// keyKeeper makes the next key and revokes it again.
type keyKeeper struct {
	admin   string
	next    string   // made, and not revoked by anybody
	revoked []string // acknowledged
}

func (k *keyKeeper) done() int { return len(k.revoked) }

func (k *keyKeeper) act(t *testing.T, n *node) error {
	if k.next == "" {
		status, answer, err := n.try(http.MethodPost, "/api/v1/admin/keys/rotate?alg=ES256", k.admin, nil)
		if err != nil {
			return err
		}
		if status != http.StatusCreated {
			t.Errorf("rotate: %d %v", status, answer)
			return errOut
		}
		k.next = text(answer["kid"])
	}
	status, answer, err := n.try(http.MethodDelete, "/api/v1/admin/keys/"+k.next, k.admin, nil)
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		t.Errorf("revoke: %d %v", status, answer)
		return errOut
	}
	k.revoked, k.next = append(k.revoked, k.next), ""
	return nil
}

func (k *keyKeeper) check(t *testing.T, n *node) {
	_, answer := n.send(http.MethodGet, "/api/v1/admin/keys", k.admin, nil)
	in, state := map[string][]string{}, map[string]string{}
	for _, item := range answer["items"].([]any) {
		key := item.(map[string]any)
		what := text(key["alg"]) + " " + text(key["state"])
		in[what], state[text(key["kid"])] = append(in[what], text(key["kid"])), text(key["state"])
	}
	for _, kid := range k.revoked {
		if state[kid] != "revoked" {
			t.Errorf("the key %s was revoked and is %s", kid, state[kid])
		}
	}
	if k.next != "" && state[k.next] != "next" && state[k.next] != "revoked" {
		t.Errorf("the key %s was made and is %q", k.next, state[k.next])
	}
	next := in["ES256 next"]
	if len(in["ES256 current"]) != 1 || len(next) > 1 {
		t.Errorf("keys: %v", in)
	}
	if k.next = ""; len(next) == 1 {
		k.next = next[0] // made, though nobody was told; or its revocation was not acknowledged
	}
}

const appCallback = "https://app.example/cb"

// visitor allows an application something, which redeems the code, and takes it back.
type visitor struct {
	name    string
	client  url.Values
	browser *http.Client
	token   string // for the API

	code    string // the request to redeem it was not answered
	refresh string // acknowledged, and not taken back by anybody
	taking  bool   // it back: not answered
	dead    []string
	rounds  int

	admin    string    // reads the trail
	since    time.Time // the server was started
	redeemed int       // codes since then
}

func newVisitor(t *testing.T, n *node, admin, name string, client url.Values) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{name: name, client: client, admin: admin, since: time.Now(), browser: &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), appCallback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
	v.token = text(n.signIn(name, "a rather long one for "+name)["access_token"])
	return v
}

func (v *visitor) done() int { return v.rounds }

// verifier is that of every request (RFC 7636).
const verifier = "a-verifier-that-is-long-enough-for-everybody-who-reads-it"

func (v *visitor) act(t *testing.T, n *node) error {
	code, err := v.allow(t, n)
	if err != nil {
		return err
	}
	v.code = code
	status, tokens, err := v.ask(n, "grant_type", "authorization_code", "code", code, "redirect_uri", appCallback, "code_verifier", verifier)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		t.Errorf("%s: a new code answers %d", v.name, status)
		return errOut
	}
	v.code, v.refresh = "", text(tokens["refresh_token"])
	v.redeemed++
	v.taking = true
	status, answer, err := n.try(http.MethodDelete, "/api/v1/users/me/apps/"+v.client.Get("client_id"), v.token, nil)
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		t.Errorf("%s takes it back: %d %v", v.name, status, answer)
		return errOut
	}
	v.dead, v.taking, v.refresh = append(v.dead, v.refresh), false, ""
	v.rounds++
	return nil
}

// allow goes to the application's sign-in and answers what it is asked, and returns the
// code.
func (v *visitor) allow(t *testing.T, n *node) (string, error) {
	sum := sha256.Sum256([]byte(verifier))
	at := n.url + "/oauth2/authorize?" + url.Values{
		"client_id": {v.client.Get("client_id")}, "response_type": {"code"}, "redirect_uri": {appCallback}, "scope": {"openid offline_access"}, "state": {"s"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode()
	resp, err := v.browser.Get(at)
	if err != nil {
		return "", err
	}
	for range 5 {
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return "", err
		}
		if to, err := resp.Location(); err == nil {
			if to.Query().Get("code") == "" {
				t.Errorf("%s: %s", v.name, to)
				return "", errOut
			}
			return to.Query().Get("code"), nil
		}
		form := pageForm.FindStringSubmatch(string(body))
		if form == nil {
			t.Errorf("%s: %d, no form at %s:\n%s", v.name, resp.StatusCode, resp.Request.URL, body)
			return "", errOut
		}
		values, _ := inputs(form[2])
		values.Set("login", v.name)
		values.Set("password", "a rather long one for "+v.name)
		values.Set("decision", "allow")
		to, err := resp.Request.URL.Parse(html.UnescapeString(form[1]))
		if err != nil {
			return "", err
		}
		req, err := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(values.Encode()))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", n.url)
		resp, err = v.browser.Do(req)
		if err != nil {
			return "", err
		}
	}
	t.Errorf("%s is asked again and again at %s", v.name, resp.Request.URL)
	return "", errOut
}

// ask asks the token endpoint as the client.
func (v *visitor) ask(n *node, pairs ...string) (int, map[string]any, error) {
	return n.form("/oauth2/token", v.client, pairs...)
}

func (v *visitor) check(t *testing.T, n *node) {
	refreshed := func(token string) bool {
		status, _, err := v.ask(n, "grant_type", "refresh_token", "refresh_token", token)
		return err == nil && status == http.StatusOK
	}
	allowed := func() bool {
		status, _ := n.send(http.MethodGet, "/api/v1/users/me/apps/"+v.client.Get("client_id"), v.token, nil)
		return status == http.StatusOK
	}
	for _, token := range v.dead {
		if refreshed(token) {
			t.Errorf("%s took back what a refresh token still does", v.name)
		}
	}
	switch {
	case v.taking: // taken back with the token, or neither
		if refreshed(v.refresh) != allowed() {
			t.Errorf("%s: half taken back: allowed %t", v.name, allowed())
		}
	case v.code != "": // redeemed or not: a second time never
		if !allowed() {
			t.Errorf("%s: the code was given, and what was allowed is not there", v.name)
		}
		var worked int
		for range 2 {
			status, answer, err := v.ask(n, "grant_type", "authorization_code", "code", v.code, "redirect_uri", appCallback, "code_verifier", verifier)
			switch {
			case err == nil && status == http.StatusOK:
				worked++
			case err != nil || answer["error"] != "invalid_grant":
				t.Errorf("%s: the code answers %d %v %v", v.name, status, answer, err)
			}
		}
		if worked > 1 {
			t.Errorf("%s: a code was redeemed twice", v.name)
		}
		v.redeemed++ // now, or before the kill
	}
	_, trail := n.send(http.MethodGet, "/api/v1/admin/audit?"+url.Values{"action": {"code.redeemed"}, "actor": {v.name}, "limit": {"200"}, "from": {v.since.UTC().Format(time.RFC3339Nano)}}.Encode(), v.admin, nil)
	if got := len(trail["items"].([]any)); got != v.redeemed {
		t.Errorf("%s: %d codes were redeemed, the trail has %d", v.name, v.redeemed, got)
	}
	v.code, v.refresh, v.taking, v.dead, v.since, v.redeemed = "", "", false, nil, time.Now(), 0
}
