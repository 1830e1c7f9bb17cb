// Package storetest opens migrated stores for tests, on both databases, with a
// clock that the test moves.
//
// Each test gets a database of its own, copied from one that was migrated once.
// PostgreSQL comes from TEST_POSTGRES_URL (scripts/test.sh sets it). Without it
// only SQLite is tested, except under CI=true, where that is a failure.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// Clock is a clock that tests move. It stands still by itself.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at the present, to the microsecond.
func NewClock() *Clock { return &Clock{now: time.Now().UTC().Truncate(time.Microsecond)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Master is the master key of every test store of this process.
var Master = secret.NewMasterKey()

// EachDB runs f against a fresh store on SQLite and on PostgreSQL.
func EachDB(t *testing.T, f func(t *testing.T, s *store.Store, clock *Clock)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		clock := NewClock()
		f(t, OpenAt(t, SQLitePath(t), clock), clock)
	})
	t.Run("postgres", func(t *testing.T) {
		clock := NewClock()
		f(t, OpenAt(t, PostgresURL(t), clock), clock)
	})
}

// OpenAt opens and migrates the store at url; several may open the same one and
// are then nodes of one installation. It is closed with the test.
func OpenAt(t testing.TB, url string, clock *Clock) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), url, store.Options{Master: Master, Now: clock.Now, PoolSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// SQLitePath returns the path of a fresh migrated database in a folder that goes
// with the test.
func SQLitePath(t testing.TB) string {
	t.Helper()
	migrated, err := migratedFile()
	path := filepath.Join(t.TempDir(), "keystone.db")
	if err == nil {
		err = os.WriteFile(path, migrated, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// migratedFile is a migrated SQLite database, made once per test process.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "keystone-template-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "keystone.db")
	if err := migrate(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migrate brings a new database up to date and closes it.
func migrate(url string) error {
	s, err := store.Open(context.Background(), url, store.Options{Master: Master, PoolSize: 2})
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Migrate(context.Background())
	return err
}

var (
	template     sync.Once
	templateName string
	templateErr  error
)

// PostgresURL returns the URL of a fresh migrated database on the test server,
// or skips the test where there is none and CI does not demand one.
func PostgresURL(t testing.TB) string {
	t.Helper()
	base := os.Getenv("TEST_POSTGRES_URL")
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TEST_POSTGRES_URL is not set; run the tests with scripts/test.sh")
		}
		t.Skip("TEST_POSTGRES_URL is not set; scripts/test.sh starts a PostgreSQL")
	}
	template.Do(func() { templateName, templateErr = makeTemplate(base) })
	if templateErr != nil {
		t.Fatal(templateErr)
	}
	name := newName("ks_test_")
	if err := run(base, `CREATE DATABASE `+name+` TEMPLATE `+templateName); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(base, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return withDatabase(base, name)
}

// makeTemplate migrates one database per test process; it goes with the
// throwaway server.
func makeTemplate(base string) (string, error) {
	name := newName("ks_template_")
	if err := run(base, `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	return name, migrate(withDatabase(base, name))
}

func newName(prefix string) string {
	return prefix + strings.ReplaceAll(keystone.NewID(time.Now()), "-", "")
}

func withDatabase(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = "/" + name
	return u.String()
}

func run(base, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return fmt.Errorf("TEST_POSTGRES_URL does not answer: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, text)
	return err
}

// Exec runs statements on a database of a test, past the store.
func Exec(t testing.TB, database, statements string) {
	t.Helper()
	if store.IsPostgres(database) {
		if err := run(database, statements); err != nil {
			t.Fatal(err)
		}
		return
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statements); err != nil {
		t.Fatal(err)
	}
}

// ReadOnly makes a PostgreSQL database of a test refuse writes, as a standby does,
// or take them again. Connections are cut when it begins, as a switch of servers does;
// those that are there when it ends stay as they are.
func ReadOnly(t testing.TB, database string, on bool) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name, base := strings.TrimPrefix(u.Path, "/"), os.Getenv("TEST_POSTGRES_URL")
	statements := []string{fmt.Sprintf(`ALTER DATABASE %s SET default_transaction_read_only = %t`, name, on)}
	if on {
		statements = append(statements, fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'`, name))
	}
	for _, sql := range statements {
		if err := run(base, sql); err != nil {
			t.Fatal(err)
		}
	}
}

// Limited returns the URL of a PostgreSQL database of a test for a role that may
// have so many connections and no more.
func Limited(t testing.TB, database string, connections int) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	role := newName("ks_role_")
	do := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if err := run(database, sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	do(fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD 'limited' CONNECTION LIMIT %d`, role, connections),
		`GRANT ALL ON SCHEMA public TO `+role, `GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role, `GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO `+role)
	t.Cleanup(func() { do(`DROP OWNED BY `+role, `DROP ROLE `+role) })
	u.User = url.UserPassword(role, "limited")
	return u.String()
}

// Full makes a PostgreSQL database of a test answer inserts into a table as if its
// disk were full, until the returned function is called.
func Full(t testing.TB, database, table string) (free func()) {
	t.Helper()
	do := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if err := run(database, sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	do(`CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$`,
		fmt.Sprintf(`CREATE TRIGGER full_disk BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION full_disk()`, table))
	return func() { t.Helper(); do(`DROP TRIGGER full_disk ON ` + table) }
}
