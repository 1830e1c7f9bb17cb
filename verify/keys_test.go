package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/verify"
)

func TestKeysAreFetchedOnceForAHerd(t *testing.T) {
	is := newIssuer(t)
	is.set(func() { is.slow = 100 * time.Millisecond })
	v, _ := is.verifier(t, nil)
	token := is.token(nil)
	var herd sync.WaitGroup
	for range 200 {
		herd.Go(func() {
			if _, err := v.Verify(context.Background(), token); err != nil {
				t.Error(err)
			}
		})
	}
	herd.Wait()
	if m, k := is.metadataHits.Load(), is.jwksHits.Load(); m != 1 || k != 1 {
		t.Errorf("%d fetches of the metadata and %d of the keys, want one each", m, k)
	}
}

func TestUnknownKeysAreBounded(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	good := is.token(nil)
	flood := func() {
		for i := range 100 {
			token := is.sign(map[string]any{"alg": "ES256", "kid": fmt.Sprint("unknown", i), "typ": "at+jwt"}, is.claims(nil))
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, verify.ErrInvalid) {
				t.Fatalf("token with an unknown key: %v", err)
			}
			if _, err := v.Verify(t.Context(), good); err != nil {
				t.Fatalf("good token during the flood: %v", err)
			}
		}
	}
	flood()
	if n := is.jwksHits.Load(); n != 1 {
		t.Errorf("%d fetches in one interval, want 1", n)
	}
	clk.Advance(5 * time.Second)
	flood()
	if n := is.jwksHits.Load(); n != 2 {
		t.Errorf("%d fetches in two intervals, want 2", n)
	}
}

func TestRotation(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	old := is.token(nil)
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}

	// A key that was not published ahead is found as soon as a fetch is due.
	next := &issuer{Server: is.Server, ec: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	is.set(func() { is.keys = append(is.keys, ecJWK("next", &next.ec.PublicKey)) })
	fresh := next.sign(map[string]any{"alg": "ES256", "kid": "next", "typ": "at+jwt"}, next.claims(nil))
	clk.Advance(5 * time.Second)
	for _, token := range []string{fresh, old} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("after the new key was published: %v", err)
		}
	}

	// A key that was withdrawn is refused once the set is past its time.
	is.set(func() { is.keys = []map[string]any{ecJWK("next", &next.ec.PublicKey)} })
	clk.Advance(5 * time.Minute)
	if _, err := v.Verify(t.Context(), old); !errors.Is(err, verify.ErrInvalid) || errors.Is(err, verify.ErrExpired) {
		t.Errorf("token by a withdrawn key: %v", err)
	}
	if _, err := v.Verify(t.Context(), is.token(nil)); !errors.Is(err, verify.ErrInvalid) {
		t.Errorf("new token by a withdrawn key: %v", err)
	}
}

func TestRotationUnderLoad(t *testing.T) {
	// Every key is published before it signs, as Keystone does; no token that
	// is good may ever be refused, however the fetches fall.
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	var tokens []string
	for i := range 20 {
		signer := &issuer{Server: is.Server, ec: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
		kid := fmt.Sprint("k", i)
		is.set(func() { is.keys = append(is.keys[max(0, len(is.keys)-5):], ecJWK(kid, &signer.ec.PublicKey)) })
		clk.Advance(5 * time.Minute) // the set's max-age
		tokens = append(tokens, signer.sign(map[string]any{"alg": "ES256", "kid": kid, "typ": "at+jwt"},
			signer.claims(map[string]any{"exp": time.Now().Unix() + 24*3600})))
		var load sync.WaitGroup
		for _, token := range tokens[max(0, len(tokens)-5):] {
			for range 4 {
				load.Go(func() {
					if _, err := v.Verify(context.Background(), token); err != nil {
						t.Error(err)
					}
				})
			}
		}
		load.Wait()
	}
}

func TestKeysAreRenewedAheadOfTime(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	token := is.token(nil)
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	clk.Advance(230 * time.Second) // more than three quarters of max-age
	renewed := make(chan struct{})
	is.set(func() {
		is.slow = 2 * time.Second
		is.jwks = func(w http.ResponseWriter) {
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": is.keys})
			close(renewed)
		}
	})
	before := time.Now()
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(before); waited > time.Second {
		t.Errorf("a token waited %s for a renewal ahead of time", waited)
	}
	select {
	case <-renewed:
	case <-time.After(10 * time.Second):
		t.Error("nothing was fetched ahead of time")
	}
}

func TestIssuerDown(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, func(c *verify.Config) { c.MaxStale = time.Hour })
	is.set(func() { is.down = true })
	token := is.token(map[string]any{"exp": time.Now().Unix() + 24*3600})

	if _, err := v.Verify(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrInvalid) {
		t.Fatalf("never reached: %v", err)
	}
	if err := v.Refresh(t.Context()); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("Refresh: %v", err)
	}
	is.set(func() { is.down = false })
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("a second attempt inside the interval: %v", err)
	}
	clk.Advance(5 * time.Second)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatalf("after it came up: %v", err)
	}

	is.set(func() { is.down = true })
	clk.Advance(5 * time.Minute)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatalf("past max-age: %v", err)
	}
	clk.Advance(5 * time.Second)
	is.set(func() { is.slow = 2 * time.Second })
	before := time.Now()
	if _, err := v.Verify(t.Context(), token); err != nil || time.Since(before) > time.Second {
		t.Errorf("in an outage, a token waited %s: %v", time.Since(before), err)
	}
	is.set(func() { is.slow = 0 })

	for range 11 { // 60 minutes from the fetch: five of max-age, the rest stale
		clk.Advance(5 * time.Minute)
		for range 10 {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatalf("stale keys are not used: %v", err)
			}
		}
		unknown := is.sign(map[string]any{"alg": "ES256", "kid": "new", "typ": "at+jwt"}, is.claims(nil))
		if _, err := v.Verify(t.Context(), unknown); !errors.Is(err, verify.ErrUnavailable) {
			t.Fatalf("a key that may be new, while nobody can say: %v", err)
		}
	}
	clk.Advance(6 * time.Minute)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("keys are used beyond MaxStale: %v", err)
	}
	is.set(func() { is.down = false })
	clk.Advance(5 * time.Second)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("after it came up again: %v", err)
	}
}

func TestCallerGoesAway(t *testing.T) {
	is := newIssuer(t)
	is.set(func() { is.slow = 200 * time.Millisecond })
	v, _ := is.verifier(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := v.Verify(ctx, is.token(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller's deadline is not kept: %v", err)
	}
	if _, err := v.Verify(t.Context(), is.token(nil)); err != nil {
		t.Errorf("the fetch was lost with the caller that began it: %v", err)
	}
	if n := is.jwksHits.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestMaxAgeIsBounded(t *testing.T) {
	for _, test := range []struct {
		cache       string
		alive, gone time.Duration // a withdrawn key is still good; is not any more
	}{
		{"max-age=300", 299 * time.Second, 300 * time.Second},
		{"max-age=0", 59 * time.Second, time.Minute},
		{"no-store", 59 * time.Second, time.Minute},
		{"public, max-age=999999999", 24*time.Hour - time.Second, 24 * time.Hour},
		{"max-age=99999999999999999999", 599 * time.Second, 10 * time.Minute},
		{"max-age=-5", 59 * time.Second, time.Minute},
		{"", 599 * time.Second, 10 * time.Minute},
	} {
		for at, want := range map[time.Duration]bool{test.alive: true, test.gone: false} {
			is := newIssuer(t)
			is.set(func() { is.cache = test.cache })
			v, clk := is.verifier(t, nil)
			token := is.token(map[string]any{"exp": time.Now().Unix() + 48*3600})
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			is.set(func() { is.keys = is.keys[1:] })
			clk.Advance(at)
			if _, err := v.Verify(t.Context(), token); (err == nil) != want {
				t.Errorf("Cache-Control %q, a withdrawn key after %s: %v", test.cache, at, err)
			}
		}
	}
}

func TestKeySetsThatAreRefused(t *testing.T) {
	write := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) }
	}
	is := newIssuer(t)
	good := string(must(json.Marshal(is.keys)))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":` + good + `}`)) }))
	defer elsewhere.Close()
	many := make([]string, 513)
	for i := range many {
		many[i] = strings.Replace(string(must(json.Marshal(is.keys[0]))), `"kid":"ec"`, fmt.Sprintf(`"kid":"k%d"`, i), 1)
	}
	for name, answer := range map[string]func(http.ResponseWriter){
		"not JSON":  write("<html>"),
		"no keys":   write(`{"keys":[]}`),
		"no member": write(`{}`),
		"too many":  write(`{"keys":[` + strings.Join(many, ",") + `]}`),
		"too large": write(`{"keys":` + good + `}` + strings.Repeat(" ", 256<<10)),
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusFound)
		},
		"not 200": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNonAuthoritativeInfo)
			_, _ = w.Write([]byte(`{"keys":` + good + `}`))
		},
	} {
		is.set(func() { is.jwks = answer })
		v, _ := is.verifier(t, nil)
		if _, err := v.Verify(t.Context(), is.token(nil)); !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// E11 and what else a key may be wrong in: it is passed over, the others work.
func TestKeysThatArePassedOver(t *testing.T) {
	is := newIssuer(t)
	change := func(k map[string]any, name string, value any) map[string]any {
		if k[name] = value; value == nil {
			delete(k, name)
		}
		return k
	}
	ec := func(name string, value any) map[string]any { return change(ecJWK("ec", &is.ec.PublicKey), name, value) }
	rs := func(name string, value any) map[string]any {
		return change(rsaJWK("rsa", &is.rsa.PublicKey), name, value)
	}
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	p384 := must(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey.Bytes())
	point := must(is.ec.PublicKey.Bytes())
	off := b64(append([]byte{1}, make([]byte, 31)...))
	for _, test := range []struct {
		name, alg string
		key       map[string]any
	}{
		{"point off the curve", "ES256", ec("x", off)},
		{"short coordinate", "ES256", ec("x", b64([]byte{1}))},
		{"coordinates of 31 and 33 bytes", "ES256", change(ec("x", b64(point[1:32])), "y", b64(point[32:]))},
		{"no coordinate", "ES256", ec("y", nil)},
		{"P-384 key", "ES256", change(ec("crv", "P-384"), "x", b64(p384[1:49]))},
		{"secp256k1", "ES256", ec("crv", "secp256k1")},
		{"for encryption", "ES256", ec("use", "enc")},
		{"key_ops without verify", "ES256", ec("key_ops", []string{"sign"})},
		{"for another algorithm", "ES256", ec("alg", "ES512")},
		{"for an algorithm of another type", "ES256", ec("alg", "EdDSA")},
		{"a shared secret", "ES256", map[string]any{"kty": "oct", "kid": "ec", "k": b64([]byte("secret"))}},
		{"without kid", "ES256", ec("kid", nil)},
		{"kid is a number", "ES256", ec("kid", 1)},
		{"Ed25519 of wrong length", "EdDSA", change(edJWK("ed", is.ed), "x", b64([]byte("short")))},
		{"Ed448", "EdDSA", change(edJWK("ed", is.ed), "crv", "Ed448")},
		{"RSA of 1024 bits", "RS256", rsaJWK("rsa", &weak.PublicKey)},
		{"RSA of 16384 bits", "RS256", rs("n", b64(append(append([]byte{0x80}, make([]byte, 2046)...), 1)))},
		{"RSA with an even modulus", "RS256", rs("n", b64(append(is.rsa.N.Bytes()[:255], 2)))},
		{"RSA with exponent one", "RS256", rs("e", b64([]byte{1}))},
		{"RSA with a long exponent", "RS256", rs("e", b64([]byte{1, 0, 0, 0, 1}))},
		{"RSA with padding", "RS256", rs("e", "AQAB====")},
		{"RSA for PS256 only", "RS256", rs("alg", "PS256")},
	} {
		kid := map[string]string{"ES256": "ec", "EdDSA": "ed", "RS256": "rsa"}[test.alg]
		spare, _ := must2(ed25519.GenerateKey(rand.Reader))
		is.set(func() {
			is.keys = []map[string]any{test.key, {"kty": "OKP", "crv": "Ed25519", "kid": "spare", "x": b64(spare)}}
		})
		v, _ := is.verifier(t, nil)
		_, err := v.Verify(t.Context(), is.sign(map[string]any{"alg": test.alg, "kid": kid, "typ": "at+jwt"}, is.claims(nil)))
		if !errors.Is(err, verify.ErrInvalid) || !strings.Contains(err.Error(), "no such key") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestMetadata(t *testing.T) {
	is := newIssuer(t)
	answer := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = w.Write([]byte(text)) }
	}
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter)
		ok     bool
	}{
		{"as it is", nil, true},
		{"none: Keystone's own place", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, true},
		{"broken", func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, false},
		{"of another issuer", answer(`{"issuer":"https://evil.example","jwks_uri":"` + is.URL + `/oauth2/jwks"}`), false},
		{"keys over http elsewhere", answer(`{"issuer":"` + is.URL + `","jwks_uri":"http://evil.example/jwks"}`), false},
		{"keys in a file", answer(`{"issuer":"` + is.URL + `","jwks_uri":"file:///etc/passwd"}`), false},
		{"no keys", answer(`{"issuer":"` + is.URL + `"}`), false},
		{"not JSON", answer(`<html>`), false},
	} {
		is.set(func() { is.metadata = test.answer })
		v, _ := is.verifier(t, nil)
		if _, err := v.Verify(t.Context(), is.token(nil)); (err == nil) != test.ok || err != nil && !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: %v", test.name, err)
		}
	}

	is.set(func() { is.metadata = nil })
	before := is.metadataHits.Load()
	v, _ := is.verifier(t, func(c *verify.Config) { c.JWKSURL = is.URL + "/oauth2/jwks" })
	if _, err := v.Verify(t.Context(), is.token(nil)); err != nil || is.metadataHits.Load() != before {
		t.Errorf("with JWKSURL: %v, %d fetches of the metadata", err, is.metadataHits.Load()-before)
	}
}

func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	is := newIssuer(t)
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if len(asked) == 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": is.keys})
	}))
	defer srv.Close()
	v := must(verify.New(verify.Config{Issuer: srv.URL + "/blue", Audience: audience}))
	if _, err := v.Verify(t.Context(), is.token(map[string]any{"iss": srv.URL + "/blue"})); err != nil {
		t.Error(err)
	}
	if got := strings.Join(asked, " "); got != "/.well-known/oauth-authorization-server/blue /blue/oauth2/jwks" {
		t.Errorf("asked for %s", got)
	}
}
