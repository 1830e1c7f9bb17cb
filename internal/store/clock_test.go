package store_test

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestClockOffset: the real clocks are compared, not the one of the test.
func TestClockOffset(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		clock.Move(24 * time.Hour)
		if offset, err := s.ClockOffset(ctx); err != nil || offset.Abs() > time.Minute {
			t.Errorf("on one machine the clocks are %s apart: %v", offset, err)
		}
	})
}
