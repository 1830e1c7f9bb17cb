package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a Plan, whatever it asks for.
const (
	MostConns    = 1024
	MostRequests = 50_000_000
	LongestRun   = 10 * time.Minute
)

// Plan is one load. Next and Check are called by the connection's own goroutine,
// so what they keep for each connection needs no lock.
type Plan struct {
	Addr  string        // host:port on loopback
	Conns int           // connections, each with one request in flight
	Warm  time.Duration // first, requests that are not counted
	For   time.Duration // then, requests that are
	Most  int           // most requests in all; 0: MostRequests

	// Next appends the connection's next whole request to b; false ends the
	// run: there is nothing left to ask.
	Next func(conn int, b []byte) ([]byte, bool)
	// Check says what is wrong with a response; nil means 200 and nothing else
	// is right. body is valid during the call only.
	Check func(conn, status int, body []byte) error

	Begin, End func() // called when counting begins and ends; may be nil
}

// Result is what was counted between Begin and End.
type Result struct {
	Histogram
	Elapsed time.Duration
	Errors  int   // responses that Check refused, and broken connections; also while warming up
	First   error // the first of them
}

// Rate returns answered requests per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Count()) / r.Elapsed.Seconds()
}

func (p *Plan) check() error {
	if p.Most == 0 {
		p.Most = MostRequests
	}
	switch {
	case p.Conns < 1 || p.Conns > MostConns:
		return fmt.Errorf("load: 1 to %d connections", MostConns)
	case p.Most < 1 || p.Most > MostRequests:
		return fmt.Errorf("load: 1 to %d requests", MostRequests)
	case p.Warm < 0 || p.For <= 0 || p.Warm+p.For > LongestRun:
		return fmt.Errorf("load: more than nothing and at most %s", LongestRun)
	}
	_, err := Loopback(p.Addr)
	return err
}

// run is what the connections of one Run share.
type run struct {
	Plan
	started  time.Time
	from     time.Duration // when counting began
	counting atomic.Bool   // between Begin and End
	answered atomic.Bool   // something was counted
	done     atomic.Bool   // time is over or nothing is left
	left     atomic.Int64  // requests that may still be sent
}

// Run runs the plan. An error means that nothing could be measured; errors of
// single requests are counted in the result.
func Run(ctx context.Context, p Plan) (Result, error) {
	if err := p.check(); err != nil {
		return Result{}, err
	}
	r := &run{Plan: p}
	r.left.Store(int64(p.Most))
	deadline := time.Now().Add(p.Warm + p.For + 20*time.Second)
	conns := make([]*Conn, 0, p.Conns)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range p.Conns {
		c, err := Dial(ctx, p.Addr, deadline)
		if err != nil {
			return Result{}, err
		}
		conns = append(conns, c)
	}

	workers := make([]worker, p.Conns)
	var running sync.WaitGroup
	r.started = time.Now()
	if p.Warm == 0 {
		r.begin()
	}
	for i := range workers {
		workers[i] = worker{run: r, n: i, conn: conns[i], deadline: deadline}
		running.Go(func() { workers[i].work(ctx) })
	}
	go func() { // every connection may have given up before the time is over
		running.Wait()
		r.done.Store(true)
	}()
	elapsed := r.clock(ctx)
	running.Wait()

	result := Result{Elapsed: elapsed}
	for i := range workers {
		w := &workers[i]
		result.Errors += w.errors
		if result.First == nil {
			result.First = w.first
		}
		result.Merge(&w.latency)
	}
	if result.Count() == 0 && result.Errors == 0 {
		return result, errors.New("load: no request was answered while counting")
	}
	return result, nil
}

// begin begins the counting.
func (r *run) begin() {
	if r.Begin != nil {
		r.Begin()
	}
	r.from = time.Since(r.started)
	r.counting.Store(true)
}

// patience is how much longer than planned a Run counts where nothing was
// answered yet: a disk may stall for longer than a short plan, and that is a
// slow answer, not none.
const patience = 10 * time.Second

// clock begins the counting when the warming up is over, ends it when its time
// is, and returns how long it was.
func (r *run) clock(ctx context.Context) time.Duration {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := func() bool { return r.done.Load() || ctx.Err() != nil }
	for time.Since(r.started) < r.Warm && !over() {
		<-tick.C
	}
	if !r.counting.Load() {
		r.begin()
	}
	for !over() {
		past := time.Since(r.started) - r.from
		if past >= r.For && (r.answered.Load() || past >= r.For+patience) {
			break
		}
		<-tick.C
	}
	r.counting.Store(false)
	to := time.Since(r.started)
	r.done.Store(true)
	if r.End != nil {
		r.End()
	}
	return to - r.from
}

type worker struct {
	*run
	n        int
	conn     *Conn
	deadline time.Time
	latency  Histogram
	errors   int
	first    error
}

const mostErrors = 100 // of one connection; then it stops

func (w *worker) work(ctx context.Context) {
	defer func() { w.conn.Close() }()
	var request []byte
	sent := time.Since(w.started)
	for !w.done.Load() && ctx.Err() == nil && w.errors < mostErrors {
		var more bool
		if request, more = w.Next(w.n, request[:0]); !more || w.left.Add(-1) < 0 {
			w.done.Store(true)
			return
		}
		status, body, closed, err := w.conn.Do(request)
		if err == nil {
			err = w.judge(status, body)
		}
		now := time.Since(w.started)
		if err != nil {
			w.failed(err)
		} else if w.counting.Load() { // what was under way at the beginning makes up for what is at the end
			w.latency.Add(now - sent)
			if !w.answered.Load() { // a store each time would go between the processors
				w.answered.Store(true)
			}
		}
		sent = now
		if closed && !w.done.Load() {
			w.conn.Close()
			if err := w.conn.dial(ctx, w.deadline); err != nil {
				w.failed(err)
				return
			}
		}
	}
}

func (w *worker) judge(status int, body []byte) error {
	if w.Check != nil {
		return w.Check(w.n, status, body)
	}
	if status != 200 {
		return fmt.Errorf("status %d: %.200s", status, body)
	}
	return nil
}

func (w *worker) failed(err error) {
	w.errors++
	if w.first == nil {
		w.first = err
	}
}
