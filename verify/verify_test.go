package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone/verify"
)

func TestVerifyAccepts(t *testing.T) {
	is := newIssuer(t)
	v, _ := is.verifier(t, nil)
	for _, test := range []struct{ name, token string }{
		{"ES256", is.token(nil)},
		{"EdDSA", is.sign(map[string]any{"alg": "EdDSA", "kid": "ed", "typ": "at+jwt"}, is.claims(nil))},
		{"RS256", is.sign(map[string]any{"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}, is.claims(nil))},
		{"PS256", is.sign(map[string]any{"alg": "PS256", "kid": "rsa", "typ": "at+jwt"}, is.claims(nil))},
		{"typ in full and capitals", is.sign(map[string]any{"alg": "ES256", "kid": "ec", "typ": "Application/AT+JWT"}, is.claims(nil))},
		{"audience among several", is.token(map[string]any{"aud": []string{"https://other.example", audience}})},
		{"no nbf", is.token(map[string]any{"nbf": nil})},
		{"times with a fraction", is.token(map[string]any{"exp": float64(time.Now().Unix()) + 60.5})},
		{"expired within the leeway", is.token(map[string]any{"exp": time.Now().Unix() - 5})},
		{"made by a clock ahead", is.token(map[string]any{"iat": time.Now().Unix() + 5, "nbf": time.Now().Unix() + 5})},
		{"unknown claims, nested", is.token(map[string]any{"act": map[string]any{"sub": "x", "iss": []any{1, "}", nil}}, "n": -1.5e3, "b": true})},
		{"spaces in the JSON", is.sign(map[string]any{"alg": "ES256", "kid": "ec", "typ": "at+jwt"}, spaced(is.claims(nil)))},
		{"escapes in the JSON", is.sign(map[string]any{"alg": "ES256", "kid": "ec", "typ": "at+jwt"},
			strings.Replace(string(must(json.Marshal(is.claims(nil)))), `"sub":"`, `"s\u0075b":"\u0030`, 1))},
	} {
		c, err := v.Verify(t.Context(), test.token)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.Issuer != is.URL || c.ClientID != "0198f0e0-0000-7000-8000-000000000002" || !strings.HasSuffix(c.Subject, "000000000001") ||
			!c.HasScope("orders:read") || c.HasScope("orders") || !slices.Contains(c.Audience, audience) || c.IsService() {
			t.Errorf("%s: claims are wrong: %+v", test.name, c)
		}
	}
}

func TestVerifyClaims(t *testing.T) {
	is := newIssuer(t)
	v, _ := is.verifier(t, nil)
	in := is.claims(map[string]any{"sub": "service", "client_id": "service", "tenant": "blue"})
	c, err := v.Verify(t.Context(), is.sign(map[string]any{"alg": "ES256", "kid": "ec", "typ": "at+jwt"}, in))
	if err != nil {
		t.Fatal(err)
	}
	if c.ExpiresAt.Unix() != in["exp"] || c.IssuedAt.Unix() != in["iat"] || c.NotBefore.Unix() != in["nbf"] ||
		c.ID != in["jti"] || c.SessionID != in["sid"] || len(c.Scopes) != 2 || !c.IsService() {
		t.Errorf("claims are wrong: %+v", c)
	}
	var more struct{ Tenant string }
	if err := json.Unmarshal(c.Raw, &more); err != nil || more.Tenant != "blue" {
		t.Errorf("Raw lost a claim: %s", c.Raw)
	}
}

// Class E (JWT and JOSE) of what an attacker sends, and the token uses of
// class F that a resource server must refuse.
func TestVerifyRefuses(t *testing.T) {
	is := newIssuer(t)
	var called atomic.Int32 // by a token that says where its key is
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer evil.Close()

	mallory := &issuer{ec: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), rsa: is.rsa, ed: is.ed}
	good := is.token(nil)
	parts := strings.Split(good, ".")
	header := func(change map[string]any) map[string]any {
		h := map[string]any{"alg": "ES256", "kid": "ec", "typ": "at+jwt"}
		for k, v := range change {
			if h[k] = v; v == nil {
				delete(h, k)
			}
		}
		return h
	}
	hs256 := func(kid string, secret []byte) string {
		signed := segment(map[string]any{"alg": "HS256", "kid": kid, "typ": "at+jwt"}) + "." + segment(is.claims(nil))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + "." + b64(mac.Sum(nil))
	}
	unsigned := func(alg string) string {
		return segment(header(map[string]any{"alg": alg})) + "." + segment(is.claims(nil)) + "."
	}
	spki := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&is.rsa.PublicKey))})
	claims := func(change map[string]any) string { return is.token(change) }
	raw := func(payload string) string { return is.sign(header(nil), payload) }
	text := string(must(json.Marshal(is.claims(nil))))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	now := time.Now().Unix()
	saltless := segment(header(map[string]any{"alg": "PS256", "kid": "rsa"})) + "." + segment(is.claims(nil))
	saltless += "." + b64(must(rsa.SignPSS(rand.Reader, is.rsa, crypto.SHA256, digest(saltless), &rsa.PSSOptions{SaltLength: 20})))

	for _, test := range []struct{ name, token string }{
		{"E1 alg none", unsigned("none")},
		{"E1 alg None", unsigned("None")},
		{"E1 alg nOnE, with a signature", unsigned("nOnE") + parts[2]},
		{"E1 no alg", is.signAs("ES256", header(map[string]any{"alg": nil}), is.claims(nil))},
		{"E1 empty signature", parts[0] + "." + parts[1] + "."},
		{"E1 no signature", parts[0] + "." + parts[1]},
		{"E2 HS256 with the RSA key as PEM", hs256("rsa", spki)},
		{"E2 HS256 with the modulus", hs256("rsa", is.rsa.N.Bytes())},
		{"E2 HS256 with the JWK", hs256("ec", must(json.Marshal(ecJWK("ec", &is.ec.PublicKey))))},
		{"E2 HS256 with an empty secret", hs256("ec", nil)},
		{"E2 RS256 for the EC key", is.sign(header(map[string]any{"alg": "RS256"}), is.claims(nil))},
		{"E2 ES256 for the RSA key", is.sign(header(map[string]any{"kid": "rsa"}), is.claims(nil))},
		{"E2 EdDSA for the EC key", is.sign(header(map[string]any{"alg": "EdDSA"}), is.claims(nil))},
		{"E2 PS256 signature said to be RS256", is.signAs("PS256", header(map[string]any{"alg": "RS256", "kid": "rsa"}), is.claims(nil))},
		{"E2 ES384", is.signAs("ES256", header(map[string]any{"alg": "ES384"}), is.claims(nil))},
		{"E3 another's key", mallory.sign(header(nil), is.claims(nil))},
		{"E3 embedded jwk", mallory.sign(header(map[string]any{"jwk": ecJWK("ec", &mallory.ec.PublicKey)}), is.claims(nil))},
		{"E3 jku", mallory.sign(header(map[string]any{"jku": evil.URL, "kid": "evil"}), is.claims(nil))},
		{"E3 x5u", mallory.sign(header(map[string]any{"x5u": evil.URL}), is.claims(nil))},
		{"E3 x5c", mallory.sign(header(map[string]any{"x5c": []string{"MIIB"}}), is.claims(nil))},
		{"E3 kid is a path", mallory.sign(header(map[string]any{"kid": "../../dev/null"}), is.claims(nil))},
		{"E3 no kid", is.sign(header(map[string]any{"kid": nil}), is.claims(nil))},
		{"E3 kid is a number", is.sign(header(map[string]any{"kid": 1}), is.claims(nil))},
		{"crit", is.sign(header(map[string]any{"crit": []string{"exp"}, "exp": 1}), is.claims(nil))},
		{"crit, unencoded payload", is.sign(header(map[string]any{"crit": []string{"b64"}, "b64": false}), is.claims(nil))},
		{"E7 JWE", jwe(t, is, good)},
		{"E7 JWE, PBES2", segment(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1000000000, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA"},
		{"E7 JWE, compressed", segment(map[string]any{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}) + "..AAAA.AAAA.AAAA"},
		{"E7 JWS in JSON", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"E9 aud empty array", claims(map[string]any{"aud": []string{}})},
		{"E9 aud number", claims(map[string]any{"aud": 1})},
		{"E9 aud array of numbers", claims(map[string]any{"aud": []any{audience, 1}})},
		{"E9 aud nested array", claims(map[string]any{"aud": []any{[]any{audience}}})},
		{"E9 aud object", claims(map[string]any{"aud": map[string]any{audience: audience}})},
		{"E9 aud null", raw(strings.Replace(text, `"aud":"`+audience+`"`, `"aud":null`, 1))},
		{"E9 aud missing", claims(map[string]any{"aud": nil})},
		{"E9 aud empty", claims(map[string]any{"aud": ""})},
		{"E9 aud prefix", claims(map[string]any{"aud": audience + ".evil.example"})},
		{"E9 aud in other case", claims(map[string]any{"aud": strings.ToUpper(audience)})},
		{"E9 aud list in a string", claims(map[string]any{"aud": "x " + audience})},
		{"E9 Aud", raw(strings.Replace(text, `"aud"`, `"Aud"`, 1))},
		{"F1 ID token", is.sign(header(map[string]any{"typ": "JWT"}), is.claims(nil))},
		{"F1 no typ", is.sign(header(map[string]any{"typ": nil}), is.claims(nil))},
		{"F1 typ only begins so", is.sign(header(map[string]any{"typ": "at+jwt+x"}), is.claims(nil))},
		{"F4 meant for the issuer", claims(map[string]any{"aud": is.URL})},
		{"H7 bound by DPoP", claims(map[string]any{"cnf": map[string]any{"jkt": "x"}})},
		{"H7 bound, null", claims(map[string]any{"cnf": json.RawMessage("null")})},
		{"other issuer", claims(map[string]any{"iss": "https://evil.example"})},
		{"issuer with a slash", claims(map[string]any{"iss": is.URL + "/"})},
		{"expired", claims(map[string]any{"exp": now - 11})},
		{"exp missing", claims(map[string]any{"exp": nil})},
		{"exp text", claims(map[string]any{"exp": "2999999999"})},
		{"exp zero", claims(map[string]any{"exp": 0})},
		{"exp negative", claims(map[string]any{"exp": -1})},
		{"exp without end", raw(strings.Replace(text, `"exp":`, `"exp":1e300,"e":`, 1))},
		{"exp true", claims(map[string]any{"exp": true})},
		{"nbf ahead", claims(map[string]any{"nbf": now + 60})},
		{"nbf text", claims(map[string]any{"nbf": "0"})},
		{"iat ahead", claims(map[string]any{"iat": now + 60})},
		{"iat missing", claims(map[string]any{"iat": nil})},
		{"sub missing", claims(map[string]any{"sub": nil})},
		{"sub empty", claims(map[string]any{"sub": ""})},
		{"sub number", claims(map[string]any{"sub": 1})},
		{"client_id missing", claims(map[string]any{"client_id": nil})},
		{"jti missing", claims(map[string]any{"jti": nil})},
		{"scope array", claims(map[string]any{"scope": []string{"orders:read"}})},
		{"duplicate claim", raw(strings.Replace(text, `{`, `{"aud":"`+audience+`",`, 1))},
		{"duplicate claim, escaped", raw(strings.Replace(text, `{`, `{"\u0061ud":"`+audience+`",`, 1))},
		{"duplicate in the header", is.signAs("ES256", `{"alg":"ES256","alg":"none","kid":"ec","typ":"at+jwt"}`, is.claims(nil))},
		{"payload not an object", raw(`[]`)},
		{"payload empty", raw(` `)},
		{"payload a string", raw(`"x"`)},
		{"payload with more behind", raw(text + text)},
		{"payload not UTF-8", raw(strings.Replace(text, `"type":"access"`, "\"type\":\"\xff\"", 1))},
		{"payload very deep", raw(strings.Replace(text, `{`, `{"x":`+strings.Repeat("[", 2000)+`,`, 1))},
		{"payload with too many members", raw(`{` + members(200) + text[1:])},
		{"header not an object", segment(`"x"`) + "." + parts[1] + "." + parts[2]},
		{"payload changed", parts[0] + "." + segment(is.claims(map[string]any{"scope": "admin"})) + "." + parts[2]},
		{"header changed", segment(header(map[string]any{"x": 1})) + "." + parts[1] + "." + parts[2]},
		{"signature truncated", good[:len(good)-2]},
		{"signature extended", good + "AA"},
		{"signature of zeros", parts[0] + "." + parts[1] + "." + b64(make([]byte, 64))},
		{"signature in ASN.1", parts[0] + "." + parts[1] + "." + b64(must(ecdsa.SignASN1(rand.Reader, is.ec, digest(parts[0]+"."+parts[1]))))},
		{"signature by P-384", parts[0] + "." + parts[1] + "." + b64(must(ecdsa.SignASN1(rand.Reader, p384, digest(parts[0]+"."+parts[1]))))},
		{"other spelling of the signature", respell(good)},
		{"padding", good + "="},
		{"line break", parts[0] + ".\n" + parts[1] + "." + parts[2]},
		{"line break in the signature", good[:len(good)-9] + "\n" + good[len(good)-9:]},
		{"signature with a zero between", parts[0] + "." + parts[1] + "." + b64(slices.Insert(must(base64.RawURLEncoding.DecodeString(parts[2])), 32, 0))},
		{"PS256 with another salt length", saltless},
		{"space in front", " " + good},
		{"fourth part", good + "." + parts[2]},
		{"empty", ""},
		{"dots", ".."},
		{"long, and signed", claims(map[string]any{"x": strings.Repeat("A", 16<<10)})},
		{"very long", strings.Repeat("A", 1<<20)},
		{"NUL", good + "\x00"},
	} {
		v, _ := is.verifier(t, nil)
		c, err := v.Verify(t.Context(), test.token)
		if err == nil {
			t.Errorf("%s: accepted", test.name)
		} else if c != nil {
			t.Errorf("%s: refused, and claims returned", test.name)
		} else if !errors.Is(err, verify.ErrInvalid) || errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: not ErrInvalid: %v", test.name, err)
		}
	}
	if n := called.Load(); n != 0 {
		t.Errorf("a token made the verifier fetch from elsewhere %d times", n)
	}
	v, _ := is.verifier(t, nil)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the token that the attacks were made of is not good itself: %v", err)
	}
	if _, err := v.Verify(t.Context(), is.token(map[string]any{"exp": now - 60})); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("an expired token is not said to be: %v", err)
	}
}

func TestVerifyOnlyListedAlgorithms(t *testing.T) {
	is := newIssuer(t)
	v, _ := is.verifier(t, func(c *verify.Config) { c.Algorithms = []string{verify.EdDSA} })
	if _, err := v.Verify(t.Context(), is.token(nil)); !errors.Is(err, verify.ErrInvalid) {
		t.Errorf("ES256 where only EdDSA is listed: %v", err)
	}
	if n := is.jwksHits.Load(); n != 0 {
		t.Errorf("%d fetches for an algorithm that is not accepted", n)
	}
}

// Tokens and keys by a library that is not ours, so that two mistakes of the
// same hand do not agree.
func TestVerifyTokensOfGoJOSE(t *testing.T) {
	is := newIssuer(t)
	var set []map[string]any
	for kid, public := range map[string]any{"ec": &is.ec.PublicKey, "ed": is.ed.Public(), "rsa": &is.rsa.PublicKey} {
		var k map[string]any
		if err := json.Unmarshal(must(jose.JSONWebKey{Key: public, KeyID: kid, Use: "sig"}.MarshalJSON()), &k); err != nil {
			t.Fatal(err)
		}
		set = append(set, k)
	}
	is.set(func() { is.keys = set })
	v, _ := is.verifier(t, nil)
	for _, test := range []struct {
		alg jose.SignatureAlgorithm
		kid string
		key any
	}{{jose.ES256, "ec", is.ec}, {jose.EdDSA, "ed", is.ed}, {jose.RS256, "rsa", is.rsa}, {jose.PS256, "rsa", is.rsa}} {
		signer := must(jose.NewSigner(jose.SigningKey{Algorithm: test.alg, Key: jose.JSONWebKey{Key: test.key, KeyID: test.kid}},
			(&jose.SignerOptions{}).WithType("at+jwt")))
		token := must(must(signer.Sign(must(json.Marshal(is.claims(nil))))).CompactSerialize())
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", test.alg, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		c    verify.Config
		want string
	}{
		{"no issuer", verify.Config{Audience: audience}, "Issuer"},
		{"issuer http", verify.Config{Issuer: "http://id.example.com", Audience: audience}, "https"},
		{"issuer with a quote", verify.Config{Issuer: `https://id.example.com/"`, Audience: audience}, "Issuer"},
		{"issuer with a query", verify.Config{Issuer: "https://id.example.com?x=1", Audience: audience}, "query"},
		{"issuer with userinfo", verify.Config{Issuer: "https://a@id.example.com", Audience: audience}, "Issuer"},
		{"no audience", verify.Config{Issuer: "https://id.example.com"}, "Audience is required"},
		{"keys over http", verify.Config{Issuer: "https://id.example.com", Audience: audience, JWKSURL: "http://id.example.com/jwks"}, "JWKSURL"},
		{"algorithm none", verify.Config{Issuer: "https://id.example.com", Audience: audience, Algorithms: []string{"none"}}, "Algorithms"},
		{"algorithm HS256", verify.Config{Issuer: "https://id.example.com", Audience: audience, Algorithms: []string{"ES256", "HS256"}}, "Algorithms"},
		{"leeway of an hour", verify.Config{Issuer: "https://id.example.com", Audience: audience, Leeway: time.Hour}, "Leeway"},
	} {
		if _, err := verify.New(test.c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, ok := range []string{"http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000", "https://id.example.com/tenant"} {
		if _, err := verify.New(verify.Config{Issuer: ok, Audience: audience}); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

// signAs signs by alg whatever the header says.
func (is *issuer) signAs(alg string, header, claims any) string {
	signed := segment(header) + "." + segment(claims)
	return signed + "." + b64(is.signature(alg, signed))
}

func jwe(t *testing.T, is *issuer, inner string) string {
	e, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: &is.rsa.PublicKey, KeyID: "rsa"},
		(&jose.EncrypterOptions{}).WithContentType("JWT").WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return must(must(e.Encrypt([]byte(inner))).CompactSerialize())
}

// respell changes the unused bits of the last character: another text that a
// lax decoder reads as the same signature.
func respell(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + alphabet[last|1:last|1+1]
}

func members(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf(`"x%d":1,`, i)
	}
	return text
}

func spaced(claims map[string]any) string {
	return "\n" + strings.ReplaceAll(string(must(json.MarshalIndent(claims, "", "\t"))), `": `, "\" :\r\n ") + " "
}

func digest(signed string) []byte {
	d := sha256.Sum256([]byte(signed))
	return d[:]
}
