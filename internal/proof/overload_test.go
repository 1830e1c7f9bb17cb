package proof_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
)

// dear takes seconds to verify; nobody knows what it is the hash of.
const dear = "$pbkdf2-sha512$i=5000000$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// overloaded gives w a hasher with one slot, which is taken until free returns,
// and one place to wait.
func (w *world) overloaded(t *testing.T) (free func()) {
	t.Helper()
	h, err := password.New(password.Options{Slots: 1, Queue: 1, MaxWait: time.Minute, Params: password.Params{Memory: 64, Time: 1, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	w.Hasher = h
	done := make(chan error)
	go func() {
		_, _, err := h.Verify(context.Background(), dear, "whatever")
		done <- err
	}()
	w.until(t, 1, 0)
	return func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// until waits for a state of the hash queue.
func (w *world) until(t *testing.T, inUse, waiting int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		if u, n := w.Hasher.Stats(); u == inUse && n == waiting {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the queue did not come to that")
		}
	}
}

// J7, Q2: an overloaded server answers 503, and an impatient one goes away; both
// may happen as often as they like, and whoever knows the password gets in after
// it, at sign-in and where it is asked for again.
func TestOverloadLocksNobodyOut(t *testing.T) {
	eachDB(t, func(t *testing.T, w world) {
		by := from("192.0.2.1")
		free := w.overloaded(t)
		for _, check := range []func(context.Context) error{
			func(ctx context.Context) error { _, err := w.Password(ctx, by, "jane", "", right); return err },
			func(ctx context.Context) error { _, err := w.PasswordOf(ctx, by, w.jane.ID, right); return err },
		} {
			for range 12 {
				ctx, leave := context.WithCancel(context.Background())
				gone := make(chan error)
				go func() { gone <- check(ctx) }()
				w.until(t, 1, 1)
				if err := check(context.Background()); keystone.KindOf(err) != keystone.Unavailable {
					t.Errorf("with a full queue: %v", err)
				}
				leave()
				if err := <-gone; !errors.Is(err, context.Canceled) {
					t.Errorf("whoever left: %v", err)
				}
			}
		}
		free()
		// Every failure that was free before is free still, and no more than those.
		want := []string{"refused", "refused", "refused", "refused", "refused", "wait 1s"}
		if got := repeat(6, func() string { return w.try("jane", "wrong", by.Source) }); !slices.Equal(got, want) {
			t.Errorf("after the flood: %v", got)
		}
		w.clock.Move(time.Second)
		if got := w.try("jane", right, by.Source); got != "ok" {
			t.Errorf("right password: %s", got)
		}
	})
}
