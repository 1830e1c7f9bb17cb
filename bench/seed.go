package main

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// Rows that are needed by the hundred thousand are copies of one that the store
// made: the columns that matter are changed, whatever others there are stay as
// they were.

// bulk is a database open for copying rows.
type bulk struct {
	pg   *pgx.Conn
	lite *sql.DB
}

func openBulk(ctx context.Context, f *fixture) (*bulk, error) {
	if store.IsPostgres(f.url) {
		conn, err := pgx.Connect(ctx, f.url)
		return &bulk{pg: conn}, err
	}
	db, err := sql.Open("sqlite", "file:"+f.url+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &bulk{lite: db}, nil
}

func (b *bulk) close(ctx context.Context) {
	if b.pg != nil {
		_ = b.pg.Close(ctx)
		return
	}
	_ = b.lite.Close()
}

// first returns the columns and values of a table's row with key = id.
func (b *bulk) first(ctx context.Context, table, key string, id any) (map[string]any, error) {
	query := `SELECT * FROM ` + table + ` WHERE ` + key + ` = $1`
	row := map[string]any{}
	if b.pg != nil {
		rows, err := b.pg.Query(ctx, query, id)
		if err != nil {
			return nil, err
		}
		return pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
	}
	rows, err := b.lite.QueryContext(ctx, query, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil, fmt.Errorf("no row of %s to copy: %w", table, rows.Err())
	}
	values, to := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		to[i] = &values[i]
	}
	if err := rows.Scan(to...); err != nil {
		return nil, err
	}
	for i, name := range columns {
		row[name] = values[i]
	}
	return row, rows.Err()
}

// copies writes n copies of a row; change sets what is different in copy i.
func (b *bulk) copies(ctx context.Context, table string, row map[string]any, n int, change func(i int, row map[string]any)) error {
	columns := slices.Sorted(maps.Keys(row))
	values := func(i int) []any {
		change(i, row)
		out := make([]any, len(columns))
		for j, name := range columns {
			out[j] = row[name]
		}
		return out
	}
	if b.pg != nil {
		_, err := b.pg.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return values(i), nil }))
		return err
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	tx, err := b.lite.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+marks+`)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for i := range n {
		if _, err := insert.ExecContext(ctx, values(i)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// settle lets the planner know the tables as they are now, as autovacuum would
// within a minute.
func (b *bulk) settle(ctx context.Context) error {
	if b.pg == nil {
		return nil
	}
	_, err := b.pg.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

// crowd is n people who were there before; ids in ascending order.
type crowd struct {
	ids   []string
	names []string // what they are searched by
}

// addCrowd writes n more users, each with names, search terms and a role.
func (f *fixture) addCrowd(ctx context.Context, n int) (*crowd, error) {
	b, err := openBulk(ctx, f)
	if err != nil {
		return nil, err
	}
	defer b.close(ctx)
	user, err := b.first(ctx, "users", "id", f.people[0].ID)
	if err != nil {
		return nil, err
	}
	role, err := b.first(ctx, "user_roles", "user_id", f.people[0].ID)
	if err != nil {
		return nil, err
	}
	c := &crowd{ids: make([]string, n), names: make([]string, n)}
	born := time.Now().Add(-time.Duration(n) * time.Millisecond)
	for i := range n {
		c.ids[i], c.names[i] = keystone.NewID(born.Add(time.Duration(i)*time.Millisecond)), firstName(i)+"."+lastName(i)+strconv.Itoa(i)
	}
	err = b.copies(ctx, "users", user, n, func(i int, row map[string]any) {
		name := c.names[i]
		row["id"], row["username"], row["username_key"] = c.ids[i], name, name
		row["email"], row["email_key"] = name+"@example.net", name+"@example.net"
		row["first_name"], row["last_name"] = firstName(i), lastName(i)
	})
	if err == nil {
		err = b.copies(ctx, "user_roles", role, n, func(i int, row map[string]any) { row["user_id"] = c.ids[i] })
	}
	const terms = 5
	if err == nil {
		err = b.copies(ctx, "user_terms", map[string]any{"term": "", "before": "", "user_id": ""}, n*terms, func(i int, row map[string]any) {
			who := i / terms
			first, last := firstName(who), lastName(who)
			sorted := [terms + 1]string{"", first, first + " " + last, c.names[who], c.names[who] + "@example.net", last}
			slices.Sort(sorted[:])
			row["user_id"], row["before"], row["term"] = c.ids[who], sorted[i%terms], sorted[i%terms+1]
		})
	}
	if err == nil {
		err = b.settle(ctx)
	}
	return c, err
}

// Names are three syllables, so that prefixes of every length find some.
var syllables = strings.Fields("ba be bi bo bu da de di do du fa fe ga ge ha he ja jo ka ke ki ko la le li lo lu ma me mi mo na ne ni no pa pe ra re ri ro sa se si so ta te ti to va ve wa we za")

func firstName(i int) string { return word(i * 7919) }

func lastName(i int) string { return word(i*104729+1) + "s" }

func word(n int) string {
	k := len(syllables)
	return syllables[n%k] + syllables[n/k%k] + syllables[n/k/k%k]
}

// liteURL is the path of a fixture's SQLite file.
func liteURL(dir string) string { return filepath.Join(dir, "keystone.db") }
