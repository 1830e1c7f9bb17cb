package proof_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
)

// session begins one for jane at a source, and gives it to a browser, whose
// cookie it returns.
func (w world) session(t *testing.T, source string) (id, browser string) {
	t.Helper()
	ctx, now := context.Background(), w.clock.Now()
	p, err := w.Password(ctx, from(source), "jane", "", right)
	if err != nil {
		t.Fatal(err)
	}
	ses := keystone.Session{ID: keystone.NewID(now), UserID: w.jane.ID, Source: source, AMR: []string{keystone.AMRPassword}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	flow := w.Store.NewFlow(keystone.AuthRequest{})
	old, err := w.Store.BeginFlow(ctx, "", 0, flow)
	if err != nil {
		t.Fatal(err)
	}
	browser, carried, err := w.Store.SignInFlow(ctx, from(source), old, flow, store.SignIn{Session: ses, Login: p.Login, Clear: p.Clear})
	if err != nil || !carried {
		t.Fatal(carried, err)
	}
	return ses.ID, browser
}

// J7: guesses from everywhere make strangers wait, and leave alone who signs in
// where the account was signed in before.
func TestOwnerGetsInDuringAGuess(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		const home = "2001:db8:1:2::10"
		kept, browser := w.session(t, home)
		taken, _ := w.session(t, "198.51.100.66")
		if err := w.Store.EndSession(context.Background(), keystone.Operator("test"), taken, "", keystone.EndRevoked); err != nil {
			t.Fatal(err)
		}
		guess := func() {
			for i := range 103 {
				w.try([]string{"jane", "jane@example.com"}[i%2], "wrong", fmt.Sprintf("192.0.2.%d", i))
			}
		}
		guess()
		if got := w.try("jane", right, "198.51.100.1"); got == "ok" {
			t.Error("a stranger got in")
		}
		if got := w.try("jane", right, "198.51.100.66"); got == "ok" {
			t.Error("a source whose session was revoked counts as the owner's")
		}
		if got := w.try("jane", right, "2001:db8:1:2:ffff::1"); got != "ok" { // another address of the same network
			t.Error("the owner at home:", got)
		}
		if _, err := w.Password(context.Background(), from("203.0.113.5"), "jane", browser, right); err != nil {
			t.Error("the owner's browser elsewhere:", err)
		}
		if _, err := w.Password(context.Background(), from("203.0.113.5"), "gone", browser, right); outcome(err) != "refused" {
			t.Error("a browser of somebody else:", err)
		}
		if _, err := w.PasswordOf(context.Background(), from(home), w.jane.ID, right); err != nil {
			t.Error("the owner, asked once more:", err)
		}
		if err := w.Store.EndSession(context.Background(), keystone.Operator("test"), kept, "", keystone.EndLogout); err != nil {
			t.Fatal(err)
		}
		if got := w.try("jane", right, home); got != "ok" {
			t.Error("the owner at home, logged out meanwhile:", got)
		}
		// The counters of the account at this very source refuse all the same.
		if got, want := repeat(6, func() string { return w.try("jane", "wrong", home) }), "wait 1s"; !slices.Contains(got, want) {
			t.Error("guesses from the owner's network are free:", got)
		}
	})
}

// crowd are brakes that can be put on.
type crowd struct {
	names   map[string]int
	guesses int
	on      bool
}

func (c *crowd) brakes() proof.Brakes {
	return proof.Brakes{Account: c.Account, Guesses: c.Guesses, Guessed: c.Guessed}
}

func (c *crowd) Account(_ context.Context, name string) error { c.names[name]++; return nil }

func (c *crowd) Guessed(context.Context) { c.guesses++ }

func (c *crowd) Guesses(context.Context) error {
	if c.on {
		return keystone.Fail(keystone.Limited, "Too many.").After(time.Second)
	}
	return nil
}

// J8: wrong passwords count for the whole server; where there are too many,
// strangers wait, owners do not.
func TestGuessesOfTheWholeServer(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		w.session(t, "192.0.2.1")
		c := &crowd{names: map[string]int{}}
		w.Brakes = c.brakes()
		for i, name := range []string{"jane", "gone", "bare", "nobody"} {
			w.try(name, "wrong", fmt.Sprintf("198.51.100.%d", i))
		}
		if c.guesses != 4 {
			t.Errorf("%d wrong passwords counted, want 4", c.guesses)
		}
		if w.try("jane", right, "192.0.2.1"); c.guesses != 4 {
			t.Error("a right password counts as a guess")
		}
		c.on = true
		if got := w.try("jane", right, "203.0.113.1"); got != "wait 1s" {
			t.Error("a stranger:", got)
		}
		if got := w.try("nobody", right, "203.0.113.1"); got != "wait 1s" {
			t.Error("a name that nobody has tells itself:", got)
		}
		if got := w.try("jane", right, "192.0.2.1"); got != "ok" {
			t.Error("the owner:", got)
		}
	})
}

// J6: an account has one bucket, however its name is spelled.
func TestOneBucketForEverySpelling(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		c := &crowd{names: map[string]int{}}
		w.Brakes = c.brakes()
		for i, name := range []string{"jane", "JANE", "ｊane", "jaｎe", "Ｊａｎｅ"} {
			w.try(name, "wrong", fmt.Sprintf("198.51.100.%d", i))
		}
		if len(c.names) != 1 {
			t.Errorf("%d buckets: %v", len(c.names), c.names)
		}
	})
}
