package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// eachEmpty runs f with n handles on an empty database that nobody migrated.
func eachEmpty(t *testing.T, n int, f func(t *testing.T, nodes []*store.Store)) {
	t.Helper()
	run := func(t *testing.T, url string) {
		nodes := make([]*store.Store, n)
		for i := range nodes {
			nodes[i] = must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, PoolSize: 4}))
			t.Cleanup(nodes[i].Close)
		}
		f(t, nodes)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, filepath.Join(t.TempDir(), "test.db")) })
	t.Run("postgres", func(t *testing.T) {
		url := storetest.PostgresURL(t) // migrated: empty it
		s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, PoolSize: 2}))
		for _, sql := range []string{`DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`} {
			if _, err := s.Raw(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		run(t, url)
	})
}

// slowStep empties the database, and makes one of the steps last so many seconds.
func slowStep(t *testing.T, s *store.Store, seconds int) {
	t.Helper()
	for _, sql := range []string{`DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`, fmt.Sprintf(`CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.user_terms') THEN PERFORM pg_sleep(%d); END IF; END $$`, seconds),
		`CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION slow()`} {
		_, err := s.Raw(ctx, sql)
		ok(t, err)
	}
}

// TestMigrationsTakeTheirTime: the limit of a statement is none for the steps, whose
// tables may be large, and the lease is kept while they go on.
func TestMigrationsTakeTheirTime(t *testing.T) {
	url, clock := storetest.PostgresURL(t), storetest.NewClock()
	s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, PoolSize: 2, Now: clock.Now}))
	t.Cleanup(s.Close)
	slowStep(t, s, 4)
	hasty := must[*store.Store](t)(store.Open(ctx, url+map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")]+"statement_timeout=3000",
		store.Options{Master: storetest.Master, PoolSize: 2, Now: clock.Now}))
	t.Cleanup(hasty.Close)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if applied, err := hasty.Migrate(ctx); err != nil || len(applied) < 15 {
			t.Errorf("%v %+v", err, applied)
		}
	}()
	renewed := 0
	for {
		select {
		case <-done:
			if renewed < 3 {
				t.Errorf("taken and renewed %d times in four seconds", renewed)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		until, err := s.RawTexts(ctx, `SELECT CAST(expires_at AS TEXT) FROM leases WHERE name = 'migrate'`)
		if err == nil && len(until) == 1 && until[0] == fmt.Sprint(clock.Now().Add(time.Minute).UnixMicro()) {
			clock.Move(50 * time.Second)
			renewed++
		}
	}
}

// TestMigrateSaysThatItWaits: once, and not of a moment.
func TestMigrateSaysThatItWaits(t *testing.T) {
	url := storetest.PostgresURL(t)
	var said atomic.Int32
	s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, PoolSize: 2, Waiting: func() { said.Add(1) }}))
	t.Cleanup(s.Close)
	if _, err := s.Migrate(ctx); err != nil || said.Load() != 0 {
		t.Fatalf("%v, said %d times that it waits for nobody", err, said.Load())
	}
	if !must[bool](t)(s.Lease(ctx, "migrate", "another node", time.Minute)) {
		t.Fatal("the lease is held after the end")
	}
	done := make(chan error)
	go func() {
		_, err := s.Migrate(ctx)
		done <- err
	}()
	for until := time.Now().Add(20 * time.Second); said.Load() == 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // some turns more
	ok(t, s.EndLease(ctx, "migrate", "another node"))
	ok(t, <-done)
	if said.Load() != 1 {
		t.Errorf("said %d times that it waits", said.Load())
	}
}

func TestMigrate(t *testing.T) {
	eachEmpty(t, 1, func(t *testing.T, nodes []*store.Store) {
		s := nodes[0]
		status := must[[]store.Migration](t)(s.Migrations(ctx))
		if len(status) == 0 || status[0].Applied || status[0].Version != 1 || !strings.HasSuffix(status[0].Name, ".sql") {
			t.Fatalf("%+v", status)
		}
		if columns := must[[]string](t)(s.Columns(ctx)); len(columns) != 0 {
			t.Errorf("looking at the status made %q", columns)
		}
		if versions, err := s.RawTexts(ctx, `SELECT version_id FROM goose_db_version`); err == nil {
			t.Errorf("looking at the status made the table of versions: %q", versions)
		}
		applied := must[[]store.Migration](t)(s.Migrate(ctx))
		for i := range status {
			status[i].Applied = true
		}
		if diff := cmp.Diff(status, applied); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(status, must[[]store.Migration](t)(s.Migrations(ctx))); diff != "" {
			t.Fatal(diff)
		}
		before := must[map[string][]string](t)(s.Dump(ctx))
		if again := must[[]store.Migration](t)(s.Migrate(ctx)); len(again) != 0 {
			t.Fatalf("applied twice: %+v", again)
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Fatal("the second time is no no-op:", diff)
		}
	})
}

// TestMigrateLosesItsLease: a node that was away for so long that another one has begun
// with the steps does not go on with them.
func TestMigrateLosesItsLease(t *testing.T) {
	url := storetest.PostgresURL(t)
	s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, PoolSize: 3}))
	t.Cleanup(s.Close)
	slowStep(t, s, 30)
	failed := make(chan error, 1)
	go func() { _, err := s.Migrate(ctx); failed <- err }()
	for {
		select {
		case err := <-failed:
			if err == nil || !strings.Contains(err.Error(), "lost the migration lease") {
				t.Errorf("got %v", err)
			}
			if left := must[[]string](t)(s.RawTexts(ctx, `SELECT holder FROM leases`)); !slices.Equal(left, []string{"another"}) {
				t.Errorf("the lease is held by %q", left)
			}
			return
		case <-time.After(50 * time.Millisecond):
			_, _ = s.Raw(ctx, `UPDATE leases SET holder = 'another' WHERE name = 'migrate'`) // there is none at first
		}
	}
}

// TestNodesMigrateTogether: four nodes that start on an empty database at once
// apply each step once, and all of them can go on.
func TestNodesMigrateTogether(t *testing.T) {
	eachEmpty(t, 4, func(t *testing.T, nodes []*store.Store) {
		steps := len(must[[]store.Migration](t)(nodes[0].Migrations(ctx)))
		type outcome struct {
			applied int
			err     error
		}
		total := 0
		for i, o := range together(4, func(i int) outcome {
			applied, err := nodes[i].Migrate(ctx)
			return outcome{len(applied), err}
		}) {
			if o.err != nil {
				t.Errorf("node %d: %v", i, o.err)
			}
			total += o.applied
		}
		if total != steps {
			t.Errorf("%d steps were applied, there are %d", total, steps)
		}
		for i, s := range nodes {
			newUser(t, s, fmt.Sprint("jane", i), "user")
		}
		if n := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT name FROM roles ORDER BY name`)); !slices.Equal(n, []string{"admin", "user"}) {
			t.Errorf("%q", n)
		}
		if left := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT holder FROM leases`)); len(left) != 0 {
			t.Error("the lease was not given back")
		}
	})
}

// TestMigrateWaits for the node that holds the lease, and no longer than its
// caller does.
func TestMigrateWaits(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		if held := must[bool](t)(s.Lease(ctx, "migrate", "another node", time.Minute)); !held {
			t.Fatal("somebody holds the lease")
		}
		short, cancel := context.WithTimeout(ctx, 150*time.Millisecond)
		defer cancel()
		if _, err := s.Migrate(short); err == nil || !strings.Contains(err.Error(), "another node") && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		clock.Move(time.Minute) // it died
		_, err := s.Migrate(ctx)
		ok(t, err)
	})
}

// TestNewerDatabase: a node of the release before starts on a database that the
// next release has migrated already (SECURITY.md X18).
func TestNewerDatabase(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		insert := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`
		if _, err := s.Raw(ctx, insert); err != nil {
			t.Fatal(err)
		}
		if applied, err := s.Migrate(ctx); err != nil || len(applied) != 0 {
			t.Fatal(applied, err)
		}
	})
}

// TestBuiltInsComeBack: what a release needs is put in at every start, and what
// people made of it stays.
func TestBuiltInsComeBack(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		newScope(t, s, "orders:read")
		_, err := s.UpdateRole(ctx, operator, "user", 0, store.RolePatch{Scopes: &[]string{"orders:read"}, Description: ptr("Mine")})
		ok(t, err)
		want := must[map[string][]string](t)(s.Dump(ctx))
		for _, sql := range []string{`DELETE FROM role_scopes WHERE scope_id = (SELECT id FROM scopes WHERE name = 'audit:read')`, `UPDATE scopes SET built_in = FALSE WHERE name = 'keys:read'`} {
			if _, err := s.Raw(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Migrate(ctx)
		ok(t, err)
		if diff := cmp.Diff(want, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Fatal(diff)
		}
		if admin := must[keystone.Role](t)(s.Role(ctx, "admin")); len(admin.Scopes) != len(keystone.BuiltInScopes) {
			t.Fatalf("%+v", admin)
		}
	})
}

// TestTwoSchemasAreOne: both databases have the same tables, columns and indexes.
func TestTwoSchemasAreOne(t *testing.T) {
	var columns, indexes [][]string
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		columns = append(columns, must[[]string](t)(s.Columns(ctx)))
		indexes = append(indexes, must[[]string](t)(s.Indexes(ctx)))
	})
	if len(columns) != 2 || len(columns[0]) < 100 || len(indexes[0]) < 20 {
		t.Fatalf("%d schemas, %v, %v", len(columns), columns, indexes)
	}
	if diff := cmp.Diff(columns[0], columns[1]); diff != "" {
		t.Error("columns differ:", diff)
	}
	if diff := cmp.Diff(indexes[0], indexes[1]); diff != "" {
		t.Error("indexes differ:", diff)
	}
}

// TestEveryTableIsReadInTests keeps Dump honest: a table that it does not read
// would hide what a refusal leaves.
func TestEveryTableIsReadInTests(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		tables := map[string]bool{}
		for _, c := range must[[]string](t)(s.Columns(ctx)) {
			tables[strings.Split(c, ".")[0]] = true
		}
		if dump := must[map[string][]string](t)(s.Dump(ctx)); len(dump) != len(tables) || len(tables) < 20 {
			t.Errorf("%d of %d tables", len(dump), len(tables))
		}
	})
}
