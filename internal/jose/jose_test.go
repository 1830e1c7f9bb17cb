package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
)

func sign(t testing.TB, alg string, key any, header map[string]any, payload string) string {
	t.Helper()
	o := &gojose.SignerOptions{}
	for name, v := range header {
		o = o.WithHeader(gojose.HeaderKey(name), v)
	}
	s, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func keySet(t testing.TB, list ...gojose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(gojose.JSONWebKeySet{Keys: list})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestKeysChoose: a key verifies what its kid, alg and use say it made.
func TestKeysChoose(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		jwk    gojose.JSONWebKey
		header map[string]any
		want   bool
	}{
		"no kid at all":  {gojose.JSONWebKey{Key: key.Public()}, nil, true},
		"kid of both":    {gojose.JSONWebKey{Key: key.Public(), KeyID: "a"}, map[string]any{"kid": "a"}, true},
		"kid of the key": {gojose.JSONWebKey{Key: key.Public(), KeyID: "a"}, nil, true},
		"another kid":    {gojose.JSONWebKey{Key: key.Public(), KeyID: "a"}, map[string]any{"kid": "b"}, false},
		"alg of the key": {gojose.JSONWebKey{Key: key.Public(), Algorithm: "ES256"}, nil, true},
		"for encryption": {gojose.JSONWebKey{Key: key.Public(), Use: "enc"}, nil, false},
		"encryption alg": {gojose.JSONWebKey{Key: key.Public(), Algorithm: "ECDH-ES"}, nil, false},
		"key of another": {gojose.JSONWebKey{Key: edPublic}, nil, false},
		"for signatures": {gojose.JSONWebKey{Key: key.Public(), Use: "sig"}, nil, true},
	} {
		keys, err := ParseKeys(keySet(t, test.jwk))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tok, err := Parse(sign(t, "ES256", key, test.header, `{"a":1}`), []string{"ES256"}, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tok.Verified(keys) != test.want {
			t.Errorf("%s: %v", name, !test.want)
		}
		if tok.VerifiedBySecret([][]byte{keySet(t, test.jwk)}) {
			t.Errorf("%s: a public key taken for a secret", name)
		}
	}
	keys, err := ParseKeys(keySet(t, gojose.JSONWebKey{Key: edPublic, Algorithm: "EdDSA"}))
	if err != nil || !keys.Has(edPublic) || keys.Has(key.Public()) {
		t.Errorf("%v", err)
	}
	tok, err := Parse(sign(t, "EdDSA", edKey, nil, `{}`), keystone.AssertionAlgs(), "")
	if err != nil || !tok.Verified(keys) {
		t.Errorf("EdDSA: %v", err)
	}
}

// TestFetchedKeysAreShort: what is kept of a key is as long as keys are, not as its
// owner likes.
func TestFetchedKeysAreShort(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 100<<10)
	for _, k := range []gojose.JSONWebKey{{Key: key.Public(), KeyID: long}, {Key: key.Public(), KeyID: "1", Use: long}} {
		one, err := k.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		keys, err := FetchedKeys([]byte(`{"keys":[` + string(one) + `]}`))
		if err != nil || len(keys.list) != 0 {
			t.Errorf("%d keys, %v", len(keys.list), err)
		}
	}
}

// TestFetchedKeys: a set that others keep may have keys that are not for us.
func TestFetchedKeys(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	one, _ := json.Marshal(gojose.JSONWebKey{Key: key.Public()})
	keys, err := FetchedKeys([]byte(`{"keys":[{"kty":"AKP"},{"kty":"oct","k":"AAAA"},7,` + string(one) + `]}`))
	if err != nil || len(keys.list) != 1 {
		t.Errorf("%d keys, %v", len(keys.list), err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"keys":null}`, `{"keys":[` + strings.Repeat("1,", 20) + `1]}`, `{"Keys":[]}`} {
		if _, err := FetchedKeys([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestClaims(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tok, err := Parse(sign(t, "ES256", key, map[string]any{"typ": "JWT"}, `{"s":"x","S":"y","n":7,"null":null,"list":["a","b"],"mixed":["a",null],"t":1.5,"neg":-1,"big":1e300,"obj":{"a":"b"}}`), []string{"ES256"}, "jwt")
	if err != nil {
		t.Fatal(err)
	}
	c := tok.Claims
	if c.Text("s") != "x" || c.Text("S") != "y" || c.Text("n") != "" || c.Text("null") != "" || c.Text("none") != "" || !c.Has("null") || c.Has("none") {
		t.Error("text")
	}
	for _, name := range []string{"neg", "big", "s", "null", "none", "list"} {
		if _, ok := c.Time(name); ok {
			t.Errorf("%s is a time", name)
		}
	}
	if at, ok := c.Time("t"); !ok || at.UnixMilli() != 1500 {
		t.Error("fraction")
	}
	if list, single := c.Texts("s"); !single || len(list) != 1 {
		t.Error("single")
	}
	if list, single := c.Texts("list"); single || len(list) != 2 {
		t.Error("list")
	}
	for _, name := range []string{"mixed", "n", "obj", "null", "none"} {
		if list, single := c.Texts(name); single || list != nil {
			t.Errorf("%s is a list", name)
		}
	}
}

// FuzzToken: whatever is sent, nothing panics and nothing unsigned verifies (E1,
// E7).
func FuzzToken(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := ParseKeys(keySet(f, gojose.JSONWebKey{Key: key.Public(), KeyID: "a"}))
	if err != nil {
		f.Fatal(err)
	}
	good := sign(f, "ES256", key, map[string]any{"kid": "a"}, `{"iss":"x","aud":["y"],"exp":1}`)
	for _, s := range []string{good, "", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "a.b.c.d.e", `{"payload":""}`, strings.Replace(good, ".", "..", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := Parse(raw, keystone.AssertionAlgs(), "jwt", "")
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, name := range tok.Claims.Names() {
			_, _ = tok.Claims.Time(name)
			_, _ = tok.Claims.Texts(name)
		}
		if tok.Verified(keys) && raw != good {
			// ECDSA signatures can be made anew from old ones only by their holder; the
			// signed part must be the one that was signed.
			if raw[:strings.LastIndex(raw, ".")] != good[:strings.LastIndex(good, ".")] {
				t.Errorf("%q verifies", raw)
			}
		}
	})
}

// FuzzKeys: what is taken as a key set is public keys only (E11).
func FuzzKeys(f *testing.F) {
	for _, s := range []string{`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`, `{"keys":[]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := ParseKeys(raw)
		_, _ = FetchedKeys(raw)
		for _, k := range keys.list {
			if err != nil || !k.IsPublic() {
				t.Errorf("%s", raw)
			}
		}
	})
}
