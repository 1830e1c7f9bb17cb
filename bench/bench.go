package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"
)

// bench is one run of the table. Installations and servers are made when the
// first row asks for them.
type bench struct {
	options
	binary     string // the server's, absolute
	self       string // this program
	dir        string // everything temporary
	slots      int    // HASH_SLOTS, as the server takes it by itself
	postmaster int    // process of PostgreSQL; 0: not known
	database   string // its version
	limits     *limitServer
	limitsURL  string // database of the bare limits; empty: without PostgreSQL
	onPostgres *installation
	onSQLite   *installation
	started    int          // servers so far
	bareTokens atomic.Int64 // the next one that a bare endpoint is asked about
	cleanup    []func()

	report
}

// installation is a fixture and what runs on it.
type installation struct {
	*fixture
	server *server
	crowd  *crowd
}

// table measures and prints everything.
func table(ctx context.Context, o options) error {
	b := &bench{options: o, slots: runtime.NumCPU()}
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	begun := time.Now()
	for _, r := range rows {
		if o.only != nil && !o.only.MatchString(r.name) {
			continue
		}
		if r.postgres && o.postgres == "" {
			b.skip(r, "TEST_POSTGRES_URL is not set")
			continue
		}
		at := time.Now()
		if err := r.run(ctx, b, r); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			b.fail(r, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %-60s %5.1f s\n", r.name, time.Since(at).Seconds())
	}
	b.took = time.Since(begun)
	b.machine = b.describe()
	if err := b.print(); err != nil {
		return err
	}
	if b.failures > 0 {
		return fmt.Errorf("%d rows failed", b.failures)
	}
	return nil
}

func (b *bench) open(ctx context.Context) error {
	var err error
	if b.binary, err = filepath.Abs(b.options.server); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("there is no %s: run make build, or scripts/bench.sh", b.options.server)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "keystone-bench."); err != nil {
		return err
	}
	b.cleanup = append(b.cleanup, func() { _ = os.RemoveAll(b.dir) })
	if b.options.postgres != "" {
		if b.postmaster, b.database, err = postmaster(ctx, b.options.postgres); err != nil {
			return err
		}
		if b.limitsURL, err = b.newDatabase(ctx); err != nil {
			return err
		}
	}
	if b.limits, err = b.serveLimits(ctx, b.limitsURL); err != nil {
		return err
	}
	b.cleanup = append(b.cleanup, b.limits.stop)
	return nil
}

// close undoes everything, last things first.
func (b *bench) close() {
	for i := len(b.cleanup) - 1; i >= 0; i-- {
		b.cleanup[i]()
	}
}

func (b *bench) newDatabase(ctx context.Context) (string, error) {
	url, drop, err := createDatabase(ctx, b.options.postgres)
	if err == nil {
		b.cleanup = append(b.cleanup, drop)
	}
	return url, err
}

// install makes a fixture and starts a server on it.
func (b *bench) install(ctx context.Context, url, dir string) (*installation, error) {
	f, err := newFixture(ctx, dir, url)
	if err != nil {
		return nil, err
	}
	b.cleanup = append(b.cleanup, f.store.Close)
	s, err := b.start(ctx, f, nil)
	if err != nil {
		return nil, err
	}
	b.cleanup = append(b.cleanup, s.stop)
	return &installation{fixture: f, server: s}, nil
}

// pg is the installation on PostgreSQL.
func (b *bench) pg(ctx context.Context) (*installation, error) {
	if b.onPostgres == nil {
		url, err := b.newDatabase(ctx)
		if err != nil {
			return nil, err
		}
		if b.onPostgres, err = b.install(ctx, url, filepath.Join(b.dir, "postgres")); err != nil {
			return nil, err
		}
	}
	return b.onPostgres, nil
}

// lite is the installation on SQLite.
func (b *bench) lite(ctx context.Context) (*installation, error) {
	if b.onSQLite == nil {
		dir := filepath.Join(b.dir, "sqlite")
		var err error
		if b.onSQLite, err = b.install(ctx, liteURL(dir), dir); err != nil {
			return nil, err
		}
	}
	return b.onSQLite, nil
}

// on is the installation on the database that the row is about.
func (b *bench) on(ctx context.Context, r row) (*installation, error) {
	if r.postgres {
		return b.pg(ctx)
	}
	return b.lite(ctx)
}

// peopled is the installation with a crowd of users in it.
func (b *bench) peopled(ctx context.Context, r row) (*installation, error) {
	in, err := b.on(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.crowd == nil {
		in.crowd, err = in.addCrowd(ctx, b.mode.users)
	}
	return in, err
}
