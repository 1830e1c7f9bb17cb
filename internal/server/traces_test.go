package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

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
	if err := tr.flush(t.Context()); err != nil || len(written) != tracesOfSource+1 {
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
