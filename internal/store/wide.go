package store

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// wideTexts makes one statement of many that are alike: PostgreSQL gets the
// values of each parameter as an array, a row for each write. The texts follow
// from the single ones, so there is one text to write and to read. They are
// remembered; there are as many as kinds of writes that are alike.
type wideTexts struct {
	mu    sync.RWMutex
	texts map[string]string
}

// auditWidth is the number of columns of an audit row.
const auditWidth = 13

var parameter = regexp.MustCompile(`\$(\d+)`)

// insert is an INSERT of many rows whose single form is VALUES ($1, $2, …).
func (t *wideTexts) insert(sql string, args []any) string {
	return t.remember(sql, func() string {
		return strings.Replace(selectValues(sql), " FROM u", " FROM ("+unnest(args, nil, nil)+") AS u", 1)
	})
}

// audited is many of an UPDATE, or INSERT, and an audit row for each whose
// condition held; it returns the ids of these, unless none can miss. An UPDATE names its rows in one
// WHERE; the first column of an INSERT is its key.
func (t *wideTexts) audited(w *hotWrite) string {
	sql, also, key := w.sql, addition{}, "audited "+w.sql
	if w.also != nil {
		also = *w.also
		key += also.sql
	}
	return t.remember(key, func() string {
		row := names("a", w.trail)
		into, _, _ := strings.Cut(insertAudit, "VALUES")
		with := `WITH u AS (` + unnest(w.args, also.args, w.trail) + `), hit AS (`
		switch {
		case strings.HasPrefix(sql, "UPDATE "):
			set, where, _ := strings.Cut(parameter.ReplaceAllString(sql, "u.c$1"), "WHERE ")
			with += strings.TrimSpace(set) + ` FROM u WHERE ` + where + ` RETURNING `
			if w.also == nil {
				return with + row + `) ` + into + `SELECT ` + row + ` FROM hit RETURNING id`
			}
			values, where, _ := strings.Cut(parameter.ReplaceAllString(also.sql, "hit.b$1"), "WHERE ")
			return with + names("b", also.args) + `, ` + row + `), more AS (` + strings.TrimSpace(values) + ` FROM hit WHERE ` + where +
				` RETURNING ` + firstColumn(also.sql) + ` AS k) ` + into + `SELECT ` + row + ` FROM hit JOIN more ON more.k = hit.b1 RETURNING id`
		case strings.Contains(sql, "ON CONFLICT"):
			return with + selectValues(sql) + ` RETURNING ` + firstColumn(sql) + ` AS k) ` + into + `SELECT ` + row + ` FROM u JOIN hit ON hit.k = u.c1 RETURNING id`
		}
		return with + selectValues(sql) + `) ` + into + `SELECT ` + row + ` FROM u` // it cannot miss: nothing to tell
	})
}

// firstColumn is the key that an INSERT writes.
func firstColumn(sql string) string {
	_, list, _ := strings.Cut(sql, "(")
	key, _, _ := strings.Cut(list, ",")
	return key
}

// names are the columns of values: a1, a2, …
func names(prefix string, values []any) string {
	list := make([]string, len(values))
	for i := range list {
		list[i] = prefix + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}

func (t *wideTexts) remember(key string, text func() string) string {
	t.mu.RLock()
	known, ok := t.texts[key]
	t.mu.RUnlock()
	if ok {
		return known
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.texts == nil {
		t.texts = map[string]string{}
	}
	t.texts[key] = text()
	return t.texts[key]
}

// selectValues turns VALUES ($1, …) into SELECT u.c1, … FROM u, and a SELECT into one for
// each row of u. OFFSET 0 keeps the planner from making a join of that: while a table is
// nearly empty it would find one that reads all of it, and keep that.
func selectValues(sql string) string {
	head, values, plain := strings.Cut(sql, "VALUES (")
	if !plain {
		head, one, _ := strings.Cut(parameter.ReplaceAllString(sql, "u.c$1"), "SELECT ")
		one, rest, _ := strings.Cut(one, " ON CONFLICT")
		return head + `SELECT q.* FROM u CROSS JOIN LATERAL (SELECT ` + one + ` OFFSET 0) AS q ON CONFLICT` + rest
	}
	values, rest, _ := strings.Cut(values, ")")
	return head + `SELECT ` + parameter.ReplaceAllString(values, "u.c$1") + ` FROM u` + rest
}

// unnest selects parameters c1, c2, …, those of what a write adds, b1, b2, …, and
// columns a1, a2, … of an audit row. Arrays in the list of columns are taken row by
// row; in FROM, PostgreSQL would write out each by itself first.
func unnest(args, also, trail []any) string {
	var columns []string
	for _, part := range []struct {
		prefix string
		values []any
	}{{"c", args}, {"b", also}, {"a", trail}} {
		for i, v := range part.values {
			columns = append(columns, fmt.Sprintf("unnest($%d::%s[]) AS %s%d", len(columns)+1, columnType(v), part.prefix, i+1))
		}
	}
	return `SELECT ` + strings.Join(columns, ", ")
}

func columnType(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case int64:
		return "bigint"
	case []byte:
		return "bytea"
	}
	panic(fmt.Sprintf("store: a write that is alike has a parameter of type %T", v)) // a mistake in this package, seen by its tests
}
