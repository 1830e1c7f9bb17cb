package verify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// fixed returns a verifier with one key, which never fetches, and a good token.
func fixed(tb testing.TB) (*Verifier, *ecdsa.PrivateKey, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := New(Config{Issuer: "https://id.example.com", Audience: "https://api.example.com"})
	if err != nil {
		tb.Fatal(err)
	}
	far := time.Now().Add(24 * time.Hour)
	v.keys.current.Store(&keySet{keys: map[keyName]*publicKey{{"k", ES256}: {ec: &key.PublicKey}}, renewAt: far, staleAt: far})
	v.keys.last = far.Add(-time.Hour)
	v.keys.now = func() time.Time { return v.keys.last } // no fetch is ever due
	return v, key, signed(tb, key, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`,
		`{"iss":"https://id.example.com","aud":"https://api.example.com","sub":"0198f0e0-0000-7000-8000-000000000001",`+
			`"client_id":"0198f0e0-0000-7000-8000-000000000002","jti":"0198f0e0-0000-7000-8000-000000000003",`+
			`"iat":1700000000,"nbf":1700000000,"exp":99999999999,"scope":"orders:read orders:write",`+
			`"scopes":["orders:read","orders:write"],"type":"access","sid":"0198f0e0-0000-7000-8000-000000000004"}`)
}

func signed(tb testing.TB, key *ecdsa.PrivateKey, header, claims string) string {
	text := strict.EncodeToString([]byte(header)) + "." + strict.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + strict.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// FuzzVerify: no text but the token that was signed is ever accepted.
func FuzzVerify(f *testing.F) {
	v, _, good := fixed(f)
	parts := strings.Split(good, ".")
	f.Add(parts[0], parts[1], parts[2])
	f.Add("eyJhbGciOiJub25lIn0", parts[1], "")
	f.Add(parts[0], parts[1]+".", parts[2])
	f.Add("e30", "e30", "AA")
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		token := header + "." + payload + "." + signature
		c, err := v.Verify(context.Background(), token)
		if err == nil && token != good {
			t.Fatalf("accepted: %q", token)
		}
		if err != nil && (c != nil || !errors.Is(err, ErrInvalid)) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

// FuzzClaims: whatever was signed, what is accepted has every claim it must
// have, and agrees with another reader of JSON.
func FuzzClaims(f *testing.F) {
	v, key, _ := fixed(f)
	for _, seed := range []string{
		`{"iss":"https://id.example.com","aud":["https://api.example.com"],"sub":"s","client_id":"c","jti":"j","iat":1,"exp":99999999999}`,
		`{"iss":"https://id.example.com","aud":"x","aud":"https://api.example.com"}`,
		`{"a":{"b":[1,2,{"c":"}\""}]},"d":-1.5e-3,"e":true,"f":null}`,
		` { "s\u0075b" : "x" , "Sub" : [ ] } `,
		`{}`, `[]`, `{"a":"` + "\xff" + `"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, err := v.Verify(context.Background(), signed(t, key, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`, payload))
		if err != nil {
			return
		}
		var other struct {
			Sub, Jti string
			Client   string
			Exp      json.Number
		}
		exact := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(payload), &exact); err != nil {
			t.Fatalf("accepted what is not an object: %v", err)
		}
		for name, into := range map[string]any{"sub": &other.Sub, "jti": &other.Jti, "client_id": &other.Client, "exp": &other.Exp} {
			if err := json.Unmarshal(exact[name], into); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if c.Subject != other.Sub || c.ID != other.Jti || c.ClientID != other.Client || c.Subject == "" || c.ID == "" || !c.ExpiresAt.After(time.Now()) {
			t.Fatalf("%+v is not what %s says", c, payload)
		}
	})
}

// FuzzMembers: the walk over an object sees the names and values that
// encoding/json sees, or refuses the text.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":"x\"y","c":[{},[],"]"]}`, "{\n\t\"a\" : {\"b\" : 1e9 } , \"\\u00e4\":null}", `{"a":1,"a":2}`, `{`, `{}`, ``, `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := map[string]json.RawMessage{}
		err := members(text, func(name string, value []byte) bool {
			got[name] = bytes.Clone(value)
			return true
		})
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil || !utf8.Valid(text) {
			if err == nil {
				t.Fatalf("accepted %q", text)
			}
			return
		}
		if err != nil {
			return // a duplicate, or too many
		}
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q is %s, want %s", name, got[name], value)
			}
		}
	})
}

// FuzzKeySet: no key set brings the verifier down, and no key of a wrong kind
// is taken.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"},{"kty":"oct","kid":"b","k":"AA"},null,1,"x"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := decodeKeySet(text)
		if err == nil && len(keys) == 0 {
			t.Fatal("an empty set is not an error")
		}
		for name, k := range keys {
			want := map[string]bool{ES256: k.ec != nil, EdDSA: k.ed25519 != nil, RS256: k.rsa != nil, PS256: k.rsa != nil}
			if !want[name.alg] || name.kid == "" {
				t.Fatalf("%+v for %+v", k, name)
			}
			if k.verify(name.alg, []byte("x"), make([]byte, 64)) {
				t.Fatal("a signature of zeros is right")
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v, _, token := fixed(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareSignature is the limit: the same signature, and nothing else.
func BenchmarkBareSignature(b *testing.B) {
	_, key, token := fixed(b)
	dot := strings.LastIndexByte(token, '.')
	sig, err := strict.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	b.ReportAllocs()
	for b.Loop() {
		digest := sha256.Sum256([]byte(token[:dot]))
		if !ecdsa.Verify(&key.PublicKey, digest[:], r, s) {
			b.Fatal("wrong")
		}
	}
}
