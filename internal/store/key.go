package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// SealedKey is a signing key as it lies in the database: only the token room
// opens it.
type SealedKey struct {
	keystone.Key
	Sealed []byte
}

// SigningKeys returns every key that is not yet swept.
func (s *Store) SigningKeys(ctx context.Context) ([]SealedKey, error) {
	keys, err := all(ctx, s, func(scan func(...any) error) (k SealedKey, err error) {
		var created, active, expires, revoked int64
		err = scan(&k.ID, &k.Algorithm, &k.Seq, &k.Sealed, &created, &active, &expires, &revoked)
		k.CreatedAt, k.ActiveAt, k.ExpiresAt, k.RevokedAt = moment(created), moment(active), moment(expires), moment(revoked)
		return k, err
	}, `SELECT id, algorithm, seq, sealed, created_at, active_at, expires_at, revoked_at FROM signing_keys ORDER BY algorithm, seq`)
	return keys, s.fail("read signing keys", err)
}

// AddSigningKey writes the next key of an algorithm and sets when the ones
// before it end. It reports false where another node made this step first: the
// unique (algorithm, seq) decides.
func (s *Store) AddSigningKey(ctx context.Context, by keystone.Actor, k SealedKey, earlierEnd time.Time) (added bool, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		n, err := tx.q.exec(ctx, `INSERT INTO signing_keys (id, algorithm, seq, sealed, created_at, active_at, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT (algorithm, seq) DO NOTHING`,
			k.ID, k.Algorithm, k.Seq, k.Sealed, micros(k.CreatedAt), micros(k.ActiveAt))
		if err != nil {
			return err
		}
		if added = n == 1; !added {
			return nil
		}
		_, err = tx.q.exec(ctx, `UPDATE signing_keys SET expires_at = $1 WHERE algorithm = $2 AND seq < $3 AND expires_at = 0`, micros(earlierEnd), k.Algorithm, k.Seq)
		if err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActKeyCreated, TargetKind: "key", TargetID: k.ID, TargetName: k.Algorithm,
			Detail: map[string]any{"active_at": k.ActiveAt.UTC().Format(time.RFC3339)}})
	})
	return added, s.fail("add signing key", err)
}

// RevokeSigningKey refuses everything a key has signed from now on. Its successor signs
// from now on, if one was published that waits; empty: none. The newest key that is left
// has no end any more: the one that was to follow it may be the one that is revoked.
func (s *Store) RevokeSigningKey(ctx context.Context, by keystone.Actor, id, successor string, active time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		now := micros(tx.now())
		n, err := tx.q.exec(ctx, `UPDATE signing_keys SET revoked_at = $1, expires_at = CASE WHEN expires_at = 0 THEN $1 ELSE expires_at END WHERE id = $2 AND revoked_at = 0`, now, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("key")
		}
		event := keystone.AuditEvent{Action: keystone.ActKeyRevoked, TargetKind: "key", TargetID: id}
		if n, err = tx.activateKey(ctx, successor, active); err != nil {
			return err
		}
		if n > 0 {
			event.Detail = map[string]any{"successor": successor}
		}
		if _, err = tx.q.exec(ctx, `UPDATE signing_keys SET expires_at = 0 WHERE id = (SELECT id FROM signing_keys
			WHERE algorithm = (SELECT algorithm FROM signing_keys WHERE id = $1) AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2) ORDER BY seq DESC LIMIT 1)`, id, now); err != nil {
			return err
		}
		return tx.audit(ctx, by, event)
	})
	return s.fail("revoke signing key", err)
}

// ActivateSigningKey has a key that was published and waits sign from active on.
func (s *Store) ActivateSigningKey(ctx context.Context, by keystone.Actor, id string, active time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		n, err := tx.activateKey(ctx, id, active)
		if err != nil || n == 0 {
			return err // another node has
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActKeyActivated, TargetKind: "key", TargetID: id})
	})
	return s.fail("activate signing key", err)
}

func (s *Store) activateKey(ctx context.Context, id string, active time.Time) (int64, error) {
	return s.q.exec(ctx, `UPDATE signing_keys SET active_at = $1 WHERE id = $2 AND active_at > $1 AND revoked_at = 0`, micros(active), id)
}
