package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	tripsAtOnce = 2               // ways to PostgreSQL that are under way at once
	tripShared  = 64              // waiting reads that a second way is taken for
	tripMost    = 128             // reads on one way
	tripTimeout = 5 * time.Second // of one way there and back
)

// trips is a querier whose concurrent reads share a way to PostgreSQL and back:
// one network write, one implicit transaction and one answer for all of them. It
// is for single statements that find their rows by a key, since the slowest of a
// trip holds up the others.
//
// There is no timer and no goroutine: a read that finds nobody under way goes at
// once. One that does not waits; the first of those that wait leads the others
// when a trip has ended. A second way is only taken where many wait: a long trip
// costs PostgreSQL less for each read than two short ones.
type trips struct {
	pool *pgxpool.Pool
	wide wideTexts

	mu      sync.Mutex
	under   int // trips under way
	waiting []*trip
}

// trip is one read.
type trip struct {
	sql  string
	args []any
	read func(rows) error
	err  error
	lead chan bool // true: lead those who wait; false: done
}

func (t *trips) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := t.pool.Exec(ctx, sql, storable(args)...)
	return tag.RowsAffected(), err
}

func (t *trips) together() querier { return t }

// query gives up when ctx ends while it waits. Once on its way it stays for the
// answer, since somebody else may be reading it.
func (t *trips) query(ctx context.Context, read func(rows) error, sql string, args ...any) error {
	own := &trip{sql: sql, args: storable(args), read: read}
	if lead, err := t.lead(ctx, own); !lead {
		return err
	}
	list := t.take(own)
	defer t.next(list[1:])
	for _, r := range list {
		r.err = errTripLost
	}
	t.run(ctx, list)
	return own.err
}

// lead waits until own may lead a trip, or was led.
func (t *trips) lead(ctx context.Context, own *trip) (bool, error) {
	t.mu.Lock()
	if t.under == 0 || t.under < tripsAtOnce && len(t.waiting) >= tripShared {
		t.under++
		t.mu.Unlock()
		return true, nil
	}
	own.lead = make(chan bool, 1)
	t.waiting = append(t.waiting, own)
	t.mu.Unlock()
	select {
	case lead := <-own.lead:
		return lead, own.err
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting, own)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	t.mu.Unlock()
	if i >= 0 {
		return false, ctx.Err()
	}
	lead := <-own.lead // it had been taken along, or told to lead
	return lead, own.err
}

// take is own and those who wait.
func (t *trips) take(own *trip) []*trip {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.waiting), tripMost-1)
	list := append(append(make([]*trip, 0, n+1), own), t.waiting[:n]...)
	t.waiting = slices.Delete(t.waiting, 0, n)
	return list
}

// errTripLost is of reads whose trip has ended in a panic.
var errTripLost = errUnavailable.Because(errors.New("a read that shared its trip with this one has panicked"))

// next tells those who were led, and gives the way to the first who waits.
func (t *trips) next(led []*trip) {
	for _, r := range led {
		r.lead <- false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 || t.under > 1 && len(t.waiting) < tripShared { // whoever is still under way will take them
		t.under--
		return
	}
	first := t.waiting[0]
	t.waiting = slices.Delete(t.waiting, 0, 1)
	first.lead <- true
}

// run makes one trip. Where a statement fails, PostgreSQL runs none that follows:
// each is tried by itself, so that a bad one fails alone.
func (t *trips) run(ctx context.Context, list []*trip) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tripTimeout) // one caller's haste must not fail the others
	defer cancel()
	err := t.send(ctx, list)
	if err != nil && len(list) > 1 && ctx.Err() == nil && !postgresFault(err).ends() {
		for i, r := range list {
			r.err = t.send(ctx, list[i:i+1])
		}
		return
	}
	for _, r := range list {
		r.err = err
	}
}

func (t *trips) send(ctx context.Context, list []*trip) error {
	if len(list) == 1 {
		return readPostgres(list[0].read)(t.pool.Query(ctx, list[0].sql, list[0].args...))
	}
	runs, batch := alikeReads(list), &pgx.Batch{}
	for _, run := range runs {
		t.queue(batch, run)
	}
	return readBatch(t.pool.SendBatch(ctx, batch), func(results pgx.BatchResults) error {
		for _, run := range runs {
			answered, err := results.Query()
			if err := answer(run, answered, err); err != nil {
				return err
			}
		}
		return nil
	})
}
