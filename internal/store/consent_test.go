package store_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestOldConsents: what was kept as two lists gives no more as pairs: all of it for
// Keystone itself where nobody else was named, and else nothing, so that people are asked.
func TestOldConsents(t *testing.T) {
	text, err := os.ReadFile("migrations/0024_consent_pairs.sql")
	if err != nil {
		t.Fatal(err)
	}
	turn := regexp.MustCompile(`(?m)^UPDATE .*$`).FindString(string(text))
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		for name, c := range map[string]struct {
			scopes, audiences string
			want              keystone.Allowed
		}{
			"keystone": {"openid users:read !#$%&'()*+,-./:;<=>?@[]^_`{|}~", "", keystone.Allowed{"": {"openid", "users:read", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"}}},
			"resource": {"openid users:read", "https://bank.example", keystone.Allowed{}},
			"nothing":  {"", "", keystone.Allowed{}},
		} {
			u := newUser(t, s, name)
			app := must2(t)(s.CreateClient(ctx, operator, keystone.Client{Name: "App", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://app.example/cb"}, Scopes: []string{"openid"}}))
			if err := s.AddConsent(ctx, operator, u.ID, app, nil, []string{""}); err != nil {
				t.Fatal(err)
			}
			must[int64](t)(s.Raw(ctx, `UPDATE consents SET scopes = $1, audiences = $2, allowed = '{}' WHERE user_id = $3`, c.scopes, c.audiences, u.ID))
			must[int64](t)(s.Raw(ctx, turn))
			list := must[keystone.List[store.Consent]](t)(s.Consents(ctx, u.ID, keystone.Page{}))
			if diff := cmp.Diff(c.want, list.Items[0].Allowed); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// TestConsentTakenBackStaysSo: who allows something more at the moment in which the consent
// is taken back brings nothing of before back.
func TestConsentTakenBackStaysSo(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		app := must2(t)(s.CreateClient(ctx, operator, keystone.Client{Name: "App", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://app.example/cb"}, Scopes: []string{"openid", "profile", "email"}}))
		u := newUser(t, s, "jane")
		for range 40 {
			ok(t, s.AddConsent(ctx, operator, u.ID, app, []string{"email", "openid"}, []string{""}))
			for _, err := range together(2, func(i int) error {
				if i == 0 {
					return s.RevokeConsent(ctx, operator, u.ID, app.ID)
				}
				return s.AddConsent(ctx, operator, u.ID, app, []string{"openid", "profile"}, []string{""})
			}) {
				ok(t, err)
			}
			for _, c := range must[keystone.List[store.Consent]](t)(s.Consents(ctx, u.ID, keystone.Page{})).Items {
				if diff := cmp.Diff(keystone.Allowed{"": {"openid", "profile"}}, c.Allowed); diff != "" {
					t.Fatalf("taken back and there: %s", diff)
				}
			}
		}
	})
}

// TestConsentToAnotherClient: a consent counts for the client that was shown, on every node
// and whatever its cache says; of a consent and a change of the client at the same moment
// either the change takes it away, or it does not come.
func TestConsentToAnotherClient(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		here, there := nodes[0], nodes[1]
		register := func(uri string) func(keystone.RegistrationPolicy) (keystone.Client, error) {
			return func(keystone.RegistrationPolicy) (keystone.Client, error) {
				return keystone.Client{Name: uri, Kind: keystone.ClientWeb, RedirectURIs: []string{uri}, Scopes: []string{"openid"}}, nil
			}
		}
		strangers := store.Strangers{Policy: keystone.RegistrationPolicy{Scopes: []string{"openid"}, Stranger: true}.WithDefaults(), Most: 100, PerPeer: 100}
		for i := range 20 {
			u := newUser(t, here, fmt.Sprint("u", i))
			reg := must[store.Registration](t)(here.RegisterClient(ctx, operator, "", strangers, "", register("https://good.example/cb")))
			shown := *must[*keystone.Client](t)(there.CachedClient(ctx, reg.Client.ID))
			errs := together(2, func(i int) error {
				if i == 0 {
					return there.AddConsent(ctx, operator, u.ID, shown, []string{"openid"}, []string{""})
				}
				_, err := here.ReplaceRegistration(ctx, operator, shown.ID, reg.Token, "", func(c keystone.Client, r store.Registration) (keystone.Client, error) {
					c.Name, c.RedirectURIs = "Your Bank", []string{"https://evil.example/cb"}
					return c, nil
				})
				return err
			})
			ok(t, errs[1])
			if errs[0] != nil && !errors.Is(errs[0], store.ErrClientChanged) {
				t.Fatal(errs[0])
			}
			for _, c := range must[keystone.List[store.Consent]](t)(here.Consents(ctx, u.ID, keystone.Page{})).Items {
				if len(c.Allowed) > 0 {
					t.Fatalf("%v: allowed another client: %v", errs[0], c.Allowed)
				}
			}
			if err := there.AddConsent(ctx, operator, u.ID, shown, []string{"openid"}, []string{""}); !errors.Is(err, store.ErrClientChanged) {
				t.Fatalf("what was shown before: %v", err)
			}
			if now := *must[*keystone.Client](t)(there.CachedClient(ctx, shown.ID)); now.Name != "Your Bank" {
				t.Fatalf("the next page would show %q", now.Name)
			}
		}
	})
}
