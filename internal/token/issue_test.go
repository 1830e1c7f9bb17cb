package token

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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

// TestServiceToken: what a service gets for itself.
func TestServiceToken(t *testing.T) {
	n := alone(t, keystone.ES256)
	for _, test := range []struct {
		name      string
		client    func(*keystone.Client)
		scopes    []string
		audiences []string
		want      string // scopes
		aud       string
		life      time.Duration
	}{
		{"all it may have", nil, nil, nil, "audit:read users:read", testIssuer, 15 * time.Minute},
		{"less", nil, []string{keystone.UsersRead}, nil, "users:read", testIssuer, 15 * time.Minute},
		{"for a resource", nil, nil, []string{"https://api.example.com"}, "audit:read users:read", "https://api.example.com", 15 * time.Minute},
		{"for both", nil, nil, []string{testIssuer, "https://api.example.com"}, "audit:read users:read", "https://api.example.com " + testIssuer, 15 * time.Minute},
		{"a life of its own", func(c *keystone.Client) { c.AccessTokenTTL = time.Minute }, nil, nil, "audit:read users:read", testIssuer, time.Minute},
		{"opaque", func(c *keystone.Client) { c.AccessTokenFormat = keystone.FormatOpaque }, []string{keystone.UsersRead}, nil, "users:read", testIssuer, 15 * time.Minute},
		{"without any scope", func(c *keystone.Client) { c.Scopes = nil }, nil, nil, "", testIssuer, 15 * time.Minute},
	} {
		c := n.service(t, test.client)
		r, err := n.issuer.Issue(ctx, keystone.Actor{Kind: keystone.ActorClient, ID: c.ID}, Request{GrantType: keystone.GrantClientCredentials, Client: c, Scopes: test.scopes, Audiences: test.audiences})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if r.RefreshToken != "" || r.ExpiresIn != test.life || strings.Join(r.Scopes, " ") != test.want || !keystone.IsID(r.JTI) {
			t.Errorf("%s: %+v", test.name, r)
		}
		if opaque := secret.WellFormed(secret.AccessToken, r.AccessToken); opaque != (c.AccessTokenFormat == keystone.FormatOpaque) {
			t.Errorf("%s: %s", test.name, r.AccessToken)
		}
		got, err := n.verifier.Inspect(ctx, r.AccessToken)
		ok(t, err)
		now := n.clock.Now()
		if c.AccessTokenFormat == keystone.FormatJWT {
			now = now.Truncate(time.Second)
		}
		want := Claims{Issuer: testIssuer, Audiences: strings.Fields(test.aud), Subject: c.ID, ClientID: c.ID, Scopes: strings.Fields(test.want), JTI: r.JTI, IssuedAt: now, ExpiresAt: now.Add(test.life).Truncate(time.Second)}
		if diff := cmp.Diff(want, *got.Claims, cmpopts.EquateEmpty()); diff != "" || got.Name != "shop" || got.UserID() != "" {
			t.Errorf("%s: %s %+v", test.name, diff, got)
		}
		body := r.Body()
		if body.TokenType != "Bearer" || body.ExpiresIn != int64(test.life/time.Second) || body.Scope != test.want || body.JTI != r.JTI || body.AccessToken != r.AccessToken {
			t.Errorf("%s: %+v", test.name, body)
		}
	}
}

// TestDoorRefuses: each check of the door, for what a service and for what a
// person asks. Nothing is written before all of them have passed.
func TestDoorRefuses(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		n := newNode(t, s, clock, keystone.ES256)
		for _, role := range []keystone.Role{{Name: "auditor", Scopes: []string{keystone.AuditRead}}, {Name: "reader", Scopes: []string{keystone.UsersRead}}} {
			_, err := s.CreateRole(ctx, operator, role)
			ok(t, err)
		}
		service := n.service(t, nil)
		spa, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, Scopes: []string{keystone.AuditRead, keystone.UsersRead}, Audiences: []string{"https://api.example.com"}})
		ok(t, err)
		jane := n.person(t, "jane", "auditor")
		off := n.person(t, "off", "auditor")
		_, err = s.UpdateUser(ctx, operator, off.ID, 0, keystone.UserPatch{Enabled: new(bool)})
		ok(t, err)
		gone := n.person(t, "gone")
		ok(t, s.DeleteUser(ctx, operator, gone.ID, 0))
		with := func(c keystone.Client, change func(*keystone.Client)) *keystone.Client { change(&c); return &c }

		for _, test := range []struct {
			name string
			ask  Request
			code string
		}{
			{"client disabled", Request{GrantType: keystone.GrantClientCredentials, Client: with(*service, func(c *keystone.Client) { c.Enabled = false })}, "unauthorized_client"},
			{"client of nothing", Request{GrantType: keystone.GrantClientCredentials}, "unauthorized_client"},
			{"grant type not the client's", Request{GrantType: keystone.GrantRefreshToken, Client: service}, "unauthorized_client"},
			{"grant type unknown", Request{GrantType: "password", Client: service}, "unauthorized_client"},
			{"no grant type", Request{Client: service}, "unauthorized_client"},
			{"scope not the client's", Request{GrantType: keystone.GrantClientCredentials, Client: service, Scopes: []string{keystone.UsersWrite}}, "invalid_scope"},
			{"scope that does not exist", Request{GrantType: keystone.GrantClientCredentials, Client: service, Scopes: []string{"openid"}}, "invalid_scope"},
			{"offline_access", Request{GrantType: keystone.GrantClientCredentials, Client: service, Scopes: []string{"offline_access"}}, "invalid_scope"},
			{"openid registered for a service", Request{GrantType: keystone.GrantClientCredentials, Client: with(*service, func(c *keystone.Client) { c.Scopes = []string{"openid", keystone.UsersRead} }), Scopes: []string{"openid"}}, "invalid_scope"},
			{"audience not the client's", Request{GrantType: keystone.GrantClientCredentials, Client: service, Audiences: []string{"https://other.example.com"}}, "invalid_target"},
			{"one audience of two", Request{GrantType: keystone.GrantClientCredentials, Client: service, Audiences: []string{testIssuer, "https://other.example.com"}}, "invalid_target"},
			{"user disabled", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: off.ID}, "invalid_grant"},
			{"user deleted", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: gone.ID}, "invalid_grant"},
			{"user that never was", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: keystone.NewID(clock.Now())}, "invalid_grant"},
			{"user through a service", Request{GrantType: keystone.GrantRefreshToken, Client: service, UserID: jane.ID}, "unauthorized_client"},
			{"user: scope not the client's", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID, Scopes: []string{keystone.KeysWrite}}, "invalid_scope"},
			{"user: scope outside of the grant", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID, Within: []string{keystone.UsersRead}, Scopes: []string{keystone.AuditRead}}, "invalid_scope"},
			{"user: audience", Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID, Audiences: []string{"https://other.example.com"}}, "invalid_target"},
		} {
			test.ask.Write = func(context.Context, Decision) (Written, error) {
				t.Errorf("%s: something was written", test.name)
				return Written{}, nil
			}
			r, err := n.issuer.Issue(ctx, keystone.Anonymous(), test.ask)
			if r.AccessToken != "" || r.RefreshToken != "" {
				t.Errorf("%s: a token left: %+v", test.name, r)
			}
			t.Log(test.name)
			wantCode(t, err, test.code)
		}

		// A user's scopes: held, allowed and granted, whatever of it is asked.
		for _, test := range []struct {
			name           string
			within, scopes []string
			want           string
		}{
			{"nothing asked: what is left", nil, nil, "audit:read"},
			{"asked more than held", nil, []string{keystone.AuditRead, keystone.UsersRead}, "audit:read"},
			{"a grant of nothing", []string{}, nil, ""},
			{"a grant of something else", []string{keystone.UsersRead}, nil, ""},
		} {
			var decided Decision
			_, err := n.issuer.Issue(ctx, keystone.Anonymous(), Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID, Within: test.within, Scopes: test.scopes,
				Write: func(_ context.Context, d Decision) (Written, error) { decided = d; return Written{}, nil }})
			if strings.Join(decided.Scopes, " ") != test.want {
				t.Errorf("%s: decided %q", test.name, decided.Scopes)
			}
			wantCode(t, err, "invalid_grant") // nothing was written that would end the token
		}
		_, err = n.issuer.Issue(ctx, keystone.Anonymous(), Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID})
		wantCode(t, err, "invalid_grant")
		failed := errors.New("no")
		r, err := n.issuer.Issue(ctx, keystone.Anonymous(), Request{GrantType: keystone.GrantRefreshToken, Client: &spa, UserID: jane.ID,
			Write: func(context.Context, Decision) (Written, error) { return Written{GrantID: "g", Refresh: "r"}, failed }})
		if !errors.Is(err, failed) || r.AccessToken != "" || r.RefreshToken != "" {
			t.Errorf("what could not be written left: %+v, %v", r, err)
		}
	})
}

// TestObserve: outcomes have names from a closed list, and the door itself counts
// nothing: whoever answers a request does, once.
func TestObserve(t *testing.T) {
	n := alone(t, keystone.ES256)
	var seen []string
	n.issuer.observe = func(grant, result string) { seen = append(seen, grant+" "+result) }
	n.mint(t, n.service(t, nil))
	if len(seen) != 0 {
		t.Errorf("the door counted %q", seen)
	}
	refusal := func(code string) error { return keystone.Fail(keystone.Invalid, "why").WithCode(code) }
	for _, err := range []error{nil, errRefresh, keystone.Fail(keystone.Limited, "later"), refusal("authorization_pending"), refusal("slow_down"), refusal("expired_token"),
		keystone.Fail(keystone.Unavailable, "later"), errors.New("x"), fmt.Errorf("y: %w", errRefresh)} {
		n.issuer.Observe("g", err)
	}
	if want := strings.Fields("issued refused refused waiting waiting refused failed failed refused"); strings.Join(seen, " ") != "g "+strings.Join(want, " g ") {
		t.Errorf("got %q", seen)
	}
	NewIssuer(Options{}, n.store, n.ring, storetest.Master, nil).Observe("g", nil) // nobody listens
}

// TestUsage: what is issued is counted between two flushes, and what cannot be
// written is kept for the next one.
func TestUsage(t *testing.T) {
	path, clock := filepath.Join(t.TempDir(), "test.db"), storetest.NewClock()
	first := newNode(t, storetest.OpenAt(t, path, clock), clock, keystone.ES256)
	b, a := first.service(t, nil), first.service(t, nil)
	ok(t, first.issuer.FlushUsage(ctx)) // nothing yet
	for range 3 {
		first.mint(t, a)
	}
	first.mint(t, b)
	ok(t, first.issuer.FlushUsage(ctx))
	ok(t, first.issuer.FlushUsage(ctx))
	first.mint(t, b)
	first.store.Close()
	if err := first.issuer.FlushUsage(ctx); keystone.KindOf(err) != keystone.Unavailable {
		t.Fatal(err)
	}
	first.issuer.usage.add(b.ID, keystone.GrantClientCredentials, clock.Now())
	if err := first.issuer.FlushUsage(ctx); err == nil {
		t.Fatal("a closed database was written")
	}
	again := storetest.OpenAt(t, path, clock)
	first.issuer.store = again
	ok(t, first.issuer.FlushUsage(ctx))
	st, err := again.Stats(ctx)
	ok(t, err)
	got := map[string]int64{}
	for _, u := range st.Usage {
		got[u.ClientID] += u.Tokens
	}
	if diff := cmp.Diff(map[string]int64{a.ID: 3, b.ID: 3}, got); diff != "" || st.TokensToday != 6 {
		t.Fatal(diff)
	}
}

func TestInJSON(t *testing.T) {
	for _, test := range []struct {
		code  string
		kind  keystone.Kind
		field string
	}{
		{"invalid_client", keystone.Unauthenticated, ""}, {"invalid_grant", keystone.Unauthenticated, ""}, {"unauthorized_client", keystone.Forbidden, ""},
		{"invalid_scope", keystone.Invalid, "scope"}, {"invalid_target", keystone.Invalid, "audience"}, {"something_else", keystone.Invalid, ""},
	} {
		var e *keystone.Error
		if !errors.As(InJSON(keystone.Fail(keystone.Invalid, "why").WithCode(test.code)), &e) || e.Code != "" || e.Kind != test.kind || test.field != "" && e.Fields[test.field] != "why" {
			t.Errorf("%s: %+v", test.code, e)
		}
	}
	plain := errors.New("x")
	if InJSON(plain) != plain || InJSON(nil) != nil { //nolint:errorlint // the same value
		t.Error("another error was changed")
	}
}

// TestSignedAhead: what is signed while the database writes leaves only with what was
// written, and only if that is what was said ahead.
func TestSignedAhead(t *testing.T) {
	n := alone(t, keystone.ES256)
	spa, _, err := n.store.CreateClient(ctx, operator, keystone.Client{Name: "app", Kind: keystone.ClientSPA, Enabled: true, Scopes: []string{keystone.UsersRead}})
	ok(t, err)
	opaque := spa
	opaque.AccessTokenFormat = keystone.FormatOpaque
	jane := n.person(t, "jane")
	ahead, other := Written{SessionID: "s", GrantID: "g"}, Written{SessionID: "s", GrantID: "h"}
	for _, test := range []struct {
		name   string
		client keystone.Client
		ahead  Written
		during bool // Write lets it be signed
		wrote  Written
		err    error
		grant  string // of the token that leaves; empty: none does
	}{
		{"signed meanwhile", spa, ahead, true, ahead, nil, "g"},
		{"signed afterwards", spa, ahead, false, ahead, nil, "g"},
		{"nothing known ahead", spa, Written{}, true, ahead, nil, "g"},
		{"something else was written", spa, ahead, true, other, nil, "h"},
		{"nothing was written", spa, ahead, true, Written{}, nil, ""},
		{"refused", spa, ahead, true, Written{}, errRefresh, ""},
		{"stored tokens wait", opaque, ahead, true, ahead, nil, "g"},
	} {
		signed := false
		r, err := n.issuer.Issue(ctx, keystone.Anonymous(), Request{GrantType: keystone.GrantRefreshToken, Client: &test.client, UserID: jane.ID, Ahead: test.ahead,
			Write: func(_ context.Context, d Decision) (Written, error) {
				if test.during && d.Meanwhile != nil {
					d.Meanwhile()
					signed = true
				}
				test.wrote.Refresh = "next"
				return test.wrote, test.err
			}})
		if want := test.during && test.ahead.GrantID != "" && test.client.AccessTokenFormat != keystone.FormatOpaque; signed != want {
			t.Errorf("%s: signed ahead: %v", test.name, signed)
		}
		if test.grant == "" {
			if err == nil || r.AccessToken != "" || r.RefreshToken != "" || r.IDToken != "" {
				t.Errorf("%s: a token left: %+v, %v", test.name, r, err)
			}
			continue
		}
		ok(t, err)
		if got, err := n.verifier.Claims(ctx, r.AccessToken); err != nil || got.GrantID != test.grant || r.RefreshToken != "next" {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}
