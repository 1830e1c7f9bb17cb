package httpio

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

func TestContext(t *testing.T) {
	x := &Exchange{ClientID: "c"}
	later := time.Now().Add(time.Hour)

	c := NewContext(context.WithValue(t.Context(), keyOfTest{}, 1), x, later)
	if ExchangeOf(c) != x || c.Value(keyOfTest{}) != 1 || c.Err() != nil {
		t.Errorf("%v, %v, %v", ExchangeOf(c), c.Value(keyOfTest{}), c.Err())
	}
	if d, ok := c.Deadline(); !ok || !d.Equal(later) {
		t.Errorf("deadline %v, %v", d, ok)
	}
	select {
	case <-c.Done():
		t.Error("done before its end")
	default:
	}
	if ExchangeOf(c) != x || c.Value(keyOfTest{}) != 1 {
		t.Error("values are lost once somebody waits")
	}
	c.End()
	<-c.Done()
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("ended: %v", c.Err())
	}

	c = NewContext(t.Context(), x, later)
	c.End() // before anybody waits
	<-c.Done()
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("ended: %v", c.Err())
	}
	c = NewContext(t.Context(), x, later)
	c.End()
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("ended, and nobody waits: %v", c.Err())
	}

	c = NewContext(t.Context(), x, time.Now().Add(-time.Second))
	if !errors.Is(c.Err(), context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", c.Err())
	}
	<-c.Done()
	if !errors.Is(c.Err(), context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", c.Err())
	}

	parent, cancel := context.WithCancel(t.Context())
	c = NewContext(parent, x, later)
	cancel()
	<-c.Done()
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("the caller has gone: %v", c.Err())
	}
	early, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if d, _ := NewContext(early, x, later).Deadline(); !d.Before(later) {
		t.Errorf("later than its parent's: %v", d)
	}
}

type keyOfTest struct{}

// TestContextChildren: what waits on a child ends with the request and with the
// deadline, without a goroutine for each.
func TestContextChildren(t *testing.T) {
	c := NewContext(t.Context(), &Exchange{}, time.Now().Add(20*time.Millisecond))
	before := runtime.NumGoroutine()
	var children []context.Context
	for range 100 {
		child, cancel := context.WithCancel(c)
		defer cancel()
		children = append(children, child)
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines watch for 100 children", more)
	}
	for _, child := range children {
		<-child.Done()
		if !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Fatal(child.Err())
		}
	}
	c = NewContext(t.Context(), &Exchange{}, time.Now().Add(time.Hour))
	child, cancel := context.WithTimeout(c, time.Hour)
	defer cancel()
	c.End()
	<-child.Done()
	if !errors.Is(child.Err(), context.Canceled) {
		t.Error(child.Err())
	}
}

// TestContextCarriesChecks: what the edge and the handlers check is one list,
// with and without a timer.
func TestContextCarriesChecks(t *testing.T) {
	var x Exchange
	ctx := NewContext(t.Context(), &x, time.Now().Add(time.Minute))
	defer ctx.End()
	keystone.Checking(ctx, "first")
	child, cancel := context.WithCancel(ctx) // waits for the end: a timer runs now
	defer cancel()
	keystone.Checking(child, "second")
	if names, _ := x.Checks.Came(); !slices.Equal(names, []string{"first", "second"}) {
		t.Errorf("%q", names)
	}
}
