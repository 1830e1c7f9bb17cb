package store

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// rememberedSessions is how many sessions of an account are looked at for where
// it was signed in before.
const rememberedSessions = 100

// SignedInBefore reports whether the user has signed in before from the network
// (see keystone.Network) or in the browser with the cookie value (may be empty),
// as far as sessions are kept. One that was ended because somebody else may have
// had it does not count.
func (s *Store) SignedInBefore(ctx context.Context, userID, network, browser string) (bool, error) {
	if !keystone.IsID(userID) {
		return false, nil
	}
	const own = ` s.user_id = $1 AND (s.ended_at = 0 OR s.end_reason = '` + keystone.EndLogout + `')`
	sources, err := all(ctx, s, func(scan func(...any) error) (source string, err error) { return source, scan(&source) },
		`SELECT s.source FROM sessions s WHERE`+own+` ORDER BY s.id DESC LIMIT $2`, userID, rememberedSessions)
	if err != nil {
		return false, s.fail("read where a user signed in", err)
	}
	for _, source := range sources {
		if keystone.Network(source) == network {
			return true, nil
		}
	}
	if !secret.WellFormed(secret.Browser, browser) {
		return false, nil
	}
	var one int
	found, err := s.row(ctx, `SELECT 1 FROM browser_sessions b JOIN sessions s ON s.id = b.session_id WHERE b.browser = $2 AND`+own,
		[]any{userID, secret.Hash(browser)}, &one)
	return found, s.fail("read where a user signed in", err)
}
