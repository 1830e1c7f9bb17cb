package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// SingleUseAssertion are assertions about people that other issuers made.
const SingleUseAssertion = "jwt_bearer"

// BeginAsserted uses an assertion, by what its issuer names it, and begins its
// grant, in one transaction: of any number of simultaneous uses, on any nodes, one
// gets true. It is remembered until expires.
func (s *Store) BeginAsserted(ctx context.Context, by keystone.Actor, value string, expires time.Time, g keystone.Grant, detail map[string]any) (bool, error) {
	now, hash := micros(s.now()), secret.Hash(value)
	w := &hotWrite{
		lock: lockOnce(hash),
		sql: `INSERT INTO single_use (kind, hash, payload, created_at, expires_at, used_at) VALUES ($1, $2, '', $3, $4, $3)
			ON CONFLICT (kind, hash) DO NOTHING`,
		args: []any{SingleUseAssertion, hash, now, micros(expires)},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		return []addition{insertGrant(g), s.auditRow(by, keystone.AuditEvent{Action: keystone.ActTokenAsserted, TargetKind: "grant", TargetID: g.ID, Detail: detail})}
	}
	hit, err := s.hot(ctx, w)
	return hit, s.fail("begin asserted grant", err)
}
