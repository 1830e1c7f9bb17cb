package oauth

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
	"github.com/keystone-auth/keystone/internal/fetch"
	"github.com/keystone-auth/keystone/internal/jose"
)

// KeySource finds the keys of clients and of other issuers, where they are
// registered or where they are said to be.
type KeySource struct {
	fetch  *fetch.Client
	parsed cache.Cache[[32]byte, parsedKeys] // by the hash of their text
}

// parsedKeys is a key set that was read.
type parsedKeys struct {
	keys   jose.Keys
	length int // of its text
}

// parsedBytes bounds the key sets that are kept read, by the length of their texts:
// who registers a jwks_uri chooses how long they are.
const parsedBytes = 4 << 20

// NewKeySource returns a source that fetches through the guarded client.
func NewKeySource(f *fetch.Client) *KeySource {
	return &KeySource{fetch: f, parsed: cache.Weighed(parsedBytes, func(_ [32]byte, k parsedKeys) int { return k.length })}
}

// Verify reports whether a key of the client made the token's signature: one of
// its registered set, or one at its jwks_uri. Where the token was made with a key
// that is not in the set that is known, the set is looked at anew, which is how a
// client changes its keys; how often is bounded by fetch.
func (s *KeySource) Verify(ctx context.Context, c *keystone.Client, t *jose.Token) (bool, error) {
	return s.Has(ctx, c, t.Verified)
}

// VerifyAt is Verify with the keys at an address. A set that cannot be had
// verifies nothing; only the end of ctx is an error.
func (s *KeySource) VerifyAt(ctx context.Context, address string, t *jose.Token) (bool, error) {
	return s.look(ctx, address, t.Verified)
}

// Has reports whether the client's keys match, as Verify finds them.
func (s *KeySource) Has(ctx context.Context, c *keystone.Client, match func(jose.Keys) bool) (bool, error) {
	if len(c.JWKS) > 0 {
		keys, err := s.read(c.JWKS)
		return err == nil && match(keys), nil
	}
	if c.JWKSURI == "" {
		return false, nil
	}
	return s.look(ctx, c.JWKSURI, match)
}

// Object gives the text at an address to read, and where that refuses it, anew what
// stands there now; how often is bounded by fetch.
func (s *KeySource) Object(ctx context.Context, address string, read func(text string) error) error {
	doc, err := s.fetch.Get(ctx, address)
	if err != nil {
		return err
	}
	refused := read(string(doc.Body))
	if refused == nil {
		return nil
	}
	newer, err := s.fetch.Newer(ctx, address, doc)
	if err != nil || !newer.FetchedAt.After(doc.FetchedAt) {
		return refused
	}
	return read(string(newer.Body))
}

func (s *KeySource) look(ctx context.Context, address string, match func(jose.Keys) bool) (bool, error) {
	doc, err := s.fetch.Get(ctx, address)
	if err != nil {
		return false, ignoreFetchFailure(err)
	}
	if keys, err := s.read(doc.Body); err == nil && match(keys) {
		return true, nil
	}
	newer, err := s.fetch.Newer(ctx, address, doc)
	if err != nil || !newer.FetchedAt.After(doc.FetchedAt) {
		return false, ignoreFetchFailure(err)
	}
	keys, err := s.read(newer.Body)
	return err == nil && match(keys), nil
}

// ignoreFetchFailure drops an error of the other side: what cannot be fetched is not ours.
func ignoreFetchFailure(err error) error {
	if errors.Is(err, fetch.ErrFetch) {
		return nil
	}
	return err
}

// read parses a set once.
func (s *KeySource) read(raw []byte) (jose.Keys, error) {
	sum := sha256.Sum256(raw)
	if known, ok := s.parsed.GetIfPresent(sum); ok {
		return known.keys, nil
	}
	keys, err := jose.FetchedKeys(raw)
	if err == nil {
		s.parsed.Set(sum, parsedKeys{keys, len(raw) + 1024}) // read, the shortest takes a kilobyte
	}
	return keys, err
}
