package keystone_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// clientKey is a key of a client, as the client has it.
type clientKey struct {
	alg, kid string
	private  crypto.Signer
}

func newClientKey(t testing.TB, alg, kid string) clientKey {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return clientKey{alg, kid, key}
}

// jwks is the set of the public keys.
func jwks(t testing.TB, keys ...clientKey) json.RawMessage {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signJWT signs claims with any key, under any algorithm and with any header.
func signJWT(t testing.TB, alg string, key any, header map[string]any, claims any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for name, v := range header {
		o = o.WithHeader(jose.HeaderKey(name), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (k clientKey) sign(t testing.TB, typ string, claims map[string]any) string {
	t.Helper()
	header := map[string]any{"kid": k.kid}
	if typ != "" {
		header["typ"] = typ
	}
	return signJWT(t, k.alg, k.private, header, claims)
}

var assertions atomic.Int64

// assertionClaims are those of a good client assertion; pairs change them, a nil
// value takes one away.
func assertionClaims(s *keystonetest.Server, id string, pairs ...any) map[string]any {
	now := s.Clock.Now()
	claims := map[string]any{
		"iss": id, "sub": id, "aud": s.Issuer, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": fmt.Sprintf("jti-%d", assertions.Add(1)),
	}
	for i := 0; i < len(pairs); i += 2 {
		if claims[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		}
	}
	return claims
}

func withAssertion(raw string, form url.Values) url.Values {
	form = maps.Clone(form)
	form.Set("client_assertion", raw)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	return form
}

var asItself = url.Values{"grant_type": {"client_credentials"}}

// byAssertion asks for a token and returns the status and the error.
func byAssertion(t *testing.T, s *keystonetest.Server, raw string) (int, any) {
	t.Helper()
	status, answer := postForm(t, s, "/oauth2/token", withAssertion(raw, asItself))
	return status, answer["error"]
}

func wantInvalidClient(t *testing.T, name string, status int, code any) {
	t.Helper()
	if status != http.StatusUnauthorized || code != "invalid_client" {
		t.Errorf("%s: %d %v", name, status, code)
	}
}

func keyClient(s *keystonetest.Server, set json.RawMessage, more ...func(*keystone.ClientSettings)) keystonetest.Client {
	settings := keystone.ClientSettings{AuthMethod: keystone.AuthPrivateKeyJWT, JWKS: set}
	for _, change := range more {
		change(&settings)
	}
	return s.CreateClient(keystone.Client{Kind: keystone.ClientService, ClientSettings: settings})
}

// TestAssertions: private_key_jwt at every endpoint that authenticates clients,
// under each algorithm; everything that is wrong with an assertion is refused
// (G4, G6, E1, E2, E3, E7; RFC 7523, RFC 10070).
func TestAssertions(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		var keys []clientKey
		for _, alg := range []string{"ES256", "EdDSA", "PS256", "RS256"} {
			keys = append(keys, newClientKey(t, alg, alg))
		}
		c := keyClient(s, jwks(t, keys...))
		if c.Secret != "" {
			t.Error("a client with keys was given a secret")
		}
		for _, k := range keys {
			for _, typ := range []string{"", "JWT", "client-authentication+jwt", "application/client-authentication+jwt"} {
				if status, code := byAssertion(t, s, k.sign(t, typ, assertionClaims(s, c.ID))); status != http.StatusOK {
					t.Errorf("%s %q: %d %v", k.alg, typ, status, code)
				}
			}
		}
		k := keys[0]
		for path, form := range map[string]url.Values{
			"/oauth2/introspect": {"token": {"x"}}, "/oauth2/revoke": {"token": {"x"}}, "/oauth2/token": asItself,
		} {
			if status, answer := postForm(t, s, path, withAssertion(k.sign(t, "", assertionClaims(s, c.ID)), form)); status != http.StatusOK {
				t.Errorf("%s: %d %v", path, status, answer)
			}
			status, answer := postForm(t, s, path, withAssertion(k.sign(t, "", assertionClaims(s, c.ID, "aud", s.Issuer+path)), form))
			wantInvalidClient(t, path, status, answer["error"])
		}
		now := s.Clock.Now()
		for name, pairs := range map[string][]any{
			"G6 aud token endpoint":     {"aud", s.Issuer + "/oauth2/token"},
			"G6 aud array":              {"aud", []string{s.Issuer}},
			"G6 aud two":                {"aud", []string{s.Issuer, "https://other.example"}},
			"G6 aud other":              {"aud", "https://other.example"},
			"G6 aud slash":              {"aud", s.Issuer + "/"},
			"G6 aud missing":            {"aud", nil},
			"G6 aud empty":              {"aud", ""},
			"G6 aud empty list":         {"aud", []string{}},
			"G6 aud number":             {"aud", 1},
			"G6 iss":                    {"iss", "somebody"},
			"G6 iss missing":            {"iss", nil},
			"G6 sub":                    {"sub", keystone.NewID(now)},
			"G6 sub missing":            {"sub", nil},
			"G6 sub list":               {"sub", []string{c.ID}},
			"G6 no jti":                 {"jti", nil},
			"G6 jti empty":              {"jti", ""},
			"G6 jti number":             {"jti", 7},
			"G6 jti huge":               {"jti", strings.Repeat("x", 600)},
			"G6 iat 61 s ahead":         {"iat", now.Add(61 * time.Second).Unix()},
			"G6 nbf 61 s ahead":         {"nbf", now.Add(61 * time.Second).Unix()},
			"G6 iat text":               {"iat", "now"},
			"exp missing":               {"exp", nil},
			"exp past":                  {"exp", now.Add(-15 * time.Second).Unix()},
			"exp far":                   {"exp", now.Add(2 * time.Hour).Unix()},
			"exp huge":                  {"exp", 1e300},
			"exp text":                  {"exp", fmt.Sprint(now.Add(time.Minute).Unix())},
			"exp null":                  {"exp", json.RawMessage("null")},
			"request object (RFC 9101)": {"response_type", "code"},
		} {
			status, code := byAssertion(t, s, k.sign(t, "", assertionClaims(s, c.ID, pairs...)))
			wantInvalidClient(t, name, status, code)
		}
		for name, pairs := range map[string][]any{"iat 8 s ahead": {"iat", now.Add(8 * time.Second).Unix()}, "nbf 8 s ahead": {"nbf", now.Add(8 * time.Second).Unix()}, "no iat": {"iat", nil}, "fraction": {"iat", float64(now.Unix()) + .5}} {
			if status, code := byAssertion(t, s, k.sign(t, "", assertionClaims(s, c.ID, pairs...))); status != http.StatusOK {
				t.Errorf("%s: %d %v", name, status, code)
			}
		}
		stranger, good := newClientKey(t, "ES256", "ES256"), assertionClaims(s, c.ID)
		public := jose.JSONWebKey{Key: stranger.private.Public(), KeyID: "ES256"}
		publicJWK, _ := json.Marshal(public)
		der, _ := x509.MarshalPKIXPublicKey(keys[3].private.Public())
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		payload, _ := json.Marshal(good)
		body := base64.RawURLEncoding.EncodeToString(payload)
		signed := k.sign(t, "", good)
		for name, raw := range map[string]string{
			"E1 none":                header + "." + body + ".",
			"E1 nOnE":                base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"nOnE"}`)) + "." + body + ".",
			"E1 no signature":        signed[:strings.LastIndex(signed, ".")+1],
			"E2 HS256 with PEM":      signJWT(t, "HS256", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), map[string]any{"kid": "RS256"}, good),
			"E2 HS256 with the set":  signJWT(t, "HS256", []byte(jwks(t, keys...)), map[string]any{"kid": "ES256"}, good),
			"E3 jwk":                 signJWT(t, "ES256", stranger.private, map[string]any{"jwk": json.RawMessage(publicJWK)}, good),
			"E3 jku":                 signJWT(t, "ES256", stranger.private, map[string]any{"kid": "ES256", "jku": "https://evil.example/jwks"}, good),
			"E3 x5u":                 signJWT(t, "ES256", stranger.private, map[string]any{"kid": "ES256", "x5u": "https://evil.example/x"}, good),
			"other key":              stranger.sign(t, "", good),
			"E7 five parts":          "e30.e30.e30.e30.e30",
			"E7 PBES2":               base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAAAAAAAAA"}`)) + ".AA.AA.AA.AA",
			"JSON form":              `{"payload":"` + body + `","protected":"e30","signature":"AA"}`,
			"crit":                   signJWT(t, "ES256", k.private, map[string]any{"kid": "ES256", "crit": []string{"exp"}, "exp": 1}, good),
			"unknown kid":            signJWT(t, "ES256", k.private, map[string]any{"kid": "other"}, good),
			"typ of an access token": k.sign(t, "at+jwt", good), "typ of a DPoP proof": k.sign(t, "dpop+jwt", good), "typ of a request object": k.sign(t, "oauth-authz-req+jwt", good),
			"ES384 unlisted": "eyJhbGciOiJFUzM4NCJ9." + body + ".AAAA", "garbage": "x", "dots": "..", "huge": signed + strings.Repeat("A", 20<<10),
			"payload list": signJWT(t, "ES256", k.private, map[string]any{"kid": "ES256"}, []int{1}), "payload null": signJWT(t, "ES256", k.private, map[string]any{"kid": "ES256"}, nil),
		} {
			form := withAssertion(raw, asItself)
			form.Set("client_id", c.ID)
			began := time.Now()
			status, answer := postForm(t, s, "/oauth2/token", form)
			wantInvalidClient(t, name, status, answer["error"])
			if time.Since(began) > 5*time.Second {
				t.Errorf("%s took %s", name, time.Since(began))
			}
		}
		if status, code := byAssertion(t, s, signed); status != http.StatusOK {
			t.Errorf("refused copies used the jti up: %d %v", status, code)
		}
	})
}

// TestAssertionOnce: an assertion is good once, on all nodes, after its exp within
// the leeway, and after a restart (G4).
func TestAssertionOnce(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		k := newClientKey(t, "ES256", "a")
		c, other := keyClient(s, jwks(t, k)), keyClient(s, jwks(t, k))
		node := s.AddNode()
		for range 3 {
			claims := assertionClaims(s, c.ID)
			raw := k.sign(t, "", claims)
			var won, lost atomic.Int64
			var wg sync.WaitGroup
			for i := range 12 {
				at := []*keystonetest.Server{s, node}[i%2]
				wg.Go(func() {
					resp, err := at.Client().PostForm(at.URL+"/oauth2/token", withAssertion(raw, asItself))
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						won.Add(1)
					} else if resp.StatusCode == http.StatusUnauthorized {
						lost.Add(1)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 11 {
				t.Fatalf("%d got in, %d did not", won.Load(), lost.Load())
			}
			status, code := byAssertion(t, s.AddNode(), raw) // as after a restart
			wantInvalidClient(t, "a third node", status, code)
			status, code = byAssertion(t, s, k.sign(t, "JWT", claims)) // signed anew, the same jti
			wantInvalidClient(t, "the same jti", status, code)
			if status, code := byAssertion(t, s, k.sign(t, "", assertionClaims(s, other.ID, "jti", claims["jti"]))); status != http.StatusOK {
				t.Errorf("another client's jti: %d %v", status, code)
			}
			s.Clock.Move(65 * time.Second)
			status, code = byAssertion(t, s, raw)
			wantInvalidClient(t, "after exp", status, code)
		}
	})
}

// TestOneMethod: a client is let in by the method it registered and by no other,
// and by one at a time (G1, G2).
func TestOneMethod(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		k := newClientKey(t, "ES256", "a")
		set := jwks(t, k)
		made := map[string]keystonetest.Client{}
		for _, m := range []string{"", keystone.AuthSecretBasic, keystone.AuthSecretPost, keystone.AuthSecretJWT, keystone.AuthPrivateKeyJWT} {
			made[m] = s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{AuthMethod: m, JWKS: set}})
		}
		send := func(c keystonetest.Client, method string) (int, any) {
			form := maps.Clone(asItself)
			header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			secret := c.Secret
			if secret == "" {
				secret = "ks_cs_" + strings.Repeat("x", 49)
			}
			switch method {
			case keystone.AuthSecretBasic:
				header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.ID+":"+secret)))
			case keystone.AuthSecretPost:
				form.Set("client_id", c.ID)
				form.Set("client_secret", secret)
			case keystone.AuthSecretJWT:
				form = withAssertion(signJWT(t, "HS256", []byte(secret), nil, assertionClaims(s, c.ID)), form)
			case keystone.AuthPrivateKeyJWT:
				form = withAssertion(k.sign(t, "", assertionClaims(s, c.ID)), form)
			case keystone.AuthNone:
				form.Set("client_id", c.ID)
			}
			req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/oauth2/token", strings.NewReader(form.Encode()))
			req.Header = header
			resp, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var answer map[string]any
			_ = json.NewDecoder(resp.Body).Decode(&answer)
			return resp.StatusCode, answer["error"]
		}
		for registered, c := range made {
			for _, sent := range []string{keystone.AuthSecretBasic, keystone.AuthSecretPost, keystone.AuthSecretJWT, keystone.AuthPrivateKeyJWT, keystone.AuthNone} {
				status, code := send(c, sent)
				if good := sent == registered || registered == "" && (sent == keystone.AuthSecretBasic || sent == keystone.AuthSecretPost); good {
					if status != http.StatusOK {
						t.Errorf("%q by %s: %d %v", registered, sent, status, code)
					}
					continue
				}
				wantInvalidClient(t, registered+" by "+sent, status, code)
			}
		}
		// G1: two at once, at each endpoint and for each kind of client.
		for registered, c := range made {
			form := withAssertion(k.sign(t, "", assertionClaims(s, c.ID)), asItself)
			form.Set("client_id", c.ID)
			form.Set("client_secret", "x"+c.Secret)
			if status, answer := postForm(t, s, "/oauth2/token", form); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
				t.Errorf("%q, secret and assertion: %d %v", registered, status, answer)
			}
		}
		jwt := made[keystone.AuthPrivateKeyJWT]
		for name, form := range map[string]url.Values{
			"no type":       {"client_assertion": {k.sign(t, "", assertionClaims(s, jwt.ID))}},
			"other type":    {"client_assertion": {k.sign(t, "", assertionClaims(s, jwt.ID))}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}},
			"type alone":    {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_id": {jwt.ID}},
			"other id":      withAssertion(k.sign(t, "", assertionClaims(s, jwt.ID)), url.Values{"client_id": {made[""].ID}}),
			"public client": withAssertion(k.sign(t, "", assertionClaims(s, keystone.FirstPartyClientID)), url.Values{}),
		} {
			form.Set("grant_type", "client_credentials")
			status, answer := postForm(t, s, "/oauth2/token", form)
			wantInvalidClient(t, name, status, answer["error"])
		}
		var answer map[string]any
		if status := s.Call(http.MethodPost, "/api/v1/auth/token", "", map[string]any{"client_id": jwt.ID, "client_secret": "x"}, &answer); status != http.StatusUnauthorized {
			t.Errorf("the JSON face: %d %v", status, answer)
		}

		// A method that is changed takes its secrets with it.
		basic := made[keystone.AuthSecretBasic]
		path := "/api/v1/admin/clients/" + basic.ID
		for _, m := range []string{keystone.AuthPrivateKeyJWT, keystone.AuthSecretBasic} {
			if status := s.Call(http.MethodPatch, path, s.Admin(), map[string]any{"token_endpoint_auth_method": m}, nil); status != http.StatusOK {
				t.Fatalf("change to %s: %d", m, status)
			}
		}
		status, code := send(basic, keystone.AuthSecretBasic)
		wantInvalidClient(t, "a secret from before", status, code)
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients/"+jwt.ID+"/secret", s.Admin(), map[string]any{}, nil); status != http.StatusConflict {
			t.Errorf("a secret for a client with keys: %d", status)
		}
		// client_secret_jwt: rotation, and the end of the secret.
		var rotated struct {
			Secret string `json:"client_secret"`
		}
		hmac := made[keystone.AuthSecretJWT]
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients/"+hmac.ID+"/secret", s.Admin(), map[string]any{"overlap_seconds": 0}, &rotated); status != http.StatusOK && status != http.StatusCreated {
			t.Fatalf("rotate: %d", status)
		}
		s.Clock.Move(2 * time.Second)
		status, code = send(hmac, keystone.AuthSecretJWT)
		wantInvalidClient(t, "the old secret", status, code)
		hmac.Secret = rotated.Secret
		if status, code := send(hmac, keystone.AuthSecretJWT); status != http.StatusOK {
			t.Errorf("the new secret: %d %v", status, code)
		}
	})
}

// TestLegacyAudience: what RFC 10070 forbids holds for those clients alone whose
// administrator allowed it (G6).
func TestLegacyAudience(t *testing.T) {
	s := keystonetest.Start(t)
	k := newClientKey(t, "PS256", "a")
	c := keyClient(s, jwks(t, k), func(c *keystone.ClientSettings) {
		c.AssertionAudience = keystone.AudienceLegacy
		c.AuthSigningAlg = keystone.PS256
	})
	for _, aud := range []any{s.Issuer, s.Issuer + "/oauth2/token", s.Issuer + "/oauth2/revoke", []string{s.Issuer + "/oauth2/token", "https://x.example"}} {
		if status, answer := postForm(t, s, "/oauth2/revoke", withAssertion(k.sign(t, "", assertionClaims(s, c.ID, "aud", aud)), url.Values{"token": {"x"}})); status != http.StatusOK {
			t.Errorf("%v: %d %v", aud, status, answer)
		}
	}
	for _, aud := range []any{"https://x.example/oauth2/token", s.Issuer + "/oauth2/par", s.Issuer + "/oauth2/introspect", []string{}, nil} {
		status, answer := postForm(t, s, "/oauth2/revoke", withAssertion(k.sign(t, "", assertionClaims(s, c.ID, "aud", aud)), url.Values{"token": {"x"}}))
		wantInvalidClient(t, fmt.Sprint(aud), status, answer["error"])
	}
	rs := clientKey{"RS256", "a", k.private}
	status, code := byAssertion(t, s, rs.sign(t, "", assertionClaims(s, c.ID)))
	wantInvalidClient(t, "an algorithm that is not the client's", status, code)
}

// TestClientKeysAtAddress: keys at jwks_uri, changed by the client while it runs;
// an unknown kid does not make Keystone fetch as often as anybody likes (O1, O5).
func TestClientKeysAtAddress(t *testing.T) {
	old, fresh := newClientKey(t, "ES256", "old"), newClientKey(t, "ES256", "fresh")
	var set atomic.Pointer[json.RawMessage]
	var hits atomic.Int64
	first := jwks(t, old)
	set.Store(&first)
	site, ca := tlsSite(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = w.Write(*set.Load())
	})
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"OUTBOUND_ALLOW": "127.0.0.1", "OUTBOUND_CA_FILE": ca}))
	c := keyClient(s, nil, func(c *keystone.ClientSettings) { c.JWKSURI = site.URL + "/jwks" })
	if status, code := byAssertion(t, s, old.sign(t, "", assertionClaims(s, c.ID))); status != http.StatusOK {
		t.Fatalf("%d %v", status, code)
	}
	for range 30 {
		status, code := byAssertion(t, s, fresh.sign(t, "", assertionClaims(s, c.ID)))
		wantInvalidClient(t, "a key that is not published", status, code)
	}
	if n := hits.Load(); n > 2 {
		t.Errorf("%d requests for a key that nobody has", n)
	}
	second := jwks(t, fresh)
	set.Store(&second)
	s.Clock.Move(11 * time.Second)
	if status, code := byAssertion(t, s, fresh.sign(t, "", assertionClaims(s, c.ID))); status != http.StatusOK {
		t.Errorf("after the client changed its key: %d %v", status, code)
	}
	s.Clock.Move(11 * time.Second)
	status, code := byAssertion(t, s, old.sign(t, "", assertionClaims(s, c.ID)))
	wantInvalidClient(t, "the key that was taken away", status, code)

	// Without the operator's word nothing on this machine is asked, and a port
	// that answers looks like one that does not.
	closed := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"OUTBOUND_CA_FILE": ca}))
	before := hits.Load()
	var texts []string
	for _, uri := range []string{site.URL + "/jwks", "https://127.0.0.1:1/jwks", "https://169.254.169.254/x", "https://nowhere.invalid/x"} {
		c := keyClient(closed, nil, func(c *keystone.ClientSettings) { c.JWKSURI = uri })
		status, answer := postForm(t, closed, "/oauth2/token", withAssertion(old.sign(t, "", assertionClaims(closed, c.ID)), asItself))
		wantInvalidClient(t, uri, status, answer["error"])
		texts = append(texts, fmt.Sprint(answer["error_description"]))
	}
	if hits.Load() != before || texts[0] != texts[1] || texts[0] != texts[2] || texts[0] != texts[3] {
		t.Errorf("%d requests; %q", hits.Load()-before, texts)
	}
}

// tlsSite serves https on loopback and returns the file of its authority.
func tlsSite(t *testing.T, h http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	site := httptest.NewUnstartedServer(h)
	site.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelDebug)
	site.StartTLS()
	t.Cleanup(site.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return site, file
}

// TestRegisteredKeys: what is wrong with a key set is said when it is registered
// (E11), on every path that writes a client.
func TestRegisteredKeys(t *testing.T) {
	s := keystonetest.Start(t)
	good := newClientKey(t, "ES256", "a")
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	jwk := func(key any, kid, alg string) string {
		text, _ := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg})
		return string(text)
	}
	ec := jwk(good.private.Public(), "a", "")
	var many []string
	for i := range 21 {
		many = append(many, jwk(good.private.Public(), fmt.Sprint(i), ""))
	}
	bad := map[string]any{
		"off the curve":    set(`{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`),
		"not on P-256":     set(`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 42) + `E","y":"` + strings.Repeat("A", 42) + `E"}`),
		"wrong curve":      set(strings.Replace(ec, "P-256", "P-384", 1)),
		"alg of RSA":       set(jwk(good.private.Public(), "a", "RS256")),
		"alg HS256":        set(jwk(good.private.Public(), "a", "HS256")),
		"alg none":         set(jwk(good.private.Public(), "a", "none")),
		"1024 bits":        set(jwk(small.Public(), "a", "")),
		"private":          set(jwk(good.private, "a", "")),
		"private RSA":      set(jwk(small, "a", "")),
		"symmetric":        set(`{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`),
		"half private":     set(strings.TrimSuffix(ec, "}") + `,"d":""}`),
		"21 keys":          set(many...),
		"kid twice":        set(ec, ec),
		"no keys":          set(),
		"unknown kty":      set(`{"kty":"AKP","pub":"AA"}`),
		"keys not a list":  `{"keys":{}}`,
		"a list":           `[]`,
		"keys of another":  `{"KEYS":[` + ec + `]}`,
		"Ed25519 too long": set(`{"kty":"OKP","crv":"Ed25519","x":"` + strings.Repeat("A", 60) + `"}`),
	}
	c := s.CreateClient(keystone.Client{})
	for name, text := range bad {
		var answer map[string]any
		body := map[string]any{"name": "x", "kind": "service", "jwks": json.RawMessage(text.(string))}
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, &answer); status != http.StatusBadRequest || answer["fields"] == nil {
			t.Errorf("create, %s: %d %v", name, status, answer)
		}
		body = map[string]any{"jwks": json.RawMessage(text.(string))}
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, &answer); status != http.StatusBadRequest {
			t.Errorf("change, %s: %d", name, status)
		}
	}
	for name, body := range map[string]map[string]any{
		"both":                     {"jwks": json.RawMessage(set(ec)), "jwks_uri": "https://app.example.com/jwks"},
		"http":                     {"jwks_uri": "http://app.example.com/jwks"},
		"octal host":               {"jwks_uri": "https://0177.0.0.1/jwks"},
		"no keys for the method":   {"token_endpoint_auth_method": "private_key_jwt"},
		"none, confidential":       {"token_endpoint_auth_method": "none"},
		"unknown method":           {"token_endpoint_auth_method": "password"},
		"alg none":                 {"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(set(ec)), "token_endpoint_auth_signing_alg": "none"},
		"alg HS256 with keys":      {"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(set(ec)), "token_endpoint_auth_signing_alg": "HS256"},
		"alg without an assertion": {"token_endpoint_auth_signing_alg": "ES256"},
		"audience":                 {"assertion_audience": "anything"},
	} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	ed := newClientKey(t, "EdDSA", "e")
	var answer map[string]any
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"jwks": json.RawMessage(set(ec, jwk(ed.private.Public(), "e", "EdDSA")))}, &answer); status != http.StatusOK || answer["jwks"] == nil {
		t.Errorf("a good set: %d %v", status, answer)
	}
	answer = nil
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"jwks": nil}, &answer); status != http.StatusOK || answer["jwks"] != nil {
		t.Errorf("taken away: %d %v", status, answer)
	}
}

// TestAssertionGuesses: assertions that fail count like secrets that fail (G9).
func TestAssertionGuesses(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_TOKEN": "5/minute"}))
	k := newClientKey(t, "ES256", "a")
	c := keyClient(s, jwks(t, k))
	stranger := newClientKey(t, "ES256", "a")
	status := 0
	for range 8 {
		status, _ = byAssertion(t, s, stranger.sign(t, "", assertionClaims(s, c.ID)))
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("the eighth guess: %d", status)
	}
}
