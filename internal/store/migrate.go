package store

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/keystone-auth/keystone"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
	Unknown bool // to this program: a newer one applied it
}

const (
	migrationLease = "migrate"
	migrationTTL   = time.Minute
)

var errLeaseLost = errors.New("this node lost the migration lease to another one; start it again when the other has finished")

// Migrate brings the schema up to this program's and puts the built-in roles,
// scopes and client in. Nodes that start together take turns under a lease: the
// first applies, the others find it done. It returns the steps it applied.
func (s *Store) Migrate(ctx context.Context) (applied []Migration, err error) {
	holder := keystone.NewID(s.now())
	if err := s.createLeases(ctx); err != nil {
		return nil, err
	}
	if err := s.awaitTurn(ctx, holder); err != nil {
		return nil, err
	}
	// On SQLite the steps hold the one connection that writes, so nothing is renewed before
	// they end; while one goes on, it holds the file itself.
	stepping, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var kept sync.WaitGroup
	kept.Go(func() {
		s.keepLease(context.WithoutCancel(ctx), done, migrationLease, holder, migrationTTL, func() { lost(errLeaseLost) })
	})
	defer func() {
		close(done)
		kept.Wait()
		lost(nil)
		err = errors.Join(err, s.EndLease(context.WithoutCancel(ctx), migrationLease, holder))
	}()

	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(stepping)
	if err != nil {
		if context.Cause(stepping) == errLeaseLost { //nolint:errorlint // as it was given
			return nil, errLeaseLost
		}
		return nil, fmt.Errorf("store: migrate: %w", err)
	}
	for _, r := range results {
		applied = append(applied, Migration{Version: r.Source.Version, Name: path.Base(r.Source.Path), Applied: true})
	}
	return applied, s.seedBuiltIns(ctx)
}

// awaitTurn takes the migration lease.
func (s *Store) awaitTurn(ctx context.Context, holder string) error {
	for said, began := s.waiting == nil, time.Now(); ; {
		if got, err := s.Lease(ctx, migrationLease, holder, migrationTTL); got || err != nil {
			return err
		}
		if !said && time.Since(began) > time.Second {
			said = true
			s.waiting()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("another node holds the migration lease; wait for it to finish and start again")
		}
	}
}

// Steps lists every step of the schema, for a database that is not there yet.
func Steps() (steps []Migration, err error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("store: list migrations: %w", err)
	}
	for _, name := range names {
		name = path.Base(name)
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("store: migration %s has no number: %w", name, err)
		}
		steps = append(steps, Migration{Version: version, Name: name})
	}
	return steps, nil
}

// Migrations lists every step and whether it is applied, without changing
// anything. Steps that a newer program has applied come last.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	var out []Migration
	// On a database without its table of versions, goose would make one.
	if begun, err := s.row(ctx, s.db.findTable(), []any{goose.DefaultTablename}, new(string)); err != nil || !begun {
		for _, source := range provider.ListSources() {
			out = append(out, Migration{Version: source.Version, Name: path.Base(source.Path)})
		}
		return out, s.fail("migration status", err)
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return nil, s.fail("migration status", err)
	}
	for _, m := range status {
		out = append(out, Migration{Version: m.Source.Version, Name: path.Base(m.Source.Path), Applied: m.State == goose.StateApplied})
	}
	newer, err := s.unknownSteps(ctx, out)
	return append(out, newer...), s.fail("migration status", err)
}

// unknownSteps are those that are applied and not among the known.
func (s *Store) unknownSteps(ctx context.Context, known []Migration) ([]Migration, error) {
	is := map[int64]bool{0: true} // goose's own first row
	for _, m := range known {
		is[m.Version] = true
	}
	applied, err := all(ctx, s, func(scan func(...any) error) (m Migration, err error) {
		m = Migration{Name: "not of this version", Applied: true, Unknown: true}
		err = scan(&m.Version)
		return m, err
	}, `SELECT DISTINCT version_id FROM `+goose.DefaultTablename+` WHERE is_applied ORDER BY version_id`)
	return slices.DeleteFunc(applied, func(m Migration) bool { return is[m.Version] }), err
}

// NewerSchema says that a newer program has changed the schema, and what to do about
// it; it is empty where none has.
func NewerSchema(steps []Migration) string {
	var numbers []string
	for _, m := range steps {
		if m.Unknown {
			numbers = append(numbers, strconv.FormatInt(m.Version, 10))
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	return "The database has schema steps that this version does not know (" + strings.Join(numbers, ", ") + "): a newer Keystone has used it. " +
		"This version may serve it if it is the one before; otherwise put the newer program back."
}

// createLeases makes the one table that must exist before a migration can be
// guarded. Two nodes may collide inside PostgreSQL's catalogue: try again.
func (s *Store) createLeases(ctx context.Context) error {
	var err error
	for attempt := range txAttempts {
		_, err = s.q.exec(ctx, `CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires_at BIGINT NOT NULL)`)
		if err == nil || !pause(ctx, attempt) {
			break
		}
	}
	return s.fail("create leases", s.db.mayNotCreate(err))
}

func (s *Store) provider() (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	if _, ok := s.db.(*postgres); ok {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, s.db.migrationDB(), s.db.migrations())
	if err != nil {
		return nil, fmt.Errorf("store: read migrations: %w", err)
	}
	return p, nil
}

// dialectFS is the folder of migrations with the few words replaced that the
// databases spell differently.
type dialectFS map[string]string

// Open implements fs.FS.
func (d dialectFS) Open(name string) (fs.File, error) {
	f, err := migrationFiles.Open(path.Join("migrations", name))
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	for word, spelling := range d {
		text = bytes.ReplaceAll(text, []byte(word), []byte(spelling))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &dialectFile{Reader: bytes.NewReader(text), info: info}, nil
}

type dialectFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *dialectFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *dialectFile) Close() error               { return nil }
