package token

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// publishSlack is added to the JWKS max-age before a new key signs: nodes see it
// half a second late, and clocks differ.
const publishSlack = 5 * time.Second

var (
	errManyKeys   = keystone.Fail(keystone.Conflict, "Verifiers hold 256 keys already, each for a day after its successor took over. Rotate again when some have expired.")
	errNextWaits  = keystone.Fail(keystone.Conflict, "The next key is already published and waits for verifiers to have seen it. Rotate again once it is in use.")
	errNoSuchKeys = keystone.Fail(keystone.NotFound, "There are no keys of this algorithm, only of PS256, ES256, EdDSA and RS256.")
	errNoRing     = keystone.Fail(keystone.Conflict, "Access tokens are signed with JWT_SECRET_KEY (HS256); it is rotated by changing the setting.")
)

// mostKeys bounds the published keys: verifiers read all of them, and package
// verify refuses more than twice as many. Rotating every ten seconds reaches it
// after twenty minutes.
const mostKeys = 256

// Keys lists every key with its state.
func (r *Ring) Keys(ctx context.Context) ([]keystone.Key, error) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return s.keys, nil
}

// Rotate makes the next key of an algorithm, or of every algorithm that has keys
// where it is empty, and returns it or the one of access tokens. Under HS256 these are
// signed with a setting, and the keys are those of ID tokens. It is published at once and
// signs when every verifier that honours the JWKS max-age has seen it: so does the first
// one of an algorithm, which whoever is about to change JWT_ALGORITHM asks for.
func (r *Ring) Rotate(ctx context.Context, by keystone.Actor, only string) (keystone.Key, error) {
	s, err := r.reload(ctx)
	if err != nil {
		return keystone.Key{}, err
	}
	now := r.o.Store.Now()
	if s.published >= mostKeys {
		return keystone.Key{}, errManyKeys
	}
	algs := algorithms(s.keys, now)
	if only != "" {
		algs = nil
		if slices.Contains(keystone.AssertionAlgs(), only) {
			algs = []string{only}
		}
	}
	var made, waits []keystone.Key
	for _, alg := range algs {
		k, ok := nextKey(alg, s.keys, now)
		if !ok {
			var added bool
			if k, added, err = r.add(ctx, by, s, alg, now.Add(r.o.MaxAge+publishSlack)); err != nil {
				return k, err
			}
			if added { // else another node was first
				made = append(made, k)
				continue
			}
		}
		waits = append(waits, k)
	}
	switch {
	case len(made) > 0:
		return r.mainKey(made), nil
	case len(waits) > 0:
		return r.mainKey(waits), errNextWaits
	case r.o.Algorithm == keystone.HS256 && (only == "" || only == keystone.HS256):
		return keystone.Key{}, errNoRing
	}
	return keystone.Key{}, errNoSuchKeys
}

// mainKey returns the key of access tokens where it is among them.
func (r *Ring) mainKey(keys []keystone.Key) keystone.Key {
	for _, k := range keys {
		if k.Algorithm == r.o.Algorithm {
			return k
		}
	}
	return keys[0]
}

func nextKey(alg string, keys []keystone.Key, now time.Time) (keystone.Key, bool) {
	for _, k := range keys {
		if k.Algorithm == alg && k.StateAt(now, keys) == keystone.KeyNext {
			return k, true
		}
	}
	return keystone.Key{}, false
}

// Prepare makes the first key of each algorithm that has none. Whoever registers
// an algorithm calls it, so that the key is published before its first use.
func (r *Ring) Prepare(ctx context.Context, algs ...string) error {
	for _, alg := range algs {
		if _, _, err := r.signing(ctx, alg); err != nil {
			return err
		}
	}
	return nil
}

// Tick gives keys that are old enough a successor. Call it now and then, on any
// number of nodes.
func (r *Ring) Tick(ctx context.Context) error {
	s, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	now := r.o.Store.Now()
	for _, alg := range algorithms(s.keys, now) {
		k, ok := keystone.CurrentKey(alg, s.keys, now)
		_, waits := nextKey(alg, s.keys, now)
		if ok && !waits && now.Sub(k.ActiveAt) >= r.o.Rotate {
			if _, _, err := r.add(ctx, keystone.System("key rotation"), s, alg, now.Add(r.o.MaxAge+publishSlack)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Age is how long the oldest key that signs now has signed; false: none does.
func (r *Ring) Age(ctx context.Context) (oldest time.Duration, ok bool) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return 0, false
	}
	now := r.o.Store.Now()
	for _, alg := range algorithms(s.keys, now) {
		if k, signs := keystone.CurrentKey(alg, s.keys, now); signs {
			oldest, ok = max(oldest, now.Sub(k.ActiveAt)), true
		}
	}
	return oldest, ok
}

// Revoke refuses everything a key has signed, everywhere within a second, and
// puts another key in its place at once: the one that is published and waits, else the
// newest that signed before it and is still published, else a new one. Verifiers know the
// first two.
func (r *Ring) Revoke(ctx context.Context, by keystone.Actor, kid string) error {
	if !keystone.IsID(kid) {
		return keystone.Fail(keystone.NotFound, "There is no such key.")
	}
	s, err := r.reload(ctx)
	if err != nil {
		return err
	}
	now, successor, signed := r.o.Store.Now(), "", ""
	for _, k := range s.keys {
		if k.ID == kid && k.StateAt(now, s.keys) == keystone.KeyCurrent {
			next, _ := nextKey(k.Algorithm, s.keys, now)
			successor, signed = next.ID, k.Algorithm
		}
	}
	// Nodes whose clock is behind must find it active, too, or they would make another.
	if err := r.o.Store.RevokeSigningKey(ctx, by, kid, successor, now.Add(-leeway)); err != nil {
		return err
	}
	if signed == "" {
		_, err = r.reload(ctx)
		return err
	}
	return r.ensure(ctx, signed)
}

// ensure sees to a key that signs at once, where the algorithm has none: the one that
// waits, which some verifiers know already, else a new one.
func (r *Ring) ensure(ctx context.Context, alg string) error {
	for range 3 { // another node may make it first; then its key is ours
		s, err := r.reload(ctx)
		if err != nil {
			return err
		}
		now := r.o.Store.Now()
		if _, ok := keystone.CurrentKey(alg, s.keys, now); ok {
			return nil
		}
		by := keystone.System("key rotation")
		if next, waits := nextKey(alg, s.keys, now); waits {
			// Nodes whose clock is behind must find it active, too.
			err = r.o.Store.ActivateSigningKey(ctx, by, next.ID, now.Add(-leeway))
		} else {
			_, _, err = r.add(ctx, by, s, alg, now)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("token: no signing key for %s could be made", alg)
}

// add makes key number lastSeq+1 of the algorithm, unless another node has.
func (r *Ring) add(ctx context.Context, by keystone.Actor, s *snapshot, alg string, active time.Time) (keystone.Key, bool, error) {
	private, err := generate(alg)
	if err != nil {
		return keystone.Key{}, false, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return keystone.Key{}, false, fmt.Errorf("token: encode key: %w", err)
	}
	now := r.o.Store.Now()
	k := keystone.Key{ID: keystone.NewID(now), Algorithm: alg, Seq: lastSeq(alg, s.keys) + 1, CreatedAt: now, ActiveAt: active}
	sealed, err := r.o.Master.Seal("signing-key", der, k.ID, alg)
	if err != nil {
		return k, false, fmt.Errorf("token: seal key: %w", err)
	}
	added, err := r.o.Store.AddSigningKey(ctx, by, store.SealedKey{Key: k, Sealed: sealed}, active.Add(longestToken))
	if err != nil {
		return k, false, err
	}
	_, err = r.reload(ctx)
	return k, added, err
}

func (r *Ring) reload(ctx context.Context) (*snapshot, error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.load(ctx, r.current.Load(), r.o.Store.Now())
}

func lastSeq(alg string, keys []keystone.Key) (last int64) {
	for _, k := range keys {
		if k.Algorithm == alg {
			last = max(last, k.Seq)
		}
	}
	return last
}

// algorithms lists those that have a key which signs, has signed or waits to.
func algorithms(keys []keystone.Key, now time.Time) []string {
	var list []string
	for _, k := range keys {
		switch k.StateAt(now, keys) {
		case keystone.KeyNext, keystone.KeyCurrent, keystone.KeyRetired:
			list = append(list, k.Algorithm)
		}
	}
	return keystone.SortedSet(list)
}
