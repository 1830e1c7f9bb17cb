package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// courier is a server whose notices are delivered when the test says so, by what
// the test says, at the test's time.
type courier struct {
	*Server
	t     *testing.T
	logs  *logs
	fails func(payload string) error
	mu    sync.Mutex // several clients are delivered to at once
	seen  []string
}

func newCourier(t *testing.T, database, master string, clock *storetest.Clock) *courier {
	t.Helper()
	c := &courier{t: t, logs: &logs{}}
	s, err := New(context.Background(), settings(t, "DATABASE_URL="+database, "MASTER_KEY="+master), Options{Log: NewLogger(c.logs, slog.LevelDebug, "json"), Version: "test", Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c.Server = s
	return c
}

// run delivers what is due and returns what was tried.
func (c *courier) run() []string {
	c.t.Helper()
	c.seen = nil
	if err := c.deliverNotices(notices{store.MessageLogout, func(_ context.Context, payload []byte) error {
		c.mu.Lock()
		c.seen = append(c.seen, string(payload))
		c.mu.Unlock()
		return c.fails(string(payload))
	}, c.metrics.notices})(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	return c.seen
}

// waiting is what an operator reads by keystone outbox list.
func (c *courier) waiting(givenUp bool) []store.Waiting {
	c.t.Helper()
	list, err := c.parts.Store.Waiting(context.Background(), givenUp, keystone.Page{Limit: 100})
	if err != nil {
		c.t.Fatal(err)
	}
	return list.Items
}

// says fails unless the metrics have each of these lines.
func (c *courier) says(lines ...string) {
	c.t.Helper()
	text := send(c.Management(), "GET", "/metrics", "").Body.String()
	for _, want := range lines {
		if !strings.Contains(text, "\n"+want+"\n") {
			c.t.Errorf("the metrics do not say %s", want)
		}
	}
}

func eachCourier(t *testing.T, f func(t *testing.T, open func() *courier, clock *storetest.Clock)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLitePath, "postgres": storetest.PostgresURL} {
		t.Run(name, func(t *testing.T) {
			clock, database := storetest.NewClock(), url(t)
			f(t, func() *courier { return newCourier(t, database, storetest.Master.Encode(), clock) }, clock)
		})
	}
}

func enqueue(t *testing.T, c *courier, payload string) {
	t.Helper()
	if err := c.parts.Store.Enqueue(context.Background(), store.MessageLogout, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// TestNoticesAreGivenUp: what nobody takes is tried again after pauses that grow, and
// after the last attempt no more. The operator sees it by count, in the log and in
// the list, without what it says; one command brings it back, and then it arrives.
func TestNoticesAreGivenUp(t *testing.T) {
	eachCourier(t, func(t *testing.T, open func() *courier, clock *storetest.Clock) {
		c := open()
		const payload = `{"client_id":"orders","user_id":"CANARY"}`
		c.fails = func(string) error { return errors.New("the receiver answered 500") }
		enqueue(t, c, payload)
		pause := 5 * time.Second
		for attempt := 1; attempt <= noticeAttempts; attempt++ {
			if got := c.run(); !slices.Equal(got, []string{payload}) {
				t.Fatalf("attempt %d: tried %v", attempt, got)
			}
			if attempt == noticeAttempts {
				break
			}
			list := c.waiting(false)
			if len(list) != 1 || list[0].Attempts != attempt || list[0].LastError != "the receiver answered 500" || !list[0].GivenUpAt.IsZero() || !list[0].DueAt.Equal(clock.Now().UTC().Add(pause)) {
				t.Fatalf("attempt %d, which should pause for %s: %+v", attempt, pause, list)
			}
			c.says("keystone_outbox_waiting 1", "keystone_outbox_given_up 0", `keystone_logout_notices_total{result="given_up"} 0`)
			clock.Move(pause - time.Millisecond)
			if got := c.run(); len(got) != 0 {
				t.Fatalf("tried before its time, after attempt %d", attempt)
			}
			clock.Move(time.Millisecond)
			pause = min(3*pause, 6*time.Hour)
		}
		if pause != 6*time.Hour {
			t.Errorf("the last pause was %s", pause)
		}
		for range 3 {
			clock.Move(24 * time.Hour)
			if got := c.run(); len(got) != 0 {
				t.Fatal("given up, and tried again")
			}
		}
		c.says("keystone_outbox_waiting 0", "keystone_outbox_given_up 1", `keystone_logout_notices_total{result="failed"} 9`, `keystone_logout_notices_total{result="given_up"} 1`, "keystone_outbox_oldest_seconds 0")
		lines := c.logs.lines(t, "notice not delivered")
		if last := lines[len(lines)-1]; len(lines) != noticeAttempts || last["level"] != "WARN" || last["given_up"] != true || last["client_id"] != "orders" || last["error"] != "the receiver answered 500" || last["message"] == "" {
			t.Errorf("%d lines, the last is %v", len(lines), last)
		}
		if strings.Contains(c.logs.String(), "CANARY") {
			t.Error("the log says whom it is about")
		}
		list := c.waiting(true)
		if len(list) != 1 || list[0].GivenUpAt.IsZero() || list[0].Kind != store.MessageLogout || list[0].Attempts != noticeAttempts {
			t.Fatalf("%+v", list)
		}

		n, err := c.parts.Store.Retry(context.Background(), keystone.Operator("test"), "")
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		c.fails = func(string) error { return nil }
		if got := c.run(); len(got) != 1 {
			t.Fatalf("brought back, and not tried: %v", got)
		}
		c.says("keystone_outbox_waiting 0", "keystone_outbox_given_up 0", `keystone_logout_notices_total{result="delivered"} 1`)
		if list := c.waiting(false); len(list) != 0 {
			t.Errorf("delivered, and still there: %+v", list)
		}

		// What its receiver does not want is not asked ten times.
		c.fails = func(string) error { return oauth.ErrUnwanted }
		enqueue(t, c, payload)
		c.run()
		c.says("keystone_outbox_given_up 1", `keystone_logout_notices_total{result="given_up"} 2`)
	})
}

// TestNoticesOfADeadNode: a node that dies with notices in its hands keeps them from
// the others no longer than its claim, and one that only stops gives them back at
// once; neither loses one, and whoever comes late settles nothing.
func TestNoticesOfADeadNode(t *testing.T) {
	eachCourier(t, func(t *testing.T, open func() *courier, clock *storetest.Clock) {
		a, b := open(), open()
		if a.node == b.node {
			t.Fatal("two processes have one name")
		}
		const payload = `{"client_id":"orders"}`
		enqueue(t, a, payload)
		delivered := func(string) error { return nil }
		b.fails = delivered
		// a dies between taking it and writing down what became of it.
		held, err := a.parts.Store.Claim(context.Background(), store.MessageLogout, a.node, noticeBatch, noticeClaim)
		if err != nil || len(held) != 1 {
			t.Fatal(held, err)
		}
		clock.Move(noticeClaim - time.Millisecond)
		if got := b.run(); len(got) != 0 {
			t.Fatal("taken from a node that may be at work")
		}
		clock.Move(time.Millisecond)
		if got := b.run(); !slices.Equal(got, []string{payload}) {
			t.Fatalf("not taken from a dead node: %v", got)
		}
		if err := a.settle(context.Background(), notices{store.MessageLogout, nil, a.metrics.notices}, held[0], errors.New("late")); err != nil {
			t.Fatal(err)
		}
		if list := b.waiting(false); len(list) != 0 {
			t.Errorf("a node that came back from the dead brought the notice along: %+v", list)
		}

		// a is told to stop while it delivers.
		enqueue(t, a, payload)
		a.fails = func(string) error { return context.Canceled }
		a.run()
		if got := b.run(); !slices.Equal(got, []string{payload}) {
			t.Fatalf("not given back by a node that stops: %v", got)
		}
		if len(a.logs.lines(t, "notice not delivered")) != 1 { // the late one
			t.Error("stopping is told as a failure of the receiver")
		}
	})
}

// TestNoticesOfOneClientWait: a receiver that fails holds up its own notices, each of
// which counts the attempt, and nobody else's.
func TestNoticesOfOneClientWait(t *testing.T) {
	eachCourier(t, func(t *testing.T, open func() *courier, clock *storetest.Clock) {
		c := open()
		c.fails = func(payload string) error {
			if strings.Contains(payload, "broken") {
				return errors.New("the receiver answered 500")
			}
			return nil
		}
		for range 3 {
			enqueue(t, c, `{"client_id":"broken"}`)
			enqueue(t, c, `{"client_id":"orders"}`)
		}
		tried := map[string]int{}
		for _, p := range c.run() {
			tried[p]++
		}
		if tried[`{"client_id":"broken"}`] != 1 || tried[`{"client_id":"orders"}`] != 3 {
			t.Errorf("tried %v", tried)
		}
		for _, w := range c.waiting(false) {
			if w.Attempts != 1 || !w.DueAt.After(clock.Now()) {
				t.Errorf("%+v", w)
			}
		}
	})
}
