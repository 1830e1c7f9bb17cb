package token

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// refusedToken fails unless the token is refused with the one error for all.
func (n *node) refusedToken(t testing.TB, name, raw string) {
	t.Helper()
	for _, round := range []string{"cold", "warm"} { // a refusal must not be remembered as something else
		if c, err := n.verifier.parse(ctx, raw); keystone.KindOf(err) != keystone.Unauthenticated || c != nil {
			t.Errorf("%s (%s): %+v, %v", name, round, c, err)
		}
	}
	if _, err := n.verifier.Authenticate(ctx, raw); keystone.KindOf(err) != keystone.Unauthenticated {
		t.Errorf("%s at the API: %v", name, err)
	}
}

func (n *node) accepted(t testing.TB, name, raw string) {
	t.Helper()
	if _, err := n.verifier.parse(ctx, raw); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func part(v any) string {
	b, isText := v.(string)
	if !isText {
		encoded, _ := json.Marshal(v)
		b = string(encoded)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(b))
}

// TestUnsigned is SECURITY.md E1: no spelling of "none", with or without a
// signature, is let in.
func TestUnsigned(t *testing.T) {
	for _, alg := range every {
		n := alone(t, alg)
		good := n.josed(t, n.goodClaims(), nil)
		signature := good[strings.LastIndexByte(good, '.')+1:]
		kid := ""
		if alg != keystone.HS256 {
			kid, _ = n.current(t)
		}
		for _, none := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `"none "`, `" none"`, `"none\u0000"`, `"n\u006fne"`, `""`, `null`, `[]`, `0`, `["none"]`} {
			for _, header := range []string{`{"alg":` + none + `,"typ":"at+jwt","kid":"` + kid + `"}`, `{"alg":` + none + `,"typ":"at+jwt"}`, `{"typ":"at+jwt","kid":"` + kid + `"}`, `{"typ":"at+jwt"}`} {
				for _, sig := range []string{"", signature, part("x")} {
					n.refusedToken(t, alg+" "+header, part(header)+"."+part(n.goodClaims())+"."+sig)
				}
			}
		}
	}
}

// TestAlgorithmConfusion is SECURITY.md E2: HMAC with what is public of a key,
// in every form that it is published in, proves nothing.
func TestAlgorithmConfusion(t *testing.T) {
	for _, alg := range []string{keystone.ES256, keystone.EdDSA, keystone.RS256, keystone.PS256} {
		n := alone(t, alg)
		kid, private := n.current(t)
		der, err := x509.MarshalPKIXPublicKey(private.Public())
		ok(t, err)
		body, _, _, err := n.ring.JWKS(ctx)
		ok(t, err)
		jwk, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: kid, Algorithm: alg, Use: "sig"})
		ok(t, err)
		secrets := map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWKS": body, "JWK": jwk, "kid": []byte(kid), "nothing": {}, "issuer": []byte(testIssuer)}
		if pub, isRSA := private.Public().(*rsa.PublicKey); isRSA {
			pkcs1 := x509.MarshalPKCS1PublicKey(pub)
			secrets["PKCS1"], secrets["PKCS1 PEM"], secrets["n"] = pkcs1, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}), pub.N.Bytes()
		}
		if pub, isEC := private.Public().(*ecdsa.PublicKey); isEC {
			point, err := pub.Bytes()
			ok(t, err)
			secrets["point"] = point
		}
		for name, key := range secrets {
			for _, header := range []string{`{"alg":"HS256","typ":"at+jwt","kid":"` + kid + `"}`, `{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","typ":"at+jwt","kid":""}`,
				`{"alg":"` + alg + `","typ":"at+jwt","kid":"` + kid + `"}`} {
				input := part(header) + "." + part(n.goodClaims())
				mac := hmac.New(sha256.New, key)
				mac.Write([]byte(input))
				n.refusedToken(t, alg+" under "+name, input+"."+part(string(mac.Sum(nil))))
			}
		}
	}
	// A server that signs with HS256 takes no other key for it, and an empty one not at all.
	n := alone(t, keystone.HS256)
	n.accepted(t, "its own", n.josed(t, n.goodClaims(), nil))
	own := hmacKey
	n.ring.o.HMACKey = nil
	input := part(`{"alg":"HS256","typ":"at+jwt"}`) + "." + part(n.goodClaims())
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte(input))
	n.refusedToken(t, "empty key", input+"."+part(string(mac.Sum(nil))))
	n.ring.o.HMACKey = own
}

// TestForeignKeys is SECURITY.md E3: keys that a token brings or points to are
// never looked at.
func TestForeignKeys(t *testing.T) {
	n := alone(t, keystone.ES256)
	kid, _ := n.current(t)
	evil, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	sign := func(change func(*jose.SignerOptions)) string {
		o := (&jose.SignerOptions{}).WithType("at+jwt")
		change(o)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: evil}, o)
		ok(t, err)
		payload, _ := json.Marshal(n.goodClaims())
		signed, err := signer.Sign(payload)
		ok(t, err)
		raw, err := signed.CompactSerialize()
		ok(t, err)
		return raw
	}
	public := jose.JSONWebKey{Key: evil.Public(), KeyID: "evil", Algorithm: "ES256"}
	for name, change := range map[string]func(*jose.SignerOptions){
		"our kid":            func(o *jose.SignerOptions) { o.WithHeader("kid", kid) },
		"no kid":             func(*jose.SignerOptions) {},
		"unknown kid":        func(o *jose.SignerOptions) { o.WithHeader("kid", keystone.NewID(n.clock.Now())) },
		"kid is a path":      func(o *jose.SignerOptions) { o.WithHeader("kid", "../../../../dev/null") },
		"kid is SQL":         func(o *jose.SignerOptions) { o.WithHeader("kid", "' OR 1=1 --") },
		"kid is a URL":       func(o *jose.SignerOptions) { o.WithHeader("kid", "http://127.0.0.1:1/key") },
		"embedded jwk":       func(o *jose.SignerOptions) { o.EmbedJWK = true },
		"jwk beside our kid": func(o *jose.SignerOptions) { o.WithHeader("kid", kid).WithHeader("jwk", public) },
		"jku":                func(o *jose.SignerOptions) { o.WithHeader("jku", "http://127.0.0.1:1/jwks").WithHeader("kid", "evil") },
		"x5u":                func(o *jose.SignerOptions) { o.WithHeader("x5u", "http://127.0.0.1:1/cert").WithHeader("kid", kid) },
		"x5c":                func(o *jose.SignerOptions) { o.WithHeader("x5c", []string{"MIIB"}).WithHeader("kid", kid) },
	} {
		n.refusedToken(t, name, sign(change))
	}
	n.accepted(t, "pointers in a token of ours are ignored", n.josed(t, n.goodClaims(), func(o *jose.SignerOptions) {
		o.WithHeader("jku", "http://127.0.0.1:1/jwks").WithHeader("x5u", "http://127.0.0.1:1/cert")
	}))
}

// TestKeyOfAnotherAlgorithm: a kid stands for one key and one algorithm.
func TestKeyOfAnotherAlgorithm(t *testing.T) {
	es := alone(t, keystone.ES256)
	rs, ps := newNode(t, es.store, es.clock, keystone.RS256), newNode(t, es.store, es.clock, keystone.PS256)
	es.clock.Move(time.Second) // es has read the keys of the others
	esKid, esKey := es.current(t)
	rsKid, rsKey := rs.current(t)
	psKid, psKey := ps.current(t)
	sign := func(headerAlg, kid, alg string, key any) string {
		s := newSigner(alg, kid, typeAccess, key)
		s.header = part(`{"alg":"`+headerAlg+`","typ":"at+jwt","kid":"`+kid+`"}`) + "."
		payload, _ := json.Marshal(es.goodClaims())
		raw, err := s.sign(payload)
		ok(t, err)
		return raw
	}
	es.accepted(t, "ES256 by its own", sign("ES256", esKid, "ES256", esKey))
	es.accepted(t, "RS256 by another node", sign("RS256", rsKid, "RS256", rsKey))
	es.accepted(t, "PS256 by another node", sign("PS256", psKid, "PS256", psKey))
	for _, x := range []struct {
		header, kid, alg string
		key              any
	}{
		{"ES256", rsKid, "ES256", esKey}, {"RS256", esKid, "RS256", rsKey}, {"RS256", esKid, "ES256", esKey}, {"ES256", rsKid, "RS256", rsKey},
		{"PS256", rsKid, "PS256", rsKey}, {"RS256", psKid, "RS256", psKey}, // one RSA key, the other padding
		{"PS256", rsKid, "RS256", rsKey}, {"RS256", rsKid, "PS256", rsKey},
		{"RS512", rsKid, "RS256", rsKey}, {"ES384", esKid, "ES256", esKey}, {"es256", esKid, "ES256", esKey}, {"ES256K", esKid, "ES256", esKey}, {"EdDSA", esKid, "ES256", esKey},
	} {
		es.refusedToken(t, fmt.Sprint(x.header, " says ", x.kid, " signed ", x.alg), sign(x.header, x.kid, x.alg, x.key))
	}
}

// TestTypes: only access tokens are access tokens (SECURITY.md F1, RFC 9068
// section 4).
func TestTypes(t *testing.T) {
	n := alone(t, keystone.ES256)
	kid, key := n.current(t)
	for typ, want := range map[string]bool{
		`"at+jwt"`: true, `"AT+JWT"`: true, `"application/at+jwt"`: true, `"Application/AT+jwt"`: true,
		`"JWT"`: false, `""`: false, `null`: false, `"at+jwt "`: false, `"at+jwt\u0000"`: false, `"application/application/at+jwt"`: false, `"text/at+jwt"`: false,
		`"id_token+jwt"`: false, `"logout+jwt"`: false, `"dpop+jwt"`: false, `"jwt"`: false, `["at+jwt"]`: false, `1`: false, `"at+jwt;x=y"`: false, `"application/"`: false,
	} {
		s := newSigner("ES256", kid, "x", key)
		s.header = part(`{"alg":"ES256","typ":`+typ+`,"kid":"`+kid+`"}`) + "."
		payload, _ := json.Marshal(n.goodClaims())
		raw, err := s.sign(payload)
		ok(t, err)
		if want {
			n.accepted(t, typ, raw)
		} else {
			n.refusedToken(t, typ, raw)
		}
	}
	s := newSigner("ES256", kid, "x", key)
	s.header = part(`{"alg":"ES256","kid":"`+kid+`"}`) + "."
	payload, _ := json.Marshal(n.goodClaims())
	raw, err := s.sign(payload)
	ok(t, err)
	n.refusedToken(t, "no typ", raw)
}

// TestClaimsAreChecked with tokens that our own key signed: the signature alone
// opens nothing. SECURITY.md E9.
func TestClaimsAreChecked(t *testing.T) {
	for _, alg := range []string{keystone.ES256, keystone.HS256} {
		n := alone(t, alg)
		now := n.clock.Now().Unix()
		type change map[string]any
		gone := struct{}{}
		for _, test := range []struct {
			name   string
			change change
			want   bool
		}{
			{"nothing", nil, true},
			{"aud as text", change{"aud": testIssuer}, true},
			{"aud without Keystone", change{"aud": "https://api.example.com"}, true},
			{"aud empty list", change{"aud": []string{}}, false},
			{"aud missing", change{"aud": gone}, false},
			{"aud null", change{"aud": nil}, false},
			{"aud number", change{"aud": 1}, false},
			{"aud true", change{"aud": true}, false},
			{"aud object", change{"aud": map[string]string{testIssuer: testIssuer}}, false},
			{"aud list with number", change{"aud": []any{testIssuer, 1}}, false},
			{"aud list of lists", change{"aud": []any{[]string{testIssuer}}}, false},
			{"iss foreign", change{"iss": "https://evil.example"}, false},
			{"iss with slash", change{"iss": testIssuer + "/"}, false},
			{"iss in capitals", change{"iss": strings.ToUpper(testIssuer)}, false},
			{"iss missing", change{"iss": gone}, false},
			{"iss list", change{"iss": []string{testIssuer}}, false},
			{"sub missing", change{"sub": gone}, false},
			{"sub empty", change{"sub": ""}, false},
			{"sub number", change{"sub": 1}, false},
			{"client_id missing", change{"client_id": gone}, false},
			{"jti missing: it could not be revoked", change{"jti": gone}, false},
			{"exp missing", change{"exp": gone}, false},
			{"exp text", change{"exp": fmt.Sprint(now + 900)}, false},
			{"exp fraction", change{"exp": float64(now) + 0.5}, false},
			{"exp nought", change{"exp": 0}, false},
			{"exp negative", change{"exp": -1}, false},
			{"exp beyond numbers", change{"exp": json.RawMessage("1e400")}, false},
			{"expired within leeway", change{"iat": now - 900, "nbf": now - 900, "exp": now - 9}, true},
			{"expired", change{"iat": now - 900, "nbf": now - 900, "exp": now - 10}, false},
			{"expires before it is issued", change{"exp": now - 5}, false},
			{"iat missing", change{"iat": gone}, false},
			{"iat ahead within leeway", change{"iat": now + 10, "nbf": now + 10}, true},
			{"iat ahead", change{"iat": now + 11, "nbf": now + 11}, false},
			{"nbf ahead", change{"nbf": now + 60}, false},
			{"scopes text", change{"scopes": "a b"}, false},
			{"scopes missing", change{"scopes": gone}, true},
			{"unknown claims", change{"admin": true, "roles": []string{"admin"}}, true},
		} {
			claims := n.goodClaims()
			for k, v := range test.change {
				if claims[k] = v; v == gone {
					delete(claims, k)
				}
			}
			raw := n.josed(t, claims, nil)
			if test.want {
				n.accepted(t, alg+" "+test.name, raw)
			} else {
				n.refusedToken(t, alg+" "+test.name, raw)
			}
		}
		for name, payload := range map[string]string{"empty": "", "list": "[]", "text": `"x"`, "null": "null", "cut": `{"iss":`, "two objects": `{}{}`, "not UTF-8": "{\"iss\":\"\xff\"}", "deep": strings.Repeat("[", 5000)} {
			key := any(hmacKey)
			kid := ""
			if alg != keystone.HS256 {
				kid, key = func() (string, any) { k, p := n.current(t); return k, p }()
			}
			raw, err := newSigner(alg, kid, typeAccess, key).sign([]byte(payload))
			ok(t, err)
			n.refusedToken(t, alg+" payload "+name, raw)
		}
	}
}

// TestTimeGoesOn: a token that was good, and is remembered as good, ends.
func TestTimeGoesOn(t *testing.T) {
	n := alone(t, keystone.ES256)
	c := n.service(t, nil)
	raw := n.mint(t, c).AccessToken
	n.accepted(t, "fresh", raw)
	n.clock.Move(15*time.Minute + leeway - time.Second)
	n.accepted(t, "at its end, within leeway", raw)
	n.clock.Move(time.Second)
	n.refusedToken(t, "after its end", raw)
	n.clock.Move(-16 * time.Minute)
	n.refusedToken(t, "before it was issued", raw)
}

// TestOneSpelling: every token has one spelling. Whatever is cut off, added or
// changed anywhere makes another token, which is none (ZIT CVE-2026-27840).
func TestOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, alg := range every {
		n := alone(t, alg)
		c := n.service(t, nil)
		good := n.mint(t, c).AccessToken
		n.accepted(t, alg, good)
		bad := func(raw string) {
			if _, err := n.verifier.parse(ctx, raw); keystone.KindOf(err) != keystone.Unauthenticated {
				t.Errorf("%s: %q is let in: %v", alg, raw, err)
			}
		}
		step := 1
		if alg == keystone.PS256 {
			step = 7 // like RS256, and slow to sign in this table
		}
		for i := 0; i < len(good); i += step {
			bad(good[:i])
			bad(good[i+1:])
			bad(good[:i] + good[i+1:])
			for _, insert := range []string{"A", "=", "\n", "\r\n", " ", ".", "\x00", "+", "/"} {
				bad(good[:i] + insert + good[i:])
			}
			if at := strings.IndexByte(alphabet, good[i]); at >= 0 {
				for _, bit := range []int{1, 2, 4, 8, 16, 32} { // each of the six bits of a character
					bad(good[:i] + string(alphabet[at^bit]) + good[i+1:])
				}
			}
		}
		for _, add := range []string{"A", "AA", "AAAA", "=", "==", "\n", ".", ".x", " "} {
			bad(good + add)
			bad(add + good)
		}
		bad(strings.ToLower(good))
		bad(good + good)
		bad("Bearer " + good)
		bad(`"` + good + `"`)
		n.accepted(t, alg+" after all", good)
	}
}

// TestOtherForms is SECURITY.md E7: encrypted tokens, JSON serializations, bombs
// and rubbish are refused, and quickly.
func TestOtherForms(t *testing.T) {
	n := alone(t, keystone.ES256)
	kid, key := n.current(t)
	good := n.josed(t, n.goodClaims(), nil)
	parts := strings.Split(good, ".")
	encrypted := func(alg jose.KeyAlgorithm, key any) string {
		e, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: alg, Key: key, PBES2Count: 1000}, (&jose.EncrypterOptions{Compression: jose.DEFLATE}).WithType("at+jwt"))
		ok(t, err)
		o, err := e.Encrypt([]byte(good))
		ok(t, err)
		raw, err := o.CompactSerialize()
		ok(t, err)
		return raw
	}
	private, isEC := key.(*ecdsa.PrivateKey)
	if !isEC {
		t.Fatal("no EC key")
	}
	signed := func(header string) string {
		s := newSigner("ES256", kid, typeAccess, key)
		s.header = part(header) + "."
		payload, _ := json.Marshal(n.goodClaims())
		raw, err := s.sign(payload)
		ok(t, err)
		return raw
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	der, err := private.Sign(rand.Reader, digest[:], crypto.SHA256)
	ok(t, err)
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N.Bytes()
	zeros := make([]byte, 32)
	input := parts[0] + "." + parts[1] + "."
	var zipped bytes.Buffer
	w, _ := flate.NewWriter(&zipped, 9)
	_, _ = w.Write(make([]byte, 64<<20))
	_ = w.Close()
	for name, raw := range map[string]string{
		"nothing":                   "",
		"a dot":                     ".",
		"two dots":                  "..",
		"three dots":                "...",
		"two parts":                 parts[0] + "." + parts[1],
		"header alone":              parts[0] + "..",
		"no payload":                parts[0] + ".." + parts[2],
		"no header":                 "." + parts[1] + "." + parts[2],
		"four parts":                good + ".x",
		"empty fourth part":         good + ".",
		"five parts":                good + ".x.y",
		"JWE to our key":            encrypted(jose.ECDH_ES, private.Public()),
		"JWE with a password":       encrypted(jose.PBES2_HS256_A128KW, []byte("password")),
		"JWE with huge p2c":         part(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAAAAAA","typ":"at+jwt"}`) + ".AAAA.AAAA.AAAA.AAAA",
		"JWE header in three parts": part(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"typ":"at+jwt","kid":"`+kid+`"}`) + ".AAAA.AAAA",
		"flattened JSON":            `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"JSON in one part":          part(`{"payload":"` + parts[1] + `"}`),
		"crit":                      signed(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `","crit":["exp"],"exp":1}`),
		"empty crit":                signed(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `","crit":[]}`),
		"crit null":                 signed(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `","crit":null}`),
		"unencoded payload":         signed(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `","crit":["b64"],"b64":false}`),
		"header is a list":          part(`["ES256"]`) + "." + parts[1] + "." + parts[2],
		"header is rubbish":         part("\xff\xfe") + "." + parts[1] + "." + parts[2],
		"header is deep":            part(strings.Repeat(`{"a":`, 2000)) + "." + parts[1] + "." + parts[2],
		"alg twice":                 signed(`{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"` + kid + `"}`),
		"alg twice, first none":     part(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"alg in capitals beside":    signed(`{"alg":"ES256","ALG":"none","typ":"at+jwt","kid":"` + kid + `"}`),
		"header twice":              signed(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}{"alg":"none"}`),
		"another's header":          part(`{"alg":"ES256","typ":"at+jwt","kid":"`+kid+`","x":1}`) + "." + parts[1] + "." + parts[2],
		"ASN.1 signature":           input + part(string(der)),
		"signature of noughts":      input + part(string(make([]byte, 64))),
		"r is the order":            input + part(string(order)+string(zeros)),
		"r and s are the order":     input + part(string(order)+string(order)),
		"long r":                    input + part("\x00"+string(rs.R.FillBytes(make([]byte, 32)))+"\x00"+string(rs.S.FillBytes(make([]byte, 32)))),
		"r plus the order":          input + part(string(new(big.Int).Add(rs.R, elliptic.P256().Params().N).Bytes())+string(rs.S.FillBytes(make([]byte, 32)))),
		"standard alphabet":         strings.NewReplacer("-", "+", "_", "/").Replace(good) + "=",
		"just too long":             good + strings.Repeat("A", maxToken-len(good)+1),
		"one megabyte":              strings.Repeat("A", 1<<20),
		"one megabyte of dots":      strings.Repeat(".", 1<<20),
		"long payload":              parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2],
		"zip":                       part(`{"alg":"ES256","typ":"at+jwt","kid":"`+kid+`","zip":"DEF"}`) + "." + part(zipped.String()) + "." + parts[2],
		"refresh token":             n.issuer.refreshToken(keystone.NewID(n.clock.Now()), 1),
		"client secret":             secret.New(secret.ClientSecret),
		"unknown opaque token":      secret.New(secret.AccessToken),
		"opaque prefix":             secret.AccessToken,
		"opaque rubbish":            secret.AccessToken + strings.Repeat("A", 49),
		"other bytes":               "\x00\xff." + "\x00\xff." + "\x00\xff",
	} {
		begun := time.Now()
		n.refusedToken(t, name, raw)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	n.accepted(t, "the good one", good)
}

// FuzzParse: whatever comes in, only what we issued is let in.
func FuzzParse(f *testing.F) {
	n := alone(f, keystone.ES256)
	good := map[string]bool{}
	for range 3 {
		raw := n.mint(f, n.service(f, nil)).AccessToken
		good[raw] = true
		f.Add(raw)
	}
	kid, _ := n.current(f)
	f.Add(part(`{"alg":"none","typ":"at+jwt"}`) + "." + part(n.goodClaims()) + ".")
	f.Add(part(`{"alg":"HS256","typ":"at+jwt","kid":"`+kid+`"}`) + "." + part(n.goodClaims()) + ".AAAA")
	f.Add("a.b.c")
	f.Add("....")
	f.Add(part(`{"alg":"ES256","typ":"at+jwt","kid":"`+kid+`","crit":null}`) + "." + part(`{}`) + "." + part(string(make([]byte, 64))))
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := n.verifier.parse(ctx, raw); err == nil && !good[raw] {
			t.Fatalf("%q is let in", raw)
		} else if err != nil && keystone.KindOf(err) != keystone.Unauthenticated {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}
