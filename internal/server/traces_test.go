package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestTracesOfOneSource: one source that is refused all the time leaves room for
// others, however long it goes on.
func TestTracesOfOneSource(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var written []keystone.Trace
	tr := traces{now: func() time.Time { return now }, dropped: func(int) {},
		write: func(_ context.Context, list []keystone.Trace) error { written = list; return nil }}
	for second := range 1000 {
		for i := range 100 {
			rec := &recorder{}
			rec.x.Actor.Source, rec.x.Err = fmt.Sprintf("2001:db8::%x", i), keystone.Fail(keystone.Invalid, "Send less.")
			tr.add(rec, 400)
		}
		rec := &recorder{}
		rec.x.Actor.Source, rec.x.Err = "192.0.2.1", keystone.Fail(keystone.Invalid, "Send less.")
		tr.add(rec, 400)
		if err := tr.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if written[len(written)-1].Source != "192.0.2.1" {
			t.Fatalf("after %d seconds another source is not traced any more", second)
		}
		now = now.Add(time.Second)
	}
}

// TestTracesAreBounded: nobody fills the database by being refused, and one
// source does not keep the others from being explained.
func TestTracesAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var written []keystone.Trace
	failing, dropped := false, 0
	tr := traces{now: func() time.Time { return now }, dropped: func(n int) { dropped += n },
		write: func(_ context.Context, list []keystone.Trace) error {
			if failing {
				return errors.New("away")
			}
			written = append(written, list...)
			return nil
		}}
	refuse := func(source string) {
		rec := &recorder{}
		rec.x.Actor.Source, rec.x.Err = source, keystone.Fail(keystone.Invalid, "Send less.")
		tr.add(rec, 400)
	}
	for range 1000 {
		refuse("flood")
	}
	refuse("other")
	if err := tr.flush(t.Context()); err != nil || len(written) < 10 || len(written) > traceBurst/tracesShare+1 || written[len(written)-1].Source != "other" {
		t.Fatalf("%v, %d written", err, len(written))
	}
	for i := range 5000 {
		refuse(fmt.Sprint(i))
	}
	if err := tr.flush(t.Context()); err != nil || len(written) != traceBurst {
		t.Errorf("%v, %d written", err, len(written))
	}
	now = now.Add(time.Second)
	for i := range 50 {
		refuse(fmt.Sprint(i))
	}
	failing = true
	before := dropped
	if err := tr.flush(t.Context()); err == nil || dropped != before+tracesASecond {
		t.Errorf("%v, %d dropped", err, dropped-before)
	}
}
