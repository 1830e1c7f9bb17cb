package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// AttemptKey is one counter of failed proofs: after Free failures in a row each
// further attempt waits, one second first, then twice as long, at most 15
// minutes. A success clears it; so does a day without an attempt.
type AttemptKey struct {
	Key  string
	Free int
}

const attemptMemory = 24 * time.Hour

// Attempt is an attempt as it was counted.
type Attempt struct {
	Wait time.Duration // how long to wait where a counter refuses; 0: it may be made
	keys []AttemptKey  // where it counts
	at   time.Time
}

// CountAttempt counts an attempt on every key before the proof is checked, and
// reports how long to wait where one of them refuses. It counts first because
// any number of attempts may run at once: each has been counted when its proof
// is checked, so parallel guessing gains nothing. With an error it returns what
// was counted until then.
func (s *Store) CountAttempt(ctx context.Context, keys ...AttemptKey) (Attempt, error) {
	now := s.now()
	a := Attempt{at: now}
	for _, k := range keys {
		first := int64(0)
		if k.Free <= 1 {
			first = micros(now.Add(time.Second))
		}
		hit, err := s.hot(ctx, &hotWrite{
			lock: lockAttempt(k.Key),
			sql: `INSERT INTO attempts (key, failures, last_at, blocked_until) VALUES ($1, 1, $2, $5)
				ON CONFLICT (key) DO UPDATE SET last_at = excluded.last_at,
				failures = CASE WHEN attempts.last_at < $3 THEN 1 ELSE attempts.failures + 1 END,
				blocked_until = CASE WHEN attempts.last_at < $3 THEN excluded.blocked_until WHEN attempts.failures + 1 < $4 THEN 0
					WHEN attempts.failures + 1 < $4 + 10 THEN excluded.last_at + (1000000 << CAST(attempts.failures + 1 - $4 AS INTEGER))
					ELSE excluded.last_at + 900000000 END
				WHERE attempts.blocked_until <= $2`,
			args: []any{k.Key, micros(now), micros(now.Add(-attemptMemory)), int64(k.Free), first},
		})
		if err != nil {
			return a, s.fail("count attempt", err)
		}
		if hit {
			a.keys = append(a.keys, k)
			continue
		}
		var until int64
		if _, err := s.row(ctx, `SELECT blocked_until FROM attempts WHERE key = $1`, []any{k.Key}, &until); err != nil {
			return a, s.fail("count attempt", err)
		}
		a.Wait = max(moment(until).Sub(now), time.Second)
		return a, nil
	}
	return a, nil
}

// Uncount takes an attempt back, for one that was never made: no proof was
// compared. Each counter is then as if the attempt had not been counted, its
// wait included: the wait of the attempt itself ends, that of a later one
// becomes the shorter one of the step before.
func (s *Store) Uncount(ctx context.Context, a Attempt) error {
	for _, k := range a.keys {
		_, err := s.hot(ctx, &hotWrite{
			lock: lockAttempt(k.Key),
			sql: `UPDATE attempts SET failures = failures - 1,
				blocked_until = CASE WHEN failures - 1 < $2 OR last_at = $3 THEN 0
					WHEN failures - 1 < $2 + 10 THEN last_at + (1000000 << CAST(failures - 1 - $2 AS INTEGER))
					ELSE last_at + 900000000 END
				WHERE key = $1 AND failures > 0`,
			args: []any{k.Key, int64(k.Free), micros(a.at)},
		})
		if err != nil {
			return s.fail("take back an attempt", err)
		}
	}
	return nil
}

// ForgiveAttempt takes back one attempt whose proof was right, on a counter that
// others share: their failures stay counted.
func (s *Store) ForgiveAttempt(ctx context.Context, key string) error {
	_, err := s.hot(ctx, &hotWrite{
		lock: lockAttempt(key),
		sql:  `UPDATE attempts SET failures = failures - 1, blocked_until = 0 WHERE key = $1 AND failures > 0`,
		args: []any{key},
	})
	return s.fail("forgive attempt", err)
}

// ClearAttempts forgets counters outside of a sign-in: an administrator unlocks
// an account, or a proof other than a sign-in succeeded.
func (s *Store) ClearAttempts(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if _, err := s.q.exec(ctx, `DELETE FROM attempts WHERE key = $1`, key); err != nil {
			return s.fail("clear attempts", err)
		}
	}
	return nil
}

// Unlock forgets every failed attempt on an account, from everywhere.
func (s *Store) Unlock(ctx context.Context, by keystone.Actor, userID string, prefix string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		u, err := tx.manageable(ctx, by, userID)
		if err != nil {
			return err
		}
		low, high := prefixRange(prefix)
		if _, err := tx.q.exec(ctx, `DELETE FROM attempts WHERE key >= $1 AND key < $2`, low, high); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActUserUnlocked, TargetKind: "user", TargetID: userID, TargetName: u.Username})
	})
	return s.fail("unlock", err)
}
