package httpio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
)

// Context is the context of one request: it carries the exchange and ends with
// its parent or at a deadline. A timer runs only once somebody waits for the end,
// a database call for one; most requests are answered from memory, and for them
// a timer is most of what a context costs.
type Context struct {
	context.Context // the parent
	x               *Exchange
	deadline        time.Time

	timed atomic.Pointer[timed]
	mu    sync.Mutex
	ended bool
}

type timed struct {
	context.Context
	cancel context.CancelFunc
}

// NewContext returns the context of a request that knows of x and may take until
// deadline. Call End when the request is over.
func NewContext(parent context.Context, x *Exchange, deadline time.Time) *Context {
	return &Context{Context: parent, x: x, deadline: deadline}
}

// End ends the context.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if t := c.timed.Load(); t != nil {
		t.cancel()
	}
}

// wait returns the context with a timer.
func (c *Context) wait() *timed {
	if t := c.timed.Load(); t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.timed.Load()
	if t == nil {
		t = &timed{}
		t.Context, t.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.ended {
			t.cancel()
		}
		c.timed.Store(t)
	}
	return t
}

// Deadline is that of the request, or of the parent where that is earlier.
func (c *Context) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Done is closed at the end.
func (c *Context) Done() <-chan struct{} { return c.wait().Done() }

// Err says why it has ended; nil: it has not.
func (c *Context) Err() error {
	if t := c.timed.Load(); t != nil {
		return t.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return context.Canceled
	}
	return nil
}

// Value knows the exchange and its checks. All else is asked of the context with the timer where
// there is one: package context finds its own kind behind ours that way, and
// children need no goroutine to watch us.
func (c *Context) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return c.x
	case keystone.ChecksKey:
		return &c.x.Checks
	}
	if t := c.timed.Load(); t != nil {
		return t.Value(key)
	}
	return c.Context.Value(key)
}
