package store

import (
	"context"
	"database/sql"
	"io/fs"
)

// rows is what a query answers; pgx and database/sql both fit.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// querier runs statements: a database outside a transaction, or one open
// transaction.
//
// Contract: exec returns the number of rows the statement changed. query hands
// the rows to read, whose error it returns, and closes them; it may only read
// when called on a database (SQLite reads from its own pool); inside a
// transaction it may also run a write with RETURNING. read may be called again
// from the start, and by another goroutine, until query returns.
type querier interface {
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	query(ctx context.Context, read func(rows) error, sql string, args ...any) error
	together() querier // the same, where reads that come at the same time share a way there and back
}

// transaction is a querier that ends. rollback after commit does nothing.
type transaction interface {
	querier
	commit(ctx context.Context) error
	rollback()
}

// database is one of the two engines: postgres.go and sqlite.go.
//
// Contract: begin opens a transaction that may write. runGroup runs all writes
// in one transaction and returns only after it is durable; on an error nothing
// of the group has happened. classify says what an engine's error means.
type database interface {
	querier
	begin(ctx context.Context) (transaction, error)
	runGroup(ctx context.Context, group []*hotWrite) error
	classify(err error) fault
	mayNotCreate(err error) error // what to do, where err says that no table may be made
	findTable() string            // a query for the name of table $1
	clock() string                // a query for the server's time in microseconds; "" where there is no server
	migrations() fs.FS
	migrationDB() *sql.DB
	groupWriters() int
	ping(ctx context.Context) error
	stats() PoolStats
	close()
}

// fault is what a database error means to a caller.
type fault uint8

const (
	faultOther     fault = iota
	faultDuplicate       // a unique index refused the row
	faultRetry           // serialization failure, deadlock, busy: run the transaction again
	faultDown            // no connection: nobody knows what was changed
	faultFull            // the disk is full, or only reading is possible: nothing was changed
)

// ends reports a fault that no other attempt on the same database would mend.
func (f fault) ends() bool { return f == faultDown || f == faultFull }

// PoolStats counts connections, for metrics.
type PoolStats struct {
	InUse, Idle, Max int
	Waited           int64 // acquisitions that had to wait
}
