package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestMasterKeyOfCommands: a database that only commands have written, and that has no
// signing key yet, belongs to their master key.
func TestMasterKeyOfCommands(t *testing.T) {
	other := "MASTER_KEY=" + secret.NewMasterKey().Encode()
	begin := []string{"user", "create", "--username", "jane", "--email", "jane@example.com"}
	for name, first := range map[string][]string{"user create": begin, "migrate": {"migrate"}} {
		for _, m := range []*machine{newMachine(t, "").onPort(), newMachine(t, storetest.PostgresURL(t)).onPort()} {
			m.ok(first...)
			for _, args := range [][]string{{"user", "list"}, {"scope", "create", "a:b"}, {"serve"}} {
				m.with(other).refused("does not open with this MASTER_KEY", args...)
			}
			if r := m.with(other).run("", "doctor"); r.code != exitRefused || !strings.Contains(r.out, "does not open with this MASTER_KEY") {
				t.Errorf("%s: doctor: %+v", name, r)
			}
		}
	}
}

// TestMasterKeyIsNotedOnce: of those who begin a database together one master key wins,
// and the others are told.
func TestMasterKeyIsNotedOnce(t *testing.T) {
	database := storetest.PostgresURL(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[string]bool{}
	for range 6 {
		key := secret.NewMasterKey()
		m := newMachine(t, database).with("MASTER_KEY=" + key.Encode())
		all.Go(func() {
			r := m.run("", "setup-link")
			mu.Lock()
			defer mu.Unlock()
			if r.code == exitDone {
				won[key.ID()] = true
			} else if !strings.Contains(r.err, "does not open with this MASTER_KEY") {
				t.Errorf("%+v", r)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Errorf("%d master keys have won", len(won))
	}
}

// TestMasterKeyOfAnEarlierRelease: a database that notes no key yet takes its own, which
// opens its signing keys, and no other.
func TestMasterKeyOfAnEarlierRelease(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m.ok("user", "create", "--username", "jane", "--email", "jane@example.com")
		m.ok("key", "rotate")
		where := filepath.Join(m.dir, "keystone-data", "keystone.db")
		for _, set := range m.env {
			if url, found := strings.CutPrefix(set, "DATABASE_URL="); found {
				where = url
			}
		}
		storetest.Exec(t, where, `DELETE FROM meta WHERE name = 'master_key'`)
		other := m.with("MASTER_KEY=" + secret.NewMasterKey().Encode())
		other.refused("does not open with this MASTER_KEY", "scope", "create", "a:b")
		m.ok("scope", "create", "a:b")
		other.refused("whose id is", "user", "list")
	})
}

// TestDoctorOfTheKeyFile: what is wrong with it is said, and nothing that is not true
// beside it.
func TestDoctorOfTheKeyFile(t *testing.T) {
	m := newMachine(t, "")
	m.ok("migrate")
	for name, spoil := range map[string]func() error{
		"may be read by others": func() error { return os.Chmod(m.keyFile(), 0o644) },
		"is empty":              func() error { return os.Truncate(m.keyFile(), 0) },
	} {
		own, err := os.ReadFile(m.keyFile())
		if err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		r := m.run("", "doctor")
		if r.code != exitRefused || !strings.Contains(r.out, name) || strings.Contains(r.out, "no master key to it") {
			t.Errorf("%s: %+v", name, r)
		}
		if err := os.Remove(m.keyFile()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(m.keyFile(), own, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := m.with("MASTER_KEY_FILE=nowhere").run("", "doctor"); r.code != exitRefused || strings.Contains(r.out, "openssl") || !strings.Contains(r.out, "cannot be read") {
		t.Errorf("no file: %+v", r)
	}
}

// TestDoctorTriesTheFolder: where nothing can be made, the first start makes nothing.
func TestDoctorTriesTheFolder(t *testing.T) {
	m := newMachine(t, "", "DATA_DIR=/proc/keystone") // which takes no files of anybody
	if r := m.run("", "doctor"); r.code != exitRefused || !strings.Contains(r.out, "cannot be made") || strings.Contains(r.out, "the first start makes it") {
		t.Errorf("%+v", r)
	}
	fresh := newMachine(t, "")
	if r := fresh.run("", "doctor"); !strings.Contains(r.out, "the first start makes it") {
		t.Errorf("%+v", r)
	}
	if left, _ := os.ReadDir(fresh.dir); len(left) != 0 {
		t.Errorf("doctor left %v behind", left)
	}
}

// TestDoctorOfAStandby: a database that takes no writes is called so.
func TestDoctorOfAStandby(t *testing.T) {
	database := storetest.PostgresURL(t)
	m := newMachine(t, database).onPort()
	m.ok("migrate")
	storetest.ReadOnly(t, database, true)
	if r := m.run("", "doctor"); r.code != exitRefused || !strings.Contains(r.out, "the database is read-only (a standby?)") || strings.Contains(r.out, "does not answer") {
		t.Errorf("doctor: %+v", r)
	}
	m.refused("The database takes no writes", "scope", "create", "a:b")
	m.refused("The database takes no writes", "serve")
}
