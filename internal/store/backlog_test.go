package store_test

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestBacklog(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newUser(t, s, "jane")
		newUser(t, s, "john")
		if err := s.Enqueue(ctx, "mail", []byte("x")); err != nil {
			t.Fatal(err)
		}
		b, err := s.Backlog(ctx)
		if b.Oldest < 0 || b.Oldest > time.Minute {
			t.Fatal(b)
		}
		b.Oldest = 0
		if err != nil || b != (store.Backlog{Unsealed: 2, Outbox: 1}) {
			t.Fatal(b, err)
		}
		if _, err := s.SealAudit(ctx); err != nil {
			t.Fatal(err)
		}
		if b, err = s.Backlog(ctx); err != nil || b.Unsealed != 0 {
			t.Fatal(b, err)
		}
	})
}
