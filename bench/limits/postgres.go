package limits

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The tables of the bare limits, in a database of their own.
const schema = `
CREATE TABLE IF NOT EXISTS refresh (hash BYTEA PRIMARY KEY, family BYTEA NOT NULL, used BOOLEAN NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS opaque (hash BYTEA PRIMARY KEY, client_id TEXT NOT NULL, scopes TEXT NOT NULL, issued_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS revoked (hash BYTEA PRIMARY KEY, expires_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS person (id TEXT PRIMARY KEY, name TEXT NOT NULL, enabled BOOLEAN NOT NULL, scopes TEXT NOT NULL);`

// rotate is the rotation of refresh tokens as one statement for many callers:
// a used token makes room for its successor.
const rotate = `WITH spent AS (
		UPDATE refresh r SET used = TRUE FROM unnest($1::bytea[], $2::bytea[]) AS x (old, new)
		WHERE r.hash = x.old AND NOT r.used RETURNING r.family, x.old, x.new),
	added AS (INSERT INTO refresh (hash, family, used, created_at) SELECT new, family, FALSE, $3 FROM spent)
	SELECT old FROM spent`

const insertOpaque = `INSERT INTO opaque (hash, client_id, scopes, issued_at, expires_at)
	SELECT x, $2, 'orders:read orders:write', $3::bigint, $3::bigint + 900000000 FROM unnest($1::bytea[]) AS x`

func openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("limits: not a PostgreSQL URL")
	}
	cfg.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		pool.Close()
		return nil, fmt.Errorf("limits: %w", err)
	}
	return pool, nil
}

// rotator groups rotations, two writers.
func rotator(ctx context.Context, pool *pgxpool.Pool) *group {
	return newGroup(2, func(batch []*entry) error {
		olds, news, byOld := make([][]byte, len(batch)), make([][]byte, len(batch)), make(map[string]*entry, len(batch))
		for i, e := range batch {
			olds[i], news[i], byOld[string(e.old)] = e.old, e.new, e
		}
		rows, err := pool.Query(ctx, rotate, olds, news, time.Now().UnixMicro())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var old []byte
			if err := rows.Scan(&old); err != nil {
				return err
			}
			byOld[string(old)].hit = true
		}
		return rows.Err()
	})
}

// inserter groups inserts of opaque tokens, two writers.
func inserter(ctx context.Context, pool *pgxpool.Pool) *group {
	return newGroup(2, func(batch []*entry) error {
		hashes := make([][]byte, len(batch))
		for i, e := range batch {
			hashes[i], e.hit = e.new, true
		}
		_, err := pool.Exec(ctx, insertOpaque, hashes, ClientID, time.Now().UnixMicro())
		return err
	})
}

var errNotRotated = errors.New("limits: a row that was there was not rotated")

// BareRotate returns how many rotations a second callers get who share commits
// on PostgreSQL, each following its own chain.
func BareRotate(ctx context.Context, url string, callers int, d time.Duration) (float64, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	chains := make([][]byte, callers)
	for i := range chains {
		chains[i] = random()
		if _, err := pool.Exec(ctx, `INSERT INTO refresh (hash, family, used, created_at) VALUES ($1, $1, FALSE, 0)`, chains[i]); err != nil {
			return 0, fmt.Errorf("limits: %w", err)
		}
	}
	g := rotator(ctx, pool)
	defer g.close()
	return each(ctx, callers, d, func(i int) error {
		next := random()
		hit, err := g.write(chains[i], next)
		if err == nil && !hit {
			err = errNotRotated
		}
		chains[i] = next
		return err
	})
}

// BareInsert returns how many rows a second callers insert who share commits.
func BareInsert(ctx context.Context, url string, callers int, d time.Duration) (float64, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	g := inserter(ctx, pool)
	defer g.close()
	return each(ctx, callers, d, func(int) error {
		_, err := g.write(nil, random())
		return err
	})
}

func random() []byte {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand ends the process rather than return one
	}
	return b
}
