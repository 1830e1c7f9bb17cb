package store

import (
	"context"

	"github.com/keystone-auth/keystone"
)

// allOrigins is the one entry of the cache of origins.
const allOrigins = "spa"

// maxOrigins bounds how many clients are looked at for their origins.
const maxOrigins = 10_000

// IsSPAOrigin reports whether scripts of the origin are an enabled client of kind
// spa: one of its redirect URIs is there. Whoever made the client vouches for that,
// an administrator or who was given an initial access token; one that strangers
// registered does not count. All origins are read at once, at most every second, so
// that what requests name causes no reading.
func (s *Store) IsSPAOrigin(ctx context.Context, origin string) (bool, error) {
	known, err := cached(ctx, s, s.cache.origins, allOrigins, func(ctx context.Context) (map[string]bool, error) {
		lists, err := s.texts(ctx, `SELECT c.redirect_uris FROM clients c WHERE c.kind = 'spa' AND c.enabled AND c.redirect_uris <> '[]'
			AND (c.registration = '' OR EXISTS (SELECT 1 FROM registrations r WHERE r.client_id = c.id AND r.token_id <> '')) ORDER BY c.id LIMIT $1`, maxOrigins)
		if err != nil {
			return nil, err
		}
		known := map[string]bool{}
		for _, text := range lists {
			uris, err := decodeList(text)
			if err != nil {
				return nil, err
			}
			for _, uri := range uris {
				if o := keystone.Origin(uri); o != "" {
					known[o] = true
				}
			}
		}
		return known, nil
	})
	return known[origin], s.fail("read origins", err)
}
