package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

const right = "the right password of jane"

// world is a checker with some accounts: jane; gone, who is disabled; bare, who
// has no password.
type world struct {
	*proof.Checker
	clock *storetest.Clock
	jane  keystone.User
}

func eachDB(t *testing.T, f func(t *testing.T, w world)) {
	t.Helper()
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		ctx := context.Background()
		h, err := password.New(password.Options{Params: password.Params{Memory: 64, Time: 1, Lanes: 1}})
		if err != nil {
			t.Fatal(err)
		}
		hash, err := h.Hash(ctx, right)
		if err != nil {
			t.Fatal(err)
		}
		w := world{Checker: &proof.Checker{Store: s, Hasher: h}, clock: clock}
		w.jane = w.user(t, "jane", true, hash)
		w.user(t, "gone", false, hash)
		w.user(t, "bare", true, "")
		f(t, w)
	})
}

func (w world) user(t *testing.T, name string, enabled bool, hash string) keystone.User {
	t.Helper()
	u, err := w.Store.CreateUser(context.Background(), keystone.Operator("test"),
		keystone.User{Username: name, Email: name + "@example.com", Enabled: enabled}, hash)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func from(source string) keystone.Actor {
	by := keystone.Anonymous()
	by.Source = source
	return by
}

// try says in words how an attempt came out.
func (w world) try(name, pass, source string) string {
	_, err := w.Password(context.Background(), from(source), name, "", pass)
	return outcome(err)
}

func outcome(err error) string {
	var e *keystone.Error
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, error(proof.Refused)):
		return "refused"
	case errors.As(err, &e) && e.Kind == keystone.Limited:
		return "wait " + e.RetryAfter.String()
	}
	return err.Error()
}

// repeat collects the outcomes of n attempts.
func repeat(n int, f func() string) (outcomes []string) {
	for range n {
		outcomes = append(outcomes, f())
	}
	return outcomes
}

func TestRightPassword(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		for _, name := range []string{"jane", "JANE", "jane@example.com", "Jane@Example.com"} {
			p, err := w.Password(context.Background(), from("192.0.2.1"), name, "", right)
			if err != nil || p.Login.UserID != w.jane.ID || p.Rehash || len(p.Clear) == 0 {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			if err := w.Done(context.Background(), p); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// J1: nothing about a refusal tells why, and a locked account looks like any
// name that nobody has.
func TestRefusalsAreAlike(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		want := []string{"refused", "refused", "refused", "refused", "refused", "wait 1s", "wait 1s"}
		for name, pass := range map[string]string{
			"jane": "not right at all", "gone": right, "bare": right, "nobody": right, "nobody@example.com": right,
			"no such name!": right, "": right, "a\u0430": right, // mixed scripts
		} {
			if got := repeat(len(want), func() string { return w.try(name, pass, "192.0.2.1") }); !slices.Equal(got, want) {
				t.Errorf("%q: %v", name, got)
			}
		}
		w.clock.Move(time.Second)
		for _, name := range []string{"jane", "gone", "bare", "nobody"} {
			if got := repeat(2, func() string { return w.try(name, "wrong", "192.0.2.1") }); !slices.Equal(got, []string{"refused", "wait 2s"}) {
				t.Errorf("%q after its wait: %v", name, got)
			}
		}
	})
}

// Whether two names belong together cannot be told from their counters.
func TestNamesOfOneAccountCannotBeTold(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		spell := func(username, email string) (outcomes []string) {
			for range 8 {
				outcomes = append(outcomes, repeat(4, func() string { return w.try(username, "wrong", "192.0.2.9") })...)
				outcomes = append(outcomes, repeat(4, func() string { return w.try(email, "wrong", "192.0.2.9") })...)
				w.clock.Move(5 * time.Second)
			}
			return outcomes
		}
		known, unknown := spell("jane", "jane@example.com"), spell("nobody", "somebody@example.com")
		if !slices.Equal(known, unknown) {
			t.Errorf("one account: %v\ntwo names that nobody has: %v", known, unknown)
		}
	})
}

// Together the names of an account still have a bound: beyond it the right
// password is refused as well, without a word.
func TestNamesShareABound(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		repeat(5, func() string { return w.try("jane", "wrong", "192.0.2.1") })
		repeat(5, func() string { return w.try("jane@example.com", "wrong", "192.0.2.1") })
		w.clock.Move(time.Second) // the bound by name is over, the one by account and source just so
		repeat(1, func() string { return w.try("jane", "wrong", "192.0.2.1") })
		if got := w.try("jane@example.com", right, "192.0.2.1"); got != "refused" {
			t.Errorf("right password beyond the bound: %s", got)
		}
		if got := w.try("jane@example.com", right, "192.0.2.2"); got != "ok" {
			t.Errorf("right password from another source: %s", got) // J7: guessing elsewhere locks nobody out
		}
		w.clock.Move(5 * time.Second)
		if got := w.try("jane@example.com", right, "192.0.2.1"); got != "ok" {
			t.Errorf("right password after the wait: %s", got)
		}
	})
}

func TestCountersEndWithSuccess(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx, by := context.Background(), from("192.0.2.1")
		repeat(4, func() string { return w.try("jane", "wrong", by.Source) })
		p, err := w.Password(ctx, by, "jane@example.com", "", right)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Done(ctx, p); err != nil {
			t.Fatal(err)
		}
		if got := repeat(5, func() string { return w.try("jane", "wrong", by.Source) }); slices.Contains(got, "wait 1s") {
			t.Error("counters were not cleared:", got)
		}
	})
}

// J6: whoever is asked again while signed in meets the same counters.
func TestPasswordOfSharesTheCounters(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx, by := context.Background(), from("192.0.2.1")
		confirm := func(pass string) string {
			_, err := w.PasswordOf(ctx, by, w.jane.ID, pass)
			return outcome(err)
		}
		if got := confirm(right); got != "ok" {
			t.Fatal("right password:", got)
		}
		if err := w.Store.ClearAttempts(ctx, proof.Prefix(w.jane.ID)+"s:"+by.Source, proof.Prefix(w.jane.ID)+"*"); err != nil {
			t.Fatal(err)
		}
		repeat(4, func() string { return w.try("jane", "wrong", by.Source) })
		if got, want := repeat(2, func() string { return confirm("wrong") }), []string{"refused", "wait 1s"}; !slices.Equal(got, want) {
			t.Errorf("after four failures at sign-in: %v, want %v", got, want)
		}
		if _, err := w.PasswordOf(ctx, by, keystone.NewID(w.clock.Now()), right); outcome(err) != "refused" {
			t.Error("unknown user:", err)
		}
	})
}

func TestWideBoundAndUnlock(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx := context.Background()
		for i := range 100 {
			w.try([]string{"jane", "jane@example.com"}[i%2], "wrong", fmt.Sprintf("192.0.2.%d", i))
		}
		if got := w.try("jane", right, "198.51.100.1"); got != "wait 1s" {
			t.Errorf("after a hundred failures from everywhere: %s", got)
		}
		if err := w.Store.Unlock(ctx, keystone.Operator("test"), w.jane.ID, proof.Prefix(w.jane.ID)); err != nil {
			t.Fatal(err)
		}
		if got := w.try("jane", right, "198.51.100.1"); got != "ok" {
			t.Errorf("after unlocking: %s", got)
		}
		repeat(6, func() string { return w.try("jane", "wrong", "192.0.2.1") })
		if err := w.Store.Unlock(ctx, keystone.Operator("test"), w.jane.ID, proof.Prefix(w.jane.ID)); err != nil {
			t.Fatal(err)
		}
		if got := w.try("jane", right, "192.0.2.1"); got != "ok" {
			t.Errorf("after unlocking a source: %s", got)
		}
	})
}

func TestRehashIsAskedFor(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		stronger, err := password.New(password.Options{Params: password.Params{Memory: 128, Time: 1, Lanes: 1}})
		if err != nil {
			t.Fatal(err)
		}
		w.Hasher = stronger
		p, err := w.Password(context.Background(), from("192.0.2.1"), "jane", "", right)
		if err != nil || !p.Rehash {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// P7: the trail says why, names the account and the source, and holds nothing
// that was typed.
func TestFailuresAreAudited(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		ctx := context.Background()
		const canary = "canary-typed-into-the-wrong-field"
		for _, c := range []struct{ name, pass, reason, target string }{
			{"jane", canary, "wrong_password", "jane"},
			{"gone", right, "disabled", "gone"},
			{"bare", right, "no_password", "bare"},
			{canary, right, "unknown_account", ""},
		} {
			w.try(c.name, c.pass, "192.0.2.7")
			list, err := w.Store.AuditEvents(ctx, keystone.AuditFilter{Action: keystone.ActSignInFailed}, keystone.Page{Limit: 1})
			if err != nil || len(list.Items) != 1 {
				t.Fatal(list, err)
			}
			e := list.Items[0]
			if e.Detail["reason"] != c.reason || e.TargetName != c.target || e.Source != "192.0.2.7" {
				t.Errorf("%s: %+v", c.reason, e)
			}
			if b, _ := json.Marshal(e); strings.Contains(string(b), canary) || strings.Contains(string(b), right) {
				t.Errorf("%s: the trail repeats what was typed: %s", c.reason, b)
			}
		}
	})
}

func TestImpossiblePassword(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		for _, name := range []string{"jane", "nobody"} {
			_, err := w.Password(context.Background(), from("192.0.2.1"), name, "", strings.Repeat("x", password.MaxBytes+1))
			if keystone.KindOf(err) != keystone.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
