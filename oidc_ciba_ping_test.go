package keystone_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const notifyToken = "8d67dc78-7faa-4d41-aabd-67707b374255"

// told is a client's notification endpoint, over https: what it was told, by path.
type told struct {
	*httptest.Server
	mu     sync.Mutex
	ids    map[string][]string
	answer func(path string) int // nil: 204
}

func newTold(t *testing.T) (*told, keystonetest.Option) {
	t.Helper()
	n := &told{ids: map[string][]string{}}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent map[string]string
		if err := json.Unmarshal(body, &sent); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer "+notifyToken || len(sent) != 1 {
			t.Errorf("notification: %s %v %s", r.Method, r.Header, body)
		}
		n.mu.Lock()
		n.ids[r.URL.Path] = append(n.ids[r.URL.Path], sent["auth_req_id"])
		answer := n.answer
		n.mu.Unlock()
		status := http.StatusNoContent
		if answer != nil {
			status = answer(r.URL.Path)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	return n, reached(t, n.Server)
}

func (n *told) got(path string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.ids[path]...)
}

func (n *told) wait(t *testing.T, path string, times int) []string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got := n.got(path); len(got) >= times {
			return got
		}
	}
	t.Fatalf("%s: told %d times, want %d", path, len(n.got(path)), times)
	return nil
}

// pinged is a client that is told of answers at a path.
func (n *told) pinged(s *keystonetest.Server, path string) keystonetest.Client {
	return bankClient(s, func(c *keystone.Client) {
		c.BackchannelDelivery, c.BackchannelNotify = keystone.DeliveryPing, n.URL+path
	})
}

// TestCIBAPing: a client that wants to be told is told of a yes and of a no, once
// and with its own bearer value (OpenID Connect CIBA section 10.2), and may poll
// meanwhile.
func TestCIBAPing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database keystonetest.Option) {
		n, reach := newTold(t)
		s := keystonetest.Start(t, reach, database)
		jane, bank := s.CreateUser("jane"), n.pinged(s, "/told")
		b := newBrowser(t, s)
		for i, decision := range []string{"allow", "deny"} {
			a := startBack(t, s, bank, "login_hint", "jane", "client_notification_token", notifyToken)
			a.wants("authorization_pending")
			b.look(jane)
			if len(n.got("/told")) != i {
				t.Errorf("told before there was an answer")
			}
			b.says(decision)
			if ids := n.wait(t, "/told", i+1); ids[i] != a.id {
				t.Errorf("told of %v, not of %s", ids, a.id)
			}
			status, answer := a.poll(s)
			if decision == "allow" && status != http.StatusOK || decision == "deny" && answer["error"] != "access_denied" {
				t.Errorf("%s: %d %v", decision, status, answer)
			}
		}
		polls := bankClient(s) // who polls is not told, whatever it sends
		a := startBack(t, s, polls, "login_hint", "jane", "client_notification_token", notifyToken)
		b.look(jane)
		b.says("allow")
		if status, answer := a.poll(s); status != http.StatusOK {
			t.Errorf("%d %v", status, answer)
		}
		time.Sleep(1500 * time.Millisecond) // a round of the job: nothing comes twice
		if ids := n.got("/told"); len(ids) != 2 {
			t.Errorf("told %v", ids)
		}
	})
}

// TestI12Ping: receivers that fail are tried again, those that refuse are not, those
// that redirect are not followed, and what has expired is not sent. The person does
// not wait for them.
func TestI12Ping(t *testing.T) {
	n, reach := newTold(t)
	s := keystonetest.Start(t, reach)
	jane := s.CreateUser("jane")
	var mu sync.Mutex
	failing := true
	n.answer = func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case path == "/redirects":
			return http.StatusFound
		case path == "/refuses":
			return http.StatusUnauthorized
		case failing:
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
	b := newBrowser(t, s)
	begin := func(path string) asked {
		a := startBack(t, s, n.pinged(s, path), "login_hint", "jane", "client_notification_token", notifyToken)
		b.look(jane)
		began := time.Now()
		b.says("allow")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: she waited %s", path, took)
		}
		return a
	}
	fails, redirects, refuses := begin("/fails"), begin("/redirects"), begin("/refuses")
	for _, path := range []string{"/fails", "/redirects", "/refuses"} {
		n.wait(t, path, 1)
	}
	mu.Lock()
	failing = false
	mu.Unlock()
	time.Sleep(200 * time.Millisecond) // what is in flight is written down
	s.Clock.Move(6 * time.Second)
	if ids := n.wait(t, "/fails", 2); ids[1] != fails.id {
		t.Errorf("told of %v", ids)
	}
	mu.Lock()
	failing = true
	mu.Unlock()
	late := begin("/late")
	n.wait(t, "/late", 1)
	time.Sleep(200 * time.Millisecond)
	s.Clock.Move(5 * time.Minute)
	time.Sleep(2500 * time.Millisecond) // rounds of the job
	for path, a := range map[string]asked{"/redirects": redirects, "/refuses": refuses, "/late": late} {
		if ids := n.got(path); len(ids) != 1 || ids[0] != a.id {
			t.Errorf("%s: told of %v", path, ids)
		}
	}
	if ids := n.got("/elsewhere"); len(ids) != 0 {
		t.Errorf("a redirect was followed: %v", ids)
	}
}

// TestCIBASigned: signed requests (OpenID Connect CIBA section 7.1.1).
func TestCIBASigned(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("jane")
		k, stranger := newClientKey(t, "ES256", "a"), newClientKey(t, "ES256", "a")
		keys := func(c *keystone.Client) { c.JWKS = jwks(t, k) }
		free := bankClient(s, keys)
		must := bankClient(s, keys, func(c *keystone.Client) { c.BackchannelAlg = "ES256" })
		other := bankClient(s, keys, func(c *keystone.Client) { c.BackchannelAlg = "PS256" })
		always := bankClient(s, keys, func(c *keystone.Client) { c.RequireSignedRequest = true })
		claims := func(c keystonetest.Client, pairs ...any) map[string]any {
			now := s.Clock.Now()
			return changed(map[string]any{"iss": c.ID, "aud": s.Issuer, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "jti": "j-1",
				"scope": "openid", "login_hint": "jane", "binding_message": "W4SCT", "requested_expiry": 120}, pairs)
		}
		send := func(c keystonetest.Client, raw string, pairs ...string) (int, map[string]any) {
			return postForm(t, s, "/oauth2/bc-authorize", credentials(c, append([]string{"request", raw}, pairs...)...))
		}
		for _, c := range []keystonetest.Client{free, must, always} {
			if status, answer := send(c, k.sign(t, "JWT", claims(c))); status != http.StatusOK || answer["expires_in"] != 120.0 {
				t.Errorf("%d %v", status, answer)
			}
		}
		now := s.Clock.Now()
		for name, raw := range map[string]string{
			"unsigned": "eyJhbGciOiJub25lIn0." + strings.Split(k.sign(t, "JWT", claims(must)), ".")[1] + ".", "a stranger's": stranger.sign(t, "JWT", claims(must)), "not a JWT": "x.y.z",
			"of another client": k.sign(t, "JWT", claims(must, "iss", free.ID)), "no iss": k.sign(t, "JWT", claims(must, "iss", nil)),
			"for another server": k.sign(t, "JWT", claims(must, "aud", "https://other.example")), "no aud": k.sign(t, "JWT", claims(must, "aud", nil)),
			"no exp": k.sign(t, "JWT", claims(must, "exp", nil)), "expired": k.sign(t, "JWT", claims(must, "exp", now.Add(-time.Minute).Unix())), "good for long": k.sign(t, "JWT", claims(must, "exp", now.Add(2*time.Hour).Unix())),
			"61 min from nbf to exp": k.sign(t, "JWT", claims(must, "nbf", now.Add(-31*time.Minute).Unix(), "exp", now.Add(30*time.Minute).Unix())),
			"no iat":                 k.sign(t, "JWT", claims(must, "iat", nil)), "no nbf": k.sign(t, "JWT", claims(must, "nbf", nil)), "of the future": k.sign(t, "JWT", claims(must, "nbf", now.Add(time.Hour).Unix())), "no jti": k.sign(t, "JWT", claims(must, "jti", nil)),
			"an assertion": k.sign(t, "JWT", claims(must, "sub", must.ID)), "one in another": k.sign(t, "JWT", claims(must, "request", "x")), "a logout token": k.sign(t, "logout+jwt", claims(must)),
			"two hints": k.sign(t, "JWT", claims(must, "id_token_hint", "x")),
		} {
			if status, answer := send(must, raw); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
		if status, answer := send(other, k.sign(t, "JWT", claims(other))); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
			t.Errorf("another algorithm: %d %v", status, answer)
		}
		if status, answer := send(must, k.sign(t, "JWT", claims(must)), "binding_message", "another"); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
			t.Errorf("a parameter beside it: %d %v", status, answer)
		}
		for _, c := range []keystonetest.Client{must, always} {
			if status, answer := askBack(t, s, c, "login_hint", "jane"); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
				t.Errorf("not signed: %d %v", status, answer)
			}
		}
	})
}

// TestCIBAClients: what a client may register, over the API and by itself.
func TestCIBAClients(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "token"}))
	api := func(kind string, more map[string]any) (int, map[string]any) {
		body := map[string]any{"name": "Bank", "kind": kind, "grants": []string{keystone.GrantCIBA}, "scopes": []string{"openid"}}
		for name, v := range more {
			body[name] = v
		}
		var answer map[string]any
		return s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, &answer), answer
	}
	const at = "https://bank.example/told"
	for name, test := range map[string]struct {
		kind   string
		more   map[string]any
		status int
	}{
		"polls":          {"web", nil, 201},
		"says so":        {"web", map[string]any{"backchannel_token_delivery_mode": "poll"}, 201},
		"told":           {"web", map[string]any{"backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": at}, 201},
		"told nowhere":   {"web", map[string]any{"backchannel_token_delivery_mode": "ping"}, 400},
		"told in plain":  {"web", map[string]any{"backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": "http://bank.example/told"}, 400},
		"told at a part": {"web", map[string]any{"backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": at + "#x"}, 400},
		"an address":     {"web", map[string]any{"backchannel_client_notification_endpoint": at}, 400},
		"push":           {"web", map[string]any{"backchannel_token_delivery_mode": "push", "backchannel_client_notification_endpoint": at}, 422},
		"signed":         {"web", map[string]any{"backchannel_authentication_request_signing_alg": "ES256"}, 400},
		"signed by none": {"web", map[string]any{"backchannel_authentication_request_signing_alg": "none", "jwks": jwks(t, newClientKey(t, "ES256", "a"))}, 400},
		"signed, keys":   {"web", map[string]any{"backchannel_authentication_request_signing_alg": "ES256", "jwks": jwks(t, newClientKey(t, "ES256", "a"))}, 201},
		"a service":      {"service", nil, 400},
		"public":         {"spa", nil, 400},
	} {
		status, answer := api(test.kind, test.more)
		if status/100 != test.status/100 {
			t.Errorf("%s: %d %v", name, status, answer)
		}
		for field, want := range test.more {
			if status == http.StatusCreated && field != "jwks" && answer[field] != want {
				t.Errorf("%s: %s is %v", name, field, answer[field])
			}
		}
	}
	// By itself, where a token allows for the grant.
	var made struct {
		Token string `json:"registration_token"`
	}
	s.Call(http.MethodPost, "/api/v1/admin/registration-tokens", s.Admin(), map[string]any{"name": "Banks", "uses": 10, "scopes": []string{"openid"}, "grants": []string{keystone.GrantCIBA}}, &made)
	register := func(more map[string]any) (int, map[string]any) {
		body := map[string]any{"client_name": "Bank", "grant_types": []string{keystone.GrantCIBA}}
		for name, v := range more {
			body[name] = v
		}
		var answer map[string]any
		return s.Call(http.MethodPost, "/oauth2/register", made.Token, body, &answer), answer
	}
	status, answer := register(map[string]any{"backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": at, "backchannel_user_code_parameter": false, "token_endpoint_auth_method": "client_secret_post"})
	if status != http.StatusCreated || answer["backchannel_token_delivery_mode"] != "ping" || answer["backchannel_client_notification_endpoint"] != at {
		t.Errorf("%d %v", status, answer)
	}
	for _, more := range []map[string]any{{"backchannel_user_code_parameter": true}, {"backchannel_token_delivery_mode": "push"}, {"backchannel_token_delivery_mode": "ping"}} {
		if status, answer := register(more); status != http.StatusBadRequest || answer["error"] != "invalid_client_metadata" {
			t.Errorf("%v: %d %v", more, status, answer)
		}
	}
	jane := s.CreateUser("jane")
	mine := keystonetest.Client{ID: answer["client_id"].(string), Secret: answer["client_secret"].(string)}
	startBack(t, s, mine, "login_hint", "jane", "scope", "openid", "client_notification_token", notifyToken)
	b := newBrowser(t, s)
	b.look(jane)
	b.at("unknown-client")
}
