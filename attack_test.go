package keystone_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/keystonetest"
)

// The attack_*_test.go files hold the cases of SECURITY.md, a file for each
// class, played from outside against the real server: over HTTP, as a stranger,
// a user, an administrator of little, a client. Cases whose place is inside one
// package are tested there.

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any // of a JSON object
}

func (a answer) text(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

// ask is one request, built a piece at a time.
type ask struct {
	s      *keystonetest.Server
	header http.Header
}

func as(s *keystonetest.Server, token string) ask {
	a := ask{s, http.Header{}}
	if token != "" {
		a.header.Set("Authorization", "Bearer "+token)
	}
	return a
}

func (a ask) with(name, value string) ask {
	h := a.header.Clone()
	h.Add(name, value)
	return ask{a.s, h}
}

// json sends body as JSON; a string is sent as it is, nil is no body.
func (a ask) json(t *testing.T, method, path string, body any) answer {
	t.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	if raw != nil && a.header.Get("Content-Type") == "" {
		a = a.with("Content-Type", "application/json")
	}
	return a.send(t, method, path, raw)
}

// form sends names and values as a form.
func (a ask) form(t *testing.T, path string, pairs ...string) answer {
	t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return a.with("Content-Type", "application/x-www-form-urlencoded").send(t, http.MethodPost, path, []byte(values.Encode()))
}

func (a ask) send(t *testing.T, method, path string, raw []byte) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.s.URL+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range a.header {
		req.Header[name] = values
	}
	if host := a.header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	resp, err := a.s.Client().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	out := answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
	_ = json.Unmarshal(text, &out.fields) // pages are not JSON
	return out
}

// wants fails where the answer does not have the status, or says more than a
// refusal may.
func (a answer) wants(t *testing.T, status int, what string, args ...any) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: answered %d, want %d: %.300s", fmt.Sprintf(what, args...), a.status, status, a.body)
	}
	for _, leak := range []string{"SELECT ", "INSERT ", "UPDATE ", "SQLSTATE", "sqlite", "goroutine ", ".go:", "pgx", "internal/"} {
		if a.status >= 400 && strings.Contains(a.body, leak) {
			t.Errorf("%s: the refusal speaks of the inside (%q): %.300s", fmt.Sprintf(what, args...), leak, a.body)
		}
	}
}

// limitedAdmin makes a user whose role carries exactly these scopes, and signs in.
func limitedAdmin(s *keystonetest.Server, name string, scopes ...string) (keystonetest.User, string) {
	s.CreateRole("only-"+name, scopes...)
	u := s.CreateUser(name, "only-"+name)
	return u, s.SignIn(u).AccessToken
}

// settles asks again until good, and fails where that takes longer than the
// second that every change may take to hold everywhere.
func settles(t *testing.T, what string, good func() bool) {
	t.Helper()
	start := time.Now()
	for !good() {
		if time.Since(start) > time.Second {
			t.Errorf("%s: still so after a second", what)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// audited counts the audit rows of an action, newest 200.
func audited(t *testing.T, s *keystonetest.Server, query string) []map[string]any {
	t.Helper()
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if status := s.Call(http.MethodGet, "/api/v1/admin/audit?limit=200&"+query, s.Admin(), nil, &list); status != http.StatusOK {
		t.Fatalf("audit?%s answered %d", query, status)
	}
	return list.Items
}
