package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// runGroup runs a group in one transaction. Writes that are alike become one
// statement, see wide.go. A group of nothing else is one round trip: without a
// begin, PostgreSQL makes one transaction of a batch. Where a write adds what
// depends on its outcome, the group takes two: all first statements, then what
// their success adds together with the commit.
func (p *postgres) runGroup(ctx context.Context, group []*hotWrite) error {
	conn, err := p.groups.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()

	steps, whole := p.steps(group)
	first := &pgx.Batch{}
	if !whole {
		first.Queue("begin")
	}
	size := 0
	for _, st := range steps {
		first.Queue(st.sql, st.args...)
		size += st.size()
	}
	conn.Conn().PgConn().Frontend().Send(room(size))
	err = readBatch(conn.SendBatch(ctx, first), func(results pgx.BatchResults) error {
		if !whole {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		for _, st := range steps {
			if err := st.read(results); err != nil {
				return err
			}
		}
		return nil
	})
	if whole {
		return err
	}
	if err != nil {
		return p.abandon(conn, err)
	}
	if err := p.finishGroup(ctx, conn, group); err != nil {
		return p.abandon(conn, err)
	}
	return nil
}

// finishGroup adds what the writes of the group add, and commits. Audit rows of
// all of them are one statement.
func (p *postgres) finishGroup(ctx context.Context, conn *pgxpool.Conn, group []*hotWrite) error {
	second, trail := &pgx.Batch{}, [][]any(nil)
	for _, w := range group {
		if w.alike {
			continue // it brought its own
		}
		for _, add := range w.additions() {
			if add.sql == insertAudit {
				trail = append(trail, storable(add.args))
				continue
			}
			second.Queue(add.sql, storable(add.args)...)
		}
	}
	if len(trail) > 0 {
		second.Queue(p.wide.insert(insertAudit, trail[0]), columns(nil, trail)...)
	}
	second.Queue("commit")
	n := second.Len()
	return readBatch(conn.SendBatch(ctx, second), func(results pgx.BatchResults) error {
		for range n {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		return nil
	})
}

// step is one statement of a group: a run of writes that are alike, or one that
// is like no other.
type step struct {
	sql    string
	args   []any
	writes []*hotWrite
	wide   bool
}

// steps makes the statements of a group in its order, which is the order in
// which it locks rows. whole reports that nothing is left to add afterwards.
func (p *postgres) steps(group []*hotWrite) (steps []step, whole bool) {
	whole = true
	for i := 0; i < len(group); {
		w, end := group[i], i+1
		if !w.alike {
			whole = false
			steps = append(steps, step{sql: w.sql, args: storable(w.args), writes: group[i:end]})
			i = end
			continue
		}
		for end < len(group) && group[end].isAlike(group[end-1]) {
			end++
		}
		steps = append(steps, p.wideStep(group[i:end]))
		i = end
	}
	return steps, whole
}

func (p *postgres) wideStep(run []*hotWrite) step {
	first := run[0]
	st := step{writes: run, wide: true}
	st.args = columns(make([]any, 0, len(first.args)+2*auditWidth), rowsOf(run, func(w *hotWrite) []any { return w.args }))
	if first.trail == nil {
		st.sql = p.wide.insert(first.sql, first.args)
		return st
	}
	if first.also != nil {
		st.args = columns(st.args, rowsOf(run, func(w *hotWrite) []any { return w.also.args }))
	}
	st.sql, st.args = p.wide.audited(first), columns(st.args, rowsOf(run, func(w *hotWrite) []any { return w.trail }))
	return st
}

// size is about how many bytes go to PostgreSQL.
func (st step) size() int {
	if !st.wide {
		return 0
	}
	return st.args[0].(column).size + 4*len(st.args)
}

// rowsOf are one part of each write, as it is stored.
func rowsOf(run []*hotWrite, part func(*hotWrite) []any) [][]any {
	rows := make([][]any, len(run))
	for i, w := range run {
		rows[i] = storable(part(w))
	}
	return rows
}

// read takes the result of the step and tells its writes whether their
// conditions held.
func (st step) read(results pgx.BatchResults) error {
	if !st.wide {
		return st.writes[0].readPostgres(results)
	}
	if st.writes[0].isSure() {
		_, err := results.Exec()
		for _, w := range st.writes {
			w.hit = err == nil
		}
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for _, w := range st.writes {
		w.hit = false
	}
	next := 0 // rows mostly come in the order of the writes
	for rows.Next() {
		id := string(rows.RawValues()[0])
		for n := 0; n < len(st.writes); n++ {
			w := st.writes[(next+n)%len(st.writes)]
			if w.trail[0] == id {
				w.hit, next = true, next+n+1
				break
			}
		}
	}
	return rows.Err()
}

// readBatch reads every result before closing, so that the first error is the
// one that is reported.
func readBatch(results pgx.BatchResults, read func(pgx.BatchResults) error) error {
	defer func() { _ = results.Close() }() // also on panic, or the connection would be lost
	err := read(results)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (w *hotWrite) readPostgres(results pgx.BatchResults) error {
	if w.dest == nil {
		tag, err := results.Exec()
		w.hit = err == nil && tag.RowsAffected() > 0
		return err
	}
	err := results.QueryRow().Scan(w.dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		w.hit = false
		return nil
	}
	w.hit = err == nil
	return err
}
