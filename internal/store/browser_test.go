package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestFlowRows: a flow is found by its browser until it expires, moves with the
// cookie, is answered once, and leaves no row behind (Q7).
func TestFlowRows(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		before := secret.New(secret.Browser)
		flow := keystone.Flow{ID: keystone.NewID(clock.Now()), Request: keystone.AuthRequest{State: "st"}, CreatedAt: clock.Now(), ExpiresAt: clock.Now().Add(store.FlowLife)}
		if err := s.CreateFlow(ctx, before, flow); err != nil {
			t.Fatal(err)
		}
		in := signInOf(t, s, u)
		after, carried, err := s.SignInFlow(ctx, operator, before, flow, in)
		if err != nil || !carried {
			t.Fatal(carried, err)
		}
		in.Session.ID = keystone.NewID(clock.Now().Add(time.Millisecond))
		if _, again, err := s.SignInFlow(ctx, operator, before, flow, in); err != nil || again {
			t.Errorf("carried twice: %t %v", again, err)
		}
		if f, value, err := s.MovedFlow(ctx, before, flow.ID); err != nil || value != after || f.UserID != u.ID {
			t.Errorf("%v %+v", err, f)
		}
		if _, _, err := s.MovedFlow(ctx, secret.New(secret.Browser), flow.ID); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("from another browser: %v", err)
		}
		if saved := must[bool](t)(s.SaveFlow(ctx, before, flow)); saved {
			t.Error("saved by the old cookie")
		}
		if _, err := s.Flow(ctx, before, flow.ID); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("under the old cookie: %v", err)
		}
		if f := must[keystone.Flow](t)(s.Flow(ctx, after, flow.ID)); f.Request.State != "st" {
			t.Errorf("%+v", f)
		}
		if list := must[[]store.BrowserSession](t)(s.BrowserSessions(ctx, before)); len(list) != 0 {
			t.Errorf("the old cookie still carries %d sessions", len(list))
		}
		if list := must[[]store.BrowserSession](t)(s.BrowserSessions(ctx, after)); len(list) != 1 || list[0].UserID != u.ID {
			t.Errorf("%+v", list)
		}
		nothing := func(*store.Store) error { return nil }
		if !must[bool](t)(s.AnswerFlow(ctx, flow.ID, "code", nothing)) || must[bool](t)(s.AnswerFlow(ctx, flow.ID, "code", nothing)) {
			t.Error("a flow is answered once")
		}
		if f := must[keystone.Flow](t)(s.Flow(ctx, after, flow.ID)); f.Answer != "code" || must[bool](t)(s.SaveFlow(ctx, after, f)) {
			t.Errorf("%+v", f)
		}
		clock.Move(store.AgainWithin + time.Second)
		if _, err := s.Flow(ctx, after, flow.ID); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("an answered flow is kept: %v", err)
		}
		if _, _, err := s.MovedFlow(ctx, before, flow.ID); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("found by the old cookie after some seconds: %v", err)
		}
		for i := range 3 {
			flow.ID, flow.ExpiresAt = keystone.NewID(clock.Now().Add(time.Duration(i)*time.Millisecond)), clock.Now().Add(store.FlowLife)
			if err := s.CreateFlow(ctx, after, flow); err != nil {
				t.Fatal(err)
			}
		}
		clock.Move(store.FlowLife + time.Second)
		if _, err := s.Flow(ctx, after, flow.ID); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("expired: %v", err)
		}
		clock.Move(2 * time.Hour)
		if removed := must[map[string]int64](t)(s.Sweep(ctx)); removed["flows"] != 4 {
			t.Errorf("swept %v", removed)
		}
	})
}

// TestRedeemBesideTheEnd: whatever order a code's redemption and the end of its
// session or consent come in, no grant outlives the end (M1).
func TestRedeemBesideTheEnd(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		app := must2(t)(s.CreateClient(ctx, operator, keystone.Client{Name: "App", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://app.example/cb"}, Scopes: []string{"openid"}}))
		for round := range 12 {
			u := newUser(t, s, fmt.Sprint("u", round))
			ses := signIn(t, s, u).SessionID
			if err := s.AddConsent(ctx, operator, u.ID, app, []string{"openid"}, []string{""}); err != nil {
				t.Fatal(err)
			}
			now := clock.Now()
			g := keystone.Grant{ID: keystone.NewID(now), UserID: u.ID, ClientID: app.ID, SessionID: ses, Scopes: []string{"openid"}, Generation: 1,
				RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour), EndsAt: now.Add(time.Hour)}
			value := secret.New(secret.AuthCode)
			if err := s.AddCode(ctx, value, store.Code{GrantID: g.ID, UserID: u.ID, SessionID: ses}, now.Add(time.Minute), now); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := s.RedeemCode(ctx, operator, value, g, false, nil); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				var err error
				switch round % 3 {
				case 0:
					err = s.EndSession(ctx, operator, ses, "", keystone.EndLogout)
				case 1:
					_, err = s.EndSessions(ctx, operator, u.ID, "", keystone.EndRevoked)
				case 2:
					err = s.RevokeConsent(ctx, operator, u.ID, app.ID)
				}
				if err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if st := must[store.TokenState](t)(s.TokenState(ctx, store.TokenRef{JTI: "x", UserID: u.ID, ClientID: app.ID, GrantID: g.ID})); st.Active {
				t.Errorf("round %d: the grant outlived the end", round)
			}
			if ok, err := s.RedeemCode(ctx, operator, value, g, false, nil); err != nil || ok && round%3 != 2 {
				t.Errorf("round %d: redeemed afterwards: %t %v", round, ok, err)
			}
		}
	})
}

// must2 is must for what comes with a secret.
func must2(t *testing.T) func(keystone.Client, string, error) keystone.Client {
	return func(c keystone.Client, _ string, err error) keystone.Client {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// signInOf is a proof of the user that begins a session now.
func signInOf(t *testing.T, s *store.Store, u keystone.User) store.SignIn {
	t.Helper()
	login, err := s.LoginByID(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Now()
	return store.SignIn{Login: login, Session: keystone.Session{ID: keystone.NewID(now), UserID: u.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}}
}
