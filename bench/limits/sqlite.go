package limits

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// BareLite returns how many rows a second one writer of SQLite makes durable
// (WAL, synchronous=FULL) with the given number of rows in each transaction.
func BareLite(ctx context.Context, path string, together int, d time.Duration) (float64, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return 0, fmt.Errorf("limits: %w", err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS opaque (hash BLOB PRIMARY KEY, client_id TEXT NOT NULL, scopes TEXT NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL)`); err != nil {
		return 0, fmt.Errorf("limits: %w", err)
	}
	insert, err := db.PrepareContext(ctx, `INSERT INTO opaque (hash, client_id, scopes, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return 0, fmt.Errorf("limits: %w", err)
	}
	defer func() { _ = insert.Close() }()
	commits, err := each(ctx, 1, d, func(int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		now := time.Now().UnixMicro()
		stmt := tx.StmtContext(ctx, insert)
		for range together {
			if _, err := stmt.ExecContext(ctx, random(), ClientID, "orders:read orders:write", now, now); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	return commits * float64(together), err
}
