package token

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestAuthenticate: who presents a token to Keystone's own API.
func TestAuthenticate(t *testing.T) {
	n := alone(t, keystone.ES256)
	u := n.person(t, "jane", "admin")
	r := n.mustSignIn(t, u, keystone.UsersRead)
	got, err := n.verifier.Authenticate(ctx, r.AccessToken)
	ok(t, err)
	want := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: "jane", ClientID: keystone.FirstPartyClientID, SessionID: got.SessionID, Scopes: []string{keystone.UsersRead}, FirstParty: true}
	if diff := cmp.Diff(want, got); diff != "" || got.SessionID == "" {
		t.Error(diff)
	}
	third, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, Scopes: []string{keystone.UsersRead}})
	ok(t, err)
	through, err := n.signIn(u, &third, nil)
	ok(t, err)
	if got, err = n.verifier.Authenticate(ctx, through.AccessToken); err != nil || got.FirstParty || got.ClientID != third.ID {
		t.Errorf("through somebody else's client: %+v, %v", got, err)
	}
	for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
		c := n.service(t, func(c *keystone.Client) { c.AccessTokenFormat = format })
		got, err = n.verifier.Authenticate(ctx, n.mint(t, c).AccessToken)
		ok(t, err)
		if diff := cmp.Diff(keystone.Actor{Kind: keystone.ActorClient, ID: c.ID, Name: "shop", Scopes: c.Scopes}, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(format, diff)
		}
		// SECURITY.md F4: a token for another resource opens nothing here.
		elsewhere, err := n.issuer.Issue(ctx, keystone.Actor{}, Request{GrantType: keystone.GrantClientCredentials, Client: c, Audiences: []string{"https://api.example.com"}})
		ok(t, err)
		if _, err := n.verifier.Inspect(ctx, elsewhere.AccessToken); err != nil {
			t.Error("it is not active:", err)
		}
		if _, err := n.verifier.Authenticate(ctx, elsewhere.AccessToken); keystone.KindOf(err) != keystone.Unauthenticated {
			t.Errorf("%s for another resource is let in: %v", format, err)
		}
	}
}

// TestInspectFollows: a token says no more than is true now.
func TestInspectFollows(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		n := newNode(t, s, clock, keystone.ES256)
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			c := n.service(t, func(c *keystone.Client) { c.AccessTokenFormat = format })
			r := n.mint(t, c)
			active := func(want bool) {
				t.Helper()
				if _, err := n.verifier.Inspect(ctx, r.AccessToken); (err == nil) != want || err != nil && keystone.KindOf(err) != keystone.Unauthenticated {
					t.Fatalf("%s: %v", format, err)
				}
			}
			now := func(c *keystone.Client) *keystone.Client {
				t.Helper()
				is, err := s.Client(ctx, c.ID)
				ok(t, err)
				return &is
			}
			active(true)
			_, err := s.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Scopes = []string{keystone.AuditRead} })
			ok(t, err)
			if got, err := n.verifier.Inspect(ctx, r.AccessToken); err != nil || !slices.Equal(got.Scopes, []string{keystone.AuditRead}) {
				t.Errorf("%s: %+v, %v", format, got.Scopes, err)
			}
			_, err = s.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Scopes = []string{keystone.AuditRead, keystone.KeysRead} })
			ok(t, err)
			if got, err := n.verifier.Inspect(ctx, r.AccessToken); err != nil || slices.Contains(got.Scopes, keystone.KeysRead) {
				t.Errorf("%s grew: %+v, %v", format, got.Scopes, err)
			}
			_, err = s.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Enabled = false })
			ok(t, err)
			active(false)
			_, err = s.UpdateClient(ctx, operator, c.ID, 0, func(c *keystone.Client) { c.Enabled = true })
			ok(t, err)
			active(false) // what was ended stays so
			r = n.mint(t, now(c))
			active(true)
			ok(t, s.RevokeAccessToken(ctx, operator, r.JTI, c.ID, clock.Now().Add(time.Hour)))
			active(false)
			r = n.mint(t, now(c))
			active(true)
			clock.Move(15*time.Minute + leeway)
			active(false)
		}
	})
}

func TestClaimsOfOpaqueTokens(t *testing.T) {
	n := alone(t, keystone.ES256)
	u := n.person(t, "jane")
	c, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, AccessTokenFormat: keystone.FormatOpaque})
	ok(t, err)
	r, err := n.signIn(u, &c, nil)
	ok(t, err)
	got, err := n.verifier.Claims(ctx, r.AccessToken)
	ok(t, err)
	if got.Subject != u.ID || got.UserID() != u.ID || got.ClientID != c.ID || got.JTI != r.JTI || got.SessionID == "" || got.GrantID == "" || got.Issuer != testIssuer {
		t.Fatalf("%+v", got)
	}
	for _, raw := range []string{r.AccessToken[:len(r.AccessToken)-1], r.AccessToken + "A", "x" + r.AccessToken, secret.New(secret.AccessToken)} {
		if _, err := n.verifier.Claims(ctx, raw); keystone.KindOf(err) != keystone.Unauthenticated {
			t.Errorf("%q: %v", raw, err)
		}
	}
	n.store.Close()
	if _, err := n.verifier.Claims(ctx, secret.New(secret.AccessToken)); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("without a database: %v", err) // never "inactive" for want of an answer
	}
	claims := n.goodClaims()
	claims["sub"] = u.ID
	if _, err := n.verifier.Inspect(ctx, n.josed(t, claims, nil)); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("without a database: %v", err)
	}
}
