package store_test

import (
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
