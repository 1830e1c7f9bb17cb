package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// sweepBatch is how many rows one statement removes: small, so that nobody waits
// for it.
const sweepBatch = 500

// sweeps is every table that grows, and until when its rows are kept.
var sweeps = []struct {
	table, key, when string
	keep             time.Duration
}{
	{"sessions", "id", "expires_at < $1", sessionRetention},
	{"sessions", "id", "ended_at <> 0 AND ended_at < $1", sessionRetention},
	{"grants", "id", "ends_at < $1", 24 * time.Hour},
	{"flows", "id", "expires_at < $1", time.Hour},
	{"pending_authorizations", "id", "expires_at < $1", time.Hour},
	{"access_tokens", "hash", "expires_at < $1", time.Hour},
	{"revoked_tokens", "jti", "expires_at < $1", time.Hour},
	{"dpop_proofs", "hash", "expires_at < $1", 0},
	{"attempts", "key", "last_at < $1", attemptMemory},
	{"traces", "id", "at < $1", TraceRetention},
	{"outbox", "id", "dead_at <> 0 AND dead_at < $1", 30 * 24 * time.Hour},
	{"registration_tokens", "id", "expires_at < $1", 30 * 24 * time.Hour},
	{"client_secrets", "id", "expires_at <> 0 AND expires_at < $1", 30 * 24 * time.Hour},
}

// SweptTables are the tables of which Sweep says how much it removed.
func SweptTables() []string {
	tables := []string{"browser_sessions", "single_use", "usage"}
	for _, sw := range sweeps {
		if !slices.Contains(tables, sw.table) {
			tables = append(tables, sw.table)
		}
	}
	return tables
}

// Sweep removes what is past its keeping, in small batches, and returns the
// number of rows removed by table. Call it under a lease, now and then.
func (s *Store) Sweep(ctx context.Context) (map[string]int64, error) {
	removed := map[string]int64{}
	now := s.now()
	for _, sw := range sweeps {
		if err := s.sweepAll(ctx, removed, sw.table, `DELETE FROM `+sw.table+` WHERE `+sw.key,
			`SELECT `+sw.key+` FROM `+sw.table+` WHERE `+sw.when, micros(now.Add(-sw.keep))); err != nil {
			return removed, err
		}
	}
	// Which sessions a browser carries is kept as long as it may use them.
	if err := s.sweepAll(ctx, removed, "browser_sessions", `DELETE FROM browser_sessions WHERE session_id`,
		`SELECT session_id FROM browser_sessions WHERE last_used < $1`, micros(now.Add(-max(s.idle, 100*24*time.Hour)))); err != nil {
		return removed, err
	}
	// A sign-in that began in time may end after its request has expired, and then uses
	// it up: the row stays for that, without what was asked for.
	if err := s.sweepAll(ctx, map[string]int64{}, "single_use", `UPDATE single_use SET payload = '' WHERE kind = '`+SingleUsePAR+`' AND payload <> '' AND (kind, hash)`,
		`SELECT kind, hash FROM single_use WHERE kind = '`+SingleUsePAR+`' AND payload <> '' AND expires_at < $1`, micros(now)); err != nil {
		return removed, err
	}
	if err := s.sweepAll(ctx, removed, "single_use", `DELETE FROM single_use WHERE expires_at < $1 AND (kind, hash)`,
		`SELECT kind, hash FROM single_use WHERE expires_at < $1`, micros(now.Add(-time.Hour))); err != nil {
		return removed, err
	}
	return removed, s.sweepAll(ctx, removed, "usage", `DELETE FROM usage WHERE hour < $1 AND (client_id, grant_type, hour)`,
		`SELECT client_id, grant_type, hour FROM usage WHERE hour < $1`, now.Add(-400*24*time.Hour).Unix())
}

// SweepKeys removes signing keys that nothing needs any more: an ID token can be a
// hint as long as the session lives in which it was issued, and so the key that
// verifies it is kept for the longest life of a session.
func (s *Store) SweepKeys(ctx context.Context, longestSession time.Duration) (int64, error) {
	removed := map[string]int64{}
	err := s.sweepAll(ctx, removed, "signing_keys", `DELETE FROM signing_keys WHERE id`,
		`SELECT id FROM signing_keys WHERE expires_at <> 0 AND expires_at < $1`, micros(s.now().Add(-max(longestSession, 30*24*time.Hour))))
	return removed["signing_keys"], err
}

// sweepAll does to rows of a table what a statement says, a batch at a time: to those
// whose key, with which the statement ends, is among them.
func (s *Store) sweepAll(ctx context.Context, removed map[string]int64, table, statement, rows string, arg any) error {
	q := fmt.Sprintf("%s IN (%s LIMIT %d)", statement, rows, sweepBatch)
	for {
		n, err := s.q.exec(ctx, q, arg)
		if err != nil {
			return s.fail("sweep "+table, err)
		}
		removed[table] += n
		if n < sweepBatch {
			return nil
		}
	}
}
