package keystonetest

import (
	"sync/atomic"
	"time"
)

// Clock is what a server takes for the time. It goes with the real clock, so
// that caches and leases age as they do in production, and can be moved forward.
type Clock struct{ ahead atomic.Int64 }

// Now returns the clock's time.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Ahead()) }

// Move moves the clock forward, for good.
func (c *Clock) Move(d time.Duration) { c.ahead.Add(int64(d)) }

// Ahead returns how far the clock is ahead of the real one.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }
