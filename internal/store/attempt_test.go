package store_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func count(t testing.TB, s *store.Store, keys ...store.AttemptKey) time.Duration {
	t.Helper()
	return attempt(t, s, keys...).Wait
}

func attempt(t testing.TB, s *store.Store, keys ...store.AttemptKey) store.Attempt {
	t.Helper()
	return must[store.Attempt](t)(s.CountAttempt(ctx, keys...))
}

// TestAttemptLadder: after the free attempts each waits twice as long as the one
// before, at most a quarter of an hour.
func TestAttemptLadder(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for _, free := range []int{1, 2, 5} {
			key := store.AttemptKey{Key: "account:" + strconv.Itoa(free), Free: free}
			for i := range free {
				if wait := count(t, s, key); wait != 0 {
					t.Fatalf("%d free: attempt %d waits %v", free, i+1, wait)
				}
			}
			for i, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
				want := time.Duration(seconds) * time.Second
				if wait := count(t, s, key); wait != want {
					t.Fatalf("%d free: step %d waits %v, want %v", free, i, wait, want)
				}
				clock.Move(want / 2)
				if wait := count(t, s, key); wait != max(want-want/2, time.Second) {
					t.Fatalf("%d free: step %d waits %v half way of %v: asking again must neither help nor hurt", free, i, wait, want)
				}
				clock.Move(want - want/2)
				if wait := count(t, s, key); wait != 0 {
					t.Fatalf("%d free: step %d waits %v after %v", free, i, wait, want)
				}
			}
		}
	})
}

func TestAttemptMemory(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		key := store.AttemptKey{Key: "account:jane", Free: 3}
		for range 2 {
			count(t, s, key)
			clock.Move(24 * time.Hour)
		}
		count(t, s, key)
		count(t, s, key)
		clock.Move(24*time.Hour + time.Microsecond) // a day without an attempt forgets
		for range 3 {
			if wait := count(t, s, key); wait != 0 {
				t.Fatal(wait)
			}
		}
		if wait := count(t, s, key); wait != time.Second {
			t.Fatal(wait)
		}
		ok(t, s.ClearAttempts(ctx, key.Key, "unknown"))
		if wait := count(t, s, key); wait != 0 {
			t.Fatal(wait)
		}
	})
}

// TestAttemptKeys: each key counts for itself; a source that is made to wait
// does not count against the account it aims at (SECURITY.md J7).
func TestAttemptKeys(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		source, other := store.AttemptKey{Key: "jane|192.0.2.1", Free: 2}, store.AttemptKey{Key: "jane|192.0.2.2", Free: 2}
		account := store.AttemptKey{Key: "jane", Free: 4}
		for range 10 {
			count(t, s, source, account)
		}
		failures := must[[]string](t)(s.RawTexts(ctx, `SELECT key || ' ' || failures FROM attempts ORDER BY key`))
		if len(failures) != 2 || failures[0] != "jane 2" || failures[1] != "jane|192.0.2.1 2" {
			t.Fatalf("%q", failures)
		}
		if wait := count(t, s, other, account); wait != 0 {
			t.Fatal("another source waits", wait)
		}
		count(t, s, other, account)
		clock.Move(time.Second)
		if wait := count(t, s, store.AttemptKey{Key: "jane|192.0.2.3", Free: 2}, account); wait != 0 {
			t.Fatal(wait)
		}
		if wait := count(t, s, store.AttemptKey{Key: "jane|192.0.2.4", Free: 2}, account); wait != 2*time.Second {
			t.Fatal("many sources together gain nothing over one:", wait)
		}
		if wait := count(t, s, store.AttemptKey{Key: "john|192.0.2.4", Free: 2}, store.AttemptKey{Key: "john", Free: 4}); wait != 0 {
			t.Fatal("another account waits", wait)
		}
	})
}

// TestUncountedAttempts: an attempt that is taken back leaves the counter as if it
// had not been, at every step of the ladder; one counted after it keeps its wait,
// which is the shorter one of the step before.
func TestUncountedAttempts(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		key := store.AttemptKey{Key: "account:jane", Free: 3}
		idle := func() {
			t.Helper()
			a := attempt(t, s, key)
			if a.Wait != 0 {
				t.Fatal("an attempt after one that was taken back waits", a.Wait)
			}
			ok(t, s.Uncount(ctx, a))
		}
		for range 3 {
			for range 10 {
				idle()
			}
			count(t, s, key)
		}
		for _, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
			want := time.Duration(seconds) * time.Second
			if wait := count(t, s, key); wait != want {
				t.Fatalf("waits %v, want %v", wait, want)
			}
			clock.Move(want)
			for range 10 {
				idle()
			}
			count(t, s, key)
		}
	})
}

// TestUncountingHelpsNoGuess: taking back what was not compared never shortens
// the wait for guesses that were, in whatever order they overtake each other.
func TestUncountingHelpsNoGuess(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		key := store.AttemptKey{Key: "account:jane", Free: 2}
		count(t, s, key)
		waiting := attempt(t, s, key) // in the queue; starts a wait of a second
		clock.Move(time.Second)
		count(t, s, key) // compared meanwhile: the second that was
		ok(t, s.Uncount(ctx, waiting))
		if wait := count(t, s, key); wait != time.Second {
			t.Fatalf("after two guesses: %v", wait)
		}
		clock.Move(time.Second)
		count(t, s, key)
		if wait := count(t, s, key); wait != 2*time.Second {
			t.Fatalf("after three guesses: %v", wait)
		}
		refused := attempt(t, s, key) // was made to wait, so it counts nowhere
		ok(t, s.Uncount(ctx, refused))
		if wait := count(t, s, key); wait != 2*time.Second {
			t.Fatalf("after taking back what was refused: %v", wait)
		}
		ok(t, s.ClearAttempts(ctx, key.Key))
		ok(t, s.Uncount(ctx, waiting)) // nothing is left to take back
		for range 2 {
			if wait := count(t, s, key); wait != 0 {
				t.Fatal(wait)
			}
		}
		if wait := count(t, s, key); wait != time.Second {
			t.Fatalf("more guesses than are free: %v", wait)
		}
	})
}

// TestParallelGuessing: 64 at once on two nodes get no more tries than one
// after another.
func TestParallelGuessing(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		key := store.AttemptKey{Key: "account:jane", Free: 5}
		for round, want := range []int{5, 1, 1} {
			tried := 0
			for _, wait := range together(64, func(i int) time.Duration {
				a, err := nodes[i%2].CountAttempt(ctx, key)
				if err != nil {
					t.Error(err)
				}
				return a.Wait
			}) {
				if wait == 0 {
					tried++
				}
			}
			if tried != want {
				t.Fatalf("round %d: %d tries", round, tried)
			}
			clock.Move(time.Hour)
		}
	})
}

func TestUnlock(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		for _, k := range []string{"login:jane", "login:jane|192.0.2.1", "login:jane|\u00ff", "login:janet", "login:john"} {
			count(t, s, store.AttemptKey{Key: k, Free: 5})
		}
		ok(t, s.Unlock(ctx, operator, u.ID, "login:jane|"))
		left := must[[]string](t)(s.RawTexts(ctx, `SELECT key FROM attempts ORDER BY key`))
		if len(left) != 3 {
			t.Fatalf("%q", left)
		}
		wantKind(t, s.Unlock(ctx, operator, keystone.NewID(clock.Now()), "login:"), keystone.NotFound)
	})
}
