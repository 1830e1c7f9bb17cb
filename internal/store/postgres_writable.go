package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A server that takes no writes is a standby, or was made one: the address leads to
// another by and by, but connections stay where they are. So none is used again
// that has refused a write. Reads go on while there is nothing better.

const (
	readOnlySQL = "25006" // read_only_sql_transaction
	leaveEvery  = time.Second
)

var errReadOnly = errors.New("the database is read-only (a standby?)")

// followsWrites makes connections go where writes are taken. Every statement of every
// connection passes here when it is refused, alone, in a transaction, a group or a trip.
func (p *postgres) followsWrites(c *pgx.ConnConfig, url string) {
	goesOn := c.OnPgError
	c.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == readOnlySQL {
			p.leave()
			return false // closes it
		}
		return goesOn(conn, err)
	}
	several := slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.Host != c.Host || f.Port != c.Port })
	if several && !strings.Contains(url, "target_session_attrs=") {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}

// leave closes the connections that nobody uses, the others when they are given back;
// once in a while, since there may be nothing but a standby to read from.
func (p *postgres) leave() {
	now, last := time.Now().UnixNano(), p.left.Load()
	if last == 0 || now-last < int64(leaveEvery) || !p.left.CompareAndSwap(last, now) {
		return
	}
	p.pool.Reset()
	p.groups.Reset()
}

// ping asks for what a node needs: that the server answers, and takes writes.
func (p *postgres) ping(ctx context.Context) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn.Conn().PgConn())
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		p.leave()
		return errReadOnly
	}
	return err
}

// refusedAt says why there is no connection: what the server answered, or that it
// did not.
func refusedAt(c *pgx.ConnConfig, err error) error {
	var said *pgconn.PgError
	switch {
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return fmt.Errorf("PostgreSQL at %s:%d: %w; name the primary in DATABASE_URL", c.Host, c.Port, errReadOnly)
	case errors.As(err, &said):
		return fmt.Errorf("PostgreSQL at %s:%d refuses: %s (SQLSTATE %s); check user, password and database in DATABASE_URL", c.Host, c.Port, said.Message, said.Code)
	}
	return fmt.Errorf("PostgreSQL does not answer at %s:%d; check DATABASE_URL and that the server runs: %w", c.Host, c.Port, err)
}

// mayNotCreate says what the role of DATABASE_URL lacks where it may not make tables.
func (p *postgres) mayNotCreate(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) || said.Code != "42501" && said.Code != "3F000" { // insufficient_privilege, invalid_schema_name
		return err
	}
	c := p.pool.Config().ConnConfig
	return fmt.Errorf("%w; the role of DATABASE_URL may make no tables. As the owner of the database, run: GRANT USAGE, CREATE ON SCHEMA public TO %s",
		err, pgx.Identifier{c.User}.Sanitize())
}
