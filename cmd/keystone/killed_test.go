package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kills is how often the server is killed on each database: -kills=200 for an afternoon.
var kills = flag.Int("kills", 8, "how often the server is killed in each test that does so")

// TestAttackX2_KilledAgainAndAgain: X1, X2. The server is killed at other moments
// again and again while programs use it. What was acknowledged is there afterwards,
// with its row in the trail; what was not can be sent again and comes out as if it
// had been sent once; no refresh token ever has two successors.
func TestAttackX2_KilledAgainAndAgain(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		const password = "a rather long one for all"
		m = m.onPort()
		m.okWith(password, "user", "create", "--username", "chief", "--email", "chief@example.com", "--role", "admin", "--password-stdin")
		c := m.object("client", "create", "--name", "stored", "--kind", "service", "--access-token-format", "opaque")
		client := url.Values{"client_id": {text(c["client_id"])}, "client_secret": {text(c["client_secret"])}}
		n := m.serve()
		admin := text(n.signIn("chief", password)["access_token"])
		families := make([]*family, 3)
		for i := range families {
			families[i] = &family{newest: text(n.signIn("chief", password)["refresh_token"])}
		}
		var all ledger
		for round := range *kills {
			var now ledger
			var wg sync.WaitGroup
			for _, f := range families {
				wg.Go(func() { f.rotate(t, n) })
			}
			for worker := range 2 {
				wg.Go(func() { now.makeUsers(n, admin, fmt.Sprintf("made-%d-%d", round, worker)) })
				wg.Go(func() { now.makeTokens(n, client) })
			}
			time.Sleep(time.Duration(40+(round*137)%400) * time.Millisecond) // another moment each time, the same in each run
			n.kill()
			wg.Wait()
			n = m.serve()
			for _, f := range families {
				f.retry(t, n)
			}
			now.check(t, n, admin, client)
			all.add(&now)
		}
		all.check(t, n, admin, client)
		for _, id := range all.ids {
			if _, got := n.send(http.MethodGet, "/api/v1/admin/audit?action=user.created&target="+id, admin, nil); len(got["items"].([]any)) != 1 {
				t.Errorf("the trail says that %s was made: %v", id, got)
			}
		}
		if len(all.users) < *kills || len(all.living)+len(all.revoked) < *kills || families[0].rotations < *kills {
			t.Errorf("too little went on: %d users, %d tokens, %d revoked, %d rotations", len(all.users), len(all.living), len(all.revoked), families[0].rotations)
		}
		t.Logf("%d kills, %d users, %d tokens, %d revoked, %d rotations of one family", *kills, len(all.users), len(all.living), len(all.revoked), families[0].rotations)
		if code := n.signal(syscall.SIGTERM); code != exitDone {
			t.Errorf("SIGTERM: exit %d", code)
		}
		if r := m.object("audit", "verify"); r["ok"] != true {
			t.Errorf("the chain over the trail: %v", r)
		}
	})
}

// family is a refresh token and its successors, used by one program.
type family struct {
	newest    string // acknowledged
	rotations int
}

func (f *family) rotate(t *testing.T, n *node) {
	for {
		status, answer, err := n.try(http.MethodPost, "/api/v1/auth/refresh", "", asJSON(map[string]any{"refresh_token": f.newest}))
		if err != nil {
			return // killed: whether it was rotated is not known
		}
		if status != http.StatusOK {
			t.Errorf("an acknowledged refresh token answers %d %v", status, answer)
			return
		}
		f.newest = text(answer["refresh_token"])
		f.rotations++
	}
}

// retry sends the request again that was not answered, twice: whether the first one
// had been written or not, there is one successor.
func (f *family) retry(t *testing.T, n *node) {
	var got [2]string
	for i := range got {
		status, answer := n.post("/api/v1/auth/refresh", "", map[string]any{"refresh_token": f.newest})
		if status != http.StatusOK {
			t.Fatalf("the refresh token before the kill answers %d %v", status, answer)
		}
		got[i] = text(answer["refresh_token"])
	}
	if got[0] != got[1] {
		t.Errorf("two successors of one token: %s and %s", got[0], got[1])
	}
	f.newest = got[0]
}

// ledger is what the server acknowledged.
type ledger struct {
	mu              sync.Mutex
	users, ids      []string
	unknown         []string // users whose request was not answered
	living, revoked []string // stored tokens
}

func (l *ledger) add(other *ledger) {
	l.users, l.ids, l.living, l.revoked = append(l.users, other.users...), append(l.ids, other.ids...), append(l.living, other.living...), append(l.revoked, other.revoked...)
}

func (l *ledger) makeUsers(n *node, admin, prefix string) {
	for i := 0; ; i++ {
		name := fmt.Sprint(prefix, "-", i)
		status, answer, err := n.try(http.MethodPost, "/api/v1/users", admin, strings.NewReader(userBody(name)))
		l.mu.Lock()
		switch {
		case err != nil:
			l.unknown = append(l.unknown, name)
		case status == http.StatusCreated:
			l.users, l.ids = append(l.users, name), append(l.ids, text(answer["id"]))
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func userBody(name string) string {
	return `{"username":"` + name + `","email":"` + name + `@example.com","roles":["user"]}`
}

// makeTokens gets tokens that are stored and revokes every second.
func (l *ledger) makeTokens(n *node, client url.Values) {
	for i := 0; ; i++ {
		status, answer, err := n.form("/oauth2/token", client, "grant_type", "client_credentials")
		if err != nil {
			return
		}
		token := text(answer["access_token"])
		if status != http.StatusOK || token == "" {
			continue
		}
		if i%2 == 1 {
			status, _, err = n.form("/oauth2/revoke", client, "token", token)
		}
		l.mu.Lock()
		switch {
		case err != nil: // revoked or not: nobody was told
		case i%2 == 1 && status == http.StatusOK:
			l.revoked = append(l.revoked, token)
		default:
			l.living = append(l.living, token)
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// check holds the server to what it acknowledged.
func (l *ledger) check(t *testing.T, n *node, admin string, client url.Values) {
	t.Helper()
	there := func(name string) int {
		_, answer := n.send(http.MethodGet, "/api/v1/users?q="+name, admin, nil)
		count := 0
		for _, one := range answer["items"].([]any) {
			if one.(map[string]any)["username"] == name {
				count++
			}
		}
		return count
	}
	for _, name := range l.users {
		if there(name) != 1 {
			t.Errorf("%s was acknowledged and is there %d times", name, there(name))
		}
	}
	for _, name := range l.unknown {
		before := there(name)
		status, answer := n.send(http.MethodPost, "/api/v1/users", admin, strings.NewReader(userBody(name)))
		if want := map[int]int{0: http.StatusCreated, 1: http.StatusConflict}[before]; status != want || there(name) != 1 {
			t.Errorf("%s was there %d times, made again it answers %d %v and is there %d times", name, before, status, answer, there(name))
		}
	}
	for want, tokens := range map[bool][]string{true: l.living, false: l.revoked} {
		for _, token := range tokens {
			if _, answer, err := n.form("/oauth2/introspect", client, "token", token); err != nil || answer["active"] != want {
				t.Errorf("a token whose state is active=%t answers %v %v", want, answer, err)
			}
		}
	}
}

// form sends a form with the client's credentials.
func (n *node) form(path string, client url.Values, pairs ...string) (int, map[string]any, error) {
	form := maps.Clone(client)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp, err := (&http.Client{Timeout: 20 * time.Second}).PostForm(n.url+path, form)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer := map[string]any{}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		err = json.NewDecoder(resp.Body).Decode(&answer)
	}
	return resp.StatusCode, answer, err
}
