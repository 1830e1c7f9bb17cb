package token

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestRefresh: a sign-in, a chain of refreshes, and its end, through the door.
func TestRefresh(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		n := newNode(t, s, clock, keystone.ES256)
		u := n.person(t, "jane", "user", "admin")
		r := n.mustSignIn(t, u)
		if !secret.WellFormed(secret.RefreshToken, r.RefreshToken) || len(r.Scopes) != len(keystone.BuiltInScopes) {
			t.Fatalf("%+v", r)
		}
		first, err := n.verifier.Inspect(ctx, r.AccessToken)
		ok(t, err)
		if first.UserID() != u.ID || first.Name != "jane" || first.SessionID == "" || first.GrantID == "" || !first.FirstParty {
			t.Fatalf("%+v", first)
		}
		seen := map[string]bool{r.RefreshToken: true}
		for range 5 {
			clock.Move(time.Minute)
			next, err := n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: r.RefreshToken})
			ok(t, err)
			if seen[next.RefreshToken] || next.JTI == r.JTI {
				t.Fatal("the same token again")
			}
			seen[next.RefreshToken] = true
			got, err := n.verifier.Inspect(ctx, next.AccessToken)
			ok(t, err)
			if got.SessionID != first.SessionID || got.GrantID != first.GrantID || len(got.Scopes) != len(first.Scopes) {
				t.Fatalf("%+v", got)
			}
			r = next
		}
		events, err := s.AuditEvents(ctx, keystone.AuditFilter{Action: keystone.ActTokenRefreshed}, keystone.Page{})
		ok(t, err)
		if e := events.Items[0]; len(events.Items) != 5 || e.ActorKind != keystone.ActorUser || e.ActorID != u.ID || e.ActorName != "jane" || e.ClientID != keystone.FirstPartyClientID || e.TargetID != first.GrantID {
			t.Errorf("%d rows, %+v", len(events.Items), e)
		}
		ok(t, s.EndSession(ctx, operator, first.SessionID, u.ID, keystone.EndLogout))
		_, err = n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: r.RefreshToken})
		wantCode(t, err, "invalid_grant")
		if _, err := n.verifier.Inspect(ctx, r.AccessToken); keystone.KindOf(err) != keystone.Unauthenticated {
			t.Errorf("an access token outlives its session: %v", err)
		}
	})
}

// TestRefreshNarrows is SECURITY.md D6 and D7: a refresh may ask for less, gets
// less where less is held, and never more.
func TestRefreshNarrows(t *testing.T) {
	n := alone(t, keystone.ES256)
	_, err := n.store.CreateRole(ctx, operator, keystone.Role{Name: "auditor", Scopes: []string{keystone.AuditRead, keystone.UsersRead}})
	ok(t, err)
	spa, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true,
		Scopes: []string{keystone.AuditRead, keystone.UsersRead, keystone.KeysRead}, Audiences: []string{"https://api.example.com", "https://other.example.com"}})
	ok(t, err)
	u := n.person(t, "jane", "auditor")
	r, err := n.signIn(u, &spa, []string{keystone.AuditRead, keystone.UsersRead})
	ok(t, err)
	refresh := func(scopes, audiences []string) (string, error) {
		next, err := n.issuer.Refresh(ctx, keystone.Anonymous(), &spa, Refreshing{Token: r.RefreshToken, Scopes: scopes, Audiences: audiences})
		if err != nil {
			if next.AccessToken != "" || next.RefreshToken != "" {
				t.Error("a refusal hands something out")
			}
			return "", err
		}
		r = next
		return strings.Join(next.Scopes, " "), nil
	}
	must := func(want string, scopes []string) {
		t.Helper()
		if got, err := refresh(scopes, nil); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	must("audit:read users:read", nil)
	must("users:read", []string{keystone.UsersRead})
	must("audit:read users:read", nil) // narrowing once is not for ever (RFC 6749 section 6)
	before := r.RefreshToken
	for _, test := range []struct {
		name              string
		scopes, audiences []string
		code              string
	}{
		{"wider scope, allowed for the client", []string{keystone.UsersRead, keystone.KeysRead}, nil, "invalid_scope"},
		{"scope of nobody", []string{"x"}, nil, "invalid_scope"},
		{"audience that was not granted", nil, []string{"https://other.example.com"}, "invalid_target"},
		{"foreign audience", nil, []string{testIssuer, "https://evil.example"}, "invalid_target"},
	} {
		t.Log(test.name)
		_, err := refresh(test.scopes, test.audiences)
		wantCode(t, err, test.code)
	}
	if r.RefreshToken != before {
		t.Fatal("changed by a refusal")
	}
	must("audit:read users:read", nil) // and not used up by it

	_, err = n.store.UpdateRole(ctx, operator, "auditor", 0, store.RolePatch{Scopes: &[]string{keystone.UsersRead, keystone.KeysRead}})
	ok(t, err)
	must("users:read", nil) // a scope less, and the new one was never granted
	_, err = n.store.SetUserRoles(ctx, operator, u.ID, 0, nil)
	ok(t, err)
	must("", nil)
}

// TestRefreshRefuses: what is not the client's own living refresh token is
// refused alike, and changes nothing.
func TestRefreshRefuses(t *testing.T) {
	n := alone(t, keystone.ES256)
	u := n.person(t, "jane")
	other, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true})
	ok(t, err)
	r := n.mustSignIn(t, u)
	family, generation, err := n.issuer.Family(ctx, r.RefreshToken)
	ok(t, err)
	if family.UserID != u.ID || family.ClientID != keystone.FirstPartyClientID || generation != 1 {
		t.Fatalf("%+v, %d", family, generation)
	}
	id, _ := keystone.IDBytes(family.ID)
	for name, raw := range map[string]string{
		"nothing":             "",
		"rubbish":             "rubbish",
		"access token":        r.AccessToken,
		"cut":                 r.RefreshToken[:len(r.RefreshToken)-1],
		"extended":            r.RefreshToken + "A",
		"NUL":                 r.RefreshToken + "\x00",
		"another master key":  secret.NewMasterKey().RefreshTokens().Format(id, 1),
		"a family of nobody":  n.issuer.refreshToken(keystone.NewID(n.clock.Now()), 1),
		"a generation to be":  n.issuer.refreshToken(family.ID, 2),
		"changed in the body": r.RefreshToken[:20] + string("AB"[b2i(r.RefreshToken[20] == 'A')]) + r.RefreshToken[21:],
	} {
		if _, err := n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: raw}); keystone.KindOf(err) != keystone.Invalid {
			t.Errorf("%s: %v", name, err)
		} else {
			wantCode(t, err, "invalid_grant")
		}
	}
	_, err = n.issuer.Refresh(ctx, keystone.Anonymous(), &other, Refreshing{Token: r.RefreshToken}) // another client
	wantCode(t, err, "invalid_grant")
	off := *n.own(t)
	off.Enabled = false
	_, err = n.issuer.Refresh(ctx, keystone.Anonymous(), &off, Refreshing{Token: r.RefreshToken})
	wantCode(t, err, "unauthorized_client")
	if _, err := n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: r.RefreshToken}); err != nil {
		t.Fatal("one of the refusals used it up:", err)
	}
	_, err = n.store.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: new(bool)})
	ok(t, err)
	_, err = n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: r.RefreshToken})
	wantCode(t, err, "invalid_grant")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestRefreshTogether is SECURITY.md D1: of many uses of one refresh token at
// once on two nodes, all get the identical successor. D2: the one before the
// last ends the family.
func TestRefreshTogether(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		nodes := []*node{newNode(t, stores[0], clock, keystone.ES256), newNode(t, stores[1], clock, keystone.ES256)}
		u := nodes[0].person(t, "jane")
		r := nodes[0].mustSignIn(t, u)
		clients := []*keystone.Client{nodes[0].own(t), nodes[1].own(t)}
		var chain []string
		for range 3 {
			chain = append(chain, r.RefreshToken)
			successors := map[string]bool{}
			jtis := map[string]bool{}
			for _, answer := range together(32, func(i int) any {
				next, err := nodes[i%2].issuer.Refresh(ctx, keystone.Anonymous(), clients[i%2], Refreshing{Token: r.RefreshToken})
				if err != nil {
					return err
				}
				return next
			}) {
				next, isToken := answer.(Response)
				if !isToken {
					t.Fatal(answer)
				}
				successors[next.RefreshToken], jtis[next.JTI] = true, true
			}
			if len(successors) != 1 || len(jtis) != 32 {
				t.Fatalf("%d successors, %d access tokens", len(successors), len(jtis))
			}
			for raw := range successors {
				r.RefreshToken = raw
			}
		}
		_, err := nodes[1].issuer.Refresh(ctx, keystone.Anonymous(), clients[1], Refreshing{Token: chain[1]})
		wantCode(t, err, "invalid_grant")
		_, err = nodes[0].issuer.Refresh(ctx, keystone.Anonymous(), clients[0], Refreshing{Token: r.RefreshToken})
		wantCode(t, err, "invalid_grant")
	})
}

// TestConfidentialClientsNeedNotRotate where they say so; public ones always do.
func TestConfidentialClientsNeedNotRotate(t *testing.T) {
	n := alone(t, keystone.ES256)
	u := n.person(t, "jane")
	for _, test := range []struct {
		kind    keystone.ClientKind
		rotate  bool
		rotates bool
	}{{keystone.ClientWeb, true, true}, {keystone.ClientWeb, false, false}, {keystone.ClientSPA, false, true}, {keystone.ClientNative, true, true}} {
		c, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: fmt.Sprint(test), Kind: test.kind, Enabled: true, RotateRefreshTokens: test.rotate})
		ok(t, err)
		r, err := n.signIn(u, &c, nil)
		ok(t, err)
		next, err := n.issuer.Refresh(ctx, keystone.Anonymous(), &c, Refreshing{Token: r.RefreshToken})
		ok(t, err)
		if rotated := next.RefreshToken != r.RefreshToken; rotated != test.rotates {
			t.Errorf("%s that says %v: rotated %v", test.kind, test.rotate, rotated)
		}
	}
}

// TestFamilyEndsWithItsSession: no refresh token is good for longer than the
// longest session.
func TestFamilyEndsWithItsSession(t *testing.T) {
	n := alone(t, keystone.ES256)
	n.issuer.MaxSession = time.Hour // less than a refresh token lives
	r := n.mustSignIn(t, n.person(t, "jane"))
	g, _, err := n.issuer.Family(ctx, r.RefreshToken)
	ok(t, err)
	if !g.ExpiresAt.Equal(g.EndsAt) || !g.EndsAt.Equal(n.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v", g)
	}
	n.clock.Move(time.Hour)
	_, err = n.issuer.Refresh(ctx, keystone.Anonymous(), n.own(t), Refreshing{Token: r.RefreshToken})
	wantCode(t, err, "invalid_grant")
}
