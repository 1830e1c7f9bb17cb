package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Raw runs a statement past every rule of this package, as somebody with the
// database's password would, and returns the number of rows it changed.
func (s *Store) Raw(ctx context.Context, sql string, args ...any) (int64, error) {
	return s.q.exec(ctx, sql, args...)
}

// RawTexts reads one text column past every rule.
func (s *Store) RawTexts(ctx context.Context, sql string, args ...any) ([]string, error) {
	return s.texts(ctx, sql, args...)
}

// Drops counts what local writes have dropped of what tokens hang on.
func (s *Store) Drops() uint64 { return s.cache.drops.Load() }

// Counted is the same store, counting its statements outside of transactions.
func (s *Store) Counted() (*Store, *atomic.Int64) {
	n := &atomic.Int64{}
	counted := *s
	counted.q = countedQuerier{s.q, n}
	return &counted, n
}

type countedQuerier struct {
	querier
	n *atomic.Int64
}

func (c countedQuerier) query(ctx context.Context, read func(rows) error, sql string, args ...any) error {
	c.n.Add(1)
	return c.querier.query(ctx, read, sql, args...)
}

func (c countedQuerier) together() querier { return countedQuerier{c.querier.together(), c.n} }

// Explained is the same store, noting how the database goes about its reads outside of
// transactions.
func (s *Store) Explained() (*Store, *[]string) {
	var plans []string
	explained := *s
	explained.q = explainedQuerier{s, s.q, &plans}
	return &explained, &plans
}

type explainedQuerier struct {
	s *Store
	querier
	plans *[]string
}

func (e explainedQuerier) query(ctx context.Context, read func(rows) error, sql string, args ...any) error {
	explain := "EXPLAIN QUERY PLAN "
	if e.s.OnPostgres() {
		explain = "EXPLAIN "
	}
	var plan []string
	err := e.querier.query(ctx, func(r rows) error {
		for r.Next() {
			var line string
			into := []any{&line}
			if !e.s.OnPostgres() {
				var id, parent, unused int64
				into = []any{&id, &parent, &unused, &line}
			}
			if err := r.Scan(into...); err != nil {
				return err
			}
			plan = append(plan, line)
		}
		return r.Err()
	}, explain+sql, args...)
	*e.plans = append(*e.plans, strings.Join(plan, "\n"))
	if err != nil {
		return err
	}
	return e.querier.query(ctx, read, sql, args...)
}

// OnPostgres reports which database this is.
func (s *Store) OnPostgres() bool { _, ok := s.db.(*postgres); return ok }

// Columns lists table.column of every table of ours, sorted.
func (s *Store) Columns(ctx context.Context) ([]string, error) {
	q := `SELECT m.name || '.' || p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`
	if s.OnPostgres() {
		q = `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'goose_db_version'`
	}
	list, err := s.texts(ctx, q)
	slices.Sort(list)
	return list, err
}

// Indexes lists table and columns of every index, sorted.
func (s *Store) Indexes(ctx context.Context) ([]string, error) {
	q := `SELECT m.tbl_name || ' ' || l."unique" || ' ' || (SELECT group_concat(i.name, ',') FROM pragma_index_info(l.name) i)
		FROM sqlite_master m JOIN pragma_index_list(m.name) l WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version' AND l.origin = 'c'`
	if s.OnPostgres() {
		q = `SELECT t.relname || ' ' || CASE WHEN i.indisunique THEN 1 ELSE 0 END || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY k.ord)
			FROM unnest(i.indkey) WITH ORDINALITY k(attnum, ord) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum)
			FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
			WHERE n.nspname = 'public' AND NOT i.indisprimary AND t.relname <> 'goose_db_version'`
	}
	list, err := s.texts(ctx, q)
	slices.Sort(list)
	return list, err
}

// Dump reads every row of every table but the named ones: table -> rows as text,
// sorted. Two equal dumps are two equal databases.
func (s *Store) Dump(ctx context.Context, except ...string) (map[string][]string, error) {
	columns, err := s.Columns(ctx)
	if err != nil {
		return nil, err
	}
	byTable := map[string][]string{}
	for _, c := range columns {
		table, column, _ := strings.Cut(c, ".")
		if slices.Contains(except, table) {
			continue
		}
		text := `CAST(` + column + ` AS TEXT)`
		if column == "sealed" || column == "hash" && table != "passwords" || column == "entries" || column == "previous" || table == "outbox" && column == "payload" {
			text = `hex(` + column + `)`
			if s.OnPostgres() {
				text = `encode(` + column + `, 'hex')`
			}
		}
		byTable[table] = append(byTable[table], text)
	}
	dump := map[string][]string{}
	for table, texts := range byTable {
		rows, err := s.texts(ctx, `SELECT `+strings.Join(texts, ` || '|' || `)+` FROM `+table)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		slices.Sort(rows)
		dump[table] = rows
	}
	return dump, nil
}

// BareHot runs one grouped statement on a grant and nothing else: what a
// rotation costs without its rules and its audit row.
func (s *Store) BareHot(ctx context.Context, id string) error {
	_, err := s.hot(ctx, &hotWrite{sql: `UPDATE grants SET generation = generation + 1 WHERE id = $1`, args: []any{id}, lock: lockGrant(id)})
	return err
}

// WideText is the text of many audited writes like sql, with the beginning of
// the audit row's own text cut short.
func WideText(sql string, args, trail []any, also string) string {
	w := &hotWrite{sql: sql, args: args, trail: trail}
	if also != "" {
		w.also = &addition{also, args}
	}
	into, _, _ := strings.Cut(insertAudit, "VALUES")
	return strings.Replace(new(wideTexts).audited(w), into, "INSERT AUDIT ", 1)
}

// DetailText is the stored form of a detail.
func DetailText(detail map[string]any) string { return encodeDetail(detail, maxDetail) }

// FaultOfPostgres is what the store makes of an error of PostgreSQL.
func FaultOfPostgres(err error) error { return (&Store{db: &postgres{}}).fail("test", err) }

// HotTexts is RawTexts as reads of hot paths go; seen is called with each text, and
// may be again.
func (s *Store) HotTexts(ctx context.Context, seen func(string), sql string, args ...any) ([]string, error) {
	return all(ctx, s.hotReads(), func(scan func(...any) error) (v string, err error) {
		err = scan(&v)
		seen(v)
		return v, err
	}, sql, args...)
}

// HotFirst reads one text of the first row, as reads of hot paths go.
func (s *Store) HotFirst(ctx context.Context, sql string, args ...any) (text string, err error) {
	_, err = s.hotReads().row(ctx, sql, args, &text)
	return text, err
}

// WaitingReads is how many reads wait for a way to PostgreSQL.
func (s *Store) WaitingReads() int {
	t := &s.db.(*postgres).trips
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}

// TripShared is how many reads wait where a second way is taken.
const TripShared = tripShared

// GroupSetting reads a setting of a connection of the group writers.
func (s *Store) GroupSetting(ctx context.Context, name string) (value string, err error) {
	err = s.db.(*postgres).groups.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value)
	return value, err
}

// SetIdle sets Options.Idle of a store that is open.
func (s *Store) SetIdle(d time.Duration) { s.idle = d }
