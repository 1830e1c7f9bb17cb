package keystone_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// proofKey is a client's DPoP key, and what its proofs say unless a case says
// something else.
type proofKey struct {
	t     *testing.T
	s     *keystonetest.Server
	key   *ecdsa.PrivateKey
	nonce string // of the server, once it gave one

	client func(path string) *http.Client // that sends; nil: the node's
}

func newProofKey(t *testing.T, s *keystonetest.Server) *proofKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &proofKey{t: t, s: s, key: key}
}

func encoded(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (k *proofKey) point() (x, y string) {
	b, err := k.key.PublicKey.Bytes()
	if err != nil {
		k.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b[1:33]), base64.RawURLEncoding.EncodeToString(b[33:])
}

func (k *proofKey) jwk() map[string]any {
	x, y := k.point()
	return map[string]any{"kty": "EC", "crv": "P-256", "x": x, "y": y}
}

// thumbprint is the key's jkt (RFC 7638).
func (k *proofKey) thumbprint() string {
	x, y := k.point()
	return hashed(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`)
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sign makes a compact JWS of header and claims.
func (k *proofKey) sign(header, claims map[string]any) string {
	k.t.Helper()
	input := encoded(header) + "." + encoded(claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}

// claims are those of a good proof for a path of the issuer, changed by pairs; nil
// takes one away.
func (k *proofKey) claims(method, path string, pairs ...any) map[string]any {
	c := map[string]any{"jti": rand.Text(), "htm": method, "htu": k.s.Issuer + path, "iat": k.s.Clock.Now().Unix()}
	if k.nonce != "" {
		c["nonce"] = k.nonce
	}
	return changed(c, pairs)
}

func changed(c map[string]any, pairs []any) map[string]any {
	c = maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if c[name] = pairs[i+1]; pairs[i+1] == nil {
			delete(c, name)
		}
	}
	return c
}

func (k *proofKey) header(pairs ...any) map[string]any {
	return changed(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.jwk()}, pairs)
}

// proof is a good proof, its claims changed by pairs.
func (k *proofKey) proof(method, path string, pairs ...any) string {
	k.t.Helper()
	return k.sign(k.header(), k.claims(method, path, pairs...))
}

// answered is what an endpoint answered.
type answered struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answered) is(t *testing.T, status int, code string) {
	t.Helper()
	if got, _ := a.body["error"].(string); a.status != status || got != code {
		t.Errorf("%d %v, want %d %s", a.status, a.body, status, code)
	}
}

// post posts a form with proofs to a node.
func (k *proofKey) post(node *keystonetest.Server, path string, form url.Values, proofs ...string) answered {
	k.t.Helper()
	req, err := http.NewRequest(http.MethodPost, node.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return k.do(node, req, proofs...)
}

// call uses an access token at a node under a scheme.
func (k *proofKey) call(node *keystonetest.Server, method, path, scheme, token string, proofs ...string) answered {
	k.t.Helper()
	req, err := http.NewRequest(method, node.URL+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", scheme+" "+token)
	return k.do(node, req, proofs...)
}

func (k *proofKey) do(node *keystonetest.Server, req *http.Request, proofs ...string) answered {
	k.t.Helper()
	for _, p := range proofs {
		req.Header.Add("DPoP", p)
	}
	client := node.Client()
	if k.client != nil {
		client = k.client(req.URL.Path)
	}
	resp, err := client.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answered{resp.StatusCode, resp.Header, map[string]any{}}
	if err := json.NewDecoder(resp.Body).Decode(&a.body); err != nil && err != io.EOF {
		k.t.Fatal(err)
	}
	return a
}

// uses calls a path with a token and a good proof.
func (k *proofKey) uses(node *keystonetest.Server, method, path string, token any, pairs ...any) answered {
	k.t.Helper()
	raw, _ := token.(string)
	return k.call(node, method, path, "DPoP", raw, k.proof(method, path, append([]any{"ath", hashed(raw)}, pairs...)...))
}

func credentials(c keystonetest.Client, pairs ...string) url.Values {
	form := url.Values{"client_id": {c.ID}}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func codeForm(c keystonetest.Client, code string) url.Values {
	return credentials(c, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
}

const (
	tokenPath = "/oauth2/token"
	usersPath = "/api/v1/users"
)

// eachPairOfNodes runs f with two nodes on one database, on both databases. With
// SQLite they share one file.
func eachPairOfNodes(t *testing.T, f func(t *testing.T, a, b *keystonetest.Server), options ...keystonetest.Option) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) { f(t, s, s.AddNode()) }, options...)
}

// badProofs are H6: what is wrong with a proof wherever it is used. Each gives a
// proof for the method and path; more is added to its claims.
func badProofs(k *proofKey, method, path string, more ...any) map[string][]string {
	now := k.s.Clock.Now().Unix()
	claims := func(pairs ...any) map[string]any { return k.claims(method, path, append(more, pairs...)...) }
	proof := func(pairs ...any) []string { return []string{k.sign(k.header(), claims(pairs...))} }
	head := func(pairs ...any) []string { return []string{k.sign(k.header(pairs...), claims())} }
	good := proof()[0]
	parts := strings.Split(good, ".")
	private := k.jwk()
	private["d"] = base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	secret := []byte("0123456789abcdef0123456789abcdef")
	symmetric := encoded(k.header("alg", "HS256", "jwk", map[string]any{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(secret)})) + "." + parts[1]
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(symmetric))
	return map[string][]string{
		"htm of another method":      proof("htm", "PUT"),
		"htm in lower case":          proof("htm", strings.ToLower(method)),
		"htu of another path":        proof("htu", k.s.Issuer+path+"2"),
		"htu of another host":        proof("htu", "https://evil.example"+path),
		"htu of a host that begins":  proof("htu", k.s.Issuer+".evil.example"+path),
		"htu with user info":         proof("htu", strings.Replace(k.s.Issuer, "://", "://u@", 1)+path),
		"htu that is relative":       proof("htu", path),
		"no htu":                     proof("htu", nil),
		"no htm":                     proof("htm", nil),
		"no jti":                     proof("jti", nil),
		"jti of 201 characters":      proof("jti", strings.Repeat("j", 201)),
		"jti that is a number":       proof("jti", 7),
		"no iat":                     proof("iat", nil),
		"iat that is a text":         proof("iat", "now"),
		"iat 61 s ago":               proof("iat", now-62),
		"iat 61 s ahead":             proof("iat", now+61),
		"iat 15 s ahead":             proof("iat", now+15),
		"nbf 61 s ahead":             proof("nbf", now+61),
		"exp a minute ago":           proof("exp", now-60),
		"typ JWT":                    head("typ", "JWT"),
		"no typ":                     head("typ", nil),
		"alg none":                   {encoded(k.header("alg", "none")) + "." + parts[1] + "."},
		"alg HS256 with symmetric":   {symmetric + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))},
		"alg RS256 with an EC key":   head("alg", "RS256"),
		"alg ES384":                  head("alg", "ES384"),
		"private jwk":                head("jwk", private),
		"no jwk":                     head("jwk", nil),
		"jwk of another key":         head("jwk", newProofKey(k.t, k.s).jwk()),
		"jwk off the curve":          head("jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)}),
		"crit":                       head("crit", []string{"x"}),
		"two headers":                {good, proof()[0]},
		"two proofs in one":          {good + "," + good},
		"empty":                      {""},
		"truncated":                  {good[:len(good)-1]},
		"signature of another proof": {parts[0] + "." + encoded(claims()) + "." + parts[2]},
		"too long":                   {strings.Repeat("a", 9000)},
	}
}

// TestDPoPProofRefusedAtTokenEndpoint: H6, for every grant through the one door.
func TestDPoPProofRefusedAtTokenEndpoint(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, k := s.CreateClient(keystone.Client{Scopes: []string{"users:read"}}), newProofKey(t, s)
		form := credentials(app, "grant_type", "client_credentials")
		for name, proofs := range badProofs(k, http.MethodPost, tokenPath) {
			t.Run(name, func(t *testing.T) {
				k.post(s, tokenPath, form, proofs...).is(t, http.StatusBadRequest, "invalid_dpop_proof")
			})
		}
		for name, pairs := range map[string][]any{
			"iat 55 s ago":              {"iat", s.Clock.Now().Unix() - 55},
			"iat 9 s ahead":             {"iat", s.Clock.Now().Unix() + 9},
			"nbf 9 s ahead":             {"nbf", s.Clock.Now().Unix() + 9},
			"exp ahead":                 {"exp", s.Clock.Now().Unix() + 60},
			"htu with query":            {"htu", s.Issuer + tokenPath + "?a=b#c"},
			"htu in other letters":      {"htu", strings.Replace(s.Issuer, "http", "HTTP", 1) + tokenPath},
			"htu with needless escapes": {"htu", s.Issuer + "/oauth2/%74oken"},
			"iat with a fraction":       {"iat", float64(s.Clock.Now().UnixMilli()) / 1000},
		} {
			if a := k.post(s, tokenPath, form, k.proof(http.MethodPost, tokenPath, pairs...)); a.status != http.StatusOK || a.body["token_type"] != "DPoP" {
				t.Errorf("%s: %d %v", name, a.status, a.body)
			}
		}
	})
}

// TestDPoPProofOnce: H6, X16: a proof is good once, on whatever node.
func TestDPoPProofOnce(t *testing.T) {
	eachPairOfNodes(t, func(t *testing.T, a, b *keystonetest.Server) {
		app, k := a.CreateClient(keystone.Client{Scopes: []string{"users:read"}}), newProofKey(t, a)
		form := credentials(app, "grant_type", "client_credentials")
		proof := k.proof(http.MethodPost, tokenPath)
		first := k.post(a, tokenPath, form, proof)
		first.is(t, http.StatusOK, "")
		k.post(a, tokenPath, form, proof).is(t, http.StatusBadRequest, "invalid_dpop_proof")
		k.post(b, tokenPath, form, proof).is(t, http.StatusBadRequest, "invalid_dpop_proof")

		raw, _ := first.body["access_token"].(string)
		used := k.proof(http.MethodGet, usersPath, "ath", hashed(raw))
		k.call(a, http.MethodGet, usersPath, "DPoP", raw, used).is(t, http.StatusOK, "")
		again := k.call(b, http.MethodGet, usersPath, "DPoP", raw, used)
		again.is(t, http.StatusUnauthorized, "invalid_dpop_proof")
		if got := again.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "DPoP ") || !strings.Contains(got, `error="invalid_dpop_proof"`) || !strings.Contains(got, `algs="ES256 EdDSA PS256 RS256"`) {
			t.Errorf("challenge %q", got)
		}

		proof = k.proof(http.MethodPost, tokenPath)
		var won atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 40 {
			wg.Go(func() {
				<-start
				if k.post([]*keystonetest.Server{a, b}[i%2], tokenPath, form, proof).status == http.StatusOK {
					won.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 40 uses of one proof got a token", won.Load())
		}
	})
}

// TestDPoPAtResources: H6 and H7 at Keystone's own API and at userinfo, with JWT
// and opaque tokens.
func TestDPoPAtResources(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateRole("reader", "users:read")
		jane, k := s.CreateUser("jane", "reader"), newProofKey(t, s)
		const asked = "openid profile email users:read"
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			t.Run(format, func(t *testing.T) {
				app := s.CreateClient(keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, AccessTokenFormat: format,
					Scopes: strings.Fields(asked)})
				b := signedIn(t, s, jane, app, "scope", asked)
				bound := k.post(s, tokenPath, codeForm(app, b.code(app, "scope", asked)), k.proof(http.MethodPost, tokenPath))
				bound.is(t, http.StatusOK, "")
				raw, _ := bound.body["access_token"].(string)
				plain := k.post(s, tokenPath, codeForm(app, b.code(app, "scope", asked)))
				bearer, _ := plain.body["access_token"].(string)
				if bound.body["token_type"] != "DPoP" || plain.body["token_type"] != "Bearer" {
					t.Fatalf("%v %v", bound.body, plain.body)
				}
				for _, path := range []string{usersPath, "/oauth2/userinfo"} {
					k.uses(s, http.MethodGet, path, raw).is(t, http.StatusOK, "")
					refused := func(name, code string, a answered) {
						t.Helper()
						got := a.header.Get("WWW-Authenticate")
						if a.status != http.StatusUnauthorized || !strings.HasPrefix(got, "DPoP ") || !strings.Contains(got, `error="`+code+`"`) {
							t.Errorf("%s %s: %d %v %q", path, name, a.status, a.body, got)
						}
					}
					refused("H7 bound under Bearer", "invalid_token", k.call(s, http.MethodGet, path, "Bearer", raw))
					refused("H7 bound under Bearer with proof", "invalid_token", k.call(s, http.MethodGet, path, "Bearer", raw, k.proof(http.MethodGet, path, "ath", hashed(raw))))
					refused("H7 plain under DPoP", "invalid_token", k.uses(s, http.MethodGet, path, bearer))
					refused("no proof", "invalid_dpop_proof", k.call(s, http.MethodGet, path, "DPoP", raw))
					refused("no ath", "invalid_dpop_proof", k.call(s, http.MethodGet, path, "DPoP", raw, k.proof(http.MethodGet, path)))
					refused("ath of another token", "invalid_dpop_proof", k.uses(s, http.MethodGet, path, raw, "ath", hashed(bearer)))
					refused("another key", "invalid_token", newProofKey(t, s).uses(s, http.MethodGet, path, raw))
					refused("a token that is none", "invalid_token", k.uses(s, http.MethodGet, path, raw+"x"))
					for name, proofs := range badProofs(k, http.MethodGet, path, "ath", hashed(raw)) {
						refused(name, "invalid_dpop_proof", k.call(s, http.MethodGet, path, "DPoP", raw, proofs...))
					}
					k.call(s, http.MethodGet, path, "Bearer", bearer).is(t, http.StatusOK, "")
				}
				form := url.Values{"access_token": {raw}}
				if a := k.post(s, "/oauth2/userinfo", form, k.proof(http.MethodPost, "/oauth2/userinfo", "ath", hashed(raw))); a.status != http.StatusUnauthorized {
					t.Errorf("H7 bound in the form: %d", a.status)
				}
				about := k.post(s, "/oauth2/introspect", credentials(app, "token", raw))
				cnf, _ := about.body["cnf"].(map[string]any)
				if about.body["active"] != true || about.body["token_type"] != "DPoP" || cnf["jkt"] != k.thumbprint() {
					t.Errorf("introspection: %v", about.body)
				}
				if format == keystone.FormatJWT && !strings.Contains(payloadOf(t, raw), `"cnf":{"jkt":"`+k.thumbprint()+`"}`) {
					t.Errorf("claims: %s", payloadOf(t, raw))
				}
			})
		}
	})
}

func payloadOf(t *testing.T, jwt string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDPoPCodeBinding: C11: a code is bound by dpop_jkt, at the authorization
// endpoint and pushed, and by the proof that comes with a pushed request.
func TestDPoPCodeBinding(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app, k := webClient(s), newProofKey(t, s)
		b := signedIn(t, s, s.CreateUser("jane"), app)
		pushed := func(proofs []string, pairs ...string) answered {
			form := credentials(app, "response_type", "code", "redirect_uri", callback, "scope", "openid", "prompt", "none",
				"code_challenge", challenge(), "code_challenge_method", "S256")
			for i := 0; i < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			return k.post(s, "/oauth2/par", form, proofs...)
		}
		byPush := func(a answered) string {
			a.is(t, http.StatusCreated, "")
			uri, _ := a.body["request_uri"].(string)
			b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {uri}}.Encode())
			return b.answer().Get("code")
		}
		proof := func() string { return k.proof(http.MethodPost, "/oauth2/par") }
		for name, code := range map[string]func() string{
			"dpop_jkt in the request":     func() string { return b.code(app, "dpop_jkt", k.thumbprint()) },
			"dpop_jkt pushed":             func() string { return byPush(pushed(nil, "dpop_jkt", k.thumbprint())) },
			"a proof pushed":              func() string { return byPush(pushed([]string{proof()})) },
			"both, of one key, are one":   func() string { return byPush(pushed([]string{proof()}, "dpop_jkt", k.thumbprint())) },
			"a proof for any other thing": func() string { return b.code(app, "dpop_jkt", k.thumbprint(), "scope", "openid profile") },
		} {
			k.post(s, tokenPath, codeForm(app, code()), k.proof(http.MethodPost, tokenPath)).is(t, http.StatusOK, "")
			taken := code()
			k.post(s, tokenPath, codeForm(app, taken)).is(t, http.StatusBadRequest, "invalid_grant")
			if a := k.post(s, tokenPath, codeForm(app, taken), k.proof(http.MethodPost, tokenPath)); a.status != http.StatusBadRequest {
				t.Errorf("%s: a code that was tried without its key is good: %v", name, a.body)
			}
			other := newProofKey(t, s)
			other.post(s, tokenPath, codeForm(app, code()), other.proof(http.MethodPost, tokenPath)).is(t, http.StatusBadRequest, "invalid_grant")
		}
		pushed([]string{proof()}, "dpop_jkt", newProofKey(t, s).thumbprint()).is(t, http.StatusBadRequest, "invalid_dpop_proof")
		pushed(nil, "dpop_jkt", "short").is(t, http.StatusBadRequest, "invalid_request")
		for name, proofs := range badProofs(k, http.MethodPost, "/oauth2/par") {
			if a := pushed(proofs); a.status != http.StatusBadRequest || a.body["error"] != "invalid_dpop_proof" {
				t.Errorf("pushed with %s: %d %v", name, a.status, a.body)
			}
		}
		once := proof()
		pushed([]string{once}).is(t, http.StatusCreated, "")
		pushed([]string{once}).is(t, http.StatusBadRequest, "invalid_dpop_proof")
		b.open(authorizeURL(s, app, "dpop_jkt", "short"))
		if got := b.answer(); got.Get("error") != "invalid_request" {
			t.Errorf("a malformed dpop_jkt: %v", got)
		}
	})
}

// TestDPoPRefresh: a public client's refresh token needs the key that it was
// given to; a confidential client's follows the key that is shown.
func TestDPoPRefresh(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, k := s.CreateUser("jane"), newProofKey(t, s)
		scopes := []string{"openid", "profile", "email", "offline_access"}
		refresh := func(k *proofKey, c keystonetest.Client, token any, proofs ...string) answered {
			raw, _ := token.(string)
			return k.post(s, tokenPath, credentials(c, "grant_type", "refresh_token", "refresh_token", raw), proofs...)
		}
		proof := func(k *proofKey) string { return k.proof(http.MethodPost, tokenPath) }
		other := newProofKey(t, s)

		public := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, RedirectURIs: []string{callback}, Scopes: scopes})
		b := signedIn(t, s, jane, public)
		first := k.post(s, tokenPath, codeForm(public, b.code(public, "scope", "openid offline_access")), proof(k))
		first.is(t, http.StatusOK, "")
		refresh(k, public, first.body["refresh_token"]).is(t, http.StatusBadRequest, "invalid_grant")
		refresh(other, public, first.body["refresh_token"], proof(other)).is(t, http.StatusBadRequest, "invalid_grant")
		if status := s.Call(http.MethodPost, "/api/v1/auth/refresh", "", map[string]any{"client_id": public.ID, "refresh_token": first.body["refresh_token"]}, nil); status != http.StatusUnauthorized {
			t.Errorf("the JSON face took a bound refresh token: %d", status)
		}
		second := refresh(k, public, first.body["refresh_token"], proof(k))
		second.is(t, http.StatusOK, "")
		if second.body["token_type"] != "DPoP" || second.body["refresh_token"] == first.body["refresh_token"] {
			t.Errorf("%v", second.body)
		}
		k.uses(s, http.MethodGet, "/oauth2/userinfo", second.body["access_token"]).is(t, http.StatusOK, "")

		web := s.CreateClient(keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: scopes})
		b = signedIn(t, s, jane, web)
		first = k.post(s, tokenPath, codeForm(web, b.code(web, "scope", "openid offline_access")), proof(k))
		moved := refresh(other, web, first.body["refresh_token"], proof(other))
		moved.is(t, http.StatusOK, "")
		other.uses(s, http.MethodGet, "/oauth2/userinfo", moved.body["access_token"]).is(t, http.StatusOK, "")
		if a := k.uses(s, http.MethodGet, "/oauth2/userinfo", moved.body["access_token"]); a.status != http.StatusUnauthorized {
			t.Errorf("the key before still works: %d", a.status)
		}
	})
}

// TestDPoPBoundClient: dpop_bound holds on every path on which a client gets
// tokens, and for a confidential one ends rotation.
func TestDPoPBoundClient(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, k := s.CreateUser("jane"), newProofKey(t, s)
		settings := keystone.ClientSettings{DPoPBound: true}
		scopes := []string{"openid", "profile", "email", "offline_access"}
		service := s.CreateClient(keystone.Client{Scopes: []string{"users:read"}, ClientSettings: settings})
		first := s.CreateClient(keystone.Client{Kind: keystone.ClientNative, FirstParty: true, Scopes: []string{"users:read"}, ClientSettings: settings})
		web := s.CreateClient(keystone.Client{Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: scopes, ClientSettings: settings})

		k.post(s, tokenPath, credentials(service, "grant_type", "client_credentials")).is(t, http.StatusBadRequest, "invalid_request")
		if status := s.Call(http.MethodPost, "/api/v1/auth/token", "", map[string]any{"client_id": service.ID, "client_secret": service.Secret}, nil); status != http.StatusBadRequest {
			t.Errorf("the JSON face gave a bound client a bearer token: %d", status)
		}
		if status := s.Call(http.MethodPost, "/api/v1/auth/login", "", map[string]any{"client_id": first.ID, "username": "jane", "password": jane.Password}, nil); status != http.StatusBadRequest {
			t.Errorf("the JSON sign-in gave a bound client a bearer token: %d", status)
		}
		b := signedIn(t, s, jane, web)
		code := b.code(web, "scope", "openid offline_access")
		k.post(s, tokenPath, codeForm(web, code)).is(t, http.StatusBadRequest, "invalid_request")
		tokens := k.post(s, tokenPath, codeForm(web, code), k.proof(http.MethodPost, tokenPath)) // the refusal left the code as it was
		tokens.is(t, http.StatusOK, "")
		raw, _ := tokens.body["refresh_token"].(string)
		form := credentials(web, "grant_type", "refresh_token", "refresh_token", raw)
		k.post(s, tokenPath, form).is(t, http.StatusBadRequest, "invalid_request")
		for range 3 {
			a := k.post(s, tokenPath, form, k.proof(http.MethodPost, tokenPath))
			a.is(t, http.StatusOK, "")
			if a.body["refresh_token"] != raw {
				t.Error("the refresh token of a sender-constrained confidential client rotated")
			}
			s.Clock.Move(31 * time.Second)
		}
	})
}

// TestDPoPNonce: nonces of one node are good on the other, live for minutes, and
// are demanded by switch or client.
func TestDPoPNonce(t *testing.T) {
	eachPairOfNodes(t, func(t *testing.T, a, b *keystonetest.Server) {
		app := a.CreateClient(keystone.Client{Scopes: []string{"users:read"}, ClientSettings: keystone.ClientSettings{DPoPNonce: true}})
		easy := a.CreateClient(keystone.Client{Scopes: []string{"users:read"}})
		k := newProofKey(t, a)
		form := credentials(app, "grant_type", "client_credentials")
		ask := func(node *keystonetest.Server, form url.Values) answered {
			return k.post(node, tokenPath, form, k.proof(http.MethodPost, tokenPath))
		}
		if got := ask(a, credentials(easy, "grant_type", "client_credentials")); got.status != http.StatusOK || got.header.Get("DPoP-Nonce") != "" {
			t.Errorf("a client that needs no nonce: %d %q", got.status, got.header.Get("DPoP-Nonce"))
		}
		refused := ask(a, form)
		refused.is(t, http.StatusBadRequest, "use_dpop_nonce")
		k.nonce = refused.header.Get("DPoP-Nonce")
		tokens := ask(b, form)
		tokens.is(t, http.StatusOK, "")
		raw, _ := tokens.body["access_token"].(string)
		k.uses(a, http.MethodGet, usersPath, raw).is(t, http.StatusOK, "")
		good := k.nonce
		for _, bad := range []string{"x", good[:len(good)-1] + "A", strings.Repeat("A", 32)} {
			if bad == good {
				continue
			}
			k.nonce = bad
			ask(a, form).is(t, http.StatusBadRequest, "use_dpop_nonce")
			ask(a, credentials(easy, "grant_type", "client_credentials")).is(t, http.StatusBadRequest, "use_dpop_nonce")
		}
		k.nonce = ""
		got := k.uses(b, http.MethodGet, usersPath, raw)
		got.is(t, http.StatusUnauthorized, "use_dpop_nonce")
		if !strings.Contains(got.header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) || got.header.Get("DPoP-Nonce") == "" {
			t.Errorf("%v", got.header)
		}
		k.nonce = good
		a.Clock.Move(2 * time.Minute)
		ask(b, form).is(t, http.StatusOK, "")
		a.Clock.Move(3 * time.Minute)
		ask(b, form).is(t, http.StatusBadRequest, "use_dpop_nonce")

		strict := a.AddNode(keystonetest.WithSettings(map[string]string{"DPOP_NONCE": "true"}))
		k.nonce = ""
		refused = ask(strict, credentials(easy, "grant_type", "client_credentials"))
		refused.is(t, http.StatusBadRequest, "use_dpop_nonce")
		k.nonce = refused.header.Get("DPoP-Nonce")
		ask(strict, credentials(easy, "grant_type", "client_credentials")).is(t, http.StatusOK, "")
	})
}
