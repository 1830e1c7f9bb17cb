package store_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// X8: a server that has become read-only refuses writes and goes on reading, and where
// the address leads to one that writes, connections to the other are left within a
// second or two, by whichever way they were used.
func TestFollowsWrites(t *testing.T) {
	database := storetest.PostgresURL(t)
	s := storetest.OpenAt(t, database, storetest.NewClock())
	by, n := keystone.Operator("test"), 0
	ways := map[string]func() error{
		"alone": func() error {
			_, err := s.Raw(ctx, `UPDATE meta SET value = value WHERE name = 'admins'`)
			return err
		},
		"transaction": func() error {
			n++
			_, err := s.CreateScope(ctx, by, keystone.Scope{Name: fmt.Sprintf("standby:s%d", n)})
			return err
		},
		"group": func() error {
			n++
			_, err := s.FirstSeen(ctx, "test", fmt.Sprint("standby ", n), s.Now().Add(time.Minute))
			return err
		},
		"trip": func() error {
			_, err := s.HotTexts(ctx, func(string) {}, `SELECT value FROM meta WHERE name = 'admins' FOR SHARE`)
			return err
		},
		"ping": func() error { return s.Ping(ctx) },
	}
	for name, way := range ways {
		storetest.ReadOnly(t, database, true)
		eventually(t, name+" reads", func() error { _, err := s.RawTexts(ctx, `SELECT value FROM meta`); return err })
		eventually(t, name+" is refused", func() error { // the first may have met a connection that was cut
			if err := way(); err == nil || !store.NoWrites(err) && !strings.Contains(err.Error(), "25006") {
				return fmt.Errorf("it says: %w", err)
			}
			return nil
		})
		storetest.ReadOnly(t, database, false)
		eventually(t, name, way)
	}
}

// eventually is within as much time as a switch of servers may cost.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s: still %v", what, err)
			return
		}
	}
}

// TestSeveralHosts: of several servers the one that takes writes is used, wherever it
// stands in the list.
func TestSeveralHosts(t *testing.T) {
	standby := storetest.PostgresURL(t)
	u, err := url.Parse(standby)
	if err != nil {
		t.Fatal(err)
	}
	storetest.ReadOnly(t, standby, true)
	if _, err := store.Open(ctx, hosts(u, u.Host, "127.0.0.1:1"), store.Options{Master: storetest.Master}); err == nil || !strings.Contains(err.Error(), "read-only (a standby?)") {
		t.Errorf("none takes writes: %v", err)
	}
	storetest.ReadOnly(t, standby, false)
	primary := hosts(u, "127.0.0.1:1", u.Host)
	for _, address := range []string{primary, primary + "&target_session_attrs=read-write"} {
		if !strings.Contains(address, "?") {
			address = strings.Replace(address, "&", "?", 1)
		}
		s, err := store.Open(ctx, address, store.Options{Master: storetest.Master})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(context.Background()); err != nil {
			t.Error(err)
		}
		s.Close()
	}
}

func hosts(u *url.URL, list ...string) string {
	several := *u
	several.Host = "HOSTS"
	return strings.Replace(several.String(), "HOSTS", strings.Join(list, ","), 1)
}

// TestPostgresSaysWhy: a server that answers is not said to be away.
func TestPostgresSaysWhy(t *testing.T) {
	database := storetest.PostgresURL(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	none, stranger := *u, *u
	none.Path, stranger.User = "/ks_nosuch", url.UserPassword("ks_nobody", "canary")
	for says, address := range map[string]string{`database "ks_nosuch" does not exist`: none.String(), `"ks_nobody"`: stranger.String()} {
		_, err := store.Open(ctx, address, store.Options{Master: storetest.Master})
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "refuses") || strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", says, err)
		}
	}
	storetest.Exec(t, database, `DROP SCHEMA public CASCADE`)
	s, err := store.Open(ctx, database, store.Options{Master: storetest.Master})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "GRANT USAGE, CREATE ON SCHEMA public TO ") {
		t.Errorf("without a schema: %v", err)
	}
}
