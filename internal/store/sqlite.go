package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lite is SQLite: one connection writes, a pool reads. WAL lets them go on side
// by side; synchronous=FULL makes a commit survive a power cut.
type lite struct {
	writer *sql.DB
	reader *sql.DB
	mu     sync.RWMutex
	stmts  map[stmtKey]*sql.Stmt // prepared once; texts are constants, so the map is bounded
}

type stmtKey struct {
	db  *sql.DB
	sql string
}

const liteReaders = 8

func openSQLite(ctx context.Context, path string) (*lite, error) {
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the SQLite database: %w", err)
		}
	}
	// The file is made with narrow rights before SQLite would make it with wide ones.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w; check DATABASE_URL and DATA_DIR", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	dsn := func(extra ...string) string {
		q := url.Values{}
		q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", walPages)
		q.Add("_pragma", "foreign_keys(1)")
		for _, e := range extra {
			name, value, _ := strings.Cut(e, "=")
			q.Add(name, value)
		}
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
	}
	writer, err := sql.Open("sqlite", dsn("_txlock=immediate", "_pragma=cache_size(-8000)"))
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	if err := firstLite(ctx, writer); err != nil {
		_ = writer.Close()
		if isDamaged(err) {
			return nil, fmt.Errorf("%s is damaged: %w. %s", path, err, damageAdvice)
		}
		return nil, fmt.Errorf("open the SQLite database: %w; it must be a file on a local disk that this user may write", err)
	}
	reader, err := sql.Open("sqlite", dsn("_pragma=query_only(1)", "_pragma=cache_size(-2000)"))
	if err != nil {
		_ = writer.Close()
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	reader.SetMaxOpenConns(liteReaders)
	reader.SetMaxIdleConns(liteReaders)
	return &lite{writer: writer, reader: reader, stmts: map[stmtKey]*sql.Stmt{}}, nil
}

// firstLite makes the first connection. Two that give a new file its write-ahead log at
// once would wait for each other, so SQLite refuses one without the wait of
// busy_timeout: that one tries again for as long.
func firstLite(ctx context.Context, db *sql.DB) error {
	for until := time.Now().Add(busyTimeout); ; {
		err := db.PingContext(ctx)
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// busyTimeout is how long a statement waits for another process that writes.
const busyTimeout = 5 * time.Second

// walPages is how long the write-ahead log grows, 8 MB, before a commit copies what it
// holds to the database file. Pages that are written again and again, the ends of the
// trail's indexes, are copied once each time; on a slow disk, where all pages differ,
// that one commit takes twice as long as with SQLite's own 1,000.
const walPages = "wal_autocheckpoint(2000)"

func (l *lite) prepared(ctx context.Context, db *sql.DB, text string) (*sql.Stmt, error) {
	key := stmtKey{db, text}
	l.mu.RLock()
	stmt := l.stmts[key]
	l.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	stmt, err := db.PrepareContext(ctx, unlocked(text))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.stmts[key]; other != nil {
		_ = stmt.Close()
		return other, nil
	}
	l.stmts[key] = stmt
	return stmt, nil
}

// unlocked is a text as SQLite takes it: where one writes at a time, no row needs
// a lock of its own.
func unlocked(text string) string { return strings.ReplaceAll(text, forShare, "") }

func (l *lite) exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := l.prepared(ctx, l.writer, text)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, storable(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (l *lite) query(ctx context.Context, read func(rows) error, text string, args ...any) error {
	stmt, err := l.prepared(ctx, l.reader, text)
	if err != nil {
		return err
	}
	return readLite(read)(stmt.QueryContext(ctx, storable(args)...))
}

// readLite hands what a query answers to read.
func readLite(read func(rows) error) func(*sql.Rows, error) error {
	return func(r *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }() // its error is Err's
		return read(r)
	}
}

// together has nothing to share: the file is here.
func (l *lite) together() querier { return l }

func (l *lite) begin(ctx context.Context) (transaction, error) {
	tx, err := l.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &liteTx{tx: tx}, nil
}

// liteTx is a transaction on the writing connection. Statements are not
// prepared ahead: preparing needs that one connection.
type liteTx struct{ tx *sql.Tx }

func (t *liteTx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(ctx, unlocked(text), storable(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *liteTx) query(ctx context.Context, read func(rows) error, text string, args ...any) error {
	return readLite(read)(t.tx.QueryContext(ctx, unlocked(text), storable(args)...))
}

func (t *liteTx) together() querier { return t }

func (t *liteTx) commit(context.Context) error { return t.tx.Commit() }
func (t *liteTx) rollback()                    { _ = t.tx.Rollback() } // after a commit it says so

func (l *lite) runGroup(ctx context.Context, group []*hotWrite) error {
	for _, w := range group { // before the transaction takes the one connection
		if _, err := l.prepared(ctx, l.writer, w.sql); err != nil {
			return err
		}
		if w.also == nil {
			continue
		}
		if _, err := l.prepared(ctx, l.writer, w.also.sql); err != nil {
			return err
		}
	}
	if _, err := l.prepared(ctx, l.writer, insertAudit); err != nil {
		return err
	}
	tx, err := l.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	ctx = context.WithoutCancel(ctx) // the driver starts a goroutine for each statement that may be cancelled; these wait for nothing
	g := liteGroup{l: l, tx: tx, stmts: map[string]*sql.Stmt{}}
	for _, w := range group {
		if err := g.run(ctx, w); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// liteGroup is the transaction of a group, with the statements that it has used.
type liteGroup struct {
	l     *lite
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

// stmt returns a statement in the transaction. One that was not prepared before has to be
// by the transaction: it has the only connection.
func (g *liteGroup) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := g.stmts[text]; stmt != nil {
		return stmt, nil
	}
	stmt := g.l.known(text)
	if stmt != nil {
		stmt = g.tx.StmtContext(ctx, stmt)
	} else {
		var err error
		if stmt, err = g.tx.PrepareContext(ctx, unlocked(text)); err != nil {
			return nil, err
		}
	}
	g.stmts[text] = stmt
	return stmt, nil
}

// exec runs a statement and returns how many rows it has changed.
func (g *liteGroup) exec(ctx context.Context, text string, args []any) (int64, error) {
	stmt, err := g.stmt(ctx, text)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, storable(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (g *liteGroup) run(ctx context.Context, w *hotWrite) error {
	if w.dest == nil {
		n, err := g.exec(ctx, w.sql, w.args)
		if err != nil {
			return err
		}
		w.hit = n > 0
	} else {
		stmt, err := g.stmt(ctx, w.sql)
		if err != nil {
			return err
		}
		err = stmt.QueryRowContext(ctx, storable(w.args)...).Scan(w.dest...)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		w.hit = err == nil
	}
	if w.hit && w.also != nil {
		n, err := g.exec(ctx, w.also.sql, w.also.args)
		if err != nil {
			return err
		}
		w.hit = n > 0
	}
	for _, add := range w.additions() {
		if _, err := g.exec(ctx, add.sql, add.args); err != nil {
			return err
		}
	}
	return nil
}

// known returns the writer's prepared statement, or nil.
func (l *lite) known(text string) *sql.Stmt {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.stmts[stmtKey{l.writer, text}]
}

func (l *lite) classify(err error) fault {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed") {
			return faultDown
		}
		return faultOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return faultDuplicate
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return faultRetry
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY:
		return faultFull
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT:
		return faultDown
	}
	return faultOther
}

const damageAdvice = "Stop the server and put a backup back, as docs/DEPLOYMENT.md says under Backup and restore"

// isDamaged reports whether SQLite found its file broken.
func isDamaged(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

func (l *lite) migrations() fs.FS {
	return dialectFS{
		"{{KEY}}": "TEXT", "{{SERIAL}}": "INTEGER PRIMARY KEY AUTOINCREMENT",
		"{{PATIENTLY}}": "", "{{CONCURRENTLY}}": "", "{{AS BEFORE}}": "",
	}
}

func (l *lite) findTable() string {
	return `SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1`
}

func (l *lite) mayNotCreate(err error) error { return err }

func (l *lite) clock() string { return "" }

func (l *lite) groupWriters() int { return 1 }

func (l *lite) ping(ctx context.Context) error { return l.reader.PingContext(ctx) }

func (l *lite) stats() PoolStats {
	s := l.reader.Stats()
	return PoolStats{InUse: s.InUse, Idle: s.Idle, Max: s.MaxOpenConnections, Waited: s.WaitCount}
}

func (l *lite) close() {
	l.mu.Lock()
	for _, stmt := range l.stmts {
		_ = stmt.Close()
	}
	l.stmts = map[stmtKey]*sql.Stmt{}
	l.mu.Unlock()
	_ = l.reader.Close()
	_ = l.writer.Close()
}

func (l *lite) migrationDB() *sql.DB { return l.writer }
