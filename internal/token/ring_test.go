package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// states returns the keys' states in order of age, e.g. "retired current next".
func (n *node) states(t testing.TB) string {
	t.Helper()
	keys, err := n.ring.Keys(ctx)
	ok(t, err)
	var list []string
	for _, k := range keys {
		list = append(list, string(k.StateAt(n.clock.Now(), keys)))
	}
	return strings.Join(list, " ")
}

// kidOf returns the key that signed a token.
func kidOf(t testing.TB, raw string) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256, jose.HS256})
	ok(t, err)
	return signed.Signatures[0].Protected.KeyID
}

func (n *node) publishes(t testing.TB, kid string) bool {
	t.Helper()
	set := n.published(t)
	return len(set.Key(kid)) == 1
}

// Keys that verifiers hold are bounded: an operator who rotates without a pause
// is stopped before the verifiers stop.
func TestPublishedKeysAreBounded(t *testing.T) {
	n := alone(t, keystone.ES256)
	var err error
	rotated := 0
	for range 2 * mostKeys {
		if _, err = n.ring.Rotate(ctx, keystone.Operator("test"), ""); err != nil {
			break
		}
		rotated++
		n.clock.Move(n.ring.o.MaxAge + publishSlack + time.Second)
	}
	if rotated != mostKeys-1 || keystone.KindOf(err) != keystone.Conflict || !strings.Contains(err.Error(), "256 keys") {
		t.Fatalf("%d rotations, then %v", rotated, err)
	}
	if set := n.published(t); len(set.Keys) != mostKeys {
		t.Errorf("%d keys are published", len(set.Keys))
	}
	n.clock.Move(25 * time.Hour)
	if _, err := n.ring.Rotate(ctx, keystone.Operator("test"), ""); err != nil {
		t.Error("a day later:", err)
	}
}

// TestNodesStartTogether is SECURITY.md X21: however many nodes start at once on
// an empty database, one key is made, and all sign with it.
func TestNodesStartTogether(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		type started struct {
			ring *Ring
			err  error
		}
		var rings []*Ring
		for _, s := range together(8, func(i int) started {
			r, err := NewRing(ctx, ringOptions(stores[i%2], keystone.ES256))
			return started{r, err}
		}) {
			ok(t, s.err)
			rings = append(rings, s.ring)
		}
		clock.Move(time.Second)
		for _, r := range rings {
			keys, err := r.Keys(ctx)
			ok(t, err)
			if len(keys) != 1 || keys[0].Seq != 1 || keys[0].StateAt(clock.Now(), keys) != keystone.KeyCurrent {
				t.Fatalf("%+v", keys)
			}
			if _, err := r.accessSigner(ctx, &keystone.Profile{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestRotation follows one planned rotation on two nodes: published before it is
// used, by all nodes from the same moment; the old one kept until its last token
// has ended. No token is refused at any moment (promise P4).
func TestRotation(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		a, b := newNode(t, stores[0], clock, keystone.ES256), newNode(t, stores[1], clock, keystone.ES256)
		c := a.service(t, func(c *keystone.Client) { c.AccessTokenTTL = 24 * time.Hour })
		first, _ := a.current(t)
		tokens := map[string]time.Time{} // with their end
		check := func(moment string, want string, published ...string) {
			t.Helper()
			clock.Move(time.Second) // what one node does the other knows within a second
			for _, n := range []*node{a, b} {
				raw := n.mint(t, c).AccessToken
				if got := kidOf(t, raw); got != want {
					t.Errorf("%s: signed by %s, want %s", moment, got, want)
				}
				tokens[raw] = clock.Now().Add(24 * time.Hour)
				set := n.published(t)
				for _, kid := range published {
					if len(set.Key(kid)) != 1 {
						t.Errorf("%s: %s is not published", moment, kid)
					}
				}
				if len(set.Keys) != len(published) {
					t.Errorf("%s: %d keys are published, want %d", moment, len(set.Keys), len(published))
				}
			}
			for raw, end := range tokens {
				if clock.Now().After(end) {
					delete(tokens, raw)
					continue
				}
				for i, n := range []*node{a, b} {
					if _, err := n.verifier.parse(ctx, raw); err != nil {
						t.Errorf("%s: node %d refuses a good token: %v", moment, i, err)
					}
				}
			}
		}
		check("before", first, first)
		next, err := a.ring.Rotate(ctx, operator, "")
		ok(t, err)
		if wait := next.ActiveAt.Sub(clock.Now()); wait < a.ring.o.MaxAge {
			t.Errorf("the new key signs after %v, verifiers keep the old set for %v", wait, a.ring.o.MaxAge)
		}
		check("published, not used", first, first, next.ID)
		if got := b.states(t); got != "current next" {
			t.Errorf("%q", got)
		}
		if again, err := b.ring.Rotate(ctx, operator, ""); keystone.KindOf(err) != keystone.Conflict || again.ID != next.ID {
			t.Errorf("a second next key: %v, %v", again, err)
		}
		clock.Move(next.ActiveAt.Sub(clock.Now()) - 2*time.Second)
		check("just before", first, first, next.ID)
		check("from then on", next.ID, first, next.ID)
		clock.Move(23*time.Hour + 59*time.Minute)
		check("while the last token of the old one lives", next.ID, first, next.ID)
		if got := a.states(t); got != "retired current" {
			t.Errorf("%q", got)
		}
		clock.Move(2 * time.Minute)
		check("after it", next.ID, next.ID)
		if got := a.states(t); got != "expired current" {
			t.Errorf("%q", got)
		}
	})
}

// TestRotateRace: of many commands to rotate at once, one makes the next key.
func TestRotateRace(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		nodes := []*node{newNode(t, stores[0], clock, keystone.ES256), newNode(t, stores[1], clock, keystone.ES256)}
		won := 0
		for _, err := range together(8, func(i int) error {
			_, err := nodes[i%2].ring.Rotate(ctx, operator, "")
			return err
		}) {
			if err == nil {
				won++
			} else {
				wantKind(t, err, keystone.Conflict)
			}
		}
		clock.Move(time.Second)
		if got := nodes[0].states(t); won != 1 || got != "current next" {
			t.Fatalf("%d won: %s", won, got)
		}
	})
}

// TestTick gives a key its successor at its age, once, on however many nodes.
func TestTick(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		nodes := []*node{newNode(t, stores[0], clock, keystone.ES256), newNode(t, stores[1], clock, keystone.ES256)}
		tick := func(want string) {
			t.Helper()
			clock.Move(time.Second)
			for _, err := range together(6, func(i int) error { return nodes[i%2].ring.Tick(ctx) }) {
				ok(t, err)
			}
			clock.Move(time.Second)
			for _, n := range nodes {
				if got := n.states(t); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
		}
		tick("current")
		clock.Move(30*24*time.Hour - 10*time.Second)
		tick("current")
		clock.Move(10 * time.Second)
		tick("current next")
		tick("current next")
		clock.Move(10 * time.Minute)
		tick("retired current")
		clock.Move(31 * 24 * time.Hour)
		tick("expired current next")
	})
}

// TestRevokeKey is SECURITY.md X22: everything a key has signed is refused, here
// at once and everywhere within a second, and another signs at once.
func TestRevokeKey(t *testing.T) {
	eachPair(t, func(t *testing.T, stores []*store.Store, clock *storetest.Clock) {
		a, b := newNode(t, stores[0], clock, keystone.ES256), newNode(t, stores[1], clock, keystone.ES256)
		c := a.service(t, nil)
		raw := a.mint(t, c).AccessToken
		kid := kidOf(t, raw)
		for _, n := range []*node{a, b} {
			n.accepted(t, "before", raw) // and remembered
		}
		ok(t, a.ring.Revoke(ctx, operator, kid))
		a.refusedToken(t, "here", raw)
		if a.publishes(t, kid) {
			t.Error("still published here")
		}
		fresh := a.mint(t, c).AccessToken
		if kidOf(t, fresh) == kid {
			t.Error("the revoked key signs on")
		}
		a.accepted(t, "its successor", fresh)

		clock.Move(time.Second)
		b.refusedToken(t, "there", raw)
		if b.publishes(t, kid) || kidOf(t, b.mint(t, c).AccessToken) != kidOf(t, fresh) {
			t.Error("there it is still in use")
		}
		b.accepted(t, "its successor there", fresh)
		wantKind(t, a.ring.Revoke(ctx, operator, kid), keystone.NotFound)
		wantKind(t, a.ring.Revoke(ctx, operator, keystone.NewID(clock.Now())), keystone.NotFound)
		wantKind(t, a.ring.Revoke(ctx, operator, "\x00"), keystone.NotFound)

		// While a next one waits, the current one is revoked; then the next one itself.
		next, err := a.ring.Rotate(ctx, operator, "")
		ok(t, err)
		ok(t, a.ring.Revoke(ctx, operator, kidOf(t, fresh)))
		taken := a.mint(t, c).AccessToken
		if kidOf(t, taken) != next.ID {
			t.Error("the key that was published and waited does not sign: another is known to no verifier yet")
		}
		clock.Move(time.Second)
		b.accepted(t, "the next key there", taken)
		if got := kidOf(t, b.mint(t, c).AccessToken); got != next.ID {
			t.Errorf("there %s signs, want %s", got, next.ID)
		}
		ok(t, a.ring.Revoke(ctx, operator, next.ID))
		third := kidOf(t, a.mint(t, c).AccessToken)
		if third == next.ID || third == kidOf(t, fresh) {
			t.Error("a revoked key signs")
		}
		clock.Move(time.Hour)
		if got := kidOf(t, b.mint(t, c).AccessToken); got != third {
			t.Errorf("signed by %s, want %s", got, third)
		}
		if got := b.states(t); got != "revoked revoked revoked current" {
			t.Errorf("%q", got)
		}
	})
}

// TestAheadOfTheOthers: a node whose clock is some seconds ahead signs with the
// next key first. The others have had it for long, and take its tokens.
func TestAheadOfTheOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	early, late := storetest.NewClock(), storetest.NewClock()
	a, b := newNode(t, storetest.OpenAt(t, path, early), early, keystone.ES256), newNode(t, storetest.OpenAt(t, path, late), late, keystone.ES256)
	c := a.service(t, nil)
	next, err := a.ring.Rotate(ctx, operator, "")
	ok(t, err)
	early.Move(next.ActiveAt.Sub(early.Now()))
	late.Move(next.ActiveAt.Sub(late.Now()) - 3*time.Second)
	raw := a.mint(t, c).AccessToken
	if kidOf(t, raw) != next.ID {
		t.Fatal("the next key does not sign yet")
	}
	b.accepted(t, "by a node whose clock is behind", raw)
	if got := kidOf(t, b.mint(t, c).AccessToken); got == next.ID {
		t.Error("the node behind signs with it too early")
	}
}

// TestNewKeyIsKnownAtOnce: after an emergency the new key signs before anybody
// has seen it; a node that meets an unknown kid looks for it before it refuses.
func TestNewKeyIsKnownAtOnce(t *testing.T) {
	path, clock := filepath.Join(t.TempDir(), "test.db"), storetest.NewClock()
	a, b := newNode(t, storetest.OpenAt(t, path, clock), clock, keystone.ES256), newNode(t, storetest.OpenAt(t, path, clock), clock, keystone.ES256)
	c := a.service(t, nil)
	kid, _ := a.current(t)
	b.accepted(t, "before", a.mint(t, c).AccessToken)
	clock.Move(100 * time.Millisecond)
	ok(t, a.ring.Revoke(ctx, operator, kid))
	b.accepted(t, "by a key that b has not read", a.mint(t, c).AccessToken)
}

// TestChangeOfAlgorithm: after the setting changed, tokens signed before hold.
func TestChangeOfAlgorithm(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, nil)
	old := n.mint(t, c).AccessToken
	for _, alg := range every[1:] {
		n.clock.Move(time.Second)
		changed := newNode(t, n.store, n.clock, alg)
		fresh := changed.mint(t, c).AccessToken
		changed.accepted(t, "the old one under "+alg, old)
		changed.accepted(t, "the new one under "+alg, fresh)
		n.clock.Move(time.Second)
		if alg == keystone.HS256 {
			n.refusedToken(t, "HS256 where it is not set", fresh)
		} else {
			n.accepted(t, alg+" by a node that is not restarted yet", fresh)
		}
		ok(t, changed.ring.Tick(ctx))
	}
	changed := newNode(t, n.store, n.clock, keystone.HS256)
	if k, err := changed.ring.Rotate(ctx, operator, ""); err != nil || k.Algorithm == keystone.HS256 {
		t.Errorf("the keys of ID tokens under HS256: %+v, %v", k, err)
	}
	if _, err := changed.ring.Rotate(ctx, operator, keystone.HS256); keystone.KindOf(err) != keystone.Conflict {
		t.Errorf("HS256 has no ring: %v", err)
	}
	if _, err := alone(t, keystone.HS256).ring.Rotate(ctx, operator, ""); keystone.KindOf(err) != keystone.Conflict {
		t.Errorf("HS256 without any key: %v", err)
	}
}

// TestAnnouncedAlgorithm: the first key of an algorithm, too, can be published before its
// first use, by whoever is about to change the setting.
func TestAnnouncedAlgorithm(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, nil)
	first, _ := n.current(t)
	k, err := n.ring.Rotate(ctx, operator, keystone.EdDSA)
	ok(t, err)
	if wait := k.ActiveAt.Sub(n.clock.Now()); k.Algorithm != keystone.EdDSA || wait < n.ring.o.MaxAge {
		t.Errorf("%s, which signs after %v", k.Algorithm, wait)
	}
	if again, err := n.ring.Rotate(ctx, operator, keystone.EdDSA); keystone.KindOf(err) != keystone.Conflict || again.ID != k.ID {
		t.Errorf("announced twice: %v, %v", again, err)
	}
	if set := n.published(t); len(set.Key(k.ID)) != 1 || len(set.Key(first)) != 1 {
		t.Error("not published")
	}
	ok(t, n.ring.Tick(ctx))
	if got := kidOf(t, n.mint(t, c).AccessToken); got != first {
		t.Errorf("the setting has not changed, and %s signs", got)
	}
	n.clock.Move(k.ActiveAt.Sub(n.clock.Now()))
	changed := newNode(t, n.store, n.clock, keystone.EdDSA)
	fresh := changed.mint(t, c).AccessToken
	if got := kidOf(t, fresh); got != k.ID {
		t.Errorf("signed by %s, announced was %s", got, k.ID)
	}
	n.accepted(t, "by a node that is not restarted yet", fresh)
	for _, other := range []string{keystone.HS256, "none", "es256"} {
		if _, err := n.ring.Rotate(ctx, operator, other); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("%s: %v", other, err)
		}
	}
}

// TestAnnouncedIsNeeded: who needs the algorithm before its first key was to sign gets
// that one: it is what some verifiers know already.
func TestAnnouncedIsNeeded(t *testing.T) {
	n := alone(t, keystone.ES256)
	k, err := n.ring.Rotate(ctx, operator, keystone.EdDSA)
	ok(t, err)
	late := storetest.NewClock() // of a node whose clock is behind
	changed := newNode(t, n.store, late, keystone.EdDSA)
	if got := kidOf(t, changed.mint(t, n.service(t, nil)).AccessToken); got != k.ID {
		t.Errorf("signed by %s, announced was %s", got, k.ID)
	}
	keys, err := changed.ring.Keys(ctx)
	ok(t, err)
	if len(keys) != 2 {
		t.Errorf("%d keys", len(keys))
	}
}

// TestRevokeTheNext: the key that was to be followed has no end any more, and gets another
// successor in time.
func TestRevokeTheNext(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, func(c *keystone.Client) { c.AccessTokenTTL = 24 * time.Hour })
	first, _ := n.current(t)
	next, err := n.ring.Rotate(ctx, operator, "")
	ok(t, err)
	ok(t, n.ring.Revoke(ctx, operator, next.ID))
	n.clock.Move(2 * time.Hour)
	raw := n.mint(t, c).AccessToken
	n.clock.Move(23 * time.Hour)
	ok(t, n.ring.Tick(ctx))
	n.accepted(t, "of the key that goes on", raw)
	if got := kidOf(t, n.mint(t, c).AccessToken); got != first {
		t.Errorf("%s signs, want %s", got, first)
	}
	n.clock.Move(30 * 24 * time.Hour)
	ok(t, n.ring.Tick(ctx))
	n.clock.Move(time.Second)
	if got := n.states(t); got != "current revoked next" {
		t.Errorf("%q", got)
	}
}

// TestRevokeTheNewest: the key before it signs again, which verifiers still have, and
// gets a successor that is published first.
func TestRevokeTheNewest(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, nil)
	first, _ := n.current(t)
	n.clock.Move(31 * 24 * time.Hour)
	second, err := n.ring.Rotate(ctx, operator, "")
	ok(t, err)
	n.clock.Move(second.ActiveAt.Sub(n.clock.Now()) + time.Hour)
	if got := kidOf(t, n.mint(t, c).AccessToken); got != second.ID {
		t.Fatalf("%s signs, want %s", got, second.ID)
	}
	ok(t, n.ring.Revoke(ctx, operator, second.ID))
	if got := kidOf(t, n.mint(t, c).AccessToken); got != first {
		t.Errorf("%s signs, want the one before", got)
	}
	ok(t, n.ring.Tick(ctx))
	n.clock.Move(48 * time.Hour)
	if got := n.states(t); got != "expired revoked current" {
		t.Errorf("%q", got)
	}
}

// TestRevokeAnnounced: no other key comes for one that has not signed.
func TestRevokeAnnounced(t *testing.T) {
	n := alone(t, keystone.ES256)
	announced, err := n.ring.Rotate(ctx, operator, keystone.EdDSA)
	ok(t, err)
	first, _ := n.current(t)
	ok(t, n.ring.Revoke(ctx, operator, first)) // has a successor, and EdDSA goes on waiting
	ok(t, n.ring.Revoke(ctx, operator, announced.ID))
	keys, err := n.ring.Keys(ctx)
	ok(t, err)
	for _, k := range keys {
		if state := k.StateAt(n.clock.Now(), keys); k.Algorithm == keystone.EdDSA && state != keystone.KeyRevoked || k.ID != first && k.Algorithm == keystone.ES256 && state != keystone.KeyCurrent {
			t.Errorf("%s %s is %s", k.Algorithm, k.ID, state)
		}
	}
	if len(keys) != 3 {
		t.Errorf("%d keys, want the two that were revoked and one successor", len(keys))
	}
	if k, err := n.ring.Rotate(ctx, operator, ""); err != nil || k.Algorithm != keystone.ES256 {
		t.Errorf("%s %v", k.Algorithm, err)
	}
	keys, err = n.ring.Keys(ctx)
	ok(t, err)
	if k, again := nextKey(keystone.EdDSA, keys, n.clock.Now()); again {
		t.Errorf("what was withdrawn comes back: %s", k.ID)
	}
}

// TestNothingPrivateIsPublished: the key set holds public members and no other.
func TestNothingPrivateIsPublished(t *testing.T) {
	n := alone(t, keystone.ES256)
	for _, alg := range every {
		newNode(t, n.store, n.clock, alg)
	}
	n.clock.Move(time.Second)
	body, etag, maxAge, err := n.ring.JWKS(ctx)
	ok(t, err)
	if maxAge != 5*time.Minute || len(etag) < 10 || !strings.HasPrefix(etag, `"`) {
		t.Errorf("%s, %v", etag, maxAge)
	}
	var set struct{ Keys []map[string]string }
	ok(t, json.Unmarshal(body, &set))
	if len(set.Keys) != 4 {
		t.Fatalf("%d keys of 4 algorithms, HS256 has none: %s", len(set.Keys), body)
	}
	public := map[string][]string{"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}, "RSA": {"kty", "n", "e"}}
	for _, k := range set.Keys {
		for member := range k {
			if !slices.Contains(append(public[k["kty"]], "kid", "alg", "use"), member) {
				t.Errorf("a %s key publishes %q", k["kty"], member)
			}
		}
		if k["kid"] == "" || k["use"] != "sig" || k["alg"] == "" || k["alg"] == keystone.HS256 {
			t.Errorf("%v", k)
		}
	}
	if bytes.Contains(body, []byte("canary")) || bytes.Contains(body, []byte(part(string(hmacKey)))) {
		t.Error("the HMAC key is published")
	}
	again, same, _, err := n.ring.JWKS(ctx)
	if err != nil || same != etag || !bytes.Equal(again, body) {
		t.Error("the same keys have another ETag")
	}
	_, err = n.ring.Rotate(ctx, operator, "")
	ok(t, err)
	if _, other, _, _ := n.ring.JWKS(ctx); other == etag {
		t.Error("other keys have the same ETag")
	}
}

// TestKeysAtRest is SECURITY.md S7: what lies in the database opens only under
// the master key, and only in its own place.
func TestKeysAtRest(t *testing.T) {
	n := alone(t, keystone.ES256)
	kid, private := n.current(t)
	sealed, err := n.store.SigningKeys(ctx)
	ok(t, err)
	if len(sealed) != 1 || sealed[0].ID != kid {
		t.Fatalf("%+v", sealed)
	}
	if d := jwkPrivate(t, private); bytes.Contains(sealed[0].Sealed, d) {
		t.Error("the private key lies open")
	}
	moved := sealed[0]
	moved.ID, moved.Seq = keystone.NewID(n.clock.Now()), 2 // somebody copies it to a row of their own
	_, err = n.store.AddSigningKey(ctx, operator, moved, n.clock.Now())
	ok(t, err)
	if _, err := NewRing(ctx, ringOptions(n.store, keystone.ES256)); err == nil || !strings.Contains(err.Error(), moved.ID) {
		t.Errorf("a sealed key opens in another place: %v", err)
	}
}

func jwkPrivate(t testing.TB, key any) []byte {
	t.Helper()
	encoded, err := json.Marshal(jose.JSONWebKey{Key: key})
	ok(t, err)
	var members struct{ D string }
	ok(t, json.Unmarshal(encoded, &members))
	d, err := b64.DecodeString(members.D)
	ok(t, err)
	return d
}

// TestWrongMasterKey gets a line that says what is wrong and what to do.
func TestWrongMasterKey(t *testing.T) {
	n := alone(t, keystone.ES256)
	o := ringOptions(n.store, keystone.ES256)
	o.Master = secret.NewMasterKey()
	_, err := NewRing(ctx, o)
	if err == nil || !strings.Contains(err.Error(), "MASTER_KEY") {
		t.Fatalf("got %v", err)
	}
	if text := fmt.Sprint(err); strings.Contains(text, o.Master.Encode()) || strings.Contains(text, storetest.Master.Encode()) {
		t.Fatal("the line holds the key")
	}
}

// TestWithoutDatabase: while the database is away, tokens are verified on for a
// minute, and then honestly not.
func TestWithoutDatabase(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, nil)
	raw, unseen := n.mint(t, c).AccessToken, n.mint(t, c).AccessToken
	n.accepted(t, "before", raw)
	n.store.Close()
	for range 5 {
		n.clock.Move(10 * time.Second)
		n.accepted(t, "while it is away", raw)
		if _, _, _, err := n.ring.JWKS(ctx); err != nil {
			t.Error(err)
		}
	}
	n.accepted(t, "one that was not seen before", unseen)
	n.clock.Move(20 * time.Second)
	if _, err := n.verifier.parse(ctx, raw); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("after a minute: %v", err)
	}
	if _, _, _, err := n.ring.JWKS(ctx); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("after a minute: %v", err)
	}
	if _, err := n.ring.Rotate(ctx, operator, ""); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("rotating: %v", err)
	}
}
