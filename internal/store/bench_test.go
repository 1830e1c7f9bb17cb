package store_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// benchEach runs f on both databases with 1 and 64 callers. next gives each
// caller a family of its own.
func benchEach(b *testing.B, call func(s *store.Store, g *keystone.Grant) error) {
	b.Helper()
	run := func(b *testing.B, url string) {
		clock := storetest.NewClock()
		s := storetest.OpenAt(b, url, clock)
		u := newUser(b, s, "jane")
		for _, callers := range []int{1, 64} {
			families := make([]keystone.Grant, callers)
			for i := range families {
				families[i] = signIn(b, s, u)
			}
			b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
				var next, done atomic.Int64
				start := make(chan struct{})
				errs := make(chan error, callers)
				for range callers {
					go func() {
						g := &families[next.Add(1)-1]
						<-start
						for done.Add(1) <= int64(b.N) {
							if err := call(s, g); err != nil {
								errs <- err
								return
							}
						}
						errs <- nil
					}()
				}
				b.ResetTimer()
				close(start)
				for range callers {
					if err := <-errs; err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
			})
		}
	}
	b.Run("sqlite", func(b *testing.B) { run(b, filepath.Join(b.TempDir(), "bench.db")) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.PostgresURL(b)) })
}

// BenchmarkRotate is a refresh as the store does it: one conditional statement
// and its audit row, grouped. Compare with BenchmarkBareCommit of the same run.
func BenchmarkRotate(b *testing.B) {
	benchEach(b, func(s *store.Store, g *keystone.Grant) error {
		next, err := s.Rotate(ctx, operator, g.ID, g.Generation, rotation)
		g.Generation = next
		return err
	})
}

// BenchmarkBareCommit is one grouped UPDATE of one row, and nothing else.
func BenchmarkBareCommit(b *testing.B) {
	benchEach(b, func(s *store.Store, g *keystone.Grant) error { return s.BareHot(ctx, g.ID) })
}

// BenchmarkStartSession is what a sign-in writes.
func BenchmarkStartSession(b *testing.B) {
	benchEach(b, func(s *store.Store, g *keystone.Grant) error {
		login, err := s.LoginByID(ctx, g.UserID)
		if err != nil {
			return err
		}
		_, err = start(s, newFamily(s, g.UserID), login)
		return err
	})
}

// BenchmarkTokenState is what each request to Keystone's own API asks.
func BenchmarkTokenState(b *testing.B) {
	benchEach(b, func(s *store.Store, g *keystone.Grant) error {
		st, err := s.TokenState(ctx, store.TokenRef{JTI: g.ID, UserID: g.UserID, ClientID: g.ClientID, GrantID: g.ID})
		if err == nil && !st.Active {
			err = fmt.Errorf("not active")
		}
		return err
	})
}
