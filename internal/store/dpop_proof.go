package store

import (
	"context"
	"time"
)

// FirstProof remembers a DPoP proof by its hash until expires and reports whether
// this is its first appearance on any node (RFC 9449 section 11.1). It is one
// statement and shares its transaction with whoever else is writing.
func (s *Store) FirstProof(ctx context.Context, hash []byte, expires time.Time) (bool, error) {
	hit, err := s.hot(ctx, &hotWrite{
		lock: lockOnce(hash),
		sql:  `INSERT INTO dpop_proofs (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`,
		args: []any{hash, micros(expires)},
	})
	return hit, s.fail("remember DPoP proof", err)
}
