package server

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// logs is what a server under test has logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines returns the entries with a message.
func (l *logs) lines(t *testing.T, message string) (list []map[string]any) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(l.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("not a line of JSON: %s", line)
		}
		if entry["msg"] == message {
			list = append(list, entry)
		}
	}
	return list
}

// The tokens of tests, and whose they are.
var actors = map[string]keystone.Actor{
	"user":    {Kind: keystone.ActorUser, ID: "00000000-0000-7000-8000-000000000001", Name: "ada", ClientID: "keystone", FirstParty: true},
	"third":   {Kind: keystone.ActorUser, ID: "00000000-0000-7000-8000-000000000001", Name: "ada", ClientID: "elsewhere"},
	"reader":  {Kind: keystone.ActorUser, ID: "00000000-0000-7000-8000-000000000002", Name: "bob", FirstParty: true, Scopes: []string{keystone.UsersRead}},
	"service": {Kind: keystone.ActorClient, ID: "00000000-0000-7000-8000-000000000003", Name: "billing", Scopes: []string{keystone.UsersRead}},
}

// settings loads settings as a process would, in a folder of the test.
func settings(t testing.TB, env ...string) *config.Config {
	t.Helper()
	c, err := trySettings(t, env...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func trySettings(t testing.TB, env ...string) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	return config.Load(config.Options{Dir: dir, Environ: append([]string{"DATA_DIR=" + dir, "MANAGEMENT_ADDR=127.0.0.1:0", "HASH_SLOTS=1"}, env...)})
}

// boot makes a server on SQLite whose bearer tokens are those of actors, with
// routes of one's own beside the real ones.
func boot(t testing.TB, env []string, routes ...httpio.Route) (*Server, *logs) {
	t.Helper()
	l := &logs{}
	s, err := New(context.Background(), settings(t, env...), Options{Log: NewLogger(l, slog.LevelDebug, "json"), Version: "test", routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.authenticate = func(_ context.Context, p token.Presented) (keystone.Actor, error) {
		if a, ok := actors[p.Token]; ok && !p.DPoP { // as in the verifier: they are bound to no key
			return a, nil
		}
		return keystone.Actor{}, keystone.Fail(keystone.Unauthenticated, "The access token is not valid.")
	}
	return s, l
}

// off turns the limits off where they are not what is tested.
var off = []string{"RATE_LIMIT_LOGIN=off", "RATE_LIMIT_REGISTER=off", "RATE_LIMIT_API=off", "RATE_LIMIT_TOKEN=off"}

func with(more ...string) []string { return append(append([]string{}, off...), more...) }

// echo is a handler that says who it thinks is there.
func echo(w http.ResponseWriter, r *http.Request) error {
	a := httpio.Actor(r.Context())
	return httpio.WriteJSON(w, http.StatusOK, map[string]string{"kind": string(a.Kind), "id": a.ID, "source": a.Source, "request_id": a.RequestID})
}

// send sends one request to the server's handler. Headers are "Name: value".
func send(s http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "RemoteAddr" {
			r.RemoteAddr = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// wantError checks status and code of an error answer, and its shape.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var body struct {
		Error       string  `json:"error"`
		Description string  `json:"error_description"`
		Timestamp   float64 `json:"timestamp"`
		RequestID   string  `json:"request_id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil && w.Body.Len() > 0 {
		t.Errorf("%d: not JSON: %s", w.Code, w.Body)
		return
	}
	if w.Code != status || body.Error != code {
		t.Errorf("answered %d %s, want %d %s", w.Code, w.Body, status, code)
	}
	if body.Description == "" || body.Timestamp == 0 || body.RequestID == "" || body.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("not the contract's shape: %s (X-Request-Id %s)", w.Body, w.Header().Get("X-Request-Id"))
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", w.Header().Get("Cache-Control"))
	}
}

func fixedActor(context.Context, token.Presented) (keystone.Actor, error) { return actors["user"], nil }
