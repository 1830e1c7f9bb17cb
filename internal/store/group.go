package store

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
)

// hotWrite is one write of a hot path: a single conditional statement, and what
// its success adds to the same transaction (audit rows). Because the statement
// carries its own condition, any number of hot writes can share a transaction
// without changing what each means.
type hotWrite struct {
	sql  string
	args []any
	lock string                    // the row that it locks, see lockUser
	dest []any                     // where RETURNING goes; nil: the statement returns nothing
	hit  bool                      // whether the condition held
	then func(hit bool) []addition // what follows; nil: nothing

	// alike marks a write that PostgreSQL may run as one statement with others of
	// the same text: an UPDATE of one row, or an INSERT of one VALUES or SELECT, with neither
	// dest nor then. trail is its audit row, written where the condition held; only
	// an INSERT that cannot miss may go without.
	alike bool
	trail []any
	// also is what an UPDATE with a trail adds where its condition held: an INSERT …
	// SELECT $1, … WHERE, whose first column is the key. The write hit where both did.
	also *addition

	// meanwhile is what the caller has to do besides; it runs once the write waits for its
	// group. nil: nothing. In an open transaction it does not run.
	meanwhile func()

	err  error
	done chan struct{}
}

// Groups of several nodes run at once. They lock rows in one order, users before
// grants before sessions before single-use items before attempts, and each by its key, so that
// they never wait for each other in a circle: the database would take a second
// to notice. Transactions keep to it too, sessions come after grants.
func lockUser(id string) string     { return "1" + id }
func lockGrant(id string) string    { return "2" + id }
func lockSession(id string) string  { return "3" + id }
func lockOnce(hash []byte) string   { return "4" + string(hash) }
func lockAttempt(key string) string { return "5" + key }
func lockRevoked(jti string) string { return "6" + jti }

// lockRedeemed is of a write that uses an item and holds on to a session.
func lockRedeemed(session string, hash []byte) string { return lockSession(session) + string(hash) }

// inOrder sorts by lock. Writes that lock nothing sort by text, so that those
// that are alike stand together.
func inOrder(a, b *hotWrite) int {
	if a.lock == "" && b.lock == "" {
		return strings.Compare(a.sql, b.sql)
	}
	return strings.Compare(a.lock, b.lock)
}

type addition struct {
	sql  string
	args []any
}

// isAlike reports whether w may be one statement with other, which stands before
// it. Two writes of the same row may not: the second must see the first.
func (w *hotWrite) isAlike(other *hotWrite) bool {
	return w.alike && w.sql == other.sql && (w.lock == "" || w.lock != other.lock) &&
		(w.also == nil) == (other.also == nil) && (w.also == nil || w.also.sql == other.also.sql)
}

// isSure reports whether w is a plain INSERT, which fails or is done.
func (w *hotWrite) isSure() bool {
	return w.alike && strings.HasPrefix(w.sql, "INSERT ") && !strings.Contains(w.sql, "ON CONFLICT")
}

func (w *hotWrite) additions() []addition {
	var list []addition
	if w.then != nil {
		list = w.then(w.hit)
	}
	if w.hit && w.trail != nil {
		list = append(list, addition{insertAudit, w.trail})
	}
	return list
}

const (
	groupMost    = 128  // hot writes in one transaction
	groupShared  = 64   // waiting writes that a second writer shares
	groupWaiting = 4096 // hot writes that may wait; beyond, callers wait to enqueue until their deadline

	// groupTimeout is well within REFRESH_GRACE_SECONDS: whoever gets no answer, though
	// the write was done, may come again with what they have.
	groupTimeout = 4 * time.Second
)

// groupWriter lets concurrent hot writes share one transaction and one flush to
// disk. A caller is answered only after its transaction is durable. There is no
// timer: while one group commits, the next one gathers. One writer makes larger
// groups than two, and a large group costs the database less for each write; the
// others only help where more wait than a group of one should have to take.
type groupWriter struct {
	db      database
	queue   chan *hotWrite
	help    chan struct{}
	mu      sync.RWMutex
	closed  bool
	running sync.WaitGroup
	observe func(size int)
}

func newGroupWriter(db database) *groupWriter {
	g := &groupWriter{db: db, queue: make(chan *hotWrite, groupWaiting), help: make(chan struct{}), observe: func(int) {}}
	g.running.Go(g.run)
	for range db.groupWriters() - 1 {
		g.running.Go(g.assist)
	}
	return g
}

// ObserveGroups calls f with the size of each group commit, for metrics. Call
// it before the store is used.
func (s *Store) ObserveGroups(f func(size int)) { s.group.observe = f }

// hot runs one hot write: in the open transaction where there is one, else with
// whoever else is writing. It reports whether the statement's condition held.
func (s *Store) hot(ctx context.Context, w *hotWrite) (bool, error) {
	if s.tx != nil {
		err := s.hotAlone(ctx, w)
		return w.hit, err
	}
	if err := s.group.submit(ctx, w); err != nil {
		return false, err
	}
	if w.err == nil || s.db.classify(w.err) != faultRetry {
		return w.hit, w.err
	}
	err := s.InTx(ctx, func(tx *Store) error { return tx.hotAlone(ctx, w) })
	return w.hit, err
}

// hotAlone runs a hot write by itself in the open transaction.
func (s *Store) hotAlone(ctx context.Context, w *hotWrite) error {
	var err error
	if w.dest == nil {
		var n int64
		n, err = s.q.exec(ctx, w.sql, w.args...)
		w.hit = n > 0
	} else {
		w.hit, err = s.row(ctx, w.sql, w.args, w.dest...)
	}
	if err != nil {
		return err
	}
	if w.hit && w.also != nil {
		n, err := s.q.exec(ctx, w.also.sql, w.also.args...)
		if err != nil {
			return err
		}
		w.hit = n > 0
	}
	for _, add := range w.additions() {
		if _, err := s.q.exec(ctx, add.sql, add.args...); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupWriter) submit(ctx context.Context, w *hotWrite) error {
	w.done = make(chan struct{})
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return errUnavailable.Because(errors.New("store is closed"))
	}
	select {
	case g.queue <- w:
	default: // full
		select {
		case g.queue <- w:
		case <-ctx.Done(): // asked only here, for it starts a timer
			g.mu.RUnlock()
			return errUnavailable.Because(ctx.Err())
		}
	}
	g.mu.RUnlock()
	if w.meanwhile != nil {
		w.meanwhile()
	}
	<-w.done // never given up half way: the answer says what happened
	return nil
}

func (g *groupWriter) run() {
	defer close(g.help)
	group := make([]*hotWrite, 0, groupMost)
	for first := range g.queue {
		runtime.Gosched() // who is ready to run may be about to write, too
		if len(g.queue) >= groupShared {
			select {
			case g.help <- struct{}{}:
			default: // all are busy
			}
		}
		group = g.gather(append(group[:0], first))
		g.commit(group)
	}
}

func (g *groupWriter) assist() {
	group := make([]*hotWrite, 0, groupMost)
	for range g.help {
		if group = g.gather(group[:0]); len(group) > 0 {
			g.commit(group)
		}
	}
}

// gather adds what waits, up to a full group.
func (g *groupWriter) gather(group []*hotWrite) []*hotWrite {
	for len(group) < groupMost {
		select {
		case w, open := <-g.queue:
			if !open {
				return group
			}
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

// commit runs the group in one transaction. Where that fails, each write is
// tried alone, so that one bad write fails alone.
func (g *groupWriter) commit(group []*hotWrite) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	g.observe(len(group))
	slices.SortStableFunc(group, inOrder)
	err := g.db.runGroup(ctx, group)
	if err != nil && len(group) > 1 && !g.db.classify(err).ends() {
		for _, w := range group {
			w.err = g.db.runGroup(ctx, []*hotWrite{w})
			close(w.done)
		}
		return
	}
	for _, w := range group {
		w.err = err
		close(w.done)
	}
}

func (g *groupWriter) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.queue)
	}
	g.mu.Unlock()
	g.running.Wait()
}

// auditedWrite is a hot write that adds the event when its condition held.
func (s *Store) auditedWrite(by keystone.Actor, event func() keystone.AuditEvent) func(bool) []addition {
	return func(hit bool) []addition {
		if !hit {
			return nil
		}
		return []addition{s.auditRow(by, event())}
	}
}
