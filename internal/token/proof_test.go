package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// proofOf makes a proof with a key of the algorithm.
func proofOf(t testing.TB, alg string, key crypto.Signer, claims map[string]any) string {
	t.Helper()
	u := base64.RawURLEncoding.EncodeToString
	var public map[string]any
	switch k := key.Public().(type) {
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		ok(t, err)
		public = map[string]any{"kty": "EC", "crv": "P-256", "x": u(b[1:33]), "y": u(b[33:])}
	case ed25519.PublicKey:
		public = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": u(k)}
	case *rsa.PublicKey:
		public = map[string]any{"kty": "RSA", "n": u(k.N.Bytes()), "e": u(big.NewInt(int64(k.E)).Bytes())}
	}
	header, err := json.Marshal(map[string]any{"typ": typeProof, "alg": alg, "jwk": public})
	ok(t, err)
	payload, err := json.Marshal(claims)
	ok(t, err)
	input := u(header) + "." + u(payload)
	sig, err := signature(alg, key, input)
	ok(t, err)
	return input + "." + u(sig)
}

func TestProofAlgorithms(t *testing.T) {
	n := alone(t, keystone.ES256)
	p := NewProofs(n.store, storetest.Master, false, testIssuer)
	for _, alg := range ProofAlgorithms {
		key, err := generate(alg)
		ok(t, err)
		claims := map[string]any{"jti": "1", "htm": "POST", "htu": testIssuer + "/t", "iat": n.clock.Now().Unix()}
		in := Shown{Proofs: []string{proofOf(t, alg, key, claims)}, Method: "POST", Path: "/t", X5T: "cert"}
		s, err := p.Sender(in, "", false)
		ok(t, err)
		if s.Alg != alg || !keystone.IsThumbprint(s.JKT) || s.X5T != "cert" {
			t.Errorf("%s: %+v", alg, s)
		}
		for _, other := range ProofAlgorithms {
			if other == alg {
				continue
			}
			header := `{"typ":"dpop+jwt","alg":"` + other + `","jwk":`
			parts := strings.Split(in.Proofs[0], ".")
			old, _ := base64.RawURLEncoding.DecodeString(parts[0])
			var h struct{ JWK json.RawMessage }
			ok(t, json.Unmarshal(old, &h))
			forged := base64.RawURLEncoding.EncodeToString([]byte(header+string(h.JWK)+"}")) + "." + parts[1] + "." + parts[2]
			if _, err := p.Sender(Shown{Proofs: []string{forged}, Method: "POST", Path: "/t"}, "", false); err == nil {
				t.Errorf("a proof of %s passes for %s", alg, other)
			}
		}
	}
	if s, err := p.Sender(Shown{X5T: "cert"}, "", true); err != nil || s.JKT != "" || s.X5T != "cert" || p.Spend(ctx, s) != nil {
		t.Errorf("no proof: %+v %v", s, err)
	}
}

// TestThumbprint: the examples of RFC 7638 section 3.1 and RFC 8037 appendix A.3,
// and the key of RFC 9449 section 4.1 with its jkt of section 6.1.
func TestThumbprint(t *testing.T) {
	for _, test := range []struct{ alg, jwk, want string }{
		{keystone.RS256, `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{keystone.EdDSA, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		{keystone.ES256, `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
	} {
		k, err := parseJWK([]byte(test.jwk), test.alg)
		if err != nil || k.thumbprint() != test.want {
			t.Errorf("%s: %s %v", test.alg, k.thumbprint(), err)
		}
	}
}

func TestJWKRefused(t *testing.T) {
	small := base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 126)...)) + "AQ"
	for _, test := range []struct{ alg, jwk string }{
		{keystone.ES256, `{"kty":"EC","crv":"P-384","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}`},
		{keystone.ES256, `{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBF","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}`},
		{keystone.ES256, `[]`}, {keystone.ES256, `{}`}, {keystone.ES256, `null`},
		{keystone.RS256, `{"kty":"RSA","n":"` + small + `","e":"AQAB"}`},
		{keystone.RS256, `{"kty":"RSA","n":"` + strings.Repeat("_", 800) + `","e":"AQAB"}`},
		{keystone.EdDSA, `{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`},
		{keystone.EdDSA, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}`},
		{keystone.HS256, `{"kty":"oct","k":"AA"}`},
	} {
		if _, err := parseJWK([]byte(test.jwk), test.alg); err == nil {
			t.Errorf("%s %s", test.alg, test.jwk)
		}
	}
}

func TestNormalURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://ID.example:443/a?b#c": "https://id.example/a", "http://id.example:80": "http://id.example/", "HTTPS://id.example/": "https://id.example/",
		"https://id.example:8443/a": "https://id.example:8443/a", "https://[::1]:443/a": "https://[::1]/a", "https://id.example:/a": "https://id.example/a",
		"https://id.example/%7Ea%2fb%41": "https://id.example/~a%2FbA", "https://id.example/a/%2e%2e/b": "", "https://id.example/./a": "",
		"https://u:p@id.example/": "", "/a": "", "ftp://id.example/": "", "https:id.example": "", "https://": "", "https://id.example/%zz": "", "": "",
	} {
		if got := normalURL(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNonces(t *testing.T) {
	n := newNonces(storetest.Master)
	now := time.Unix(1_800_000_000, 0)
	nonce := n.at(now)
	for ahead, want := range map[time.Duration]bool{-3 * nonceWindow: false, -nonceWindow: true, 0: true, nonceWindow: true, 2 * nonceWindow: false, 24 * time.Hour: false} {
		if n.good(nonce, now.Add(ahead)) != want {
			t.Errorf("%v later: %t", ahead, !want)
		}
	}
	if n.good("", now) || nonce == n.at(now.Add(nonceWindow)) {
		t.Error("nonces do not change")
	}
}

// FuzzProof: whatever is sent as a proof is answered, and nothing but a signature
// of the key that it names passes.
func FuzzProof(f *testing.F) {
	n := alone(f, keystone.ES256)
	key, err := generate(keystone.ES256)
	ok(f, err)
	claims := map[string]any{"jti": "1", "htm": "GET", "htu": testIssuer + "/t", "iat": n.clock.Now().Unix(), "ath": fullHash("token")}
	good := proofOf(f, keystone.ES256, key, claims)
	for _, seed := range []string{good, "", "..", good[:len(good)-2], strings.Replace(good, ".", "..", 1), "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUiLCJqd2siOnt9fQ.e30."} {
		f.Add(seed, "GET", "/t")
	}
	p := NewProofs(n.store, storetest.Master, false, testIssuer)
	f.Fuzz(func(t *testing.T, proof, method, path string) {
		s, err := p.Sender(Shown{Proofs: []string{proof}, Method: method, Path: path}, "token", false)
		if err == nil && (proof != good || s.JKT == "" || method != "GET") {
			header, _, k, err := parseProof(proof)
			if err != nil || k.thumbprint() != s.JKT || !isProofAlgorithm(header.Alg) {
				t.Fatalf("%q passed", proof)
			}
		}
		if err != nil && keystone.KindOf(err) != keystone.Invalid {
			t.Fatalf("%q: %v", proof, err)
		}
	})
}
