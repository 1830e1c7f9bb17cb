package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/verify"
)

const audience = "https://api.example.com"

// issuer is what a verifier sees of Keystone: metadata and a key set.
type issuer struct {
	*httptest.Server
	metadataHits, jwksHits atomic.Int32

	mu       sync.Mutex
	keys     []map[string]any
	down     bool
	cache    string        // Cache-Control of the key set
	slow     time.Duration // before it answers, so that others wait for the same fetch
	metadata func(w http.ResponseWriter)
	jwks     func(w http.ResponseWriter)

	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
	rsa *rsa.PrivateKey
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func newIssuer(tb testing.TB) *issuer {
	is := startIssuer()
	tb.Cleanup(is.Close)
	return is
}

func startIssuer() *issuer {
	is := &issuer{cache: "public, max-age=300", rsa: rsaKey()}
	is.ec = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, is.ed = must2(ed25519.GenerateKey(rand.Reader))
	is.keys = []map[string]any{ecJWK("ec", &is.ec.PublicKey), edJWK("ed", is.ed), rsaJWK("rsa", &is.rsa.PublicKey)}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		is.metadataHits.Add(1)
		is.mu.Lock()
		defer is.mu.Unlock()
		time.Sleep(is.slow)
		switch {
		case is.down:
			w.WriteHeader(http.StatusBadGateway)
		case is.metadata != nil:
			is.metadata(w)
		default:
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, is.URL, is.URL+"/oauth2/jwks")
		}
	})
	mux.HandleFunc("/oauth2/jwks", func(w http.ResponseWriter, _ *http.Request) {
		is.jwksHits.Add(1)
		is.mu.Lock()
		defer is.mu.Unlock()
		time.Sleep(is.slow)
		switch {
		case is.down:
			w.WriteHeader(http.StatusBadGateway)
		case is.jwks != nil:
			is.jwks(w)
		default:
			w.Header().Set("Cache-Control", is.cache)
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": is.keys})
		}
	})
	is.Server = httptest.NewServer(mux)
	return is
}

func (is *issuer) set(change func()) {
	is.mu.Lock()
	defer is.mu.Unlock()
	change()
}

// verifier returns a verifier of this issuer whose clock is moved by hand.
func (is *issuer) verifier(tb testing.TB, change func(*verify.Config)) (*verify.Verifier, *clock) {
	clk := &clock{now: time.Now()}
	c := verify.Config{Issuer: is.URL, Audience: audience, Now: clk.Now}
	if change != nil {
		change(&c)
	}
	v, err := verify.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return v, clk
}

// claims returns a good set of claims, as Keystone mints them.
func (is *issuer) claims(change map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"iss": is.URL, "aud": audience, "sub": "0198f0e0-0000-7000-8000-000000000001",
		"client_id": "0198f0e0-0000-7000-8000-000000000002", "jti": "0198f0e0-0000-7000-8000-000000000003",
		"iat": now, "nbf": now, "exp": now + 900, "scope": "orders:read orders:write",
		"scopes": []string{"orders:read", "orders:write"}, "type": "access", "sid": "0198f0e0-0000-7000-8000-000000000004",
	}
	maps.Copy(c, change)
	for name, value := range change {
		if value == nil {
			delete(c, name)
		}
	}
	return c
}

// token returns a good token by the EC key.
func (is *issuer) token(change map[string]any) string {
	return is.sign(map[string]any{"alg": "ES256", "kid": "ec", "typ": "at+jwt"}, is.claims(change))
}

// sign signs by the algorithm that the header names.
func (is *issuer) sign(header map[string]any, claims any) string {
	signed := segment(header) + "." + segment(claims)
	return signed + "." + b64(is.signature(header["alg"].(string), signed))
}

func (is *issuer) signature(alg, signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	switch alg {
	case "ES256":
		r, s := must2(ecdsa.Sign(rand.Reader, is.ec, digest[:]))
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case "EdDSA":
		return ed25519.Sign(is.ed, []byte(signed))
	case "RS256":
		return must(rsa.SignPKCS1v15(nil, is.rsa, crypto.SHA256, digest[:]))
	case "PS256":
		return must(rsa.SignPSS(rand.Reader, is.rsa, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
	return nil
}

func ecJWK(kid string, k *ecdsa.PublicKey) map[string]any {
	point := must(k.Bytes())
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func edJWK(kid string, k ed25519.PrivateKey) map[string]any {
	return map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "use": "sig", "x": b64(k.Public().(ed25519.PublicKey))}
}

// rsaJWK names no alg: RS256 and PS256 are both meant.
func rsaJWK(kid string, k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "kid": kid, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func segment(v any) string {
	if s, ok := v.(string); ok {
		return b64([]byte(s))
	}
	return b64(must(json.Marshal(v)))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
