package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

var (
	ctx      = context.Background()
	operator = keystone.Operator("test")
)

// holder returns a user, not in the database, who holds these scopes.
func holder(scopes ...string) keystone.Actor {
	return keystone.Actor{Kind: keystone.ActorUser, ID: keystone.NewID(time.Now()), Name: "holder", Scopes: scopes}
}

// eachNodes runs f against n nodes on one fresh database, on SQLite and on
// PostgreSQL. They share the clock and nothing else.
func eachNodes(t *testing.T, n int, f func(t *testing.T, nodes []*store.Store, clock *storetest.Clock)) {
	t.Helper()
	run := func(t *testing.T, url string) {
		clock := storetest.NewClock()
		nodes := make([]*store.Store, n)
		for i := range nodes {
			nodes[i] = storetest.OpenAt(t, url, clock)
		}
		f(t, nodes, clock)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLitePath(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t)) })
}

// together makes n calls at once and returns what each answered.
func together[T any](n int, call func(i int) T) []T {
	answers := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return answers
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want keystone.Kind) {
	t.Helper()
	if got := keystone.KindOf(err); err == nil || got != want {
		t.Fatalf("got kind %d (%v), want %d", got, err, want)
	}
}

// wantField is wantKind, and the answer names the field.
func wantField(t testing.TB, err error, want keystone.Kind, field string) {
	t.Helper()
	wantKind(t, err, want)
	e, _ := err.(*keystone.Error) //nolint:errorlint // what callers see, not what is wrapped
	if e == nil || e.Fields[field] == "" {
		t.Fatalf("got %v, want a reason for the field %s", err, field)
	}
}

func ptr[T any](v T) *T { return &v }

func newUser(t testing.TB, s *store.Store, name string, roles ...string) keystone.User {
	t.Helper()
	u, err := s.CreateUser(ctx, operator, keystone.User{Username: name, Email: name + "@example.com", Enabled: true, Roles: roles}, "hash-of-"+name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newScope(t testing.TB, s *store.Store, name string) keystone.Scope {
	t.Helper()
	return must[keystone.Scope](t)(s.CreateScope(ctx, operator, keystone.Scope{Name: name}))
}

func newRole(t testing.TB, s *store.Store, name string, scopes ...string) keystone.Role {
	t.Helper()
	return must[keystone.Role](t)(s.CreateRole(ctx, operator, keystone.Role{Name: name, Scopes: scopes}))
}

func newService(t testing.TB, s *store.Store, scopes ...string) (keystone.Client, string) {
	t.Helper()
	c, secret, err := s.CreateClient(ctx, operator, keystone.Client{Name: "service", Kind: keystone.ClientService, Enabled: true, Scopes: scopes})
	ok(t, err)
	return c, secret
}

// newFamily returns the first refresh token family of a session that starts now.
func newFamily(s *store.Store, userID string) keystone.Grant {
	now := s.Now()
	return keystone.Grant{ID: keystone.NewID(now), UserID: userID, ClientID: keystone.FirstPartyClientID, SessionID: keystone.NewID(now),
		Generation: 1, RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour), EndsAt: now.Add(48 * time.Hour)}
}

// start starts the session of a family after a password check that gave login.
func start(s *store.Store, g keystone.Grant, login store.Login, clear ...string) (bool, error) {
	return s.StartSession(ctx, keystone.Actor{Kind: keystone.ActorUser, ID: g.UserID, Name: login.Username}, store.SignIn{
		Session: keystone.Session{ID: g.SessionID, UserID: g.UserID, ClientID: g.ClientID, Source: "192.0.2.1", UserAgent: "test",
			CreatedAt: g.CreatedAt, ExpiresAt: g.EndsAt, AMR: []string{keystone.AMRPassword}},
		Grant: g, Login: login, Clear: clear,
	})
}

// signIn starts a session with a refresh token family.
func signIn(t testing.TB, s *store.Store, u keystone.User) keystone.Grant {
	t.Helper()
	g := newFamily(s, u.ID)
	started, err := start(s, g, must[store.Login](t)(s.LoginByName(ctx, u.Username)))
	if err != nil || !started {
		t.Fatal("start session:", started, err)
	}
	return g
}

// rotation is what refresh tokens of these tests live by.
var rotation = store.Rotation{TTL: 24 * time.Hour, Grace: 10 * time.Second, Rotate: true}

func alive(t testing.TB, s *store.Store, g keystone.Grant) bool {
	t.Helper()
	return must[keystone.Grant](t)(s.Grant(ctx, g.ID)).RevokedAt.IsZero()
}

// trail returns the actions of the audit trail, oldest first.
func trail(t testing.TB, s *store.Store) []keystone.AuditEvent {
	t.Helper()
	var events []keystone.AuditEvent
	p := keystone.Page{Limit: keystone.MaxPage}
	for {
		list := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, keystone.AuditFilter{}, p))
		events = append(events, list.Items...)
		if p.After = list.Next; p.After == "" {
			break
		}
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events
}
