package token

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

const testIssuer = "https://id.example.com"

var (
	ctx      = context.Background()
	operator = keystone.Operator("test")
	hmacKey  = []byte("0123456789abcdef0123456789abcdef-canary")
	every    = []string{keystone.ES256, keystone.EdDSA, keystone.RS256, keystone.PS256, keystone.HS256}
)

// node is one running Keystone, as far as tokens go.
type node struct {
	store    *store.Store
	clock    *storetest.Clock
	ring     *Ring
	issuer   *Issuer
	verifier *Verifier
}

func ringOptions(s *store.Store, alg string) RingOptions {
	return RingOptions{Store: s, Master: storetest.Master, Algorithm: alg, HMACKey: hmacKey, MaxAge: 5 * time.Minute, Rotate: 30 * 24 * time.Hour}
}

func newNode(t testing.TB, s *store.Store, clock *storetest.Clock, alg string) *node {
	t.Helper()
	ring, err := NewRing(ctx, ringOptions(s, alg))
	ok(t, err)
	return &node{store: s, clock: clock, ring: ring, verifier: NewVerifier(s, ring, testIssuer, NewProofs(s, storetest.Master, false, testIssuer)), issuer: NewIssuer(Options{
		Issuer: testIssuer, AccessTTL: 15 * time.Minute, RefreshTTL: 30 * 24 * time.Hour, Grace: 10 * time.Second, MaxSession: 90 * 24 * time.Hour,
	}, s, ring, storetest.Master, nil)}
}

// alone is a node on SQLite.
func alone(t testing.TB, alg string) *node {
	t.Helper()
	clock := storetest.NewClock()
	return newNode(t, storetest.OpenAt(t, storetest.SQLitePath(t), clock), clock, alg)
}

// eachPair runs f with the stores of two nodes on one database, on both.
func eachPair(t *testing.T, f func(t *testing.T, stores []*store.Store, clock *storetest.Clock)) {
	t.Helper()
	run := func(t *testing.T, url string) {
		clock := storetest.NewClock()
		f(t, []*store.Store{storetest.OpenAt(t, url, clock), storetest.OpenAt(t, url, clock)}, clock)
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

// wantCode fails unless err is a refusal with this OAuth code.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	e, _ := err.(*keystone.Error) //nolint:errorlint // what callers see, not what is wrapped
	if e == nil || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

// service makes a client that asks for itself.
func (n *node) service(t testing.TB, change func(*keystone.Client)) *keystone.Client {
	t.Helper()
	c := keystone.Client{Name: "shop", Kind: keystone.ClientService, Enabled: true, Scopes: []string{keystone.UsersRead, keystone.AuditRead}, Audiences: []string{"https://api.example.com"}}
	if change != nil {
		change(&c)
	}
	c, _, err := n.store.CreateClient(ctx, operator, c)
	ok(t, err)
	return &c
}

// mint returns a service's access token.
func (n *node) mint(t testing.TB, c *keystone.Client) Response {
	t.Helper()
	r, err := n.issuer.Issue(ctx, keystone.Actor{Kind: keystone.ActorClient, ID: c.ID}, Request{GrantType: keystone.GrantClientCredentials, Client: c})
	ok(t, err)
	return r
}

// person makes a user and an own client of Keystone's that acts for them.
func (n *node) person(t testing.TB, name string, roles ...string) keystone.User {
	t.Helper()
	u, err := n.store.CreateUser(ctx, operator, keystone.User{Username: name, Email: name + "@example.com", Enabled: true, Roles: roles}, "hash")
	ok(t, err)
	return u
}

// signIn passes the door as a sign-in does.
func (n *node) signIn(u keystone.User, c *keystone.Client, scopes []string) (Response, error) {
	return n.issuer.Issue(ctx, keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: u.Username}, Request{
		GrantType: keystone.GrantRefreshToken, Client: c, UserID: u.ID, Scopes: scopes,
		Write: func(ctx context.Context, d Decision) (Written, error) {
			login, err := n.store.LoginByID(ctx, u.ID)
			if err != nil {
				return Written{}, err
			}
			session := keystone.NewID(d.Now)
			g, refresh := n.issuer.NewFamily(d, u.ID, c.ID, session)
			started, err := n.store.StartSession(ctx, keystone.Actor{Kind: keystone.ActorUser, ID: u.ID}, store.SignIn{Login: login, Grant: g,
				Session: keystone.Session{ID: session, UserID: u.ID, ClientID: c.ID, CreatedAt: d.Now, ExpiresAt: g.EndsAt, AMR: []string{keystone.AMRPassword}}})
			if err != nil || !started {
				return Written{}, err
			}
			return Written{SessionID: session, GrantID: g.ID, Refresh: refresh}, nil
		},
	})
}

func (n *node) mustSignIn(t testing.TB, u keystone.User, scopes ...string) Response {
	t.Helper()
	r, err := n.signIn(u, n.own(t), scopes)
	ok(t, err)
	return r
}

// own is Keystone's own client.
func (n *node) own(t testing.TB) *keystone.Client {
	t.Helper()
	c, err := n.store.CachedClient(ctx, keystone.FirstPartyClientID)
	ok(t, err)
	return c
}
