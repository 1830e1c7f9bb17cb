package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestInTx(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		before := must[map[string][]string](t)(s.Dump(ctx))
		failed := errors.New("no")
		err := s.InTx(ctx, func(tx *store.Store) error {
			newUser(t, tx, "jane")
			if _, err := tx.FindUser(ctx, "jane"); err != nil {
				t.Error("a transaction does not read what it wrote:", err)
			}
			if _, err := s.FindUser(ctx, "jane"); keystone.KindOf(err) != keystone.NotFound {
				t.Error("others read what is not committed:", err)
			}
			return tx.InTx(ctx, func(inner *store.Store) error {
				if inner != tx {
					t.Error("transactions nest")
				}
				newScope(t, inner, "x")
				return failed
			})
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Fatal(diff)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = s.InTx(ctx, func(tx *store.Store) error { newUser(t, tx, "jane"); panic("x") })
		}()
		newUser(t, s, "jane") // neither locked nor there
	})
}

// TestDeadlock: of two transactions that wait for each other the database ends
// one, which is run again: both happen, each once.
func TestDeadlock(t *testing.T) {
	nodes := make([]*store.Store, 2)
	url, clock := storetest.PostgresURL(t), storetest.NewClock() // SQLite has one writer
	for i := range nodes {
		nodes[i] = storetest.OpenAt(t, url, clock)
	}
	users := []keystone.User{newUser(t, nodes[0], "jane"), newUser(t, nodes[0], "john")}
	var met sync.WaitGroup
	met.Add(2)
	runs := make([]int, 2)
	errs := together(2, func(i int) error {
		return nodes[i].InTx(ctx, func(tx *store.Store) error {
			runs[i]++
			for n := range 2 {
				if _, err := tx.Raw(ctx, `UPDATE users SET last_name = last_name || 'x' WHERE id = $1`, users[(i+n)%2].ID); err != nil {
					return err
				}
				if n == 0 && runs[i] == 1 {
					met.Done()
					met.Wait()
				}
			}
			return nil
		})
	})
	ok(t, errs[0])
	ok(t, errs[1])
	for _, u := range users {
		if got := must[keystone.User](t)(nodes[0].User(ctx, u.ID)).LastName; got != "xx" {
			t.Errorf("%s was changed %q", u.Username, got)
		}
	}
	if runs[0]+runs[1] != 3 {
		t.Errorf("the transactions ran %v times", runs)
	}
}

// TestSameRows is SECURITY.md X9: fifty workers on two nodes do everything there
// is to one person at once. What fails fails for a reason, nothing is a fault,
// and what is left fits together.
func TestSameRows(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		newUser(t, nodes[0], "root", "admin")
		newRole(t, nodes[0], "seller")
		u := newUser(t, nodes[0], "jane", "user")
		families := make([]keystone.Grant, 5)
		for i := range families {
			families[i] = signIn(t, nodes[0], u)
		}
		begun := time.Now()
		for _, err := range together(50, func(i int) error {
			s, g := nodes[i/10%2], families[i%5]
			switch i % 10 {
			case 0:
				return s.SetPassword(ctx, operator, u.ID, fmt.Sprint("hash", i), g.SessionID)
			case 1:
				return s.EndSession(ctx, operator, g.SessionID, u.ID, keystone.EndRevoked)
			case 2:
				_, err := s.EndSessions(ctx, operator, u.ID, g.SessionID, keystone.EndRevoked)
				return err
			case 3:
				return s.RevokeGrant(ctx, operator, g.ID, keystone.EndTokenRevoked)
			case 4, 5:
				return rotate(s, g, 1, rotation).err
			case 6:
				login, err := s.LoginByID(ctx, u.ID)
				if err == nil {
					_, err = start(s, newFamily(s, u.ID), login, "login:jane")
				}
				return err
			case 7:
				_, err := s.SetUserRoles(ctx, operator, u.ID, 0, [][]string{{"user"}, {"admin"}, {"seller"}}[i%3])
				return err
			case 8:
				_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(i%20 == 8)})
				return err
			default:
				_, err := s.CountAttempt(ctx, store.AttemptKey{Key: "login:jane", Free: 99})
				return err
			}
		}) {
			switch keystone.KindOf(err) {
			case keystone.Unknown, keystone.Unavailable:
				ok(t, err)
			}
		}
		t.Log("took", time.Since(begun))
		// A living family has a living session of an enabled user.
		if odd := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT g.id FROM grants g WHERE g.revoked_at = 0 AND
			NOT EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = g.session_id AND s.ended_at = 0)`)); len(odd) != 0 {
			t.Errorf("families without a session: %q", odd)
		}
	})
}

// TestHotWritesOfTheSameRows: grouped statements of two nodes that meet on the
// same rows in different orders neither fail nor stall for a deadlock's second.
func TestHotWritesOfTheSameRows(t *testing.T) {
	eachNodes(t, 3, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		keys := []string{"a", "b", "c", "d"}
		begun := time.Now()
		errs := together(64, func(i int) error {
			for n := range 5 {
				if _, err := nodes[i%2].CountAttempt(ctx, store.AttemptKey{Key: keys[(i+n)%4], Free: 1000}, store.AttemptKey{Key: keys[(i+n+2)%4], Free: 1000}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, err := range errs {
			ok(t, err)
		}
		total := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT CAST(SUM(failures) AS TEXT) FROM attempts`))
		if total[0] != "640" {
			t.Errorf("%s of 640 counted", total[0])
		}
		t.Log("640 counts took", time.Since(begun))
		if nodes[0].OnPostgres() {
			nodes[0].Close() // its connections report when they end
			nodes[1].Close()
			if n := must[[]string](t)(nodes[2].RawTexts(ctx, `SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()`)); n[0] != "0" {
				t.Errorf("%s deadlocks", n[0])
			}
		}
	})
}

func TestObserveGroups(t *testing.T) {
	s := must[*store.Store](t)(store.Open(ctx, storetest.SQLitePath(t), store.Options{Master: storetest.Master}))
	defer s.Close()
	sizes := make(chan int, 1000)
	s.ObserveGroups(func(n int) { sizes <- n })
	_, err := s.Migrate(ctx)
	ok(t, err)
	for _, err := range together(100, func(int) error { return s.Record(ctx, operator, keystone.AuditEvent{Action: "x"}) }) {
		ok(t, err)
	}
	close(sizes)
	total, groups := 0, 0
	for n := range sizes {
		total += n
		groups++
	}
	if total != 100 || groups == 0 || groups > 90 {
		t.Fatalf("%d writes in %d groups", total, groups)
	}
}

// TestOneBadWriteFailsAlone: in a group, a write that breaks a rule fails and its
// neighbours do not.
func TestOneBadWriteFailsAlone(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		ok(t, s.AddSingleUse(ctx, "x", "taken", "", clock.Now()))
		errs := together(64, func(i int) error {
			value := fmt.Sprint(i)
			if i%8 == 0 {
				value = "taken"
			}
			return s.AddSingleUse(ctx, "x", value, "", clock.Now())
		})
		for i, err := range errs {
			if i%8 == 0 {
				wantKind(t, err, keystone.Conflict)
			} else {
				ok(t, err)
			}
		}
	})
}

// TestCallerGone: a caller who has gone is answered at once and nothing is
// written for them, or everything.
func TestCallerGone(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		u := newUser(t, s, "jane")
		before := must[map[string][]string](t)(s.Dump(ctx))
		_, err := s.CreateUser(gone, operator, keystone.User{Username: "x", Email: "x@example.com"}, "")
		wantKind(t, err, keystone.Unavailable)
		_, err = s.User(gone, u.ID)
		wantKind(t, err, keystone.Unavailable)
		_, err = s.UserState(gone, u.ID)
		wantKind(t, err, keystone.Unavailable)
		_, err = s.Lease(gone, "x", "y", time.Second)
		wantKind(t, err, keystone.Unavailable)
		if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
			t.Fatal(diff)
		}
		_ = clock
	})
}

// TestClosedStore answers, and says that nothing was changed.
func TestClosedStore(t *testing.T) {
	run := func(t *testing.T, url string) {
		s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master}))
		_, err := s.Migrate(ctx)
		ok(t, err)
		ok(t, s.Ping(ctx))
		if p := s.Pool(); p.Max == 0 {
			t.Errorf("%+v", p)
		}
		s.Close()
		s.Close()
		id := keystone.NewID(time.Now())
		errs := map[string]error{"ping": s.Ping(ctx), "hot": s.RevokeAccessToken(ctx, operator, "j", "c", time.Now())}
		_, errs["read"] = s.User(ctx, id)
		_, errs["cached"] = s.CachedClient(ctx, id)
		_, errs["write"] = s.CreateScope(ctx, operator, keystone.Scope{Name: "x"})
		for name, err := range errs {
			if keystone.KindOf(err) != keystone.Unavailable {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLitePath(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t)) })
}

// TestOpenRefuses: each bad address gets a line that says what to do, and none
// repeats a password.
func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	s := storetest.OpenAt(t, file, storetest.NewClock())
	s.Close()
	for _, test := range []struct{ name, url, says string }{
		{"empty", "", "DATABASE_URL"},
		{"another database", "mysql://user:canary@127.0.0.1/x", "DATABASE_URL"},
		{"seed's SQLite driver", "sqlite+aiosqlite:///./x.db", "DATABASE_URL"},
		{"bad PostgreSQL URL", "postgres://user:canary@127.0.0.1:port/x", "DATABASE_URL"},
		{"nobody there", "postgres://user:canary@127.0.0.1:1/x?connect_timeout=1", "does not answer"},
		{"a URL of SQLite", "sqlite:x.db", "DATABASE_URL"},
		{"a URL of a file", "file:x.db", "DATABASE_URL"},
		{"folder", t.TempDir(), "SQLite"},
		{"below a file", filepath.Join(file, "x.db"), "SQLite"},
		{"not a database", "/etc/passwd/x", "SQLite"},
	} {
		_, err := store.Open(ctx, test.url, store.Options{Master: storetest.Master})
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestOpenTogether: a command and a server that begin with a new file at the same moment
// both get it.
func TestOpenTogether(t *testing.T) {
	for range 50 {
		path := filepath.Join(t.TempDir(), "keystone.db")
		for _, err := range together(8, func(int) error {
			s, err := store.Open(ctx, path, store.Options{Master: storetest.Master})
			if err == nil {
				s.Close()
			}
			return err
		}) {
			ok(t, err)
		}
	}
}

// TestOpenAnyPath: a path is a path, whatever letters are in it.
func TestOpenAnyPath(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "with?mark.db", "with#hash.db", "with%41percent.db", "ünï.db", "new folder/deeper/x.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := must[*store.Store](t)(store.Open(ctx, path, store.Options{Master: storetest.Master}))
		_, err := s.Migrate(ctx)
		s.Close()
		if found, _ := filepath.Glob(filepath.Dir(path) + "/*"); err != nil || len(found) == 0 || found[0] != path {
			t.Errorf("%s: %v, %q", name, err, found)
		}
	}
}
