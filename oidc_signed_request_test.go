package keystone_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// signerClient is a client of kind web that keeps a secret and has keys.
func signerClient(s *keystonetest.Server, set json.RawMessage, more ...func(*keystone.ClientSettings)) keystonetest.Client {
	settings := keystone.ClientSettings{JWKS: set}
	for _, change := range more {
		change(&settings)
	}
	return s.CreateClient(keystone.Client{Name: "Signer", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"}, ClientSettings: settings})
}

// objectClaims are those of a good request object, changed by pairs; nil takes one
// away.
func objectClaims(s *keystonetest.Server, id string, pairs ...any) map[string]any {
	now := s.Clock.Now()
	return changed(map[string]any{
		"iss": id, "aud": s.Issuer, "exp": now.Add(5 * time.Minute).Unix(), "nbf": now.Unix(), "iat": now.Unix(), "jti": fmt.Sprintf("object-%d", assertions.Add(1)),
		"client_id": id, "redirect_uri": callback, "response_type": "code", "scope": "openid profile email", "state": "inside", "nonce": "n-inside",
		"code_challenge": challenge(), "code_challenge_method": "S256",
	}, pairs)
}

const objectType = "oauth-authz-req+jwt"

// byObject is an authorization request by value, with pairs beside the object.
func byObject(s *keystonetest.Server, c keystonetest.Client, raw string, pairs ...string) string {
	q := url.Values{"client_id": {c.ID}, "request": {raw}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return s.URL + "/oauth2/authorize?" + q.Encode()
}

func pushObject(t *testing.T, s *keystonetest.Server, c keystonetest.Client, raw string, pairs ...string) (int, map[string]any) {
	t.Helper()
	return postForm(t, s, "/oauth2/par", credentials(c, append([]string{"request", raw}, pairs...)...))
}

// TestRequestObject: a signed request counts, and what stands beside it does not:
// by GET, by form, pushed (RFC 9101, RFC 9126 section 3).
func TestRequestObject(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		var keys []clientKey
		for _, alg := range []string{"ES256", "EdDSA", "PS256", "RS256"} {
			keys = append(keys, newClientKey(t, alg, alg))
		}
		app := signerClient(s, jwks(t, keys...))
		k := keys[0]
		b := newBrowser(t, s)
		b.open(byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID)), "scope", "openid offline_access", "state", "outside", "nonce", "n-outside",
			"redirect_uri", "https://evil.example/cb", "response_type", "token", "prompt", "none", "response_mode", "fragment"))
		b.signIn(jane)
		b.submit(map[string]string{"decision": "allow"})
		got := b.answer()
		if got.Get("state") != "inside" {
			t.Errorf("state: %v", got)
		}
		status, tokens := redeem(t, s, app, got.Get("code"))
		if status != http.StatusOK || tokens["scope"] != "email openid profile" || idClaims(t, tokens["id_token"])["nonce"] != "n-inside" {
			t.Fatalf("%d %v", status, tokens)
		}
		for _, k := range keys {
			for _, typ := range []string{objectType, "application/" + objectType, "JWT", ""} {
				b.open(byObject(s, app, k.sign(t, typ, objectClaims(s, app.ID))))
				if b.answer().Get("code") == "" {
					t.Errorf("%s %q: %s", k.alg, typ, b.page.url)
				}
			}
		}
		now := s.Clock.Now()
		for name, pairs := range map[string][]any{
			"several aud": {"aud", []string{"https://other.example", s.Issuer}}, "nbf 8 s ahead": {"nbf", now.Add(8 * time.Second).Unix()}, "no nbf, no iat": {"nbf", nil, "iat", nil},
			"60 min from nbf to exp": {"nbf", now.Add(-30 * time.Minute).Unix(), "exp", now.Add(30 * time.Minute).Unix()},
			"a number":               {"max_age", 10000}, "an object": {"claims", map[string]any{"id_token": map[string]any{"name": nil}}}, "unknown members": {"x", true},
			"a list of resources": {"resource", []string{s.Issuer}}, "no state": {"state", nil},
		} {
			b.open(byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID, pairs...)), "state", "outside"))
			got := b.answer()
			if want := map[bool]string{true: "", false: "inside"}[name == "no state"]; got.Get("code") == "" || got.Get("state") != want {
				t.Errorf("%s: %v", name, got)
			}
		}
		b.crossPost("/oauth2/authorize", url.Values{"client_id": {app.ID}, "request": {k.sign(t, objectType, objectClaims(s, app.ID))}, "state": {"outside"}})
		if got := b.answer(); got.Get("state") != "inside" || got.Get("code") == "" {
			t.Errorf("by form: %v", got)
		}
		status, pushed := pushObject(t, s, app, k.sign(t, objectType, objectClaims(s, app.ID)), "state", "outside", "scope", "openid offline_access")
		if status != http.StatusCreated {
			t.Fatalf("pushed: %d %v", status, pushed)
		}
		b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed["request_uri"].(string)}}.Encode())
		got = b.answer()
		if _, tokens := redeem(t, s, app, got.Get("code")); got.Get("state") != "inside" || tokens["scope"] != "email openid profile" {
			t.Errorf("pushed: %v %v", got, tokens)
		}
	})
}

// TestRequestObjectRefused: H5, E1, E2, E3, E7, and one JWT taken for another. By
// push, in the browser with a registered address beside the object, and without
// one.
func TestRequestObjectRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		k, rsaKey, stranger := newClientKey(t, "ES256", "a"), newClientKey(t, "RS256", "r"), newClientKey(t, "ES256", "a")
		app, other := signerClient(s, jwks(t, k, rsaKey)), signerClient(s, jwks(t, k))
		only := signerClient(s, jwks(t, k, rsaKey), func(c *keystone.ClientSettings) { c.RequestObjectAlg = "ES256" })
		now := s.Clock.Now()
		bad := map[string]string{}
		for name, pairs := range map[string][]any{
			"aud other": {"aud", "https://other.example"}, "aud missing": {"aud", nil}, "aud number": {"aud", 1}, "aud empty list": {"aud", []string{}},
			"iss other": {"iss", other.ID}, "iss missing": {"iss", nil}, "client_id other": {"client_id", other.ID}, "client_id missing": {"client_id", nil},
			"exp missing": {"exp", nil}, "exp past": {"exp", now.Add(-15 * time.Second).Unix()}, "exp 62 min": {"exp", now.Add(62 * time.Minute).Unix()}, "exp text": {"exp", "soon"}, "exp huge": {"exp", 1e300},
			"nbf 61 s ahead": {"nbf", now.Add(61 * time.Second).Unix()}, "nbf 62 min ago": {"nbf", now.Add(-62 * time.Minute).Unix()}, "61 min from nbf to exp": {"nbf", now.Add(-31 * time.Minute).Unix(), "exp", now.Add(30 * time.Minute).Unix()},
			"118 min from nbf to exp": {"nbf", now.Add(-59 * time.Minute).Unix(), "exp", now.Add(59 * time.Minute).Unix()}, "iat ahead": {"iat", now.Add(time.Hour).Unix()},
			"request inside": {"request", "x"}, "request_uri inside": {"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "sub": {"sub", app.ID},
			"null": {"state", json.RawMessage("null")}, "list of scopes": {"scope", []string{"openid"}}, "list of redirect URIs": {"redirect_uri", []string{callback, "https://evil.example"}}, "list of numbers": {"resource", []int{1}},
		} {
			bad[name] = k.sign(t, objectType, objectClaims(s, app.ID, pairs...))
		}
		good := objectClaims(s, app.ID)
		payload, _ := json.Marshal(good)
		body := base64.RawURLEncoding.EncodeToString(payload)
		der, _ := x509.MarshalPKIXPublicKey(rsaKey.private.Public())
		publicJWK, _ := json.Marshal(jose.JSONWebKey{Key: stranger.private.Public(), KeyID: "a"})
		signed := k.sign(t, objectType, good)
		for name, raw := range map[string]string{
			"none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + body + ".", "no signature": signed[:strings.LastIndex(signed, ".")+1],
			"HS256 with a secret":   signJWT(t, "HS256", []byte(app.Secret), nil, good),
			"HS256 with the PEM":    signJWT(t, "HS256", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), map[string]any{"kid": "r"}, good),
			"HS256 with the set":    signJWT(t, "HS256", []byte(jwks(t, k)), map[string]any{"kid": "a"}, good),
			"another key":           stranger.sign(t, objectType, good),
			"jwk in the header":     signJWT(t, "ES256", stranger.private, map[string]any{"jwk": json.RawMessage(publicJWK)}, good),
			"jku":                   signJWT(t, "ES256", stranger.private, map[string]any{"kid": "a", "jku": "https://evil.example/jwks"}, good),
			"crit":                  signJWT(t, "ES256", k.private, map[string]any{"kid": "a", "crit": []string{"exp"}, "exp": 1}, good),
			"typ of an assertion":   k.sign(t, "client-authentication+jwt", good),
			"typ of a DPoP proof":   k.sign(t, "dpop+jwt", good),
			"typ of a token":        k.sign(t, "at+jwt", good),
			"an assertion":          k.sign(t, "", assertionClaims(s, app.ID)),
			"another client's":      k.sign(t, objectType, objectClaims(s, other.ID)),
			"encrypted":             "e30.e30.e30.e30.e30",
			"JSON form":             `{"payload":"` + body + `","protected":"e30","signature":"AA"}`,
			"a list":                signJWT(t, "ES256", k.private, map[string]any{"kid": "a"}, []int{1}),
			"not a JWT":             "x",
			"an access token of us": s.Admin(),
		} {
			bad[name] = raw
		}
		for name, raw := range bad {
			t.Run(name, func(t *testing.T) {
				if status, answer := pushObject(t, s, app, raw, "redirect_uri", callback, "response_type", "code"); status != http.StatusBadRequest || answer["error"] != "invalid_request_object" {
					t.Errorf("pushed: %d %v", status, answer)
				}
				b := newBrowser(t, s)
				b.open(byObject(s, app, raw, "redirect_uri", callback, "state", "st"))
				if got := b.answer(); got.Get("error") != "invalid_request_object" || got.Get("state") != "st" || got.Has("code") {
					t.Errorf("back: %v", got)
				}
				b.open(byObject(s, app, raw, "redirect_uri", "https://evil.example/cb", "state", "st"))
				if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" || strings.Contains(b.page.body, "evil") {
					t.Errorf("on a page: %d to %q", b.page.status, b.page.header.Get("Location"))
				}
			})
		}
		b := newBrowser(t, s)
		b.open(byObject(s, app, signed, "request_uri", "urn:ietf:params:oauth:request_uri:x", "redirect_uri", callback))
		if got := b.answer(); got.Get("error") != "invalid_request_object" {
			t.Errorf("request and request_uri: %v", got)
		}
		if status, answer := pushObject(t, s, app, signed, "request_uri", "x"); status != http.StatusBadRequest {
			t.Errorf("request and request_uri, pushed: %d %v", status, answer)
		}
		if status, answer := pushObject(t, s, other, signed); status != http.StatusBadRequest || answer["error"] != "invalid_request_object" {
			t.Errorf("pushed by another client: %d %v", status, answer)
		}
		if status, answer := pushObject(t, s, only, rsaKey.sign(t, objectType, objectClaims(s, only.ID))); status != http.StatusBadRequest || answer["error"] != "invalid_request_object" {
			t.Errorf("another algorithm than the registered one: %d %v", status, answer)
		}
		if status, answer := pushObject(t, s, only, k.sign(t, objectType, objectClaims(s, only.ID))); status != http.StatusCreated {
			t.Errorf("the registered algorithm: %d %v", status, answer)
		}
		for name, change := range map[string][]any{"redirect_uri": {"redirect_uri", "https://evil.example/cb"}, "no redirect_uri": {"redirect_uri", nil}} { // what is right beside the object does not help
			b.open(byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID, change...)), "redirect_uri", callback))
			if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
				t.Errorf("%s inside: %d to %q", name, b.page.status, b.page.header.Get("Location"))
			}
		}
		b.open(byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID, "code_challenge", nil)), "code_challenge", challenge(), "code_challenge_method", "S256"))
		if got := b.answer(); got.Get("error") != "invalid_request" || got.Get("state") != "inside" {
			t.Errorf("PKCE beside the object: %v", got)
		}
		plain := webClient(s)
		b.open(byObject(s, plain, signed, "redirect_uri", callback))
		if got := b.answer(); got.Get("error") != "request_not_supported" {
			t.Errorf("a client without keys: %v", got)
		}
		service := keyClient(s, jwks(t, k)) // and the other way round: an object as an assertion
		claims := objectClaims(s, service.ID)
		claims["sub"] = service.ID
		for _, typ := range []string{objectType, "JWT", ""} {
			status, code := byAssertion(t, s, k.sign(t, typ, claims))
			wantInvalidClient(t, "object as assertion", status, code)
		}
	})
}

// TestSignedRequestRequired: a client that must sign gets nowhere without, on any
// path (RFC 9101 section 10.5).
func TestSignedRequestRequired(t *testing.T) {
	s := keystonetest.Start(t)
	s.CreateUser("jane")
	k := newClientKey(t, "ES256", "a")
	app := signerClient(s, jwks(t, k), func(c *keystone.ClientSettings) { c.RequireSignedRequest = true })
	u, _ := url.Parse(authorizeURL(s, app))
	b := newBrowser(t, s)
	b.open(u.String())
	if got := b.answer(); got.Get("error") != "invalid_request_object" {
		t.Errorf("GET: %v", got)
	}
	b.open(u.String() + "&request=")
	if got := b.answer(); got.Get("error") != "invalid_request_object" {
		t.Errorf("empty: %v", got)
	}
	b.crossPost("/oauth2/authorize", u.Query())
	if got := b.answer(); got.Get("error") != "invalid_request_object" {
		t.Errorf("POST: %v", got)
	}
	form := u.Query()
	form.Set("client_secret", app.Secret)
	if status, answer := postForm(t, s, "/oauth2/par", form); status != http.StatusBadRequest || answer["error"] != "invalid_request_object" {
		t.Errorf("pushed: %d %v", status, answer)
	}
	b.open(byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID))))
	b.at("login")
	b.crossPost("/oauth2/authorize", url.Values{"client_id": {app.ID}, "request": {k.sign(t, objectType, objectClaims(s, app.ID))}})
	b.at("login")
	_, pushed := pushObject(t, s, app, k.sign(t, objectType, objectClaims(s, app.ID)))
	b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed["request_uri"].(string)}}.Encode())
	b.at("login")
	body := map[string]any{"name": "x", "kind": "web", "require_signed_request_object": true}
	if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, nil); status != http.StatusBadRequest {
		t.Errorf("registered without keys: %d", status)
	}
	body = map[string]any{"name": "x", "kind": "web", "request_object_signing_alg": "none"}
	if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, nil); status != http.StatusBadRequest {
		t.Errorf("registered with alg none: %d", status)
	}
}

// TestRequestObjectAndProof: the key of a DPoP proof that comes with a pushed object
// binds the code; dpop_jkt beside the object does not count (RFC 9449 section 10.1).
func TestRequestObjectAndProof(t *testing.T) {
	s := keystonetest.Start(t)
	jane, ck := s.CreateUser("jane"), newClientKey(t, "ES256", "a")
	app := signerClient(s, jwks(t, ck))
	k, thief := newProofKey(t, s), newProofKey(t, s)
	b := signedIn(t, s, jane, app)
	push := func(proof *proofKey, pairs ...any) answered {
		return proof.post(s, "/oauth2/par", credentials(app, "request", ck.sign(t, objectType, objectClaims(s, app.ID, pairs...)), "dpop_jkt", thief.thumbprint()), proof.proof(http.MethodPost, "/oauth2/par"))
	}
	push(k, "dpop_jkt", thief.thumbprint()).is(t, http.StatusBadRequest, "invalid_dpop_proof")
	for range 2 {
		pushed := push(k)
		pushed.is(t, http.StatusCreated, "")
		b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed.body["request_uri"].(string)}}.Encode())
		code := b.answer().Get("code")
		thief.post(s, tokenPath, codeForm(app, code), thief.proof(http.MethodPost, tokenPath)).is(t, http.StatusBadRequest, "invalid_grant")
	}
	pushed := push(k)
	b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed.body["request_uri"].(string)}}.Encode())
	k.post(s, tokenPath, codeForm(app, b.answer().Get("code")), k.proof(http.MethodPost, tokenPath)).is(t, http.StatusOK, "")
}

// verifiedJWT checks a JWT with the published keys and returns header and claims.
func verifiedJWT(t *testing.T, s *keystonetest.Server, raw, alg, typ string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set)
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	header := jws.Signatures[0].Protected
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || header.ExtraHeaders["typ"] != typ {
		t.Fatalf("header %v, %d keys", header, len(keys))
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// jarm returns what the application got in a JWT, whichever way that came.
func (b *browser) jarm(mode, alg string, c keystonetest.Client) map[string]any {
	b.t.Helper()
	var values url.Values
	switch mode {
	case "form_post.jwt":
		form := formTag.FindStringSubmatch(b.page.body)
		if form == nil || html.UnescapeString(form[1]) != callback {
			b.t.Fatalf("no form at %s:\n%s", b.page.url, b.page.body)
		}
		values = url.Values{}
		for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
			values.Set(input[1], valueOf.FindStringSubmatch(input[0])[1])
		}
	case "fragment.jwt":
		values, _ = url.ParseQuery(b.page.url.Fragment)
	default:
		values = b.page.url.Query()
	}
	if len(values) != 1 || values.Get("response") == "" {
		b.t.Fatalf("%s: %v at %s", mode, values, b.page.url)
	}
	claims := verifiedJWT(b.t, b.server, values.Get("response"), alg, "JWT")
	left := time.Unix(int64(claims["exp"].(float64)), 0).Sub(b.server.Clock.Now())
	if claims["iss"] != b.server.Issuer || claims["aud"] != c.ID || left <= 0 || left > 10*time.Minute {
		b.t.Errorf("%v", claims)
	}
	return claims
}

// TestJARM: code and errors in a signed JWT, in every mode, under the algorithm that
// the client registered (JWT Secured Authorization Response Mode).
func TestJARM(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		for _, alg := range []string{"", "PS256", "ES256", "EdDSA", "RS256"} {
			app := signerClient(s, nil, func(c *keystone.ClientSettings) { c.ResponseAlg = alg })
			if alg == "" {
				alg = "RS256"
			}
			b := signedIn(t, s, jane, app)
			for _, mode := range []string{"jwt", "query.jwt", "fragment.jwt", "form_post.jwt"} {
				b.open(authorizeURL(s, app, "response_mode", mode))
				claims := b.jarm(mode, alg, app)
				code, _ := claims["code"].(string)
				if claims["state"] != "st" || claims["error"] != nil {
					t.Fatalf("%s: %v", mode, claims)
				}
				if status, tokens := redeem(t, s, app, code); status != http.StatusOK {
					t.Errorf("%s: %d %v", mode, status, tokens)
				}
				b.open(authorizeURL(s, app, "response_mode", mode, "response_type", "token"))
				if claims := b.jarm(mode, alg, app); claims["error"] != "unsupported_response_type" || claims["state"] != "st" || claims["code"] != nil {
					t.Errorf("%s: %v", mode, claims)
				}
				b.open(authorizeURL(s, app, "response_mode", mode, "prompt", "none", "max_age", "0"))
				s.Clock.Move(time.Second)
				b.open(authorizeURL(s, app, "response_mode", mode, "prompt", "none", "max_age", "0"))
				if claims := b.jarm(mode, alg, app); claims["error"] != "login_required" {
					t.Errorf("%s: %v", mode, claims)
				}
			}
		}
		native := s.CreateClient(keystone.Client{Name: "Tool", Kind: keystone.ClientNative, RedirectURIs: []string{"com.example.tool:/cb"}, Scopes: []string{"openid"}})
		b := newBrowser(t, s)
		b.open(authorizeURL(s, native, "redirect_uri", "com.example.tool:/cb", "response_mode", "form_post.jwt"))
		if got := b.page.url.Query(); got.Get("error") != "invalid_request" {
			t.Errorf("a form for a private scheme: %s", b.page.url)
		}
		var facts map[string]any
		s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
		for _, name := range []string{"request_object_signing_alg_values_supported", "authorization_signing_alg_values_supported"} {
			if list, _ := facts[name].([]any); len(list) != 4 || strings.Contains(fmt.Sprint(list), "none") || strings.Contains(fmt.Sprint(list), "HS") {
				t.Errorf("%s: %v", name, list)
			}
		}
		if facts["request_parameter_supported"] != true || facts["request_uri_parameter_supported"] != true || facts["require_request_uri_registration"] != true {
			t.Errorf("%v", facts)
		}
	})
}

// TestRequestByReference: an object is fetched from the client's registered
// addresses and from nowhere else, and held to the same rules (RFC 9101 section
// 5.2, OpenID Connect Core section 6.2).
func TestRequestByReference(t *testing.T) {
	var text atomic.Value
	var hits atomic.Int64
	text.Store("")
	site, ca := tlsSite(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		if text.Load() == "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, text.Load().(string))
	})
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"OUTBOUND_ALLOW": "127.0.0.1", "OUTBOUND_CA_FILE": ca}))
	jane, k := s.CreateUser("jane"), newClientKey(t, "ES256", "a")
	at := site.URL + "/request.jwt#hash"
	register := func(more func(*keystone.ClientSettings)) keystonetest.Client {
		return signerClient(s, jwks(t, k), func(c *keystone.ClientSettings) { c.RequestURIs = []string{at}; more(c) })
	}
	app := register(func(*keystone.ClientSettings) {})
	b := signedIn(t, s, jane, app)
	ask := func(c keystonetest.Client, uri string) {
		t.Helper()
		b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {c.ID}, "request_uri": {uri}, "redirect_uri": {callback}, "state": {"outside"}, "scope": {"openid"}}.Encode())
	}
	for _, uri := range []string{site.URL + "/request.jwt", site.URL + "/other", at + "x", "http://169.254.169.254/latest", "https://evil.example/r"} {
		ask(app, uri)
		if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", uri, b.page.status, b.page.header.Get("Location"))
		}
	}
	if status, answer := postForm(t, s, "/oauth2/par", credentials(app, "request_uri", at)); status != http.StatusBadRequest || hits.Load() != 0 {
		t.Errorf("pushed: %d %v; fetched %d times", status, answer, hits.Load())
	}
	ask(app, at)
	if got := b.answer(); got.Get("error") != "invalid_request_uri" || got.Get("state") != "outside" {
		t.Errorf("a site that fails: %v", got)
	}
	for _, bad := range []string{"x", k.sign(t, objectType, objectClaims(s, app.ID, "aud", "https://other.example")), strings.Repeat("x", 300<<10)} {
		text.Store(bad)
		s.Clock.Move(2 * time.Hour)
		ask(app, at)
		if got := b.answer(); got.Get("error") != "invalid_request_object" && got.Get("error") != "invalid_request_uri" || got.Has("code") {
			t.Errorf("%.20s: %v", bad, got)
		}
	}
	s.Clock.Move(2 * time.Hour)
	for _, state := range []string{"first", "second"} {
		text.Store(k.sign(t, objectType, objectClaims(s, app.ID, "state", state)) + "\n")
		b = signedIn(t, s, jane, app)
		ask(app, at)
		if got := b.answer(); got.Get("code") == "" || got.Get("state") != state {
			t.Errorf("%s: %v", state, got)
		}
		s.Clock.Move(10 * time.Minute) // the first has expired and is not taken from memory
	}
	must := register(func(c *keystone.ClientSettings) { c.RequirePAR = true })
	s.Clock.Move(2 * time.Hour)
	text.Store(k.sign(t, objectType, objectClaims(s, must.ID)))
	ask(must, at)
	if got := b.answer(); got.Get("error") != "invalid_request" {
		t.Errorf("a client that must push: %v", got)
	}
	for _, uris := range [][]string{{"http://app.example/r"}, {"https://u@app.example/r"}, {"x"}, make([]string, 21)} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+app.ID, s.Admin(), map[string]any{"request_uris": uris}, nil); status != http.StatusBadRequest {
			t.Errorf("%v: %d", uris, status)
		}
	}
}
