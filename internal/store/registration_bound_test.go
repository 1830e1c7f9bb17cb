package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// asksFor registers a client, and says the same again later.
func asksFor(scopes ...string) keystone.Client {
	return keystone.Client{Name: "App", Kind: keystone.ClientWeb, RedirectURIs: []string{"https://app.example/cb"}, Scopes: scopes}.WithDefaults()
}

// TestTakenAtTheSameMoment: of an administrator who narrows a client and the client that
// says its old word again at the same moment, the administrator has the last word.
func TestTakenAtTheSameMoment(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		here, there := nodes[0], nodes[1]
		newScope(t, here, "pay")
		strangers := store.Strangers{Policy: keystone.RegistrationPolicy{Scopes: []string{"openid", "pay"}}.WithDefaults(), Most: 100, PerPeer: 100}
		build := func(p keystone.RegistrationPolicy) (keystone.Client, error) { return p.Apply(asksFor("openid", "pay")) }
		for range 20 {
			reg := must[store.Registration](t)(here.RegisterClient(ctx, operator, "", strangers, "", build))
			again := func(s *store.Store) error {
				_, err := s.ReplaceRegistration(ctx, operator, reg.Client.ID, reg.Token, "a statement", func(c keystone.Client, r store.Registration) (keystone.Client, error) {
					c.Scopes, c.Name = []string{"openid", "pay"}, c.Name+"."
					return r.Policy.Apply(c)
				})
				return err
			}
			errs := together(2, func(i int) error {
				if i == 0 {
					_, err := here.UpdateClient(ctx, operator, reg.Client.ID, 0, func(c *keystone.Client) { c.Scopes = []string{"openid"} })
					return err
				}
				return again(there)
			})
			ok(t, errs[0])
			if errs[1] != nil {
				wantKind(t, errs[1], keystone.Stale)
			}
			ok(t, again(here))
			if c := must[keystone.Client](t)(here.Client(ctx, reg.Client.ID)); !slices.Equal(c.Scopes, []string{"openid"}) {
				t.Fatalf("%v: %v", errs[1], c.Scopes)
			}
		}
		if stuck, err := here.RawTexts(ctx, `SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()`); err == nil && stuck[0] != "0" {
			t.Errorf("%s times, each waited for the other", stuck[0])
		}
		// A client that an administrator narrowed is looked at, and so neither gives way nor goes.
		untouched := must[store.Registration](t)(here.RegisterClient(ctx, operator, "", strangers, "", build))
		clock.Move(60 * 24 * time.Hour)
		if n := must[int64](t)(here.SweepRegistrations(ctx, 30*24*time.Hour)); n != 1 {
			t.Errorf("%d went", n)
		}
		_, err := here.Client(ctx, untouched.Client.ID)
		wantKind(t, err, keystone.NotFound)
	})
}
