package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestClientLife(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newScope(t, s, "orders:read")
		in := keystone.Client{ID: "x", Name: "Shop", Kind: keystone.ClientWeb, Enabled: true, BuiltIn: true, Version: 7,
			RedirectURIs: []string{"https://shop.example.com/cb", "https://shop.example.com/a b"[:26]}, Scopes: []string{"users:read", "orders:read", "users:read"},
			Audiences: []string{"https://api.example.com"}, RotateRefreshTokens: true, AccessTokenTTL: 5 * time.Minute}
		c, value, err := s.CreateClient(ctx, operator, in)
		ok(t, err)
		want := in.WithDefaults()
		want.ID, want.BuiltIn, want.Version, want.CreatedAt, want.UpdatedAt = c.ID, false, 1, clock.Now(), clock.Now()
		for _, got := range []keystone.Client{c, must[keystone.Client](t)(s.Client(ctx, c.ID)), *must[*keystone.Client](t)(s.CachedClient(ctx, c.ID))} {
			if diff := cmp.Diff(want, got); diff != "" || !keystone.IsID(c.ID) {
				t.Fatal(diff)
			}
		}
		if !secret.WellFormed(secret.ClientSecret, value) {
			t.Fatalf("%q is no client secret", value)
		}

		clock.Move(time.Second)
		c, err = s.UpdateClient(ctx, operator, c.ID, 1, func(c *keystone.Client) {
			*c = keystone.Client{ID: "y", Name: "Shop 2", Kind: keystone.ClientSPA, BuiltIn: true, Version: 99, CreatedAt: clock.Now().Add(time.Hour), AccessTokenFormat: keystone.FormatOpaque}
		})
		ok(t, err)
		want = keystone.Client{ID: c.ID, Name: "Shop 2", Kind: keystone.ClientWeb, AccessTokenFormat: keystone.FormatOpaque,
			CreatedAt: want.CreatedAt, UpdatedAt: clock.Now(), Version: 2}.WithDefaults()
		want.TokensValidAfter = clock.Now().Add(11 * time.Second) // it was disabled
		for _, got := range []keystone.Client{c, must[keystone.Client](t)(s.Client(ctx, c.ID)), *must[*keystone.Client](t)(s.CachedClient(ctx, c.ID))} {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal("what is not the caller's to change was changed:", diff)
			}
		}

		wantKind(t, s.DeleteClient(ctx, operator, c.ID, 1), keystone.Stale)
		ok(t, s.DeleteClient(ctx, operator, c.ID, 2))
		wantKind(t, s.DeleteClient(ctx, operator, c.ID, 0), keystone.NotFound)
		_, err = s.CachedClient(ctx, c.ID)
		wantKind(t, err, keystone.NotFound)
		if left := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM client_secrets`)); len(left) != 0 {
			t.Fatal("secrets of a deleted client are left")
		}
	})
}

func TestClientRefusals(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		newScope(t, s, "orders:read")
		powerful, _ := newService(t, s, keystone.AuditRead)
		weak, _ := newService(t, s)
		secrets := must[[]keystone.ClientSecret](t)(s.Secrets(ctx, powerful.ID))
		manager := holder(keystone.ClientsWrite)
		before := must[map[string][]string](t)(s.Dump(ctx))
		create := func(by keystone.Actor, c keystone.Client) error {
			c.Name, c.Kind = "x", keystone.ClientService
			_, value, err := s.CreateClient(ctx, by, c)
			if value != "" {
				t.Error("a refusal hands out a secret")
			}
			return err
		}
		update := func(by keystone.Actor, id string, version int64, change func(c *keystone.Client)) error {
			_, err := s.UpdateClient(ctx, by, id, version, change)
			return err
		}
		nothing := func(*keystone.Client) {}
		for _, test := range []struct {
			name  string
			err   error
			kind  keystone.Kind
			field string
		}{
			{"create: field", create(operator, keystone.Client{AccessTokenFormat: "x"}), keystone.Invalid, "access_token_format"},
			{"create: unknown scope", create(operator, keystone.Client{Scopes: []string{"nothing"}}), keystone.Invalid, "scopes"},
			{"create: more than held", create(manager, keystone.Client{Scopes: []string{"audit:read"}}), keystone.Forbidden, ""},
			{"create: foreign scope not held", create(manager, keystone.Client{Scopes: []string{"orders:read"}}), keystone.Forbidden, ""},
			{"create: by nobody", create(keystone.Anonymous(), keystone.Client{Scopes: []string{"orders:read"}}), keystone.Forbidden, ""},
			{"update: unknown", update(operator, keystone.NewID(clock.Now()), 0, nothing), keystone.NotFound, ""},
			{"update: no id", update(operator, "\x00", 0, nothing), keystone.NotFound, ""},
			{"update: stale", update(operator, weak.ID, 2, nothing), keystone.Stale, ""},
			{"update: field", update(operator, weak.ID, 0, func(c *keystone.Client) { c.Name = "" }), keystone.Invalid, "name"},
			{"update: unknown scope", update(operator, weak.ID, 0, func(c *keystone.Client) { c.Scopes = []string{"nothing"} }), keystone.Invalid, "scopes"},
			{"update: to more than held", update(manager, weak.ID, 0, func(c *keystone.Client) { c.Scopes = []string{"audit:read"} }), keystone.Forbidden, ""},
			{"update: what holds more", update(manager, powerful.ID, 0, func(c *keystone.Client) { c.Name = "mine" }), keystone.Forbidden, ""},
			{"update: what holds more, to less", update(manager, powerful.ID, 0, func(c *keystone.Client) { c.Scopes = nil }), keystone.Forbidden, ""},
			{"update: built in", update(operator, keystone.FirstPartyClientID, 0, nothing), keystone.Forbidden, ""},
			{"delete: what holds more", s.DeleteClient(ctx, manager, powerful.ID, 0), keystone.Forbidden, ""},
			{"delete: built in", s.DeleteClient(ctx, operator, keystone.FirstPartyClientID, 0), keystone.Forbidden, ""},
			{"rotate: what holds more", second(s.RotateSecret(ctx, manager, powerful.ID, 0)), keystone.Forbidden, ""},
			{"rotate: built in", second(s.RotateSecret(ctx, operator, keystone.FirstPartyClientID, 0)), keystone.Forbidden, ""},
			{"add: what holds more", second(s.AddSecret(ctx, manager, powerful.ID, time.Time{})), keystone.Forbidden, ""},
			{"add: unknown", second(s.AddSecret(ctx, operator, keystone.NewID(clock.Now()), time.Time{})), keystone.NotFound, ""},
			{"remove: what holds more", s.RemoveSecret(ctx, manager, powerful.ID, secrets[0].ID), keystone.Forbidden, ""},
			{"remove: by way of another client", s.RemoveSecret(ctx, manager, weak.ID, secrets[0].ID), keystone.NotFound, ""}, // SECURITY.md N2
			{"remove: unknown", s.RemoveSecret(ctx, operator, powerful.ID, "\xff"), keystone.NotFound, ""},
		} {
			if keystone.KindOf(test.err) != test.kind || test.err == nil {
				t.Errorf("%s: got %v", test.name, test.err)
			} else if test.field != "" {
				wantField(t, test.err, test.kind, test.field)
			}
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Error("a refusal left something:", diff)
		}
		ok(t, update(manager, weak.ID, 0, func(c *keystone.Client) { c.Name = "managed" }))
	})
}

func second[A, B any](_ A, _ B, err error) error { return err }

// TestProveClient: each living secret proves the client, and nothing else does.
func TestProveClient(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		c, first := newService(t, s)
		other, foreign := newService(t, s)
		public, none, err := s.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientNative, Enabled: true})
		if err != nil || none != "" {
			t.Fatal("a public client got a secret:", err)
		}
		proves := func(id, presented string) bool {
			t.Helper()
			got, proven, err := s.ProveClient(ctx, id, presented)
			ok(t, err)
			if proven && got.ID != id {
				t.Fatalf("proved %s, got %s", id, got.ID)
			}
			return proven
		}
		for name, test := range map[string]struct {
			id, presented string
			want          bool
		}{
			"its secret":            {c.ID, first, true},
			"of another":            {c.ID, foreign, false},
			"empty":                 {c.ID, "", false},
			"cut":                   {c.ID, first[:len(first)-1], false},
			"extended":              {c.ID, first + "A", false},
			"one letter":            {c.ID, "x" + first[1:], false},
			"its hash":              {c.ID, string(secret.Hash(first)), false},
			"unknown client":        {keystone.NewID(clock.Now()), first, false},
			"no id":                 {"\x00", first, false},
			"public client":         {public.ID, first, false},
			"public client, empty":  {public.ID, "", false},
			"Keystone's own client": {keystone.FirstPartyClientID, "", false},
		} {
			if got := proves(test.id, test.presented); got != test.want {
				t.Errorf("%s: %v", name, got)
			}
		}

		second, cs, err := s.AddSecret(ctx, operator, c.ID, clock.Now().Add(time.Hour))
		ok(t, err)
		if !proves(c.ID, first) || !proves(c.ID, second) || cs.Hint != second[len(second)-4:] {
			t.Error("two secrets prove")
		}
		clock.Move(time.Hour)
		if proves(c.ID, second) || !proves(c.ID, first) {
			t.Error("a secret past its end proves")
		}
		third, _, err := s.RotateSecret(ctx, operator, c.ID, time.Minute)
		ok(t, err)
		if !proves(c.ID, first) || !proves(c.ID, third) || proves(c.ID, second) {
			t.Error("inside the overlap the old one and the new one prove, what had ended stays ended")
		}
		clock.Move(time.Minute)
		if proves(c.ID, first) || !proves(c.ID, third) {
			t.Error("after the overlap only the new one proves")
		}
		fourth, cs, err := s.RotateSecret(ctx, operator, c.ID, 0)
		ok(t, err)
		if proves(c.ID, third) || !proves(c.ID, fourth) {
			t.Error("without overlap the old one ends at once")
		}
		ok(t, s.RemoveSecret(ctx, operator, c.ID, cs.ID))
		if proves(c.ID, fourth) {
			t.Error("a removed secret proves")
		}
		_, err = s.UpdateClient(ctx, operator, other.ID, 0, func(c *keystone.Client) { c.Enabled = false })
		ok(t, err)
		if got, proven, _ := s.ProveClient(ctx, other.ID, foreign); !proven || got.Enabled {
			t.Error("who asks must see that the client is disabled")
		}
	})
}

func TestSecretsAreBounded(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		s := nodes[0]
		c, _ := newService(t, s)
		errs := together(12, func(i int) error {
			return second(nodes[i%2].AddSecret(ctx, operator, c.ID, clock.Now().Add(time.Hour)))
		})
		for _, err := range errs {
			if err != nil {
				wantKind(t, err, keystone.Conflict)
			}
		}
		list := must[[]keystone.ClientSecret](t)(s.Secrets(ctx, c.ID))
		if len(list) != 5 {
			t.Fatalf("%d living secrets", len(list))
		}
		for _, cs := range list {
			if cs.ClientID != c.ID || len(cs.Hint) != 4 || cs.CreatedAt.IsZero() {
				t.Errorf("%+v", cs)
			}
		}
		wantKind(t, second(s.RotateSecret(ctx, operator, c.ID, time.Hour)), keystone.Conflict)
		ok(t, second(s.RotateSecret(ctx, operator, c.ID, 0)))
		clock.Move(time.Hour)
		for range 4 {
			ok(t, second(s.AddSecret(ctx, operator, c.ID, time.Time{})))
		}
		public, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA})
		ok(t, err)
		wantKind(t, second(s.AddSecret(ctx, operator, public.ID, time.Time{})), keystone.Conflict)
		wantKind(t, second(s.RotateSecret(ctx, operator, public.ID, 0)), keystone.Conflict)
	})
}

// TestFirstPartyClient: a first-party client manages the account of everybody who
// signs in through it, so only who may manage everybody makes, changes or has one.
func TestFirstPartyClient(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		manager, both := holder(keystone.ClientsWrite, keystone.UsersWrite), holder(keystone.BuiltInScopeNames()...)
		in := keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, FirstParty: true}
		_, _, err := s.CreateClient(ctx, manager, in)
		wantKind(t, err, keystone.Forbidden)
		own, _, err := s.CreateClient(ctx, both, in)
		ok(t, err)
		plain, _, err := s.CreateClient(ctx, manager, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true})
		ok(t, err)
		_, err = s.UpdateClient(ctx, manager, plain.ID, 0, func(c *keystone.Client) { c.FirstParty = true })
		wantKind(t, err, keystone.Forbidden)
		_, err = s.UpdateClient(ctx, manager, own.ID, 0, func(c *keystone.Client) { c.RedirectURIs = []string{"https://evil.example/cb"} })
		wantKind(t, err, keystone.Forbidden)
		_, err = s.UpdateClient(ctx, manager, own.ID, 0, func(c *keystone.Client) { c.FirstParty = false })
		wantKind(t, err, keystone.Forbidden)
		wantKind(t, s.DeleteClient(ctx, manager, own.ID, 0), keystone.Forbidden)
		_, err = s.UpdateClient(ctx, both, plain.ID, 0, func(c *keystone.Client) { c.FirstParty = true })
		ok(t, err)
	})
}

// TestDisabledClient ends its refresh tokens, for good.
func TestDisabledClient(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		spa, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true})
		ok(t, err)
		u := newUser(t, s, "jane")
		own, other := newFamily(s, u.ID), signIn(t, s, u)
		own.ClientID = spa.ID
		started, err := start(s, own, must[store.Login](t)(s.LoginByID(ctx, u.ID)))
		if !started || err != nil {
			t.Fatal(err)
		}
		for _, enabled := range []bool{false, true} {
			_, err = s.UpdateClient(ctx, operator, spa.ID, 0, func(c *keystone.Client) { c.Enabled = enabled })
			ok(t, err)
			if alive(t, s, own) || !alive(t, s, other) {
				t.Fatal("the client's families end, others stay")
			}
		}
		if g := must[keystone.Grant](t)(s.Grant(ctx, own.ID)); g.Reason != keystone.EndClientDisabled {
			t.Fatalf("%+v", g)
		}
		_ = clock
	})
}

func TestClientPages(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		want := []string{}
		for i := range 7 {
			clock.Move(time.Millisecond)
			c, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: fmt.Sprint("c", i), Kind: keystone.ClientService, Scopes: []string{"users:read"}})
			ok(t, err)
			want = append(want, c.Name)
		}
		want = append(want, "Keystone") // its id is a word and sorts last
		ok(t, s.AddUsage(ctx, []store.Usage{{ClientID: must[keystone.List[keystone.Client]](t)(s.Clients(ctx, "", keystone.Page{})).Items[0].ID,
			GrantType: keystone.GrantClientCredentials, Tokens: 3, LastAt: clock.Now()}}))
		var got []string
		p := keystone.Page{Limit: 3}
		for {
			list := must[keystone.List[keystone.Client]](t)(s.Clients(ctx, "", p))
			for _, c := range list.Items {
				got = append(got, c.Name)
				if strings.HasPrefix(c.Name, "c") && len(c.Scopes) != 1 {
					t.Errorf("%+v", c)
				}
				if c.Name == "c0" && !c.LastUsed.Equal(clock.Now()) || c.Name == "c1" && !c.LastUsed.IsZero() {
					t.Errorf("%s was last used %v", c.Name, c.LastUsed)
				}
			}
			if p.After = list.Next; p.After == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		own := must[keystone.Client](t)(s.Client(ctx, keystone.FirstPartyClientID))
		if !own.BuiltIn || !own.FirstParty || !own.Enabled || own.Confidential() || len(own.Scopes) != len(keystone.BuiltInScopes) {
			t.Fatalf("%+v", own)
		}
	})
}

// TestClientWithoutUsage: the token path reads nothing of what a client has used, and
// whoever looks at it sees the newest hour.
func TestClientWithoutUsage(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		c, _ := newService(t, s)
		for i := range 3 {
			clock.Move(time.Hour)
			ok(t, s.AddUsage(ctx, []store.Usage{
				{ClientID: c.ID, GrantType: keystone.GrantClientCredentials, Tokens: 1, LastAt: clock.Now()},
				{ClientID: c.ID, GrantType: keystone.GrantTokenExchange, Tokens: 1, LastAt: clock.Now().Add(-time.Duration(i) * time.Second)},
			}))
		}
		if got := must[keystone.Client](t)(s.Client(ctx, c.ID)).LastUsed; !got.Equal(clock.Now()) {
			t.Errorf("last used %v", got)
		}
		must[int64](t)(s.Raw(ctx, `ALTER TABLE usage RENAME TO elsewhere`))
		if _, err := s.CachedClient(ctx, c.ID); err != nil {
			t.Error("the token path reads usage:", err)
		}
	})
}
