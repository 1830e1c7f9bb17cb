package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestLookingMakesNothing: in a folder without the server's settings a command that
// looks, or changes what is there, says so and makes neither a database nor a key.
func TestLookingMakesNothing(t *testing.T) {
	m := newMachine(t, "")
	none := "There is no database at keystone-data/keystone.db. Is --config or DATA_DIR missing?"
	looks := [][]string{{"audit", "verify"}, {"audit", "list"}, {"user", "list"}, {"user", "disable", "jane"}, {"client", "list"}, {"client", "show", "x"},
		{"client", "secret", "rotate", "x"}, {"role", "list"}, {"scope", "list"}, {"session", "list"}, {"key", "list"}, {"key", "rotate"}, {"outbox", "list"},
		{"outbox", "retry", "--given-up"}, {"explain", "x"}, {"client", "registration-token", "list"}}
	for _, args := range looks {
		m.refused(none, args...)
	}
	m.run("", "doctor")
	m.ok("config", "check")
	if entries, _ := os.ReadDir(m.dir); len(entries) != 0 {
		t.Fatalf("something was made: %v", entries)
	}
	if err := os.MkdirAll(filepath.Join(m.dir, "keystone-data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "keystone-data", "keystone.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.refused(none, "audit", "verify") // nor of an empty file
	m.noKey()
	for _, args := range [][]string{{"setup-link"}, {"migrate"}, {"scope", "create", "a:b"}, {"role", "create", "clerk"}, {"client", "create", "--name", "A", "--kind", "service"},
		{"user", "create", "--username", "jane", "--email", "jane@example.com"}, {"import", m.file("import.json", `{}`)}} {
		newMachine(t, "").ok(args...)
	}
	database := storetest.PostgresURL(t)
	storetest.Exec(t, database, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	empty := newMachine(t, database)
	empty.refused("no tables of Keystone's", "audit", "verify")
	empty.ok("migrate")
	empty.ok("audit", "verify")
}

func (m *machine) keyFile() string { return filepath.Join(m.dir, "keystone-data", "master.key") }

func (m *machine) noKey() {
	m.t.Helper()
	if _, err := os.Lstat(m.keyFile()); err == nil {
		m.t.Error("a master key was made")
	}
}

// TestMasterKeyIsMadeWithItsDatabase: a database whose key is away gets no other one,
// from no command and from no start; one that is not its own is refused.
func TestMasterKeyIsMadeWithItsDatabase(t *testing.T) {
	m := newMachine(t, "").onPort()
	m.ok("user", "create", "--username", "jane", "--email", "jane@example.com")
	m.ok("key", "rotate")
	own, err := os.ReadFile(m.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(m.keyFile()); err != nil {
		t.Fatal(err)
	}
	looks := [][]string{{"user", "list"}, {"audit", "verify"}, {"migrate"}, {"setup-link"}, {"serve"}, {"key", "list"},
		{"client", "create", "--name", "A", "--kind", "service", "--auth-method", "client_secret_jwt"}}
	for _, args := range looks {
		m.refused("There is a database, but no master key to it. Put the key back that it was made with.", args...)
		m.noKey()
	}
	if r := m.run("", "doctor"); !strings.Contains(r.out, "no master key to it") || strings.Contains(r.out, "the first start makes it") {
		t.Errorf("doctor: %+v", r)
	}
	if r := m.run("", "config", "check"); r.code != exitRefused || !strings.Contains(r.err+r.out, "no master key to it") {
		t.Errorf("config check: %+v", r)
	}
	other := secret.NewMasterKey().Encode()
	for _, args := range looks {
		m.with("MASTER_KEY="+other).refused("does not open with this MASTER_KEY", args...)
	}
	if err := os.WriteFile(m.keyFile(), own, 0o600); err != nil {
		t.Fatal(err)
	}
	m.ok("user", "list")

	p := newMachine(t, storetest.PostgresURL(t))
	p.ok("user", "create", "--username", "jane", "--email", "jane@example.com")
	p.ok("key", "rotate")
	p.with("MASTER_KEY="+other).refused("does not open with this MASTER_KEY", "user", "list")
}

// TestDoctorFindsDamage: of a file that was overwritten, as by a copy over a database
// whose log still lay beside it, doctor says that it is broken and what to do.
func TestDoctorFindsDamage(t *testing.T) {
	m := newMachine(t, "")
	m.ok("user", "create", "--username", "jane", "--email", "jane@example.com")
	if r := m.run("", "doctor"); !strings.Contains(r.out, "keystone.db is whole") {
		t.Errorf("before: %+v", r)
	}
	f, err := os.OpenFile(filepath.Join(m.dir, "keystone-data", "keystone.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(8 << 12); at+4096 <= info.Size(); at += 5 << 12 {
		if _, err := f.WriteAt(make([]byte, 4096), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if r := m.run("", "doctor"); r.code != exitRefused || !strings.Contains(r.out, "is damaged") || !strings.Contains(r.out, "put a backup back") {
		t.Errorf("doctor: %+v", r)
	}
	m.onPort().refused("put a backup back", "serve")
}

// TestNewerSchema: what a newer program did to the schema is named, and one version
// back goes on.
func TestNewerSchema(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLitePath, "postgres": storetest.PostgresURL} {
		t.Run(name, func(t *testing.T) {
			database := url(t)
			m := newMachine(t, database).onPort()
			m.ok("migrate")
			storetest.Exec(t, database, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)`)
			const says = "The database has schema steps that this version does not know (999): a newer Keystone has used it."
			if r := m.run("", "doctor"); !strings.Contains(r.out, says) || strings.Contains(r.out, "The schema is this version's.") {
				t.Errorf("doctor: %+v", r)
			}
			steps := m.items("migrate", "--status")
			if last := steps[len(steps)-1]; last["version"] != 999.0 || last["unknown"] != true {
				t.Errorf("status: %v", last)
			}
			for _, args := range [][]string{{"migrate"}, {"migrate", "--status"}, {"migrate", "--dry-run"}} {
				if out := m.ok(args...); !strings.Contains(out, says) {
					t.Errorf("keystone %v:\n%s", args, out)
				}
			}
			m.ok("user", "list")
			n := m.serve()
			if log := n.log.String(); strings.Count(log, says) != 1 || !strings.Contains(log, `"level":"WARN"`) {
				t.Errorf("log of the start:\n%s", log)
			}
		})
	}
}

// TestDatabaseAddress: the database is made where people who know SQLAlchemy expect it:
// in the working folder, never in the root of the machine.
func TestDatabaseAddress(t *testing.T) {
	for _, address := range []string{"sqlite:///./x.db", "sqlite:///x.db", "sqlite+aiosqlite:///./x.db", "sqlite:///../here/x.db", "sqlite:x.db", "./x.db"} {
		m := newMachine(t, "", "DATABASE_URL="+address)
		m.dir = filepath.Join(m.dir, "here")
		if err := os.Mkdir(m.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m.ok("migrate")
		m.ok("audit", "verify")
		if _, err := os.Stat(filepath.Join(m.dir, "x.db")); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	newMachine(t, "", "DATABASE_URL=file:./x.db").refused("write the path alone", "migrate")
}
