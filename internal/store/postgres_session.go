package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// setsUp makes what gives a new connection its settings. They are set by statement
// and not when connecting: poolers refuse settings that come with a connection.
func setsUp(settings map[string]string) func(context.Context, *pgx.Conn) error {
	var sql strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&sql, "SET %s = '%s';", name, settings[name])
	}
	return func(ctx context.Context, conn *pgx.Conn) error {
		return conn.PgConn().Exec(ctx, sql.String()).Close()
	}
}

var errPooler = errors.New("what answers at DATABASE_URL is a pooler that gives its server connections away between transactions or statements; settings, prepared statements and locks of Keystone would meet those of others. Set pool_mode = session for Keystone's database in PgBouncer, or name PostgreSQL itself in DATABASE_URL (docs/DEPLOYMENT.md)")

// refusePooler refuses a pooler that does not keep a server connection for each of
// ours: two connections, one of them in a transaction, are served by one process
// then, or one of them by several.
func (p *postgres) refusePooler(ctx context.Context) error {
	ours, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	defer ours.Release()
	other, err := p.groups.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	defer other.Release()
	shared := false
	for range 3 { // in between, a pooler may have had others to serve
		if shared, err = shareServer(ctx, ours, other); shared || err != nil {
			break
		}
	}
	if shared {
		for _, conn := range []*pgxpool.Conn{ours, other} {
			_ = conn.Conn().PgConn().Exec(ctx, "reset all").Close() // whoever gets it next has settings of their own
		}
		return errPooler
	}
	if err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	return nil
}

func shareServer(ctx context.Context, ours, other *pgxpool.Conn) (shared bool, err error) {
	before, err := serverProcess(ctx, ours)
	for range 3 { // a pooler that goes through its servers in turn shows here
		again, err := serverProcess(ctx, ours)
		if err != nil || again != before {
			return err == nil, err
		}
	}
	if err != nil {
		return false, err
	}
	if err := other.Conn().PgConn().Exec(ctx, "begin").Close(); err != nil {
		return strings.Contains(err.Error(), "pooling mode"), err // PgBouncer's answer in mode statement
	}
	defer func() { err = errors.Join(err, other.Conn().PgConn().Exec(ctx, "rollback").Close()) }()
	during, err := serverProcess(ctx, other)
	if err != nil || during == before {
		return err == nil, err // and do not ask for more: there may be no second connection
	}
	after, err := serverProcess(ctx, ours)
	return err == nil && after != before, err
}

// serverProcess names the process that serves a connection, without a prepared
// statement.
func serverProcess(ctx context.Context, conn *pgxpool.Conn) (string, error) {
	results, err := conn.Conn().PgConn().Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return "", err
	}
	for _, r := range results {
		for _, row := range r.Rows {
			return string(row[0]), nil
		}
	}
	return "", errors.New("the server does not say which process serves a connection")
}
