package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestBehindPgBouncer: X6. A pooler that keeps a server connection for each of ours
// needs no configuration for Keystone, and every connection has its settings.
func TestBehindPgBouncer(t *testing.T) {
	url := storetest.PgBouncer(t, storetest.PostgresURL(t), "session")
	clock := storetest.NewClock()
	nodes := []*store.Store{storetest.OpenAt(t, url, clock), storetest.OpenAt(t, url, clock)}
	for _, s := range nodes {
		for setting, want := range map[string]string{"enable_seqscan": "off", "jit": "off", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s", "TimeZone": "UTC", "plan_cache_mode": "force_generic_plan"} {
			for range 3 {
				if got := must[[]string](t)(s.RawTexts(ctx, `SELECT current_setting('`+setting+`')`)); got[0] != want {
					t.Errorf("%s is %s, want %s", setting, got[0], want)
				}
			}
		}
		for setting, want := range map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "plan_cache_mode": "force_generic_plan", "statement_timeout": "10s"} {
			if got := must[string](t)(s.GroupSetting(ctx, setting)); got != want {
				t.Errorf("group writers: %s is %s, want %s", setting, got, want)
			}
		}
	}
	u := must[keystone.User](t)(nodes[0].CreateUser(ctx, keystone.Operator("test"), keystone.User{Username: "pooled", Email: "pooled@example.com", Enabled: true, Roles: []string{keystone.RoleUser}}, "$hash"))
	for round := range 5 {
		winners := 0
		for _, won := range together(32, func(i int) bool {
			s := nodes[i%2]
			if _, err := s.User(ctx, u.ID); err != nil {
				t.Error(err)
			}
			first, err := s.FirstSeen(ctx, "test", fmt.Sprint("round ", round), clock.Now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			return first
		}) {
			if won {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("round %d: %d winners", round, winners)
		}
	}
	chosen := strings.Replace(url, "?", "?statement_timeout=3s&", 1)
	if _, err := store.Open(ctx, chosen, store.Options{Master: storetest.Master}); err == nil || !strings.Contains(err.Error(), "statement_timeout") {
		t.Errorf("a setting that a pooler refuses: %v", err)
	}
}

// TestPoolerOfTransactions: one that does not is refused at the start, with what to
// set, however it was told to treat what it does not know.
func TestPoolerOfTransactions(t *testing.T) {
	database := storetest.PostgresURL(t)
	for name, more := range map[string][]string{
		"transaction": nil, "transaction, one server connection": {"default_pool_size = 1"}, "transaction, in turn": {"server_round_robin = 1"},
		"transaction, settings ignored": {"ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,enable_seqscan,jit,extra_float_digits"},
		"statement":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			mode, _, _ := strings.Cut(name, ",")
			url := storetest.PgBouncer(t, database, mode, more...)
			start := time.Now()
			s, err := store.Open(ctx, url, store.Options{Master: storetest.Master})
			if err == nil {
				s.Close()
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), "pool_mode = session") || time.Since(start) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		})
	}
}

// TestSettingsOfTheURL: what DATABASE_URL says of a connection holds, on every one.
func TestSettingsOfTheURL(t *testing.T) {
	url := storetest.PostgresURL(t)
	join := "?"
	if strings.Contains(url, "?") {
		join = "&"
	}
	storetest.Exec(t, url, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	s := storetest.OpenAt(t, url+join+"statement_timeout=3s&jit=on", storetest.NewClock())
	for _, err := range together(20, func(int) error { // also on those that have brought the schema up
		got, err := s.RawTexts(ctx, `SELECT current_setting('statement_timeout') FROM pg_sleep(0.2)`)
		if err == nil && got[0] != "3s" {
			err = errors.New("statement_timeout is " + got[0])
		}
		return err
	}) {
		ok(t, err)
	}
	for setting, want := range map[string]string{"statement_timeout": "3s", "jit": "on", "enable_seqscan": "off"} {
		if got := must[[]string](t)(s.RawTexts(ctx, `SELECT current_setting('`+setting+`')`)); got[0] != want {
			t.Errorf("%s is %s", setting, got[0])
		}
		if got := must[string](t)(s.GroupSetting(ctx, setting)); got != want {
			t.Errorf("group writers: %s is %s", setting, got)
		}
	}
}

// TestModes: whatever way of asking DATABASE_URL chooses, what is written in groups and read
// on trips is.
func TestModes(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		url := storetest.PostgresURL(t)
		more := "?"
		if strings.Contains(url, "?") {
			more = "&"
		}
		clock := storetest.NewClock()
		s := storetest.OpenAt(t, url+more+"default_query_exec_mode="+mode, clock)
		hashes := make([][]byte, 20)
		for _, err := range together(len(hashes), func(i int) error {
			hashes[i] = fmt.Appendf(nil, "hash %s %d", mode, i)
			return s.SaveAccessToken(ctx, operator, hashes[i], store.AccessToken{JTI: keystone.NewID(clock.Now()), ClientID: "c", IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour)})
		}) {
			ok(t, err)
		}
		for _, err := range together(len(hashes), func(i int) error {
			_, err := s.AccessTokenByHash(ctx, hashes[i])
			return err
		}) {
			ok(t, err)
		}
	}
}
