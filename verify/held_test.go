package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/verify"
)

// holder is a client with a DPoP key.
type holder struct {
	key *ecdsa.PrivateKey
	now func() time.Time
}

func newHolder(now func() time.Time) *holder {
	return &holder{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), now}
}

func (h *holder) jwk() map[string]any {
	k := ecJWK("", &h.key.PublicKey)
	return map[string]any{"kty": "EC", "crv": "P-256", "x": k["x"], "y": k["y"]}
}

func (h *holder) jkt() string {
	k := h.jwk()
	return hash(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, k["x"], k["y"]))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func changed(m map[string]any, pairs []any) map[string]any {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		if m[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(m, pairs[i].(string))
		}
	}
	return m
}

func (h *holder) header(pairs ...any) map[string]any {
	return changed(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": h.jwk()}, pairs)
}

func (h *holder) claims(method, address, token string, pairs ...any) map[string]any {
	return changed(map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": h.now().Unix(), "ath": hash(token)}, pairs)
}

func (h *holder) sign(header, claims map[string]any) string {
	signed := segment(header) + "." + segment(claims)
	r, s, err := ecdsa.Sign(rand.Reader, h.key, digest(signed))
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return signed + "." + b64(sig)
}

func (h *holder) proof(method, address, token string, pairs ...any) string {
	return h.sign(h.header(), h.claims(method, address, token, pairs...))
}

// sent is a request with a token under a scheme, and proofs.
func sent(method, path, scheme, token string, proofs ...string) *http.Request {
	r := httptest.NewRequest(method, "http://backend.internal"+path, nil)
	r.Header.Set("Authorization", scheme+" "+token)
	for _, p := range proofs {
		r.Header.Add("DPoP", p)
	}
	return r
}

// TestProofs: a token that is bound to a key is good with a proof of that key for
// this request and this token, once (RFC 9449 sections 4.3 and 7; H6, H7).
func TestProofs(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil) // the address is the audience
	h, other := newHolder(clk.Now), newHolder(clk.Now)
	bound := is.token(map[string]any{"cnf": map[string]any{"jkt": h.jkt()}})
	const path, address = "/orders/a%2fb", audience + "/orders/a%2Fb"
	handler := v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, _ := verify.ClaimsFrom(r.Context()); c.KeyThumbprint != h.jkt() {
			t.Errorf("claims: %+v", c)
		}
	}))
	answer := func(r *http.Request) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code, w.Header().Get("WWW-Authenticate")
	}
	now := clk.Now().Unix()
	for name, proof := range map[string]string{
		"good":                      h.proof("GET", address, bound),
		"query and fragment":        h.proof("GET", address+"?a=b#c", bound),
		"host and scheme in caps":   h.proof("GET", "HTTPS://API.example.com/orders/a%2Fb", bound),
		"port of the scheme":        h.proof("GET", "https://api.example.com:443/orders/a%2Fb", bound),
		"a needless escape":         h.proof("GET", audience+"/%6frders/a%2Fb", bound),
		"55 s ago":                  h.proof("GET", address, bound, "iat", now-55),
		"9 s ahead":                 h.proof("GET", address, bound, "iat", now+9),
		"fraction":                  h.proof("GET", address, bound, "iat", float64(now)-.5),
		"nonce that nobody asked":   h.proof("GET", address, bound, "nonce", "n"),
		"exp ahead":                 h.proof("GET", address, bound, "exp", now+60),
		"members that are not ours": h.sign(h.header("kid", "x"), h.claims("GET", address, bound)),
	} {
		if code, challenge := answer(sent("GET", path+"?x=1", "DPoP", bound, proof)); code != http.StatusOK {
			t.Errorf("%s: %d %s", name, code, challenge)
		}
	}
	if code, _ := answer(sent("GET", path, "dpop", bound, h.proof("GET", address, bound))); code != http.StatusOK {
		t.Errorf("the scheme in small letters: %d", code)
	}

	private := h.jwk()
	private["d"] = b64(make([]byte, 32))
	good := h.proof("GET", address, bound)
	parts := strings.Split(good, ".")
	head := func(pairs ...any) []string {
		return []string{h.sign(h.header(pairs...), h.claims("GET", address, bound))}
	}
	claim := func(pairs ...any) []string { return []string{h.proof("GET", address, bound, pairs...)} }
	for name, test := range map[string]struct {
		proofs []string
		code   string
	}{
		"none":                    {nil, "invalid_dpop_proof"},
		"two":                     {[]string{good, h.proof("GET", address, bound)}, "invalid_dpop_proof"},
		"two in one":              {[]string{good + "," + good}, "invalid_dpop_proof"},
		"empty":                   {[]string{""}, "invalid_dpop_proof"},
		"too long":                {[]string{strings.Repeat("a", 9000)}, "invalid_dpop_proof"},
		"another key":             {[]string{other.proof("GET", address, bound)}, "invalid_token"},
		"our key, their signing":  {[]string{other.sign(h.header(), h.claims("GET", address, bound))}, "invalid_dpop_proof"},
		"signature of another":    {[]string{parts[0] + "." + segment(h.claims("GET", address, bound)) + "." + parts[2]}, "invalid_dpop_proof"},
		"truncated":               {[]string{good[:len(good)-1]}, "invalid_dpop_proof"},
		"alg none":                {[]string{segment(h.header("alg", "none")) + "." + parts[1] + "."}, "invalid_dpop_proof"},
		"alg none, signed":        {head("alg", "none"), "invalid_dpop_proof"},
		"alg HS256":               {head("alg", "HS256", "jwk", map[string]any{"kty": "oct", "k": "AAAA"}), "invalid_dpop_proof"},
		"alg RS256, EC key":       {head("alg", "RS256"), "invalid_dpop_proof"},
		"private jwk":             {head("jwk", private), "invalid_dpop_proof"},
		"no jwk":                  {head("jwk", nil), "invalid_dpop_proof"},
		"jwk that is a text":      {head("jwk", "x"), "invalid_dpop_proof"},
		"off the curve":           {head("jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)}), "invalid_dpop_proof"},
		"typ JWT":                 {head("typ", "JWT"), "invalid_dpop_proof"},
		"typ at+jwt":              {head("typ", "at+jwt"), "invalid_dpop_proof"},
		"no typ":                  {head("typ", nil), "invalid_dpop_proof"},
		"crit":                    {head("crit", []string{"x"}), "invalid_dpop_proof"},
		"htm":                     {claim("htm", "POST"), "invalid_dpop_proof"},
		"htm in small letters":    {claim("htm", "get"), "invalid_dpop_proof"},
		"no htm":                  {claim("htm", nil), "invalid_dpop_proof"},
		"htu of another path":     {claim("htu", audience+"/orders/a/b"), "invalid_dpop_proof"},
		"htu of another host":     {claim("htu", "https://evil.example/orders/a%2Fb"), "invalid_dpop_proof"},
		"htu of the Host header":  {claim("htu", "http://backend.internal/orders/a%2Fb"), "invalid_dpop_proof"},
		"htu of http":             {claim("htu", strings.Replace(address, "https", "http", 1)), "invalid_dpop_proof"},
		"htu with a user":         {claim("htu", "https://u@api.example.com/orders/a%2Fb"), "invalid_dpop_proof"},
		"htu relative":            {claim("htu", "/orders/a%2Fb"), "invalid_dpop_proof"},
		"htu with dots":           {claim("htu", audience+"/x/../orders/a%2Fb"), "invalid_dpop_proof"},
		"no htu":                  {claim("htu", nil), "invalid_dpop_proof"},
		"no ath":                  {claim("ath", nil), "invalid_dpop_proof"},
		"ath of another token":    {claim("ath", hash(is.token(nil))), "invalid_dpop_proof"},
		"no jti":                  {claim("jti", nil), "invalid_dpop_proof"},
		"jti that is a number":    {claim("jti", 7), "invalid_dpop_proof"},
		"jti of 201 characters":   {claim("jti", strings.Repeat("j", 201)), "invalid_dpop_proof"},
		"no iat":                  {claim("iat", nil), "invalid_dpop_proof"},
		"iat that is a text":      {claim("iat", "now"), "invalid_dpop_proof"},
		"75 s ago":                {claim("iat", now-75), "invalid_dpop_proof"},
		"15 s ahead":              {claim("iat", now+15), "invalid_dpop_proof"},
		"nbf ahead":               {claim("nbf", now+60), "invalid_dpop_proof"},
		"exp past":                {claim("exp", now-60), "invalid_dpop_proof"},
		"an access token as such": {[]string{bound}, "invalid_dpop_proof"},
	} {
		code, challenge := answer(sent("GET", path, "DPoP", bound, test.proofs...))
		if code != http.StatusUnauthorized || !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+test.code+`"`) || !strings.Contains(challenge, `algs="ES256 EdDSA PS256 RS256"`) {
			t.Errorf("%s: %d %s", name, code, challenge)
		}
	}

	plain := is.token(nil)
	for name, r := range map[string]*http.Request{
		"H7 bound under Bearer":            sent("GET", path, "Bearer", bound),
		"H7 bound under Bearer with proof": sent("GET", path, "Bearer", bound, h.proof("GET", address, bound)),
		"H7 plain under DPoP":              sent("GET", path, "DPoP", plain, h.proof("GET", address, plain)),
		"DPoP, forged":                     sent("GET", path, "DPoP", bound[:len(bound)-2]+"AA", h.proof("GET", address, bound)),
	} {
		if code, challenge := answer(r); code != http.StatusUnauthorized || !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="invalid_token"`) {
			t.Errorf("%s: %d %s", name, code, challenge)
		}
	}
	narrow := is.token(map[string]any{"scope": "profile", "cnf": map[string]any{"jkt": h.jkt()}})
	if code, challenge := answer(sent("GET", path, "DPoP", narrow, h.proof("GET", address, narrow))); code != http.StatusForbidden || !strings.HasPrefix(challenge, "DPoP ") {
		t.Errorf("without the scope: %d %s", code, challenge)
	}
	if code, _ := answer(sent("GET", path, "DPoP", "", good)); code != http.StatusBadRequest {
		t.Errorf("no token: %d", code)
	}
}

// TestProofKeys: keys of every kind that can sign proofs.
func TestProofKeys(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	h := newHolder(clk.Now)
	_, edKey := must2(ed25519.GenerateKey(rand.Reader))
	edX := b64(edKey.Public().(ed25519.PublicKey))
	n, e := rsaJWK("", &is.rsa.PublicKey)["n"].(string), rsaJWK("", &is.rsa.PublicKey)["e"].(string)
	for _, test := range []struct {
		alg, jkt string
		jwk      map[string]any
		sign     func(signed string) []byte
	}{
		{"EdDSA", hash(`{"crv":"Ed25519","kty":"OKP","x":"` + edX + `"}`), map[string]any{"kty": "OKP", "crv": "Ed25519", "x": edX}, func(s string) []byte { return ed25519.Sign(edKey, []byte(s)) }},
		{"RS256", hash(`{"e":"` + e + `","kty":"RSA","n":"` + n + `"}`), map[string]any{"kty": "RSA", "n": n, "e": e}, func(s string) []byte { return must(rsa.SignPKCS1v15(rand.Reader, is.rsa, crypto.SHA256, digest(s))) }},
		{"PS256", hash(`{"e":"` + e + `","kty":"RSA","n":"` + n + `"}`), map[string]any{"kty": "RSA", "n": n, "e": e}, func(s string) []byte {
			return must(rsa.SignPSS(rand.Reader, is.rsa, crypto.SHA256, digest(s), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}},
	} {
		token := is.token(map[string]any{"cnf": map[string]any{"jkt": test.jkt}})
		signed := segment(h.header("alg", test.alg, "jwk", test.jwk)) + "." + segment(h.claims("GET", audience+"/", token))
		if _, err := v.VerifyRequest(sent("GET", "/", "DPoP", token, signed+"."+b64(test.sign(signed)))); err != nil {
			t.Errorf("%s: %v", test.alg, err)
		}
	}
}

// TestProofOnce: of any number of simultaneous uses one is let through; a hook
// decides for several instances.
func TestProofOnce(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	h := newHolder(clk.Now)
	bound := is.token(map[string]any{"cnf": map[string]any{"jkt": h.jkt()}})
	use := func(v *verify.Verifier, proof string) error {
		_, err := v.VerifyRequest(sent("GET", "/", "DPoP", bound, proof))
		return err
	}
	for range 5 {
		proof := h.proof("GET", audience+"/", bound)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if use(v, proof) == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 40 uses", won.Load())
		}
		// Remembered for as long as it is good, also when it was made ahead of time.
		ahead := h.proof("GET", audience+"/", bound, "iat", clk.Now().Unix()+9)
		if err := use(v, ahead); err != nil {
			t.Error(err)
		}
		for range 8 {
			clk.Advance(10 * time.Second)
			if err := use(v, ahead); !errors.Is(err, verify.ErrProof) {
				t.Errorf("used again: %v", err)
			}
		}
	}

	down := errors.New("away")
	var keys []string
	answers := []error{nil, nil, down}
	hooked, clk := is.verifier(t, func(c *verify.Config) {
		c.FirstProof = func(_ context.Context, key string, until time.Time) (bool, error) {
			if left := time.Until(until); left < 50*time.Second || left > 90*time.Second {
				t.Errorf("to be remembered for %s", left)
			}
			keys = append(keys, key)
			return len(keys) == 1, answers[len(keys)-1]
		}
	})
	h.now = clk.Now
	proof := h.proof("GET", audience+"/", bound)
	first, second, third := use(hooked, proof), use(hooked, proof), use(hooked, proof)
	if first != nil || !errors.Is(second, verify.ErrProof) || !errors.Is(third, down) || errors.Is(third, verify.ErrInvalid) || keys[0] != keys[1] {
		t.Errorf("%v, %v, %v, %v", first, second, third, keys)
	}
	_ = use(hooked, h.proof("GET", audience+"/elsewhere", bound)) // what is refused is not remembered
	if len(keys) != 3 {
		t.Errorf("asked %d times", len(keys))
	}
}

// TestProofAddress: where the address of the API is not known no proof is taken;
// it is never the Host of the request.
func TestProofAddress(t *testing.T) {
	is := newIssuer(t)
	for name, test := range map[string]struct {
		audience, url, htu string
		good               bool
	}{
		"from the audience":      {audience, "", audience + "/v1", true},
		"audience with a path":   {audience + "/orders/", "", audience + "/orders/v1", true},
		"said":                   {"orders", "https://api.example.com:8443", "https://api.example.com:8443/v1", true},
		"said with a path":       {audience, "https://gateway.example.com/orders/", "https://gateway.example.com/orders/v1", true},
		"on loopback":            {"orders", "http://127.0.0.1:9000", "http://127.0.0.1:9000/v1", true},
		"not known":              {"orders", "", "http://backend.internal/v1", false},
		"audience of plain http": {"http://api.example.com", "", "http://api.example.com/v1", false},
		"the audience, not said": {audience, "https://gateway.example.com", audience + "/v1", false},
	} {
		v, clk := is.verifier(t, func(c *verify.Config) { c.Audience, c.URL = test.audience, test.url })
		h := newHolder(clk.Now)
		bound := is.token(map[string]any{"aud": test.audience, "cnf": map[string]any{"jkt": h.jkt()}})
		if _, err := v.VerifyRequest(sent("GET", "/v1", "DPoP", bound, h.proof("GET", test.htu, bound))); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"http://api.example.com", "api.example.com", "https://api.example.com?x", "https://u@api.example.com", "https://api.example.com/../x"} {
		if _, err := verify.New(verify.Config{Issuer: is.URL, Audience: audience, URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestCertificates: a token that is bound to a TLS client certificate is good with
// that certificate (RFC 8705 section 3), alone or beside a DPoP key.
func TestCertificates(t *testing.T) {
	is := newIssuer(t)
	v, clk := is.verifier(t, nil)
	site := httptest.NewTLSServer(nil)
	defer site.Close()
	mine, theirs := site.Certificate(), &x509.Certificate{Raw: []byte("another")}
	thumbprint := hash(string(mine.Raw))
	bound := is.token(map[string]any{"cnf": map[string]any{"x5t#S256": thumbprint}})
	over := func(r *http.Request, c *x509.Certificate) *http.Request {
		r.TLS = &tls.ConnectionState{}
		if c != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{c}
		}
		return r
	}
	h := newHolder(clk.Now)
	both := is.token(map[string]any{"cnf": map[string]any{"x5t#S256": thumbprint, "jkt": h.jkt()}})
	for name, test := range map[string]struct {
		r    *http.Request
		good bool
	}{
		"the certificate":       {over(sent("GET", "/", "Bearer", bound), mine), true},
		"another":               {over(sent("GET", "/", "Bearer", bound), theirs), false},
		"none":                  {over(sent("GET", "/", "Bearer", bound), nil), false},
		"without TLS":           {sent("GET", "/", "Bearer", bound), false},
		"under DPoP":            {over(sent("GET", "/", "DPoP", bound, h.proof("GET", audience+"/", bound)), mine), false},
		"a plain token with it": {over(sent("GET", "/", "Bearer", is.token(nil)), mine), true},
		"both":                  {over(sent("GET", "/", "DPoP", both, h.proof("GET", audience+"/", both)), mine), true},
		"both, no proof":        {over(sent("GET", "/", "Bearer", both), mine), false},
		"both, no certificate":  {sent("GET", "/", "DPoP", both, h.proof("GET", audience+"/", both)), false},
	} {
		c, err := v.VerifyRequest(test.r)
		if (err == nil) != test.good || err != nil && !errors.Is(err, verify.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "the certificate" && c.CertificateThumbprint != thumbprint {
			t.Errorf("%+v", c)
		}
	}
	for name, cnf := range map[string]any{
		"something else":      map[string]any{"jwk": map[string]any{}},
		"something else too":  map[string]any{"x5t#S256": thumbprint, "kid": "x"},
		"nothing":             map[string]any{},
		"an empty thumbprint": map[string]any{"x5t#S256": ""},
		"a number":            map[string]any{"x5t#S256": 7},
		"no object":           "x5t#S256",
		"null":                json.RawMessage("null"),
	} {
		if _, err := v.VerifyRequest(over(sent("GET", "/", "Bearer", is.token(map[string]any{"cnf": cnf})), mine)); !errors.Is(err, verify.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Verify(t.Context(), bound); !errors.Is(err, verify.ErrInvalid) {
		t.Errorf("without a request: %v", err)
	}
	behind, _ := is.verifier(t, func(c *verify.Config) { c.Certificate = func(*http.Request) *x509.Certificate { return mine } })
	if _, err := behind.VerifyRequest(over(sent("GET", "/", "Bearer", bound), theirs)); err != nil {
		t.Errorf("behind a proxy: %v", err)
	}
}
