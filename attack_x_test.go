package keystone_test

import (
	"fmt"
	"net"
	"net/http"
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

// wire is a TCP proxy before the database: it passes, hangs, keeps the answers to
// itself, or cuts.
type wire struct {
	net.Listener
	target string
	hung   atomic.Bool
	mute   atomic.Bool
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
		go w.pass(near, far, &w.mute)
		go w.pass(far, near, &w.hung)
	}
}

func (w *wire) pass(to, from net.Conn, holds *atomic.Bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for w.hung.Load() || holds.Load() {
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

// X4, P2: where the database did what was asked for, and its answer does not come,
// whoever does as they are told (Retry-After) goes on with the refresh token that
// they have. It is no theft.
func TestAttackX4_AnswerThatDoesNotCome(t *testing.T) {
	w, database := newWire(t, storetest.PostgresURL(t))
	s := keystonetest.Start(t, keystonetest.WithPostgres(database))
	u := s.CreateUser("patient")
	for range 5 {
		tokens := s.SignIn(u)
		refresh := func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/refresh", m{"refresh_token": tokens.RefreshToken})
		}
		tokens.RefreshToken = refresh().text("refresh_token") // what is read before the write is in memory now
		w.mute.Store(true)
		lost := refresh()
		w.mute.Store(false)
		lost.wants(t, http.StatusServiceUnavailable, "no answer")
		if lost.header.Get("Retry-After") == "" || strings.Contains(lost.body, "Nothing was changed") {
			t.Errorf("%v %s", lost.header, lost.body)
		}
		wait, _ := strconv.Atoi(lost.header.Get("Retry-After"))
		time.Sleep(time.Duration(wait) * time.Second)
		got := refresh()
		got.wants(t, http.StatusOK, "once more")
		as(s, got.text("access_token")).json(t, "GET", "/api/v1/users/me", nil).wants(t, http.StatusOK, "the new token")
		if trail := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?action=token.refreshed", nil); strings.Contains(trail.body, `"grace":true`) {
			return // it was done, and told nobody
		}
	}
	t.Error("the answer of a write was never lost")
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
	if got := changes["sign-in"](); !strings.Contains(got.body, "The database takes no writes") {
		t.Errorf("it says %s", got.body)
	}
	recovers(t, "not ready", func() bool { return s.Call("GET", "/ready", "", nil, nil) == 503 })
	storetest.ReadOnly(t, database, false)
	recovers(t, "ready", func() bool { return s.Call("GET", "/ready", "", nil, nil) == 200 })
	for _, name := range []string{"rename", "sign-in", "refresh", "revoke"} {
		recovers(t, name, func() bool { return changes[name]().status == 200 })
	}
	if s.Call("GET", "/api/v1/users?q=late", admin, nil, nil) != 200 || people(s, "late") != 0 {
		t.Error("what was answered 503 has happened")
	}
}

// X6: where the database gives fewer connections than a node may want, some of a
// crowd are told to come back and the others served; nobody waits for a connection
// that somebody holds who waits for another, and afterwards all is as before.
func TestAttackX6_TooFewConnections(t *testing.T) {
	database := storetest.PostgresURL(t)
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.Limited(t, database, 4)), keystonetest.WithSettings(map[string]string{"DATABASE_POOL_SIZE": "20"}))
	people := make(chan keystonetest.User, 1000) // each signs in alone: several at once from one place look like guesses
	for i := range 70 {
		people <- s.CreateUser(fmt.Sprintf("crowd%d", i))
	}
	c := s.CreateClient(keystone.Client{Scopes: []string{keystone.UsersRead}})
	token := s.ServiceToken(c)
	ways := []func() answer{
		func() answer {
			u := <-people
			defer func() { people <- u }()
			return as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": u.Password})
		},
		func() answer {
			return as(s, "").form(t, "/oauth2/introspect", "token", token, "client_id", c.ID, "client_secret", c.Secret)
		},
		func() answer { return as(s, token).json(t, "GET", "/api/v1/users?limit=5&q=crowd", nil) },
		func() answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/token", m{"client_id": c.ID, "client_secret": c.Secret, "grant_type": "client_credentials"})
		},
		func() answer {
			name := "crowd" + keystone.NewID(time.Now())
			return as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": name, "email": name + "@example.com", "password": newPassword})
		},
	}
	var all sync.WaitGroup
	var served, later atomic.Int64
	for i := range 60 {
		all.Go(func() {
			for j := range 5 {
				start := time.Now()
				got := ways[(i+j)%len(ways)]()
				switch {
				case got.status == 200 || got.status == 201:
					served.Add(1)
				case got.status == 503 && got.header.Get("Retry-After") != "":
					later.Add(1)
				default:
					t.Errorf("answered %d %s", got.status, got.body)
				}
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("took %s", took)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d served, %d told to come back", served.Load(), later.Load())
	if served.Load() < 60 {
		t.Errorf("only %d of 300 were served", served.Load())
	}
	for i, way := range ways {
		recovers(t, "way "+strconv.Itoa(i), func() bool { return way().status < 300 })
	}
}

// X6: behind PgBouncer that keeps a server connection for each of ours, people sign
// in, applications get tokens, and what is taken away is gone.
func TestAttackX6_BehindPgBouncer(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithPostgres(storetest.PgBouncer(t, storetest.PostgresURL(t), "session", "default_pool_size = 40")))
	node := s.AddNode()
	jane, app := s.CreateUser("jane"), webClient(s)
	b := signedIn(t, s, jane, app)
	code := b.code(app, "scope", "openid offline_access")
	var won atomic.Int64
	var tokens atomic.Value
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if status, got := redeem(t, []*keystonetest.Server{s, node}[i%2], app, code); status == 200 {
				won.Add(1)
				tokens.Store(got)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of 16 redeemed one code", won.Load())
	}
	for range 5 { // and nothing is left behind in a connection that another one gets
		s.SignIn(jane)
		node.SignIn(jane)
	}
	s.Call("PATCH", "/api/v1/users/"+jane.ID, s.Admin(), m{"enabled": false}, nil)
	access := tokens.Load().(map[string]any)["access_token"].(string)
	settles(t, "a disabled user's token works", func() bool { return as(node, access).json(t, "GET", "/oauth2/userinfo", nil).status == 401 })
}
