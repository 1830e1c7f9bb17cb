package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is PostgreSQL through pgx's own pool.
type postgres struct {
	pool   *pgxpool.Pool
	groups *pgxpool.Pool // of the group writers, see groupPool
	wide   wideTexts
	trips  trips
	left   atomic.Int64 // when the pools were last emptied, see leave
}

// maxPool bounds the connections of one node, whatever the settings say.
const maxPool = 10_000

func openPostgres(ctx context.Context, url string, o Options) (*postgres, error) {
	url = strings.Replace(url, "postgresql+asyncpg:", "postgresql:", 1)
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a PostgreSQL URL; write postgres://user:password@host:5432/database")
	}
	cfg.MaxConns = int32(min(max(o.PoolSize-postgresWriters, 2), maxPool))
	cfg.MinIdleConns = min(2, cfg.MaxConns)
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 5 * time.Second
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute // not all at once
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	switch cfg.ConnConfig.DefaultQueryExecMode { // by DATABASE_URL
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol:
		// Made for poolers that are refused here. Arrays need to know their type, and
		// statements to be planned once.
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	}
	params := cfg.ConnConfig.RuntimeParams
	setDefault(params, "application_name", "keystone")
	setDefault(params, "timezone", "UTC")
	settings := map[string]string{
		"statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s",
		// Hot statements find their rows by a key. A plan that was made while a table
		// was empty would read all of it, and be kept while it grows.
		"enable_seqscan": "off", "jit": "off", // the cost that rules a plan out would set it off
		// Every statement has its index, whatever is asked for: planning it anew for
		// each call found the same plan and took as long as running it.
		"plan_cache_mode": "force_generic_plan",
	}
	maps.DeleteFunc(settings, func(name, _ string) bool { _, chosen := params[name]; return chosen }) // by DATABASE_URL
	cfg.AfterConnect = writesColumns(setsUp(settings))
	if o.Trace {
		cfg.ConnConfig.Tracer = otelpgx.NewTracer()
	}
	p := &postgres{}
	p.followsWrites(cfg.ConnConfig, url)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, refusedAt(cfg.ConnConfig, err)
	}
	groups, err := groupPool(ctx, cfg, settings)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	p.pool, p.groups, p.trips.pool = pool, groups, pool
	p.left.Store(time.Now().UnixNano()) // from here on there is something to leave
	if err := p.refusePooler(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// postgresWriters is how many groups of one node are written at once: while one
// waits for the disk, the other is read and sent.
const postgresWriters = 2

// groupPool holds the connections of the group writers. Their statements find
// every row by its key, in the order of their parameters: the planner is told
// so, once, since any other plan would lock rows in another order than other
// nodes do.
func groupPool(ctx context.Context, cfg *pgxpool.Config, settings map[string]string) (*pgxpool.Pool, error) {
	own, more := cfg.Copy(), maps.Clone(settings)
	own.MaxConns, own.MinIdleConns = postgresWriters, 0
	more["enable_hashjoin"], more["enable_mergejoin"] = "off", "off"
	own.AfterConnect = writesColumns(setsUp(more))
	return pgxpool.NewWithConfig(ctx, own)
}

func setDefault(params map[string]string, name, value string) {
	if _, set := params[name]; !set {
		params[name] = value
	}
}

func (p *postgres) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := p.pool.Exec(ctx, sql, storable(args)...)
	return tag.RowsAffected(), err
}

func (p *postgres) query(ctx context.Context, read func(rows) error, sql string, args ...any) error {
	return readPostgres(read)(p.pool.Query(ctx, sql, storable(args)...))
}

// readPostgres hands what a query answers to read.
func readPostgres(read func(rows) error) func(pgx.Rows, error) error {
	return func(r pgx.Rows, err error) error {
		if err != nil {
			return err
		}
		defer r.Close() // also on panic, or the connection would be lost
		err = read(r)
		r.Close() // what is left unread may still hold an error
		if err == nil {
			err = r.Err()
		}
		return err
	}
}

func (p *postgres) together() querier { return &p.trips }

func (p *postgres) begin(ctx context.Context) (transaction, error) {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &postgresTx{tx: tx}, nil
}

type postgresTx struct{ tx pgx.Tx }

func (t *postgresTx) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, sql, storable(args)...)
	return tag.RowsAffected(), err
}

func (t *postgresTx) query(ctx context.Context, read func(rows) error, sql string, args ...any) error {
	return readPostgres(read)(t.tx.Query(ctx, sql, storable(args)...))
}

func (t *postgresTx) together() querier { return t }

func (t *postgresTx) commit(ctx context.Context) error { return t.tx.Commit(ctx) }

func (t *postgresTx) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = t.tx.Rollback(ctx) // after a commit it says so; otherwise the pool drops the connection
}

func (p *postgres) abandon(conn *pgxpool.Conn, cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		_ = conn.Conn().Close(ctx) // a broken connection must not go back with a transaction in it
	}
	return cause
}

func (p *postgres) classify(err error) fault { return postgresFault(err) }

func postgresFault(err error) fault {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "23505":
			return faultDuplicate
		case "40001", "40P01", "55P03", "23503": // 23503: a row that was read is gone by now; reading again says so
			return faultRetry
		case readOnlySQL, "53100":
			return faultFull
		case "53200", "53300", "57014", "57P01", "57P02", "57P03", "25P03", "25P04":
			return faultDown
		}
		if strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "58") || strings.HasPrefix(pg.Code, "53") {
			return faultDown
		}
		return faultOther
	}
	if errors.Is(err, errReadOnly) || errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return faultFull
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool") {
		return faultDown
	}
	return faultOther
}

func (p *postgres) migrations() fs.FS {
	return dialectFS{
		"{{KEY}}": `TEXT COLLATE "C"`, "{{SERIAL}}": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
		// A step takes as long as its tables are large.
		"-- +goose Up\n": "-- +goose Up\nSET LOCAL statement_timeout = 0;\n",
		// The same for steps without a transaction.
		"{{PATIENTLY}}":    "SELECT set_config('keystone.before', current_setting('statement_timeout'), false);\nSET statement_timeout = 0;",
		"{{CONCURRENTLY}}": "CONCURRENTLY",
		"{{AS BEFORE}}":    "SELECT set_config('statement_timeout', current_setting('keystone.before'), false);",
	}
}

func (p *postgres) findTable() string {
	return `SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1`
}

func (p *postgres) clock() string {
	return `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
}

func (p *postgres) groupWriters() int { return postgresWriters }

func (p *postgres) stats() PoolStats {
	s, g := p.pool.Stat(), p.groups.Stat()
	return PoolStats{
		InUse: int(s.AcquiredConns() + g.AcquiredConns()), Idle: int(s.IdleConns() + g.IdleConns()),
		Max: int(s.MaxConns() + g.MaxConns()), Waited: s.EmptyAcquireCount(),
	}
}

func (p *postgres) close() {
	p.groups.Close()
	p.pool.Close()
}

// migrationDB returns a database/sql view for the migration library.
func (p *postgres) migrationDB() *sql.DB { return stdlib.OpenDBFromPool(p.pool) }
