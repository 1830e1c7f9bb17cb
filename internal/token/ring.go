package token

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// RingOptions are what a Ring needs.
type RingOptions struct {
	Store     *store.Store
	Master    secret.MasterKey
	Algorithm string        // of access tokens
	HMACKey   []byte        // for HS256 only
	MaxAge    time.Duration // how long verifiers may keep the JWKS
	Rotate    time.Duration // age at which a key gets a successor
}

// Ring is the set of signing keys as the database has it, at most half a second
// old. Which key signs follows from the keys' times alone, so all nodes agree.
type Ring struct {
	o       RingOptions
	current atomic.Pointer[snapshot]
	loading sync.Mutex
}

// snapshot is one reading of the keys.
type snapshot struct {
	at        time.Time
	failed    time.Time // of the last attempt at a newer one, where that failed
	keys      []keystone.Key
	private   map[string]crypto.Signer // by kid, opened
	signers   map[string]*signer       // of access tokens, by kid
	idSigners map[string]*signer       // of ID tokens, by kid
	published int
	jwks      []byte
	etag      string
}

// longestToken is how long any token may live; a key is kept that long after
// its successor has taken over (keystone.Client allows 24 hours).
const longestToken = 24*time.Hour + time.Minute

const (
	snapshotAge = 500 * time.Millisecond
	rereadAge   = 50 * time.Millisecond // of a reading that lacks a kid
)

// typeAccess is the JWT type of access tokens (RFC 9068 section 2.1).
const typeAccess = "at+jwt"

// typeID is the JWT type of ID tokens (OpenID Connect Core section 2 leaves it
// open).
const typeID = "JWT"

// NewRing reads the keys and makes the first one where there is none.
func NewRing(ctx context.Context, o RingOptions) (*Ring, error) {
	r := &Ring{o: o}
	if _, err := r.snapshot(ctx); err != nil {
		return nil, err
	}
	if o.Algorithm == keystone.HS256 {
		return r, nil
	}
	return r, r.ensure(ctx, o.Algorithm)
}

// snapshot returns a reading of the keys that is at most half a second old, or,
// while the database does not answer, at most a minute. Nobody waits for a
// database that is known not to answer: one request asks it again now and then,
// and the others go on with what there is.
func (r *Ring) snapshot(ctx context.Context) (*snapshot, error) {
	now := r.o.Store.Now()
	s := r.current.Load()
	if s != nil && (fresh(s.at, now) || fresh(s.failed, now)) && now.Sub(s.at) < keepKeys {
		return s, nil
	}
	if s != nil && !s.failed.IsZero() && now.Sub(s.at) < keepKeys {
		if !r.loading.TryLock() {
			return s, nil
		}
	} else {
		r.loading.Lock()
	}
	defer r.loading.Unlock()
	if s = r.current.Load(); s != nil && (fresh(s.at, now) || fresh(s.failed, now)) && now.Sub(s.at) < keepKeys {
		return s, nil
	}
	return r.load(context.WithoutCancel(ctx), s, now) // one caller's haste must not fail the others
}

const (
	keepKeys = time.Minute // how long verification goes on while the database is away
	loadTime = time.Second // what a reading of the keys may take
)

func fresh(at, now time.Time) bool {
	age := now.Sub(at)
	return age >= 0 && age < snapshotAge
}

// load reads the keys anew, keeping what was opened before.
func (r *Ring) load(ctx context.Context, old *snapshot, now time.Time) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime) // a database that hangs must not hold everybody
	defer cancel()
	sealed, err := r.o.Store.SigningKeys(ctx)
	if err != nil {
		if old != nil && now.Sub(old.at) < keepKeys && keystone.KindOf(err) == keystone.Unavailable {
			kept := *old // verification goes on while the database is away; every write fails anyway
			kept.failed = now
			r.current.Store(&kept)
			return &kept, nil
		}
		return nil, err
	}
	s := &snapshot{at: now, private: map[string]crypto.Signer{}, signers: map[string]*signer{}, idSigners: map[string]*signer{}}
	for _, k := range sealed {
		key, opened := crypto.Signer(nil), false
		if old != nil {
			key, opened = old.private[k.ID]
		}
		if !opened {
			if key, err = r.open(k); err != nil {
				return nil, err
			}
		}
		s.private[k.ID] = key
		s.keys = append(s.keys, k.Key)
		s.signers[k.ID] = newSigner(k.Algorithm, k.ID, typeAccess, key)
		s.idSigners[k.ID] = newSigner(k.Algorithm, k.ID, typeID, key)
	}
	if err := s.encodeJWKS(now); err != nil {
		return nil, err
	}
	r.current.Store(s)
	return s, nil
}

func (r *Ring) open(k store.SealedKey) (crypto.Signer, error) {
	der, err := r.o.Master.Open("signing-key", k.Sealed, k.ID, k.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("token: signing key %s does not open with this MASTER_KEY; use the one that the database was made with: %w", k.ID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("token: signing key %s: %w", k.ID, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("token: signing key %s cannot sign", k.ID)
	}
	return key, nil
}

// encodeJWKS prepares the JWK set (RFC 7517): every key that verifies or soon
// will.
func (s *snapshot) encodeJWKS(now time.Time) error {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range s.keys {
		switch k.StateAt(now, s.keys) {
		case keystone.KeyNext, keystone.KeyCurrent, keystone.KeyRetired:
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.private[k.ID].Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
		}
	}
	s.published = len(set.Keys)
	var err error
	if s.jwks, err = json.Marshal(set); err != nil {
		return fmt.Errorf("token: encode JWKS: %w", err)
	}
	sum := sha256.Sum256(s.jwks)
	s.etag = `"` + hex.EncodeToString(sum[:16]) + `"`
	return nil
}

// JWKS returns the published key set, its ETag and how long it may be kept.
func (r *Ring) JWKS(ctx context.Context) (body []byte, etag string, maxAge time.Duration, err error) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return nil, "", 0, err
	}
	return s.jwks, s.etag, r.o.MaxAge, nil
}

// accessSigner returns the signer of the client's access tokens: of the server's
// algorithm, or of the first that the client's profile has where it lacks that one.
func (r *Ring) accessSigner(ctx context.Context, p *keystone.Profile) (*signer, error) {
	alg := r.o.Algorithm
	if p.Algs != nil && !slices.Contains(p.Algs, alg) {
		alg = p.Algs[0]
	}
	if alg == keystone.HS256 {
		return newSigner(keystone.HS256, "", typeAccess, r.o.HMACKey), nil
	}
	s, kid, err := r.signing(ctx, alg)
	if err != nil {
		return nil, err
	}
	return s.signers[kid], nil
}

// idSigner returns the signer of ID tokens under an algorithm. Its first use
// makes the first key of the algorithm.
func (r *Ring) idSigner(ctx context.Context, alg string) (*signer, error) {
	s, kid, err := r.signing(ctx, alg)
	if err != nil {
		return nil, err
	}
	return s.idSigners[kid], nil
}

// signing returns the key that signs with the algorithm now, made where there is
// none.
func (r *Ring) signing(ctx context.Context, alg string) (*snapshot, string, error) {
	for range 2 {
		s, err := r.snapshot(ctx)
		if err != nil {
			return nil, "", err
		}
		if k, ok := keystone.CurrentKey(alg, s.keys, r.o.Store.Now()); ok {
			return s, k.ID, nil
		}
		if err := r.ensure(ctx, alg); err != nil {
			return nil, "", err
		}
	}
	return nil, "", fmt.Errorf("token: no signing key for %s", alg)
}

// verifyKey returns the public key and algorithm of a kid that may verify. The
// next key may too: a node whose clock is ahead signs with it before we would.
func (r *Ring) verifyKey(ctx context.Context, kid string) (alg string, key any, ok bool, err error) {
	if kid == "" {
		return keystone.HS256, r.o.HMACKey, r.o.Algorithm == keystone.HS256 && len(r.o.HMACKey) > 0, nil
	}
	alg, key, state, err := r.published(ctx, kid)
	return alg, key, state == keystone.KeyCurrent || state == keystone.KeyRetired || state == keystone.KeyNext, err
}

// hintKey is verifyKey for what proves nothing and only says whom somebody means:
// keys that have expired will do, as long as sessions of their time may live. A
// revoked one never does: somebody else may have it.
func (r *Ring) hintKey(ctx context.Context, kid string) (alg string, key any, ok bool, err error) {
	alg, key, state, err := r.published(ctx, kid)
	return alg, key, state != "" && state != keystone.KeyRevoked, err
}

// published returns a key that is, or was, in the JWKS, and its state; empty: there
// is none.
func (r *Ring) published(ctx context.Context, kid string) (alg string, key any, state keystone.KeyState, err error) {
	s, err := r.snapshot(ctx)
	if err == nil && s.private[kid] == nil && keystone.IsID(kid) {
		s, err = r.newer(ctx, s) // another node may just have made it
	}
	if err != nil {
		return "", nil, "", err
	}
	now := r.o.Store.Now()
	for _, k := range s.keys {
		if k.ID == kid {
			return k.Algorithm, s.private[kid].Public(), k.StateAt(now, s.keys), nil
		}
	}
	return "", nil, "", nil
}

// newer reads the keys again where the reading is not from just now: unknown
// kids, which anybody can make up, cost a few readings a second at most.
func (r *Ring) newer(ctx context.Context, s *snapshot) (*snapshot, error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	now := r.o.Store.Now()
	if now.Sub(s.at) < rereadAge || !s.failed.IsZero() {
		return s, nil
	}
	if other := r.current.Load(); other != s {
		return other, nil // read while we waited
	}
	return r.load(context.WithoutCancel(ctx), s, now)
}
