package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// jam takes the way to PostgreSQL until free is closed.
func jam(t *testing.T, s *store.Store) (ways *sync.WaitGroup, free chan struct{}) {
	t.Helper()
	ways, free = &sync.WaitGroup{}, make(chan struct{})
	taken := make(chan struct{})
	ways.Go(func() {
		if _, err := s.HotTexts(ctx, func(string) { close(taken); <-free }, `SELECT 'x'`); err != nil {
			t.Error(err)
		}
	})
	<-taken
	return ways, free
}

func until(done func() bool) {
	for !done() {
		time.Sleep(10 * time.Microsecond)
	}
}

// trafficJam runs n reads that all wait while the way to PostgreSQL is taken, and lets it
// go: the first of them leads all others, on one trip.
func trafficJam(t *testing.T, s *store.Store, n int, read func(i int) error) []error {
	t.Helper()
	ways, free := jam(t, s)
	errs := make([]error, n)
	for i := range n {
		ways.Go(func() { errs[i] = read(i) })
		until(func() bool { return s.WaitingReads() == i+1 })
	}
	free <- struct{}{}
	until(func() bool { return s.WaitingReads() == 0 })
	close(free)
	ways.Wait()
	return errs
}

// TestTrips: reads that come while PostgreSQL is being read share one way there
// and back, and each gets its own answer, whatever happens to the others.
func TestTrips(t *testing.T) {
	s := storetest.OpenAt(t, storetest.PostgresURL(t), storetest.NewClock())
	const callers = 60
	nothing := func(string) {}
	own := func(ctx context.Context, i int) error {
		got, err := s.HotTexts(ctx, nothing, `SELECT CAST($1 AS TEXT)`, strconv.Itoa(i))
		if err == nil && (len(got) != 1 || got[0] != strconv.Itoa(i)) {
			err = fmt.Errorf("caller %d got %q", i, got)
		}
		return err
	}

	t.Run("one for all who wait", func(t *testing.T) {
		var mu sync.Mutex
		transactions := map[string]bool{}
		for _, err := range trafficJam(t, s, callers, func(int) error {
			_, err := s.HotTexts(ctx, func(id string) {
				mu.Lock()
				defer mu.Unlock()
				transactions[id] = true
			}, `SELECT CAST(pg_current_xact_id() AS TEXT)`)
			return err
		}) {
			ok(t, err)
		}
		if len(transactions) != 1 {
			t.Errorf("%d reads took %d trips", callers, len(transactions))
		}
	})
	t.Run("those that are alike", func(t *testing.T) {
		errs := trafficJam(t, s, callers, func(i int) error {
			var sql string
			var arg any
			want := []string{}
			switch i % 4 {
			case 0, 1: // none to five rows, in their order
				sql, arg = `SELECT CAST(x AS TEXT) FROM generate_series(1, $1) AS x ORDER BY x DESC`, int64(i%6)
				for n := i % 6; n > 0; n-- {
					want = append(want, strconv.Itoa(n))
				}
			case 2:
				sql, arg, want = `SELECT encode($1, 'hex') WHERE $1 <> ''`, []byte{byte(i)}, []string{fmt.Sprintf("%02x", i)}
				if i%8 == 2 {
					arg, want = []byte{}, nil
				}
			case 3: // its kind of argument is not sent with others
				sql, arg, want = `SELECT CASE WHEN $1 THEN 'true' ELSE 'false' END`, i%8 == 3, []string{strconv.FormatBool(i%8 == 3)}
			}
			got, err := s.HotTexts(ctx, nothing, sql, arg)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("got %q, want %q", got, want)
			}
			return err
		})
		for i, err := range errs {
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		}
	})
	t.Run("many who wait take a second way", func(t *testing.T) {
		ways, free := jam(t, s)
		var second sync.WaitGroup
		for i := range store.TripShared {
			second.Go(func() {
				if err := own(ctx, i); err != nil {
					t.Error(err)
				}
			})
			until(func() bool { return s.WaitingReads() == i+1 })
		}
		ok(t, own(ctx, 1000)) // though the first way is still taken
		second.Wait()
		close(free)
		ways.Wait()
		ok(t, own(ctx, 1))
	})
	t.Run("some who want the first row only", func(t *testing.T) {
		for _, err := range trafficJam(t, s, callers, func(i int) error {
			got, err := s.HotFirst(ctx, `SELECT CAST(x AS TEXT) FROM generate_series($1, $1 + $2) AS x`, int64(i), int64(i%3))
			if err == nil && got != strconv.Itoa(i) {
				err = fmt.Errorf("caller %d got %q", i, got)
			}
			return err
		}) {
			ok(t, err)
		}
	})
	t.Run("a bad one fails alone", func(t *testing.T) {
		for i, err := range trafficJam(t, s, callers, func(i int) error {
			if i%7 == 3 {
				_, err := s.HotTexts(ctx, nothing, `SELECT CAST(1 / CAST($1 AS BIGINT) AS TEXT)`, int64(0))
				return err
			}
			return own(ctx, i)
		}) {
			if (err != nil) != (i%7 == 3) {
				t.Errorf("caller %d: %v", i, err)
			}
		}
	})
	t.Run("haste is nobody else's", func(t *testing.T) {
		gone, leave := context.WithCancel(ctx)
		ways, free := jam(t, s)
		errs := make([]error, callers)
		var waiting sync.WaitGroup
		for i := range callers {
			one := ctx
			if i%2 == 0 {
				one = gone
			}
			waiting.Go(func() { errs[i] = own(one, i) })
		}
		until(func() bool { return s.WaitingReads() == callers })
		leave() // a database that hangs holds nobody longer than they would wait
		until(func() bool { return s.WaitingReads() == callers/2 })
		close(free)
		ways.Wait()
		waiting.Wait()
		for i, err := range errs {
			if (err != nil) != (i%2 == 0) {
				t.Errorf("caller %d: %v", i, err)
			}
		}
	})
	t.Run("after a panic", func(t *testing.T) {
		for i, err := range trafficJam(t, s, callers, func(i int) (err error) {
			if i > 0 {
				return own(ctx, i)
			}
			defer func() { err = fmt.Errorf("panic: %v", recover()) }()
			_, err = s.HotTexts(ctx, func(string) { panic("in the middle of a trip") }, `SELECT 'x'`)
			return err
		}) {
			switch {
			case i == 0 && err == nil:
				t.Error("the panic was swallowed")
			case i > 0 && err == nil:
				t.Errorf("caller %d: nothing was read, and nothing said so", i)
			case i > 0:
				wantKind(t, err, keystone.Unavailable)
			}
		}
		for _, err := range trafficJam(t, s, callers, func(i int) error { return own(ctx, i) }) { // no way is lost
			ok(t, err)
		}
	})
}

// BenchmarkHotRead is a read of an opaque token that nobody has seen, by as many
// callers as a busy node has, on PostgreSQL.
func BenchmarkHotRead(b *testing.B) {
	s := storetest.OpenAt(b, storetest.PostgresURL(b), storetest.NewClock())
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.AccessTokenByHash(b.Context(), []byte(strconv.Itoa(i))); keystone.KindOf(err) != keystone.NotFound {
				b.Fatal(err)
			}
		}
	})
}
