package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestSweep puts a row on either side of every table's line, and sees exactly
// those behind it go.
func TestSweep(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		c, _ := newService(t, s)
		const day = 24 * time.Hour
		start := clock.Now()
		at := func(ago time.Duration) int64 { return start.Add(-ago).UnixMicro() }
		raw := func(sql string, args ...any) {
			t.Helper()
			if _, err := s.Raw(ctx, sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		session := func(name string, expires, ended int64) {
			raw(`INSERT INTO sessions (id, user_id, client_id, source, user_agent, amr, created_at, last_seen, expires_at, ended_at, end_reason) VALUES ($1, $2, '', '', '', '', 1, 1, $3, $4, '')`, name, u.ID, expires, ended)
		}
		session("keep-alive", at(-day), 0)
		session("keep-expired", at(30*day), 0)
		session("drop-expired", at(30*day)-1, 0)
		session("keep-ended", at(-day), at(30*day))
		session("drop-ended", at(-day), at(30*day)-1)
		grant := func(name string, ends, revoked int64) {
			raw(`INSERT INTO grants (id, user_id, client_id, session_id, scopes, audiences, generation, rotated_at, created_at, expires_at, ends_at, revoked_at, reason) VALUES ($1, $2, '', '', '', '[]', 1, 1, 1, 1, $3, $4, '')`, name, u.ID, ends, revoked)
		}
		grant("keep-alive", at(-day), 0)
		grant("keep-revoked", at(-day), at(100*day)) // a used token that comes again is still recognised
		grant("keep-ended", at(day), 0)
		grant("drop-ended", at(day)-1, 0)
		for i, table := range []string{"access_tokens", "revoked_tokens"} {
			insert := []string{`INSERT INTO access_tokens (hash, jti, user_id, client_id, session_id, grant_id, scopes, audiences, issued_at, expires_at) VALUES ($1, $2, '', '', '', '', '', '[]', 1, $3)`,
				`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($2, $3)`}[i]
			for name, expires := range map[string]int64{"keep": at(time.Hour), "drop": at(time.Hour) - 1} {
				if table == "access_tokens" {
					raw(insert, []byte(name), name, expires)
				} else {
					raw(`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2)`, name, expires)
				}
			}
		}
		raw(`INSERT INTO attempts (key, failures, last_at, blocked_until) VALUES ('keep', 9, $1, 0), ('drop', 9, $2, 0)`, at(day), at(day)-1)
		for i, x := range []struct {
			name             string
			expires, revoked int64
		}{{"keep-current", 0, 0}, {"keep-retired", at(30 * day), 0}, {"drop-retired", at(30*day) - 1, 0}, {"keep-revoked", at(-day), at(100 * day)}} {
			raw(`INSERT INTO signing_keys (id, algorithm, seq, sealed, created_at, active_at, expires_at, revoked_at) VALUES ($1, 'ES256', $2, $3, 1, 1, $4, $5)`, x.name, int64(i), []byte("x"), x.expires, x.revoked)
		}
		for name, deadAt := range map[string]int64{"keep-waiting": 0, "keep-dead": at(30 * day), "drop-dead": at(30*day) - 1} {
			raw(`INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts, claimed_by, claimed_until, last_error, dead_at) VALUES ($1, 'x', $2, 1, 1, 0, '', 0, '', $3)`, name, []byte("x"), deadAt)
		}
		for name, expires := range map[string]int64{"keep-for-ever": 0, "keep-ended": at(30 * day), "drop-ended": at(30*day) - 1} {
			raw(`INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at) VALUES ($1, $2, $3, '', 1, $4)`, name, c.ID, []byte("x"), expires)
		}
		for name, expires := range map[string]int64{"keep": at(time.Hour), "drop": at(time.Hour) - 1} {
			raw(`INSERT INTO single_use (kind, hash, payload, created_at, expires_at, used_at) VALUES ('x', $1, $2, 1, $3, 0)`, []byte(name), name, expires)
		}
		raw(`INSERT INTO dpop_proofs (hash, expires_at) VALUES ($1, $3), ($2, $4)`, []byte("keep"), []byte("drop"), at(0), at(0)-1)
		raw(`INSERT INTO usage (client_id, grant_type, hour, tokens, last_at) VALUES ('keep', 'x', $1, 1, 1), ('drop', 'x', $2, 1, 1)`, start.Add(-400*day).Unix(), start.Add(-400*day).Unix()-1)
		for name, expires := range map[string]int64{"keep": at(time.Hour), "drop": at(time.Hour) - 1} {
			raw(`INSERT INTO pending_authorizations (id, kind, hash, client_id, user_id, request, source, message, status, approval, created_at, expires_at, decided_at)
				VALUES ($1, 'device', $2, '', '', '{}', '', '', 'pending', '', 1, $3, 0)`, name, []byte(name), expires)
		}
		events := len(trail(t, s))

		removed := must[map[string]int64](t)(s.Sweep(ctx))
		for table, want := range map[string]int64{"sessions": 2, "grants": 1, "access_tokens": 1, "revoked_tokens": 1, "attempts": 1,
			"outbox": 1, "client_secrets": 1, "single_use": 1, "usage": 1, "dpop_proofs": 1, "pending_authorizations": 1} {
			if removed[table] != want {
				t.Errorf("%s: removed %d, want %d", table, removed[table], want)
			}
		}
		if n := must[int64](t)(s.SweepKeys(ctx, 31*day)); n != 0 {
			t.Errorf("%d keys were removed while sessions of their time may live", n)
		}
		if n := must[int64](t)(s.SweepKeys(ctx, time.Hour)); n != 1 {
			t.Errorf("removed %d keys, want 1", n)
		}
		for table, column := range map[string]string{"sessions": "id", "grants": "id", "access_tokens": "jti", "revoked_tokens": "jti", "attempts": "key",
			"signing_keys": "id", "outbox": "id", "client_secrets": "id", "single_use": "payload", "usage": "client_id"} {
			for _, name := range must[[]string](t)(s.RawTexts(ctx, `SELECT `+column+` FROM `+table)) {
				if name[:4] == "drop" {
					t.Errorf("%s: %s is still there", table, name)
				}
			}
		}
		if n := len(trail(t, s)); n != events {
			t.Error("sweeping touched the trail")
		}
		if again := must[map[string]int64](t)(s.Sweep(ctx)); slices.Max([]int64{again["sessions"], again["grants"], again["usage"]}) != 0 {
			t.Errorf("%v", again)
		}
		if _, err := s.User(ctx, u.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestSweepPushed: what was pushed goes as soon as it cannot be read any more; that it
// was not used stays known, for a sign-in that goes on.
func TestSweepPushed(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for i, kind := range []string{store.SingleUsePAR, "x"} {
			ok(t, s.AddSingleUse(ctx, kind, "old", "payload", clock.Now()))
			ok(t, s.AddSingleUse(ctx, kind, "young", fmt.Sprint("payload ", i), clock.Now().Add(time.Minute)))
		}
		clock.Move(time.Second)
		must[map[string]int64](t)(s.Sweep(ctx))
		if left := must[[]string](t)(s.RawTexts(ctx, `SELECT payload FROM single_use ORDER BY payload`)); !slices.Equal(left, []string{"", "payload", "payload 0", "payload 1"}) {
			t.Errorf("%q", left)
		}
		if !must[bool](t)(s.UseUp(ctx, store.SingleUsePAR, "old")) || must[bool](t)(s.UseUp(ctx, store.SingleUsePAR, "old")) {
			t.Error("an expired one is used up once")
		}
	})
}

// TestSweepManyBatches: what does not fit into one statement goes with the next.
func TestSweepManyBatches(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		ok(t, s.InTx(ctx, func(tx *store.Store) error {
			for i := range 1203 {
				if err := tx.AddSingleUse(ctx, "x", fmt.Sprint(i), "", clock.Now()); err != nil {
					return err
				}
			}
			return nil
		}))
		clock.Move(2 * time.Hour)
		ok(t, s.AddSingleUse(ctx, "x", "young", "", clock.Now()))
		if removed := must[map[string]int64](t)(s.Sweep(ctx)); removed["single_use"] != 1203 {
			t.Fatalf("%v", removed)
		}
		if left := must[[]string](t)(s.RawTexts(ctx, `SELECT kind FROM single_use`)); len(left) != 1 {
			t.Fatalf("%d left", len(left))
		}
	})
}
