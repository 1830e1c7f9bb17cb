package store_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestPending walks every step of a pending authorization: each counts once,
// none leads back, and the codes are not in the database.
func TestPending(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane, john := newUser(t, s, "jane"), newUser(t, s, "john")
		c, _ := newService(t, s)
		by := keystone.Operator("test")
		const letters = "WDJBMJHT"
		add := func(userCode, userID string) (string, store.Pending) {
			t.Helper()
			now := clock.Now()
			p := store.Pending{ID: keystone.NewID(now), Kind: store.PendingDevice, ClientID: c.ID, UserID: userID, Request: keystone.AuthRequest{ClientID: c.ID, Scopes: []string{"openid"}},
				Source: "192.0.2.7", Message: "hello", CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute)}
			code := secret.New(secret.DeviceCode)
			if err := s.AddPending(ctx, by, code, userCode, p); err != nil {
				t.Fatal(err)
			}
			return code, p
		}
		code, p := add(letters, "")
		if err := s.AddPending(ctx, by, secret.New(secret.DeviceCode), letters, store.Pending{ID: keystone.NewID(clock.Now())}); keystone.KindOf(err) != keystone.Conflict {
			t.Errorf("a user code was given twice: %v", err)
		}
		found := must[store.Pending](t)(s.PendingByUserCode(ctx, letters))
		if found.ID != p.ID || found.Source != p.Source || found.Message != "hello" || found.Request.Scopes[0] != "openid" || !found.ExpiresAt.Equal(p.ExpiresAt.Truncate(time.Microsecond)) {
			t.Errorf("%+v", found)
		}
		for _, column := range []string{"hash", "user_code"} {
			hexed := `hex(` + column + `)`
			if s.OnPostgres() {
				hexed = `encode(` + column + `, 'escape')`
			}
			stored := must[[]string](t)(s.RawTexts(ctx, `SELECT `+hexed+` FROM pending_authorizations`))
			if strings.Contains(strings.Join(stored, " "), letters) || strings.Contains(strings.Join(stored, " "), code) || strings.Contains(strings.ToLower(strings.Join(stored, " ")), "57444a424d4a4854") {
				t.Errorf("%s is stored as it is", column)
			}
		}
		if ok := must[bool](t)(s.RedeemPending(ctx, by, code, keystone.Grant{ID: "g", SessionID: "s"}, true)); ok {
			t.Error("redeemed before it was approved")
		}
		approval := &store.Code{GrantID: keystone.NewID(clock.Now()), UserID: jane.ID, SessionID: "s", Scopes: []string{"openid"}}
		var wins atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 { // approvals and refusals at the same moment: one counts
			wg.Go(func() {
				a := approval
				if i%2 == 0 {
					a = nil
				}
				if ok, err := s.AnswerPending(ctx, by, p.ID, jane.ID, a); err != nil {
					t.Error(err)
				} else if ok {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d answers counted", wins.Load())
		}
		if _, err := s.PendingByUserCode(ctx, letters); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("answered, and still found: %v", err)
		}

		// For one person only; several without a user code live side by side.
		_, mine := add("", jane.ID)
		_, hers := add("", jane.ID)
		if ok := must[bool](t)(s.AnswerPending(ctx, by, mine.ID, john.ID, approval)); ok {
			t.Error("somebody else answered")
		}
		if ok := must[bool](t)(s.AnswerPending(ctx, by, mine.ID, jane.ID, nil)); !ok {
			t.Error("she could not answer")
		}
		if ok := must[bool](t)(s.AnswerPending(ctx, by, mine.ID, jane.ID, approval)); ok {
			t.Error("a refusal was taken back")
		}
		clock.Move(10 * time.Minute)
		if ok := must[bool](t)(s.AnswerPending(ctx, by, hers.ID, jane.ID, approval)); ok {
			t.Error("answered after its end")
		}
	})
}

// TestPendingOnce: of many that redeem at the same moment one wins (X16).
func TestPendingOnce(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane := newUser(t, s, "jane")
		c, _ := newService(t, s)
		by := keystone.Operator("test")
		ses := keystone.NewID(clock.Now())
		if _, err := s.Raw(ctx, `INSERT INTO sessions (id, user_id, client_id, source, user_agent, amr, created_at, last_seen, expires_at, ended_at, end_reason) VALUES ($1, $2, '', '', '', '', 1, 1, $3, 0, '')`,
			ses, jane.ID, clock.Now().Add(time.Hour).UnixMicro()); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			now := clock.Now()
			code, id := secret.New(secret.DeviceCode), keystone.NewID(now)
			if err := s.AddPending(ctx, by, code, "", store.Pending{ID: id, Kind: store.PendingDevice, ClientID: c.ID, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
			grantID := keystone.NewID(now)
			if ok := must[bool](t)(s.AnswerPending(ctx, by, id, jane.ID, &store.Code{GrantID: grantID, SessionID: ses})); !ok {
				t.Fatal("not approved")
			}
			var wins atomic.Int32
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					g := keystone.Grant{ID: grantID, UserID: jane.ID, ClientID: c.ID, SessionID: ses, Generation: 1, CreatedAt: now, EndsAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour), RotatedAt: now}
					if ok, err := s.RedeemPending(ctx, by, code, g, true); err != nil {
						t.Error(err)
					} else if ok {
						wins.Add(1)
					}
				})
			}
			wg.Wait()
			if wins.Load() != 1 {
				t.Fatalf("%d of 32 won", wins.Load())
			}
			if g := must[keystone.Grant](t)(s.Grant(ctx, grantID)); g.UserID != jane.ID {
				t.Errorf("%+v", g)
			}
		}
	})
}

func TestForgiveAttempt(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		k := store.AttemptKey{Key: "device:source:192.0.2.7", Free: 3}
		count := func() bool { return must[store.Attempt](t)(s.CountAttempt(ctx, k)).Wait > 0 }
		for range 10 { // right ones cost nothing
			if count() {
				t.Fatal("refused")
			}
			if err := s.ForgiveAttempt(ctx, k.Key); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // and forgive nobody else's wrong ones
			count()
		}
		if count(); !count() {
			t.Error("a right one forgave the wrong ones of others")
		}
		if err := s.ForgiveAttempt(ctx, "nobody"); err != nil {
			t.Error(err)
		}
	})
}
