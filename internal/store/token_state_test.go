package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// withOpenID is what a person holds whose roles carry the scopes.
func withOpenID(scopes ...string) []string {
	return keystone.SortedSet(append(scopes, keystone.OpenIDScopeNames()...))
}

func TestTokenState(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newRole(t, s, "auditor", keystone.AuditRead)
		u := newUser(t, s, "jane", "auditor")
		g := signIn(t, s, u)
		c, _ := newService(t, s, keystone.UsersRead)
		person := store.TokenRef{JTI: "j1", UserID: u.ID, ClientID: keystone.FirstPartyClientID, GrantID: g.ID}
		service := store.TokenRef{JTI: "j2", ClientID: c.ID}

		st := must[store.TokenState](t)(s.TokenState(ctx, person))
		if !st.Active || st.Name != "jane" || !slices.Equal(st.Scopes, withOpenID(keystone.AuditRead)) || !st.Client.FirstParty {
			t.Fatalf("%+v", st)
		}
		st = must[store.TokenState](t)(s.TokenState(ctx, service))
		if !st.Active || st.Name != "service" || len(st.Scopes) != 1 || st.Scopes[0] != keystone.UsersRead || st.Client.ID != c.ID {
			t.Fatalf("%+v", st)
		}
		// A user's token says no more than its client may have now.
		spa, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, Scopes: []string{keystone.UsersRead}})
		ok(t, err)
		through := person
		through.ClientID = spa.ID
		if st = must[store.TokenState](t)(s.TokenState(ctx, through)); !st.Active || len(st.Scopes) != 0 || st.Client.ID != spa.ID {
			t.Fatalf("%+v", st)
		}
		for name, ref := range map[string]store.TokenRef{
			"unknown user":            {JTI: "x", UserID: keystone.NewID(clock.Now()), ClientID: c.ID, GrantID: g.ID},
			"unknown client":          {JTI: "x", UserID: u.ID, ClientID: keystone.NewID(clock.Now()), GrantID: g.ID},
			"no client":               {JTI: "x", UserID: u.ID, GrantID: g.ID},
			"unknown family":          {JTI: "x", UserID: u.ID, ClientID: c.ID, GrantID: keystone.NewID(clock.Now())},
			"a user without a family": {JTI: "x", UserID: u.ID, ClientID: c.ID},
			"nothing":                 {},
			"other bytes":             {JTI: "\x00", UserID: "\xff", ClientID: "\x00", GrantID: "\xff"},
		} {
			if st, err := s.TokenState(ctx, ref); st.Active || err != nil {
				t.Errorf("%s: %+v, %v", name, st, err)
			}
		}
		if _, err := s.UserState(ctx, keystone.NewID(clock.Now())); keystone.KindOf(err) != keystone.NotFound {
			t.Error(err)
		}
		clock.Move(48 * time.Hour) // the family's end
		later := person
		if err := s.InTx(ctx, func(tx *store.Store) error { // reads past the cache, whose clock is the machine's
			st, err := tx.TokenState(ctx, later)
			if st.Active {
				t.Error("a token outlives its family")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRevocationReach is promise P3 and SECURITY.md M1: whatever ends a token
// holds on the node that did it at once, and on every other within a second,
// however warm its caches are.
func TestRevocationReach(t *testing.T) {
	inactive := func(st store.TokenState) bool { return !st.Active }
	// What everybody holds for themselves stays with a person, and with nobody else.
	scopeless := func(st store.TokenState) bool {
		return st.Active && (len(st.Scopes) == 0 && st.Client.ID != keystone.FirstPartyClientID ||
			slices.Equal(st.Scopes, withOpenID()) && st.Client.ID == keystone.FirstPartyClientID)
	}
	type subject struct {
		user   keystone.User
		role   keystone.Role // theirs alone
		client keystone.Client
		grant  keystone.Grant
		jti    string
	}
	ends := []struct {
		name    string
		service bool // the client's own token
		end     func(s *store.Store, x subject) error
		holds   func(store.TokenState) bool
	}{
		{"user disabled", false, func(s *store.Store, x subject) error {
			_, err := s.UpdateUser(ctx, operator, x.user.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
			return err
		}, inactive},
		{"user deleted", false, func(s *store.Store, x subject) error { return s.DeleteUser(ctx, operator, x.user.ID, 0) }, inactive},
		{"roles removed", false, func(s *store.Store, x subject) error {
			_, err := s.SetUserRoles(ctx, operator, x.user.ID, 0, nil)
			return err
		}, scopeless},
		{"role loses its scopes", false, func(s *store.Store, x subject) error {
			_, err := s.UpdateRole(ctx, operator, x.role.ID, 0, store.RolePatch{Scopes: &[]string{}})
			return err
		}, scopeless},
		{"role deleted", false, func(s *store.Store, x subject) error { return s.DeleteRole(ctx, operator, x.role.ID, 0) }, scopeless},
		{"scope deleted", false, func(s *store.Store, x subject) error {
			return s.DeleteScope(ctx, operator, "scope:"+x.role.Name, 0)
		}, scopeless},
		{"password changed", false, func(s *store.Store, x subject) error { return s.SetPassword(ctx, operator, x.user.ID, "new", "") }, inactive},
		{"session ended", false, func(s *store.Store, x subject) error {
			return s.EndSession(ctx, operator, x.grant.SessionID, "", keystone.EndLogout)
		}, inactive},
		{"sessions ended", false, func(s *store.Store, x subject) error {
			_, err := s.EndSessions(ctx, operator, x.user.ID, "", keystone.EndRevoked)
			return err
		}, inactive},
		{"refresh token revoked", false, func(s *store.Store, x subject) error {
			return s.RevokeGrant(ctx, operator, x.grant.ID, keystone.EndTokenRevoked)
		}, inactive},
		{"access token revoked", false, func(s *store.Store, x subject) error {
			return s.RevokeAccessToken(ctx, operator, x.jti, x.client.ID, s.Now().Add(time.Hour))
		}, inactive},
		{"client disabled", true, func(s *store.Store, x subject) error {
			_, err := s.UpdateClient(ctx, operator, x.client.ID, 0, func(c *keystone.Client) { c.Enabled = false })
			return err
		}, inactive},
		{"client disabled and enabled again", true, func(s *store.Store, x subject) error {
			for _, enabled := range []bool{false, true} {
				if _, err := s.UpdateClient(ctx, operator, x.client.ID, 0, func(c *keystone.Client) { c.Enabled = enabled }); err != nil {
					return err
				}
			}
			return nil
		}, inactive},
		{"client's secret replaced at once", true, func(s *store.Store, x subject) error {
			return second(s.RotateSecret(ctx, operator, x.client.ID, 0))
		}, inactive},
		{"client's secret removed", true, func(s *store.Store, x subject) error {
			secrets, err := s.Secrets(ctx, x.client.ID)
			if err != nil {
				return err
			}
			return s.RemoveSecret(ctx, operator, x.client.ID, secrets[0].ID)
		}, inactive},
		{"client deleted", true, func(s *store.Store, x subject) error { return s.DeleteClient(ctx, operator, x.client.ID, 0) }, inactive},
		{"client's scopes removed", true, func(s *store.Store, x subject) error {
			_, err := s.UpdateClient(ctx, operator, x.client.ID, 0, func(c *keystone.Client) { c.Scopes = nil })
			return err
		}, scopeless},
	}
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		here, there := nodes[0], nodes[1]
		subjects, refs := make([]subject, len(ends)), make([]store.TokenRef, len(ends))
		for i, test := range ends {
			x := subject{jti: keystone.NewID(clock.Now())}
			name := fmt.Sprint("r", i)
			newScope(t, here, "scope:"+name)
			x.role = newRole(t, here, name, "scope:"+name)
			x.user = newUser(t, here, fmt.Sprint("u", i), name)
			x.client, _ = newService(t, here, keystone.UsersRead)
			x.grant = signIn(t, here, x.user)
			subjects[i], refs[i] = x, store.TokenRef{JTI: x.jti, UserID: x.user.ID, ClientID: keystone.FirstPartyClientID, GrantID: x.grant.ID}
			if test.service {
				refs[i] = store.TokenRef{JTI: x.jti, ClientID: x.client.ID}
			}
		}
		before := make([][2]store.TokenState, len(ends)) // as whoever was told remembers it
		for i, test := range ends {
			for n, node := range nodes {
				want := withOpenID(fmt.Sprint("scope:r", i))
				if test.service {
					want = []string{keystone.UsersRead}
				}
				st := must[store.TokenState](t)(node.TokenState(ctx, refs[i]))
				if before[i][n] = st; !st.Active || !slices.Equal(st.Scopes, want) {
					t.Fatalf("%s: before, it is %+v", test.name, st)
				}
			}
		}
		ended := make([]time.Time, len(ends))
		for i, test := range ends {
			before[i][0] = must[store.TokenState](t)(here.TokenState(ctx, refs[i])) // another end has come between
			if !here.StillSo(before[i][0].AsOf) {
				t.Errorf("%s: what has just been read is not so any more", test.name)
			}
			if err := test.end(here, subjects[i]); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			ended[i] = time.Now()
			if here.StillSo(before[i][0].AsOf) {
				t.Errorf("%s: on this node what was true of it still counts", test.name)
			}
			if st := must[store.TokenState](t)(here.TokenState(ctx, refs[i])); !test.holds(st) {
				t.Errorf("%s: on this node it holds late: %+v", test.name, st)
			}
		}
		for i, test := range ends {
			for there.StillSo(before[i][1].AsOf) || !test.holds(must[store.TokenState](t)(there.TokenState(ctx, refs[i]))) {
				if time.Since(ended[i]) > 1200*time.Millisecond {
					t.Errorf("%s: on another node it does not hold after a second", test.name)
					break
				}
				time.Sleep(10 * time.Millisecond) // the caches go by the machine's clock
			}
		}
	})
}

// TestClientsTokensEnd: what ends a client's tokens ends those of all nodes, also
// the ones that another node issues by what it still knows; and no others.
func TestClientsTokensEnd(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		here, there := nodes[0], nodes[1]
		living := func(c keystone.Client, jti string) bool {
			t.Helper()
			return must[store.TokenState](t)(here.TokenState(ctx, store.TokenRef{JTI: jti, ClientID: c.ID})).Active
		}
		issue := func(s *store.Store, c keystone.Client) string {
			t.Helper()
			known := *must[*keystone.Client](t)(s.CachedClient(ctx, c.ID))
			return known.TokenID(s.Now())
		}
		set := func(c keystone.Client, enabled bool) {
			t.Helper()
			_, err := here.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Enabled = enabled })
			ok(t, err)
		}
		method := func(c keystone.Client, to string) {
			t.Helper()
			_, err := here.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) {
				c.AuthMethod, c.JWKSURI = to, "https://service.example/jwks"
				if to == keystone.AuthSecretJWT {
					c.JWKSURI = ""
				}
			})
			ok(t, err)
			if left := must[[]keystone.ClientSecret](t)(here.Secrets(ctx, c.ID)); len(left) != 0 {
				t.Errorf("%s: secrets are left: %v", to, left)
			}
		}
		other, _ := newService(t, here)
		untouched := issue(here, other)
		for name, end := range map[string]func(c keystone.Client){
			"disabled and enabled": func(c keystone.Client) { set(c, false); set(c, true) },
			"replaced secret":      func(c keystone.Client) { ok(t, second(here.RotateSecret(ctx, operator, c.ID, 0))) },
			"removed secret": func(c keystone.Client) {
				ok(t, here.RemoveSecret(ctx, operator, c.ID, must[[]keystone.ClientSecret](t)(here.Secrets(ctx, c.ID))[0].ID))
			},
			"a method without secrets":  func(c keystone.Client) { method(c, keystone.AuthSelfSignedTLS) },
			"a method that signs by it": func(c keystone.Client) { method(c, keystone.AuthSecretJWT) },
		} {
			c, _ := newService(t, here)
			old := issue(there, c) // and that node has the client in its cache
			end(c)
			stale := issue(there, c)
			clock.Move(900 * time.Millisecond)
			staler := c.TokenID(there.Now())
			fresh := issue(here, c)
			if living(c, old) || living(c, stale) || living(c, staler) {
				t.Errorf("%s: tokens of before live on", name)
			}
			if !living(c, fresh) || living(c, "not an id") {
				t.Errorf("%s: the next token is not good", name)
			}
			clock.Move(time.Second)
			if !living(c, issue(here, c)) || living(c, old) {
				t.Errorf("%s: a second later", name)
			}
		}
		if !living(other, untouched) {
			t.Error("the tokens of another client ended")
		}
		c, _ := newService(t, here)
		old := issue(here, c)
		ok(t, second(here.RotateSecret(ctx, operator, c.ID, time.Minute)))
		_, short, err := here.AddSecret(ctx, operator, c.ID, here.Now().Add(time.Second))
		ok(t, err)
		clock.Move(time.Second)
		ok(t, here.RemoveSecret(ctx, operator, c.ID, short.ID)) // it had ended by itself
		_, err = here.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Name, c.TokensValidAfter = "other", here.Now() })
		ok(t, err)
		_, err = here.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.AuthMethod = keystone.AuthSecretPost })
		ok(t, err)
		if !living(c, old) {
			t.Error("changing over ends tokens")
		}
	})
}

// TestClocksApart: the tokens of a client end on every node, by whichever clock they were
// issued and by whichever they end, and the next ones are good everywhere.
func TestClocksApart(t *testing.T) {
	run := func(t *testing.T, url string) {
		var nodes []*store.Store
		for _, apart := range []time.Duration{0, 5 * time.Second, -4 * time.Second} {
			clock := storetest.NewClock()
			clock.Move(apart)
			nodes = append(nodes, storetest.OpenAt(t, url, clock))
		}
		issue := func(s *store.Store, c keystone.Client) string {
			t.Helper()
			known := must[keystone.Client](t)(s.Client(ctx, c.ID))
			return known.TokenID(s.Now())
		}
		living := func(c keystone.Client, jti string) (n int) {
			t.Helper()
			for _, s := range nodes {
				if known := must[keystone.Client](t)(s.Client(ctx, c.ID)); !known.Ended(jti) {
					n++
				}
			}
			return n
		}
		for i, ends := range nodes {
			c, _ := newService(t, nodes[0])
			var old []string
			for range 2 { // again at the same moment, and by another clock
				for _, by := range []*store.Store{ends, nodes[0]} {
					for _, s := range nodes {
						old = append(old, issue(s, c))
					}
					stale := must[keystone.Client](t)(nodes[i].Client(ctx, c.ID))
					ok(t, second(by.RotateSecret(ctx, operator, c.ID, 0)))
					old = append(old, stale.TokenID(ends.Now()))
					for k, jti := range old {
						if n := living(c, jti); n != 0 {
							t.Errorf("ended by node %d: token %d lives on %d nodes", i, k, n)
						}
					}
					for k, s := range nodes {
						if jti := issue(s, c); living(c, jti) != len(nodes) {
							t.Errorf("ended by node %d: the next token of node %d is not good", i, k)
						}
					}
				}
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLitePath(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t)) })
}

// TestSecretReach: a removed secret proves nothing on another node within a second.
func TestSecretReach(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		c, value := newService(t, nodes[0])
		for _, node := range nodes {
			if _, proven, err := node.ProveClient(ctx, c.ID, value); !proven || err != nil {
				t.Fatal("does not prove before")
			}
		}
		_, _, err := nodes[0].RotateSecret(ctx, operator, c.ID, 0)
		ok(t, err)
		ended := time.Now()
		for {
			_, proven, err := nodes[1].ProveClient(ctx, c.ID, value)
			ok(t, err)
			if !proven {
				break
			}
			if time.Since(ended) > 1200*time.Millisecond {
				t.Fatal("it proves for more than a second")
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func TestAccessTokens(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		want := store.AccessToken{JTI: "j", UserID: "u", ClientID: "c", SessionID: "s", GrantID: "g", Scopes: []string{"a", "b"}, Audiences: []string{"x y", `"`},
			IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour)}
		ok(t, s.SaveAccessToken(ctx, operator, []byte("hash"), want))
		for range 2 { // from the database, then from the cache
			if diff := cmp.Diff(want, must[*store.StoredToken](t)(s.AccessTokenByHash(ctx, []byte("hash"))).AccessToken); diff != "" {
				t.Fatal(diff)
			}
		}
		_, err := s.AccessTokenByHash(ctx, []byte("other"))
		wantKind(t, err, keystone.NotFound)
		if n := s.Caches()["opaque"]; n > 1 {
			t.Errorf("unknown tokens fill the cache: %d", n)
		}
		if err := s.SaveAccessToken(ctx, operator, []byte("hash"), want); keystone.KindOf(err) != keystone.Conflict {
			t.Error("a hash was stored twice:", err)
		}
		n := len(trail(t, s))
		for range 3 { // revoking again does nothing
			ok(t, s.RevokeAccessToken(ctx, operator, "j", "c", want.ExpiresAt))
		}
		if got := len(trail(t, s)); got != n+1 {
			t.Errorf("%d rows for one revocation", got-n)
		}
	})
}

// TestCacheIsBounded: what anonymous callers make up is not kept.
func TestCacheIsBounded(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for range 100 {
			id := keystone.NewID(clock.Now())
			_, _ = s.CachedClient(ctx, id)
			_, _, _ = s.ProveClient(ctx, id, "x")
			_, _ = s.UserState(ctx, id)
			_, _ = s.GrantFacts(ctx, id)
			_, _ = s.AccessTokenByHash(ctx, []byte(id))
		}
		for name, n := range s.Caches() {
			if n != 0 {
				t.Errorf("%s keeps %d entries", name, n)
			}
		}
	})
}

// TestTokenStateStatements: what a token costs that was never seen, and that
// what came along with it is still dropped by a local write.
func TestTokenStateStatements(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, plain *store.Store, clock *storetest.Clock) {
		s, n := plain.Counted()
		reads := func(want int64, ref store.TokenRef, active bool) {
			t.Helper()
			before := n.Load()
			if st := must[store.TokenState](t)(s.TokenState(ctx, ref)); st.Active != active {
				t.Errorf("active %v, want %v", st.Active, active)
			}
			if got := n.Load() - before; got > want {
				t.Errorf("%d statements, want at most %d", got, want)
			}
		}
		newRole(t, s, "auditor", keystone.AuditRead)
		warm, cold := newUser(t, s, "warm", "auditor", "user"), newUser(t, s, "cold", "auditor", "user")
		first := signIn(t, s, warm)
		reads(20, store.TokenRef{JTI: "w", UserID: warm.ID, ClientID: keystone.FirstPartyClientID, GrantID: first.ID}, true) // client and roles

		g := signIn(t, s, cold)
		ref := store.TokenRef{JTI: "c", UserID: cold.ID, ClientID: keystone.FirstPartyClientID, GrantID: g.ID}
		reads(1, ref, true)
		reads(0, ref, true)
		ok(t, s.RevokeGrant(ctx, operator, g.ID, keystone.EndTokenRevoked))
		reads(1, ref, false)

		g = signIn(t, s, cold) // drops the user, whose last login is theirs
		ref = store.TokenRef{JTI: "c2", UserID: cold.ID, ClientID: keystone.FirstPartyClientID, GrantID: g.ID}
		reads(1, ref, true)
		ok(t, s.RevokeAccessToken(ctx, operator, "c2", keystone.FirstPartyClientID, clock.Now().Add(time.Hour)))
		reads(1, ref, false)

		// An opaque token comes with whether it is revoked.
		hash := []byte("0123456789abcdef0123456789abcdef")
		opaque := store.AccessToken{JTI: "o", ClientID: keystone.FirstPartyClientID, IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour)}
		ok(t, s.SaveAccessToken(ctx, operator, hash, opaque))
		before := n.Load()
		stored := must[*store.StoredToken](t)(s.AccessTokenByHash(ctx, hash))
		ref = store.TokenRef{JTI: "o", ClientID: keystone.FirstPartyClientID, Stored: stored}
		reads(0, ref, true)
		if n.Load()-before != 1 {
			t.Error("an opaque token took", n.Load()-before, "statements")
		}
		ok(t, s.RevokeAccessToken(ctx, operator, "o", keystone.FirstPartyClientID, clock.Now().Add(time.Hour)))
		reads(0, ref, false) // this node knows at once, though what is stored was read before
	})
}

// TestStoredTokenGrowsOld: a caller who has held what was stored for long, because other
// reads took their time, learns that the token was revoked meanwhile.
func TestStoredTokenGrowsOld(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		hash := []byte("0123456789abcdef0123456789abcdef")
		ok(t, s.SaveAccessToken(ctx, operator, hash, store.AccessToken{JTI: "o", ClientID: keystone.FirstPartyClientID, IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour)}))
		ref := store.TokenRef{JTI: "o", ClientID: keystone.FirstPartyClientID, Stored: must[*store.StoredToken](t)(s.AccessTokenByHash(ctx, hash))}
		ok(t, s.RevokeAccessToken(ctx, operator, "o", keystone.FirstPartyClientID, clock.Now().Add(time.Hour)))
		for until := time.Now().Add(2100 * time.Millisecond); time.Now().Before(until); time.Sleep(300 * time.Millisecond) {
			if st := must[store.TokenState](t)(s.TokenState(ctx, ref)); st.Active {
				t.Fatal("a revoked token is active")
			}
		}
	})
}

// TestTokenStateGrowsOld: where the last read of a state takes long, what came before it is
// read again.
func TestTokenStateGrowsOld(t *testing.T) {
	url, clock := storetest.PostgresURL(t), storetest.NewClock()
	s, other := storetest.OpenAt(t, url, clock), storetest.OpenAt(t, url, clock)
	u := newUser(t, s, "jane")
	g := signIn(t, s, u)
	slow := must2(t)(s.CreateClient(ctx, operator, keystone.Client{Name: "slow", Kind: keystone.ClientService, Enabled: true, Scopes: []string{"users:read"}}))
	must[store.TokenState](t)(s.TokenState(ctx, store.TokenRef{JTI: "a", UserID: u.ID, ClientID: keystone.FirstPartyClientID, GrantID: g.ID}))
	locked, revoked, answered := make(chan struct{}), make(chan struct{}), make(chan store.TokenState)
	var all sync.WaitGroup
	all.Go(func() {
		err := other.InTx(ctx, func(tx *store.Store) error {
			_, err := tx.Raw(ctx, `LOCK TABLE clients IN ACCESS EXCLUSIVE MODE`)
			close(locked)
			<-revoked
			time.Sleep(1100 * time.Millisecond)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-locked
	all.Go(func() {
		st, err := s.TokenState(ctx, store.TokenRef{JTI: "b", UserID: u.ID, ClientID: slow.ID, GrantID: g.ID})
		if err != nil {
			t.Error(err)
		}
		answered <- st
	})
	time.Sleep(100 * time.Millisecond) // it has read all but the client
	_, err := other.Raw(ctx, `UPDATE grants SET revoked_at = 1 WHERE id = $1`, g.ID)
	close(revoked)
	ok(t, err)
	if st := <-answered; st.Active {
		t.Error("a family that was revoked more than a second ago is alive")
	}
	all.Wait()
}

// TestOneDropIsOne: while tokens that were never seen are read, one drop of something else
// does not make them drop each other.
func TestOneDropIsOne(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, plain *store.Store, clock *storetest.Clock) {
		s, n := plain.Counted()
		refs := make([]store.TokenRef, 200)
		for i := range refs {
			u := newUser(t, s, fmt.Sprint("u", i))
			refs[i] = store.TokenRef{JTI: keystone.NewID(clock.Now()), UserID: u.ID, ClientID: keystone.FirstPartyClientID, GrantID: signIn(t, s, u).ID}
		}
		before, drops := n.Load(), s.Drops()
		var running sync.WaitGroup
		queue := make(chan int)
		for range 16 {
			running.Go(func() {
				for i := range queue {
					if st, err := s.TokenState(ctx, refs[i]); err != nil || !st.Active {
						t.Errorf("%+v, %v", st, err)
					}
					if i == 20 {
						if err := s.RevokeAccessToken(ctx, operator, "other", keystone.FirstPartyClientID, clock.Now().Add(time.Hour)); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		for i := range refs {
			queue <- i
		}
		close(queue)
		running.Wait()
		if more := s.Drops() - drops; more > 4 {
			t.Errorf("one revocation counted as %d drops", more)
		}
		if took := n.Load() - before; took > 200+60 {
			t.Errorf("%d tokens took %d statements", len(refs), took)
		}
	})
}

// TestRolesOfAUser: a user has what all their roles carry, once, and is without
// a role that is gone.
func TestRolesOfAUser(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newRole(t, s, "auditor", keystone.AuditRead)
		newRole(t, s, "reader", keystone.AuditRead, keystone.UsersRead)
		both, one, none := newUser(t, s, "both", "reader", "auditor"), newUser(t, s, "one", "auditor"), newUser(t, s, "none")
		state := func(u keystone.User) store.UserState { return must[store.UserState](t)(s.UserState(ctx, u.ID)) }
		for range 2 { // the second time from memory
			if st := state(both); !slices.Equal(st.Roles, []string{"auditor", "reader"}) || !slices.Equal(st.Scopes, withOpenID(keystone.AuditRead, keystone.UsersRead)) {
				t.Errorf("%+v", st)
			}
			if st := state(one); !slices.Equal(st.Roles, []string{"auditor"}) || !slices.Equal(st.Scopes, withOpenID(keystone.AuditRead)) {
				t.Errorf("%+v", st)
			}
			if st := state(none); len(st.Roles) != 0 || !slices.Equal(st.Scopes, withOpenID()) {
				t.Errorf("%+v", st)
			}
		}
		ok(t, s.DeleteRole(ctx, operator, "auditor", 0))
		if st := state(both); !slices.Equal(st.Roles, []string{"reader"}) {
			t.Errorf("%+v", st)
		}
		if st := state(one); len(st.Roles) != 0 || !slices.Equal(st.Scopes, withOpenID()) {
			t.Errorf("%+v", st)
		}
	})
}
