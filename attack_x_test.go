package keystone_test

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// wire is a TCP proxy before the database: it passes, hangs, or cuts.
type wire struct {
	net.Listener
	target string
	hung   atomic.Bool
	cut    atomic.Bool
	mu     sync.Mutex
	open   []net.Conn
}

func newWire(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, target: u.Host}
	go w.run()
	t.Cleanup(func() { _ = l.Close(); w.drop() })
	u.Host = l.Addr().String()
	return w, u.String()
}

func (w *wire) run() {
	for {
		near, err := w.Accept()
		if err != nil {
			return
		}
		if w.cut.Load() {
			_ = near.Close()
			continue
		}
		far, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.open = append(w.open, near, far)
		w.mu.Unlock()
		go w.pass(near, far)
		go w.pass(far, near)
	}
}

func (w *wire) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for w.hung.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

func (w *wire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

// P6, X4, X7: a database that is away, or hangs, costs 503 with Retry-After and
// nothing else: no other fault, no wait without end, the keys stay readable; and
// all is well within two seconds of its return.
func TestAttackX4_DatabaseAwayOrHanging(t *testing.T) {
	w, database := newWire(t, storetest.PostgresURL(t))
	s := keystonetest.Start(t, keystonetest.WithPostgres(database))
	u := s.CreateUser("patient")
	c := s.CreateClient(keystone.Client{})
	tokens := s.SignIn(u)
	requests := map[string]func() answer{
		"login": func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "patient", "password": u.Password})
		},
		"me": func() answer { return as(s, tokens.AccessToken).json(t, "GET", "/api/v1/users/me", nil) },
		"rename": func() answer {
			return as(s, tokens.AccessToken).json(t, "PATCH", "/api/v1/users/me", m{"first_name": "x"})
		},
		"register": func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": "late" + strconv.FormatInt(time.Now().UnixNano(), 36), "email": strconv.FormatInt(time.Now().UnixNano(), 36) + "@example.com", "password": "a good password for tests"})
		},
		"service": func() answer {
			return as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", c.ID, "client_secret", c.Secret)
		},
		"introspect": func() answer {
			return as(s, "").form(t, "/oauth2/introspect", "token", tokens.AccessToken, "client_id", c.ID, "client_secret", c.Secret)
		},
		"revoke": func() answer {
			return as(s, "").form(t, "/oauth2/revoke", "token", "ks_rt_x", "client_id", c.ID, "client_secret", c.Secret)
		},
		"sign-in page": func() answer {
			return as(s, "").json(t, "GET", "/login?flow=01890000-0000-7000-8000-000000000000", nil)
		},
		"application's page": func() answer {
			return as(s, "").json(t, "GET", "/oauth2/authorize?response_type=code&client_id="+c.ID, nil)
		},
		"setup": func() answer { return as(s, "").json(t, "GET", "/setup?token=x", nil) },
		"ready": func() answer { return as(s, "").json(t, "GET", "/ready", nil) },
	}
	all := func(what string, most time.Duration) {
		t.Helper()
		var every sync.WaitGroup
		for name, do := range requests {
			every.Go(func() {
				start := time.Now()
				got := do()
				if took := time.Since(start); took > most {
					t.Errorf("%s, %s: took %v", what, name, took)
				}
				if got.status >= 500 && (got.status != 503 || got.header.Get("Retry-After") == "") {
					t.Errorf("%s, %s: answered %d %v %s", what, name, got.status, got.header, got.body)
				}
				got.wants(t, got.status, "%s, %s", what, name)
				if people := name == "setup" || strings.HasSuffix(name, "page"); people && got.status == 503 {
					got.wantsErrorPage(t, 503, what+", "+name)
				}
			})
		}
		for range 10 {
			every.Go(func() {
				start := time.Now()
				got := as(s, "").json(t, "GET", "/oauth2/jwks", nil)
				if took := time.Since(start); got.status != 200 || took > 3*time.Second {
					t.Errorf("%s, JWKS: answered %d after %v", what, got.status, took)
				}
			})
		}
		every.Wait()
	}
	heals := func(what string) {
		t.Helper()
		start := time.Now()
		for as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "patient", "password": u.Password}).status != 200 {
			if time.Since(start) > 2*time.Second {
				t.Errorf("%s: not well after %v", what, time.Since(start))
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	all("before", 5*time.Second)
	for range 2 {
		w.cut.Store(true)
		w.drop()
		time.Sleep(time.Second)
		all("away", 12*time.Second)
		w.cut.Store(false)
		heals("back")
	}
	w.hung.Store(true)
	time.Sleep(time.Second)
	all("hanging", 20*time.Second)
	w.hung.Store(false)
	heals("going on")
	if got := requests["me"](); got.status != 200 {
		t.Errorf("the session did not survive: %d %s", got.status, got.body)
	}
}

// X8: a database that only reads (a standby that was not promoted, a switch by its
// operator) costs whatever writes 503, and nothing else: tokens are introspected,
// people read, keys published. When it writes again all is well, without a restart.
func TestAttackX8_DatabaseThatOnlyReads(t *testing.T) {
	database := storetest.PostgresURL(t)
	s := keystonetest.Start(t, keystonetest.WithPostgres(database))
	u := s.CreateUser("reader")
	c := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
	app := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, FirstParty: true, Scopes: []string{"openid"}})
	tokens := s.SignIn(u)
	var person keystonetest.Tokens
	s.Call("POST", "/api/v1/auth/login", "", m{"username": u.Username, "password": u.Password, "client_id": app.ID}, &person)
	admin := s.Admin()
	reads := map[string]func() answer{
		"me":       func() answer { return as(s, tokens.AccessToken).json(t, "GET", "/api/v1/users/me", nil) },
		"userinfo": func() answer { return as(s, person.AccessToken).json(t, "GET", "/oauth2/userinfo", nil) },
		"keys":     func() answer { return as(s, "").json(t, "GET", "/oauth2/jwks", nil) },
		"metadata": func() answer { return as(s, "").json(t, "GET", "/.well-known/openid-configuration", nil) },
		"users":    func() answer { return as(s, admin).json(t, "GET", "/api/v1/users", nil) },
		"introspect": func() answer {
			return as(s, "").form(t, "/oauth2/introspect", "token", tokens.AccessToken, "client_id", c.ID, "client_secret", c.Secret)
		},
	}
	changes := map[string]func() answer{
		"sign-in": func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": u.Password})
		},
		"rename": func() answer {
			return as(s, tokens.AccessToken).json(t, "PATCH", "/api/v1/users/me", m{"first_name": "x"})
		},
		"refresh": func() answer { return refresh(t, s, tokens.RefreshToken) },
		"revoke": func() answer {
			return as(s, "").form(t, "/oauth2/revoke", "token", person.AccessToken, "client_id", app.ID)
		},
		"log out":  func() answer { return as(s, tokens.AccessToken).json(t, "POST", "/api/v1/auth/logout", nil) },
		"new role": func() answer { return as(s, admin).json(t, "POST", "/api/v1/admin/roles", m{"name": "late"}) },
		"register": func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": "late", "email": "late@example.com", "password": newPassword})
		},
	}
	storetest.ReadOnly(t, database, true)
	recovers(t, "reading", func() bool { return reads["users"]().status == 200 })
	for range 3 {
		for name, do := range reads {
			do().wants(t, 200, "%s of a database that only reads", name)
		}
		for name, do := range changes {
			got := do()
			if got.wants(t, 503, "%s", name); got.header.Get("Retry-After") == "" {
				t.Errorf("%s: nobody is told when to come back", name)
			}
		}
	}
	if got := reads["introspect"](); got.fields["active"] != true {
		t.Errorf("the token is %s", got.body)
	}
	storetest.ReadOnly(t, database, false)
	for _, name := range []string{"rename", "sign-in", "refresh", "revoke"} {
		recovers(t, name, func() bool { return changes[name]().status == 200 })
	}
	if s.Call("GET", "/api/v1/users?q=late", admin, nil, nil) != 200 || people(s, "late") != 0 {
		t.Error("what was answered 503 has happened")
	}
}
