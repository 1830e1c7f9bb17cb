package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Reads of a trip that are alike are one statement, as alike writes of a group are: what
// PostgreSQL does to begin and end a statement is more than finding a row by its key.

// asked is many of a SELECT. Each row of its answer begins with the number of the read
// that it is for; these are in their order. OFFSET 0 keeps the planner from making a join
// of them: while a table is empty it would find one that reads all of it, and keep that.
func (t *wideTexts) asked(sql string, args []any) string {
	return t.remember("asked "+sql, func() string {
		own := parameter.ReplaceAllString(sql, "asked.c$1")
		return `SELECT asked.n, q.* FROM (SELECT generate_subscripts($1::` + columnType(args[0]) + `[], 1) AS n, ` +
			strings.TrimPrefix(unnest(args, nil, nil), "SELECT ") + `) AS asked CROSS JOIN LATERAL (` + own + ` OFFSET 0) AS q ORDER BY asked.n`
	})
}

// alikeReads makes runs of reads of the same text.
func alikeReads(list []*trip) (runs [][]*trip) {
	list = slices.Clone(list) // its first one leads
	slices.SortStableFunc(list, func(a, b *trip) int { return strings.Compare(a.sql, b.sql) })
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end].sql == list[i].sql && list[i].mayBeWide() {
			end++
		}
		runs = append(runs, list[i:end])
		i = end
	}
	return runs
}

// mayBeWide reports whether PostgreSQL can be sent the arguments of many such reads.
func (r *trip) mayBeWide() bool {
	for _, v := range r.args {
		switch v.(type) {
		case string, int64, []byte:
		default:
			return false
		}
	}
	return len(r.args) > 0
}

// queue puts a run into a batch.
func (t *trips) queue(batch *pgx.Batch, run []*trip) {
	if len(run) == 1 {
		batch.Queue(run[0].sql, run[0].args...)
		return
	}
	rows := make([][]any, len(run))
	for i, r := range run {
		rows[i] = r.args
	}
	batch.Queue(t.wide.asked(run[0].sql, run[0].args), columns(make([]any, 0, len(rows[0])), rows)...)
}

// answer hands each read of a run its rows.
func answer(run []*trip, answered pgx.Rows, err error) error {
	if len(run) == 1 {
		return readPostgres(run[0].read)(answered, err)
	}
	return readPostgres(func(rows) error {
		all := &answers{rows: answered}
		for i, r := range run {
			own := &ownRows{all: all, n: i + 1}
			if err := r.read(own); err != nil {
				return err
			}
			for own.Next() { // what it did not want
			}
		}
		if all.more() {
			return errAnswers
		}
		return answered.Err()
	})(answered, err)
}

var errAnswers = errors.New("store: PostgreSQL answered reads in another order than they were asked in")

// answers are the rows of many reads.
type answers struct {
	rows pgx.Rows
	n    int // the read that the row at hand is for; 0: it is used up
}

// more reports whether there is a row at hand.
func (a *answers) more() bool {
	if a.n == 0 && a.rows.Next() {
		a.n = int(binary.BigEndian.Uint32(a.rows.RawValues()[0]))
	}
	return a.n != 0
}

// ownRows are those of one read.
type ownRows struct {
	all  *answers
	n    int
	used bool // the row at hand was taken
}

func (o *ownRows) Next() bool {
	if o.used {
		o.all.n, o.used = 0, false
	}
	o.used = o.all.more() && o.all.n == o.n
	return o.used
}

func (o *ownRows) Scan(dest ...any) error {
	return o.all.rows.Scan(append(make([]any, 1, len(dest)+1), dest...)...) // nil: the number is passed over
}

func (o *ownRows) Err() error { return o.all.rows.Err() }
