package token

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

// published returns the key set as a resource server reads it.
func (n *node) published(t testing.TB) jose.JSONWebKeySet {
	t.Helper()
	body, _, _, err := n.ring.JWKS(ctx)
	ok(t, err)
	var set jose.JSONWebKeySet
	ok(t, json.Unmarshal(body, &set))
	return set
}

// current returns the key that signs, private part included.
func (n *node) current(t testing.TB) (kid string, key crypto.Signer) {
	t.Helper()
	s, err := n.ring.snapshot(ctx)
	ok(t, err)
	k, found := keystone.CurrentKey(n.ring.o.Algorithm, s.keys, n.clock.Now())
	if !found {
		t.Fatal("no key signs")
	}
	return k.ID, s.private[k.ID]
}

// TestOthersVerifyOurs: an implementation that we did not write reads every
// token of ours, of every algorithm, from the published keys alone.
func TestOthersVerifyOurs(t *testing.T) {
	for _, alg := range every {
		t.Run(alg, func(t *testing.T) {
			n := alone(t, alg)
			c := n.service(t, nil)
			r := n.mint(t, c)
			signed, err := jose.ParseSignedCompact(r.AccessToken, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			ok(t, err)
			header := signed.Signatures[0].Protected
			var key any = hmacKey
			if alg != keystone.HS256 {
				set := n.published(t)
				list := set.Key(header.KeyID)
				if len(list) != 1 || list[0].Algorithm != alg || list[0].Use != "sig" {
					t.Fatalf("published under %q: %+v", header.KeyID, list)
				}
				key = list[0].Key
			} else if header.KeyID != "" || len(n.published(t).Keys) != 0 {
				t.Fatal("HS256 publishes something")
			}
			if header.ExtraHeaders["typ"] != "at+jwt" {
				t.Errorf("typ is %v (RFC 9068 section 2.1)", header.ExtraHeaders["typ"])
			}
			payload, err := signed.Verify(key)
			ok(t, err)
			var got map[string]any
			ok(t, json.Unmarshal(payload, &got))
			now := float64(n.clock.Now().Unix())
			want := map[string]any{"iss": testIssuer, "aud": []any{testIssuer}, "sub": c.ID, "client_id": c.ID, "jti": r.JTI, "exp": now + 900, "iat": now, "nbf": now,
				"scope": "audit:read users:read", "scopes": []any{"audit:read", "users:read"}, "type": "access"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// josed has the other implementation sign the claims with our key.
func (n *node) josed(t testing.TB, claims map[string]any, change func(*jose.SignerOptions)) string {
	t.Helper()
	var key any = hmacKey
	o := (&jose.SignerOptions{}).WithType("at+jwt")
	if n.ring.o.Algorithm != keystone.HS256 {
		kid, private := n.current(t)
		key, o = private, o.WithHeader("kid", kid)
	}
	if change != nil {
		change(o)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(n.ring.o.Algorithm), Key: key}, o)
	ok(t, err)
	payload, err := json.Marshal(claims)
	ok(t, err)
	signed, err := signer.Sign(payload)
	ok(t, err)
	raw, err := signed.CompactSerialize()
	ok(t, err)
	return raw
}

// goodClaims are those of a token that nothing is wrong with.
func (n *node) goodClaims() map[string]any {
	now := n.clock.Now().Unix()
	return map[string]any{"iss": testIssuer, "aud": []string{testIssuer, "https://api.example.com"}, "sub": "u", "client_id": "c", "jti": "j", "exp": now + 900, "iat": now, "nbf": now,
		"scopes": []string{"b", "a", "b"}, "sid": "s", "gid": "g"}
}

// TestWeVerifyOthers: a token that the other implementation signed with our key
// reads as what it says.
func TestWeVerifyOthers(t *testing.T) {
	for _, alg := range every {
		n := alone(t, alg)
		got, err := n.verifier.Claims(ctx, n.josed(t, n.goodClaims(), nil))
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		now := n.clock.Now().Truncate(time.Second)
		want := Claims{Issuer: testIssuer, Audiences: []string{testIssuer, "https://api.example.com"}, Subject: "u", ClientID: "c", Scopes: []string{"a", "b"},
			SessionID: "s", GrantID: "g", JTI: "j", IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", alg, diff)
		}
	}
}

// TestClaimsReadBack: whatever strings are in them, claims are valid JSON without
// duplicate members, and read back as they were.
func TestClaimsReadBack(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"`, `\`, "</script>", "\u2028", "\x00", "a b", "é", `","iss":"evil`}))
	scope := rapid.StringMatching(`[!#-\[\]-~]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		c := Claims{Issuer: text.Draw(t, "iss"), Audiences: rapid.SliceOfN(text, 1, 3).Draw(t, "aud"), Subject: text.Draw(t, "sub"), ClientID: text.Draw(t, "client"),
			Scopes: rapid.SliceOf(scope).Draw(t, "scopes"), SessionID: text.Draw(t, "sid"), GrantID: text.Draw(t, "gid"), JTI: text.Draw(t, "jti"),
			IssuedAt: time.Unix(1_700_000_000, 0).UTC(), ExpiresAt: time.Unix(1_700_000_900, 0).UTC()}
		encoded := c.appendJSON(nil)
		var back claimsJSON
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		got := Claims{Issuer: back.Issuer, Audiences: back.Audiences, Subject: back.Subject, ClientID: back.ClientID, Scopes: back.Scopes, SessionID: back.SessionID,
			GrantID: back.GrantID, JTI: back.JTI, IssuedAt: time.Unix(back.Issued, 0).UTC(), ExpiresAt: time.Unix(back.Expires, 0).UTC()}
		if diff := cmp.Diff(c, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		var all struct {
			Scope string `json:"scope"`
		}
		_ = json.Unmarshal(encoded, &all)
		if all.Scope != strings.Join(c.Scopes, " ") {
			t.Fatalf("scope is %q", all.Scope)
		}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(encoded, &members)
		decoder, n := json.NewDecoder(bytes.NewReader(encoded)), 0
		for depth := 0; ; {
			tok, err := decoder.Token()
			if err != nil {
				break
			}
			switch tok {
			case json.Delim('{'), json.Delim('['):
				depth++
			case json.Delim('}'), json.Delim(']'):
				depth--
			default:
				if depth == 1 {
					n++
				}
			}
		}
		// Members and their plain values were counted; aud and scopes are lists.
		if n != 2*len(members)-2 {
			t.Fatalf("%s has a member twice: %q", encoded, slices.Collect(maps.Keys(members)))
		}
	})
}

func TestNoKeysForOtherAlgorithms(t *testing.T) {
	for _, alg := range []string{"", "none", "HS256", "ES384", "RS512"} {
		if _, err := generate(alg); err == nil {
			t.Errorf("%q has a key", alg)
		}
	}
	if _, err := newSigner("ES256", "k", "at+jwt", "no key").sign(nil); err == nil {
		t.Error("a string signs")
	}
	if verifySignature("ES256", "no key", "", nil) || verifySignature("none", nil, "", nil) {
		t.Error("no key verifies")
	}
}

// TestNumbersOfNothing: what is no signature in DER is none.
func TestNumbersOfNothing(t *testing.T) {
	for _, der := range []string{"", "\x30", "\x30\x00", "\x30\x03\x02\x01\x01", "\x30\x06\x02\x01\xff\x02\x01\x01", "\x30\x24\x02\x01\x01\x02\x21" + strings.Repeat("\x01", 33)} {
		if got, err := numbersOf([]byte(der)); err == nil {
			t.Errorf("%x are the numbers of %x", got, der)
		}
	}
}

// TestAppendSignature: the two numbers of a signature are written as encoding/asn1 does,
// with their leading zeros and their highest bits.
func TestAppendSignature(t *testing.T) {
	numbers := [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), append(make([]byte, 31), 1), append(make([]byte, 31), 0x80), append([]byte{0, 0x7f}, make([]byte, 30)...), append([]byte{0x80}, make([]byte, 31)...)}
	for range 50 {
		n := make([]byte, 32)
		_, _ = rand.Read(n)
		numbers = append(numbers, n)
	}
	for _, r := range numbers {
		for _, s := range numbers {
			want, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
			ok(t, err)
			if got := appendSignature(nil, r, s); !bytes.Equal(got, want) {
				t.Fatalf("%x, want %x", got, want)
			}
			if back, err := numbersOf(want); err != nil || !bytes.Equal(back, append(bytes.Clone(r), s...)) {
				t.Fatalf("%x, want %x %x (%v)", back, r, s, err)
			}
		}
	}
}

// TestManySignatures: whoever signs at the same moment gets their own signature.
func TestManySignatures(t *testing.T) {
	for _, alg := range []string{keystone.RS256, keystone.PS256} {
		key, err := generate(alg)
		ok(t, err)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				raw, err := newSigner(alg, "k", []string{typeAccess, typeID}[i%2], key).sign([]byte(strconv.Itoa(i)))
				input, sig, _ := strings.Cut(raw[strings.Index(raw, ".")+1:], ".")
				b, _ := b64.DecodeString(sig)
				if payload, _ := b64.DecodeString(input); err != nil || string(payload) != strconv.Itoa(i) || !verifySignature(alg, key.Public(), raw[:strings.LastIndex(raw, ".")], b) {
					t.Errorf("%s %d: %v %s", alg, i, err, raw)
				}
			})
		}
		all.Wait()
	}
}
