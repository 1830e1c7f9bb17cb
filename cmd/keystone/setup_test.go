package main

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSetupLinkWorksOnce: of many who use the printed link and another one at
// the same time, one becomes the first administrator; after that no link opens
// anything, on a restart neither.
func TestSetupLinkWorksOnce(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m = m.onPort()
		n := m.serve()
		links := []string{text(n.ready["setup_link"]), text(m.object("setup-link")["setup_link"])}
		for _, link := range links {
			if !strings.HasPrefix(link, n.url+"/setup?token=ks_ot_") {
				t.Fatalf("setup link %q", link)
			}
			if status := page(t, http.MethodGet, link, nil); status != http.StatusOK {
				t.Errorf("looking at the setup page: %d", status)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := map[int]int{}
		for i := range 8 {
			wg.Go(func() {
				token := links[i%2][strings.Index(links[i%2], "ks_ot_"):]
				status := page(t, http.MethodPost, n.url+"/setup", url.Values{
					"token": {token}, "username": {fmt.Sprint("chief", i)}, "email": {fmt.Sprintf("chief%d@example.org", i)}, "password": {"only for the very first day"},
				})
				mu.Lock()
				defer mu.Unlock()
				made[status]++
			})
		}
		wg.Wait()
		users := m.items("user", "list")
		if made[http.StatusOK] != 1 || len(users) != 1 {
			t.Fatalf("answers: %v, users: %d", made, len(users))
		}
		if scope := text(n.signIn(text(users[0]["username"]), "only for the very first day")["scope"]); !strings.Contains(scope, "users:write") {
			t.Errorf("the first administrator may only %q", scope)
		}
		for _, link := range links {
			if status := page(t, http.MethodGet, link, nil); status != http.StatusGone {
				t.Errorf("the page after its use: %d", status)
			}
		}
		m.refused("administrator already", "setup-link")
		n.signal(syscall.SIGTERM)
		if again := m.serve(); again.ready["setup_link"] != nil {
			t.Error("a restart prints a link although there is an administrator")
		}
	})
}

func page(t *testing.T, method, address string, form url.Values) int {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return 0
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestSameAnswersAsTheAPI: whoever moves a script from the API to the command
// line, or back, finds the same things under the same names.
func TestSameAnswersAsTheAPI(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		const password = "a rather long one for chief"
		m = m.onPort()
		m.okWith(password, "user", "create", "--username", "chief", "--email", "chief@example.org", "--role", "admin", "--password-stdin")
		client := m.object("client", "create", "--name", "Billing", "--kind", "service", "--access-token-ttl", "1m")
		n := m.serve()
		bearer := text(n.signIn("chief", password)["access_token"])
		for path, args := range map[string]string{
			"/api/v1/users": "user list", "/api/v1/admin/roles": "role list", "/api/v1/admin/scopes": "scope list",
			"/api/v1/admin/clients": "client list", "/api/v1/admin/sessions": "session list", "/api/v1/admin/keys": "key list",
			"/api/v1/admin/audit": "audit list", "/api/v1/admin/settings": "config show",
			"/api/v1/admin/clients/" + text(client["client_id"]) + "/secrets": "client secret list " + text(client["client_id"]),
		} {
			var api, cli map[string]any
			// When a client or session was last used is written a moment after
			// the use, perhaps between the two questions: then both are asked again.
			for range 50 {
				var status int
				if status, api = n.send(http.MethodGet, path, bearer, nil); status != http.StatusOK {
					t.Fatalf("GET %s: %d %v", path, status, api)
				}
				if cli = m.object(strings.Fields(args)...); reflect.DeepEqual(cli["items"], api["items"]) {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if !reflect.DeepEqual(cli["items"], api["items"]) {
				t.Errorf("GET %s and keystone %s differ:\n%v\n%v", path, args, api["items"], cli["items"])
			}
		}
	})
}
