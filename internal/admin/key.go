package admin

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Key is a signing key in an answer. The keys themselves are at /oauth2/jwks,
// their public halves only.
type Key struct {
	KID       string     `json:"kid" format:"uuid"`
	Algorithm string     `json:"alg" doc:"RFC 7518."`
	State     string     `json:"state" enum:"next,current,retired,expired,revoked" doc:"next is published and not yet used; current signs; retired verifies what it signed."`
	CreatedAt time.Time  `json:"created_at"`
	ActiveAt  time.Time  `json:"active_at" doc:"When it starts to sign."`
	ExpiresAt *time.Time `json:"expires_at" nullable:"true" doc:"When it leaves the JWKS; null while no later key replaces it."`
	RevokedAt *time.Time `json:"revoked_at" nullable:"true"`
}

func viewKey(k keystone.Key, now time.Time, all []keystone.Key) Key {
	return Key{
		KID: k.ID, Algorithm: k.Algorithm, State: string(k.StateAt(now, all)), CreatedAt: k.CreatedAt.UTC(), ActiveAt: k.ActiveAt.UTC(),
		ExpiresAt: when(k.ExpiresAt), RevokedAt: when(k.RevokedAt),
	}
}

type listKeysAnswer struct{ Body httpio.Collection[Key] }

func (s *Slice) listKeys(ctx context.Context, in *httpio.PageQuery) (*listKeysAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	keys, err := s.Ring.Keys(ctx)
	if err != nil {
		return nil, err
	}
	now := s.Store.Now()
	return &listKeysAnswer{httpio.Collect(httpio.PageOf(keys, p, func(k keystone.Key) string { return k.ID }), func(k keystone.Key) Key { return viewKey(k, now, keys) })}, nil
}

type keyAnswer struct{ Body Key }

func (s *Slice) readKey(ctx context.Context, in *byKID) (*keyAnswer, error) {
	keys, err := s.Ring.Keys(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k keystone.Key) bool { return k.ID == in.KID })
	if i < 0 {
		return nil, keystone.Fail(keystone.NotFound, "There is no such key.")
	}
	return &keyAnswer{viewKey(keys[i], s.Store.Now(), keys)}, nil
}

type rotateKeyRequest struct {
	Query string `query:"alg" enum:"PS256,ES256,EdDSA,RS256" doc:"The same as algorithm in the body."`
	Body  *struct {
		Algorithm string `json:"algorithm,omitempty" enum:"PS256,ES256,EdDSA,RS256" doc:"Only the key of this algorithm, also its first one; where it is left out, of every algorithm that has keys."`
	}
}

// algorithm is the one that is named, wherever it is.
func (r *rotateKeyRequest) algorithm() (string, error) {
	switch {
	case r.Body == nil || r.Body.Algorithm == "":
		return r.Query, nil
	case r.Query != "" && r.Query != r.Body.Algorithm:
		return "", keystone.Fail(keystone.Invalid, "The body and the query parameter alg name two algorithms. Name one.")
	}
	return r.Body.Algorithm, nil
}

// rotateKey answers with the next key of access tokens, where several are rotated.
func (s *Slice) rotateKey(ctx context.Context, in *rotateKeyRequest) (*keyAnswer, error) {
	algorithm, err := in.algorithm()
	if err != nil {
		return nil, err
	}
	k, err := s.Ring.Rotate(ctx, httpio.Actor(ctx), algorithm)
	if err != nil {
		return nil, err
	}
	return &keyAnswer{viewKey(k, s.Store.Now(), []keystone.Key{k})}, nil
}

type byKID struct {
	KID string `path:"kid" maxLength:"100"`
}

func (s *Slice) revokeKey(ctx context.Context, in *byKID) (*empty, error) {
	return nil, s.Ring.Revoke(ctx, httpio.Actor(ctx), in.KID)
}
