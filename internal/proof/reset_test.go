package proof_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

func policy(t *testing.T) password.Policy {
	t.Helper()
	p, err := password.NewPolicy("modern", password.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w world) start(t *testing.T) string {
	t.Helper()
	value, expires, err := w.StartReset(context.Background(), keystone.Operator("test"), w.jane.ID)
	if err != nil || !expires.Equal(w.clock.Now().Add(time.Hour)) {
		t.Fatal(expires, err)
	}
	return value
}

func (w world) reset(t *testing.T, value, pass string) error {
	t.Helper()
	_, err := w.Reset(context.Background(), from("192.0.2.1"), value, pass, policy(t))
	return err
}

func wantKind(t *testing.T, what string, err error, want keystone.Kind) {
	t.Helper()
	if err == nil || keystone.KindOf(err) != want {
		t.Errorf("%s: %v, want kind %d", what, err, want)
	}
}

const chosen = "what jane has chosen anew"

func TestReset(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx := context.Background()
		session := w.signIn(t)
		value := w.start(t)
		if got := w.try("jane", right, "192.0.2.1"); got != "refused" {
			t.Error("the old password after the reset began:", got)
		}
		if ses, err := w.Store.Session(ctx, session); err != nil || ses.EndReason != keystone.EndPasswordChanged {
			t.Error("session after the reset began:", ses, err)
		}
		for range 3 { // a scanner follows the link
			if good, err := w.ResetGood(ctx, value); !good || err != nil {
				t.Fatal("link:", good, err)
			}
		}
		// The policy speaks before the link is used up, also where it needs to know whose it is.
		wantKind(t, "short password", w.reset(t, value, "short"), keystone.Invalid)
		wantKind(t, "password about the account", w.reset(t, value, "jane@example.com!"), keystone.Invalid)
		if err := w.reset(t, value, chosen); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "second use", w.reset(t, value, "yet another password here"), keystone.Unauthenticated)
		if good, _ := w.ResetGood(ctx, value); good {
			t.Error("the link looks good after its use")
		}
		if got := w.try("jane", chosen, "192.0.2.1"); got != "ok" {
			t.Error("the chosen password:", got)
		}
		if list, err := w.Store.Sessions(ctx, w.jane.ID, keystone.Page{}); err != nil || len(list.Items) != 0 {
			t.Error("a reset signed somebody in:", list, err)
		}
	})
}

func TestResetLinksDie(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx := context.Background()
		older := w.start(t)
		w.clock.Move(time.Second)
		newer := w.start(t)
		wantKind(t, "replaced link", w.reset(t, older, chosen), keystone.Unauthenticated)

		w.clock.Move(time.Second)
		if err := w.Store.SetPassword(ctx, keystone.Operator("test"), w.jane.ID, "", ""); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "link older than a change", w.reset(t, newer, chosen), keystone.Unauthenticated)

		expired := w.start(t)
		w.clock.Move(time.Hour)
		wantKind(t, "expired link", w.reset(t, expired, chosen), keystone.Unauthenticated)

		disabled, off := w.start(t), false
		if _, err := w.Store.UpdateUser(ctx, keystone.Operator("test"), w.jane.ID, 0, keystone.UserPatch{Enabled: &off}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "link of a disabled account", w.reset(t, disabled, chosen), keystone.Unauthenticated)
		if err := w.Store.DeleteUser(ctx, keystone.Operator("test"), w.jane.ID, 0); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "link of a deleted account", w.reset(t, disabled, chosen), keystone.Unauthenticated)

		setup, err := w.Store.SetupToken(ctx, keystone.Operator("test"))
		if err != nil {
			t.Fatal(err)
		}
		for what, value := range map[string]string{
			"setup link": setup, "random": secret.New(secret.OneTime), "empty": "", "cut": disabled[:len(disabled)-1], "NUL": "\x00",
		} {
			wantKind(t, what, w.reset(t, value, chosen), keystone.Unauthenticated)
		}
	})
}

// P1: of many simultaneous uses one succeeds.
func TestResetOnce(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		value := w.start(t)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if w.reset(t, value, chosen) == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d uses succeeded", won.Load())
		}
	})
}

// Nobody starts the reset of somebody who holds more, and the trail tells who
// did, without the link.
func TestResetAuthorityAndTrail(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx := context.Background()
		admin, err := w.Store.CreateUser(ctx, keystone.Operator("test"), keystone.User{Username: "root", Email: "root@example.com", Enabled: true, Roles: []string{keystone.RoleAdmin}}, "")
		if err != nil {
			t.Fatal(err)
		}
		support := keystone.Actor{Kind: keystone.ActorUser, ID: keystone.NewID(w.clock.Now()), Name: "support", Scopes: []string{keystone.UsersRead, keystone.UsersWrite}}
		_, _, err = w.StartReset(ctx, support, admin.ID)
		wantKind(t, "reset of an administrator", err, keystone.Forbidden)

		value, _, err := w.StartReset(ctx, support, w.jane.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.reset(t, value, chosen); err != nil {
			t.Fatal(err)
		}
		trail, err := w.Store.AuditEvents(ctx, keystone.AuditFilter{Target: w.jane.ID, Action: "password."}, keystone.Page{})
		if err != nil || len(trail.Items) != 3 {
			t.Fatal(trail, err)
		}
		b, _ := json.Marshal(trail)
		if strings.Contains(string(b), value) || strings.Contains(string(b), chosen) {
			t.Errorf("the trail holds a secret: %s", b)
		}
		if e := trail.Items[0]; e.Action != keystone.ActPasswordChanged || e.ActorID != w.jane.ID {
			t.Errorf("last: %+v", e)
		}
		if e := trail.Items[1]; e.Action != "password.reset_started" || e.ActorName != "support" {
			t.Errorf("before: %+v", e)
		}
	})
}

func (w world) signIn(t *testing.T) (sessionID string) {
	t.Helper()
	ctx, now := context.Background(), w.clock.Now()
	login, err := w.Store.LoginByID(ctx, w.jane.ID)
	if err != nil {
		t.Fatal(err)
	}
	ses := keystone.Session{ID: keystone.NewID(now), UserID: w.jane.ID, ClientID: keystone.FirstPartyClientID, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)}
	if ok, err := w.Store.StartSession(ctx, keystone.Anonymous(), store.SignIn{Session: ses, Login: login}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return ses.ID
}
