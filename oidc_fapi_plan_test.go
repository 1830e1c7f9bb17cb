package keystone_test

import (
	"crypto"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// fapiVariant is how the clients of a run prove themselves, and what their tokens are
// bound to: client_auth_type and sender_constrain of the suite.
type fapiVariant struct {
	auth string // private_key_jwt, or one of the two that the suite calls mtls
	mtls bool   // bound to the certificate, else to a DPoP key
}

var fapiVariants = []fapiVariant{{keystone.AuthPrivateKeyJWT, false}, {keystone.AuthPrivateKeyJWT, true}, {keystone.AuthTLS, false}, {keystone.AuthTLS, true}, {keystone.AuthSelfSignedTLS, true}}

// certified reports whether clients prove themselves by a certificate.
func (v fapiVariant) certified() bool { return v.auth != keystone.AuthPrivateKeyJWT }

func (v fapiVariant) String() string {
	return v.auth + map[bool]string{false: ", dpop", true: ", mtls"}[v.mtls]
}

// has reports whether the suite has a module for the variant: those about assertions
// and about DPoP, which say so in the names of their classes, are for who uses them.
func (v fapiVariant) has(module string) bool {
	assertion := strings.Contains(module, "ClientAssertion") || strings.HasSuffix(module, "AudienceFails")
	return !(assertion && v.certified()) && !(v.mtls && strings.Contains(module, "Dpop"))
}

// shows reports whether a request to a path shows the client's certificate: only
// where it proves the client, or where tokens are bound to it.
func (v fapiVariant) shows(path string) bool {
	switch path {
	case tokenPath:
		return v.mtls || v.certified()
	case "/oauth2/userinfo":
		return v.mtls
	}
	return v.certified()
}

func (v fapiVariant) scheme() string {
	if v.mtls {
		return "Bearer"
	}
	return "DPoP"
}

// fapiPlan is what the modules of the FAPI 2.0 plans run against: a server over
// https, two clients of a FAPI profile with keys and certificates of their own, and a
// DPoP key.
type fapiPlan struct {
	*testing.T
	fapiVariant
	s                *keystonetest.Server
	user             keystonetest.User
	clients          map[fapiVariant][2]keystonetest.Client
	app, two         keystonetest.Client
	key, twoKey, rsa clientKey // rsa is app's too
	cert, twoCert    *tls.Certificate
	sets             [2][]byte // the keys that the clients register, those of the certificates among them
	proof            *proofKey
	signed           bool // requests are signed (FAPI 2.0 Message Signing)
	jarm             bool // answers are
}

func fapiClient(s *keystonetest.Server, profile string, set []byte, more ...func(*keystone.ClientSettings)) keystonetest.Client {
	c := keystone.Client{Name: "Bank", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"},
		ClientSettings: keystone.ClientSettings{Profile: profile, AuthMethod: keystone.AuthPrivateKeyJWT, JWKS: set}}
	for _, change := range more {
		change(&c.ClientSettings)
	}
	return s.CreateClient(c)
}

// registers returns what a client of the variant registers whose certificate has a
// common name.
func (v fapiVariant) registers(name string) func(*keystone.ClientSettings) {
	return func(c *keystone.ClientSettings) {
		if c.AuthMethod, c.TLSBound = v.auth, v.mtls; v.auth == keystone.AuthTLS {
			c.TLSSubjectDN = "CN=" + name + ",O=Example"
		}
	}
}

// startFAPI starts a server that asks for certificates, with the keys of two clients,
// which client makes for each variant.
func startFAPI(t *testing.T, twoAlg string, client func(s *keystonetest.Server, set []byte, registers func(*keystone.ClientSettings)) keystonetest.Client, options ...keystonetest.Option) fapiPlan {
	ca := newAuthority(t, "Clients CA")
	s := keystonetest.Start(t, append(options, keystonetest.WithTLS(), inSettings("TLS_CLIENT_CERTS", "true", "CLIENT_CA_FILE", ca.file()))...)
	p := fapiPlan{T: t, s: s, key: newClientKey(t, "ES256", "e"), rsa: newClientKey(t, "PS256", "r"), twoKey: newClientKey(t, twoAlg, "d"),
		cert: ca.issue("one"), twoCert: ca.issue("two"), clients: map[fapiVariant][2]keystonetest.Client{}}
	ofTLS := func(c *tls.Certificate) clientKey { return clientKey{"ES256", "tls", c.PrivateKey.(crypto.Signer)} }
	p.sets = [2][]byte{jwks(t, p.key, p.rsa, ofTLS(p.cert)), jwks(t, p.twoKey, ofTLS(p.twoCert))}
	for _, v := range fapiVariants {
		p.clients[v] = [2]keystonetest.Client{client(s, p.sets[0], v.registers("one")), client(s, p.sets[1], v.registers("two"))}
	}
	return p
}

func newFAPIPlan(t *testing.T, profile string) fapiPlan {
	p := startFAPI(t, "EdDSA", func(s *keystonetest.Server, set []byte, registers func(*keystone.ClientSettings)) keystonetest.Client {
		return fapiClient(s, profile, set, registers)
	})
	p.user, p.signed = p.s.CreateUser("jane"), profile == keystone.ProfileFAPI2Signing
	p.s.Call(http.MethodPatch, "/api/v1/users/"+p.user.ID, p.s.Admin(), map[string]any{"first_name": "Jane", "last_name": "Doe"}, nil)
	return p
}

// in is the plan in a variant, with a fresh DPoP key.
func (p fapiPlan) in(t *testing.T, v fapiVariant) fapiPlan {
	p.T, p.fapiVariant = t, v
	p.app, p.two = p.clients[v][0], p.clients[v][1]
	p.proof = p.holder(p.cert)
	return p
}

// holder is somebody with a DPoP key of their own, who shows a certificate where the
// variant does; nil: none.
func (p fapiPlan) holder(cert *tls.Certificate) *proofKey {
	k := newProofKey(p.T, p.s)
	if cert != nil {
		shown := withCertificate(p.T, p.s, cert)
		k.client = func(path string) *http.Client {
			if p.shows(path) {
				return shown
			}
			return p.s.Client()
		}
	}
	return k
}

// second is the plan with client two in the place of client one, whose DPoP key it has.
func (p fapiPlan) second() fapiPlan {
	k := p.holder(p.twoCert)
	k.key = p.proof.key
	p.app, p.key, p.cert, p.proof = p.two, p.twoKey, p.twoCert, k
	return p
}

// assert adds what proves app: an assertion, changed by pairs; or its name, beside
// its certificate.
func (p fapiPlan) assert(form url.Values, pairs ...any) url.Values {
	p.Helper()
	if p.certified() {
		form = maps.Clone(form)
		form.Set("client_id", p.app.ID)
		return form
	}
	return withAssertion(p.key.sign(p.T, "", assertionClaims(p.s, p.app.ID, pairs...)), form)
}

// token asks for tokens as a holder of keys.
func (p fapiPlan) token(form url.Values, k *proofKey) answered {
	p.Helper()
	if p.mtls {
		return k.post(p.s, tokenPath, form)
	}
	return k.post(p.s, tokenPath, form, k.proof(http.MethodPost, tokenPath))
}

// uses uses a token at the resource as a holder of keys.
func (p fapiPlan) uses(token any, k *proofKey) answered {
	p.Helper()
	raw, _ := token.(string)
	if p.mtls {
		return k.call(p.s, http.MethodGet, "/oauth2/userinfo", "Bearer", raw)
	}
	return k.uses(p.s, http.MethodGet, "/oauth2/userinfo", raw)
}

// refusesUnbound checks that a good token request is refused without the key that
// tokens are bound to.
func (p fapiPlan) refusesUnbound(form url.Values) {
	p.Helper()
	k, status, code := p.proof, http.StatusBadRequest, "invalid_request"
	if p.mtls {
		k = p.holder(nil)
	}
	if p.mtls && p.certified() {
		status, code = http.StatusUnauthorized, "invalid_client"
	}
	k.post(p.s, tokenPath, p.assert(form)).is(p.T, status, code)
}

// refusesUnproved checks that a request is refused that only names the client.
func (p fapiPlan) refusesUnproved(path string, form url.Values) {
	p.Helper()
	form, k := maps.Clone(form), p.proof
	form.Set("client_id", p.app.ID)
	if p.certified() {
		k = p.holder(nil)
	}
	k.post(p.s, path, form, k.proof(http.MethodPost, path)).is(p.T, http.StatusUnauthorized, "invalid_client")
}

// request is the form of a request, its parameters changed by pairs. Where requests
// are signed, it is one object.
func (p fapiPlan) request(pairs ...string) url.Values {
	p.Helper()
	u, err := url.Parse(authorizeURL(p.s, p.app, pairs...))
	if err != nil {
		p.Fatal(err)
	}
	form := u.Query()
	if p.jarm {
		form.Set("response_mode", "jwt")
	}
	if !p.signed {
		return form
	}
	return p.object(form)
}

func (p fapiPlan) object(form url.Values, pairs ...any) url.Values {
	p.Helper()
	claims := objectClaims(p.s, p.app.ID)
	for _, name := range []string{"redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"} {
		delete(claims, name)
	}
	for name := range form {
		claims[name] = form.Get(name)
	}
	return url.Values{"client_id": {p.app.ID}, "request": {p.key.sign(p.T, objectType, changed(claims, pairs))}}
}

// push pushes a request of app with DPoP proofs.
func (p fapiPlan) push(form url.Values, proofs ...string) answered {
	p.Helper()
	return p.proof.post(p.s, "/oauth2/par", p.assert(form), proofs...)
}

func (p fapiPlan) pushed(pairs ...string) string {
	p.Helper()
	got := p.push(p.request(pairs...))
	uri, _ := got.body["request_uri"].(string)
	if got.status != http.StatusCreated || uri == "" || got.body["expires_in"].(float64) >= 600 {
		p.Fatalf("%d %v", got.status, got.body)
	}
	return uri
}

// front sends the browser with a reference, and through whatever page comes.
func (p fapiPlan) front(b *browser, uri string, beside ...string) url.Values {
	p.Helper()
	q := url.Values{"client_id": {p.app.ID}, "request_uri": {uri}}
	for i := 0; i < len(beside); i += 2 {
		q.Set(beside[i], beside[i+1])
	}
	b.open(p.s.URL + "/oauth2/authorize?" + q.Encode())
	if strings.Contains(b.page.body, `id="password"`) {
		b.signIn(p.user)
	}
	if strings.Contains(b.page.body, `id="consent-allow"`) {
		b.submit(map[string]string{"decision": "allow"})
	}
	if !p.jarm {
		return b.answer()
	}
	values := url.Values{}
	for name, v := range b.jarm("jwt", "PS256", p.app) {
		values.Set(name, fmt.Sprint(v))
	}
	return values
}

// code goes the whole front way.
func (p fapiPlan) code(b *browser, pairs ...string) string {
	p.Helper()
	got := p.front(b, p.pushed(pairs...))
	if got.Get("code") == "" {
		p.Fatalf("%v", got)
	}
	return got.Get("code")
}

func (p fapiPlan) tokenForm(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

// redeem redeems a code of app as a holder of keys.
func (p fapiPlan) redeem(code string, k *proofKey) answered {
	p.Helper()
	return p.token(p.assert(p.tokenForm(code)), k)
}

// flow is the whole way: tokens, and the claims of the ID token.
func (p fapiPlan) flow(b *browser, pairs ...string) (tokens, id map[string]any) {
	p.Helper()
	got := p.redeem(p.code(b, pairs...), p.proof)
	if got.status != http.StatusOK || got.body["token_type"] != p.scheme() {
		p.Fatalf("%d %v", got.status, got.body)
	}
	id = verifiedJWT(p.T, p.s, got.body["id_token"].(string), "PS256", "JWT")
	if id["iss"] != p.s.Issuer || id["aud"] != p.app.ID || id["sub"] != p.user.ID {
		p.Fatalf("%v", id)
	}
	p.uses(got.body["access_token"], p.proof).is(p.T, http.StatusOK, "")
	return got.body, id
}

// refusesPush checks that a request is refused when it is pushed.
func (p fapiPlan) refusesPush(form url.Values, codes ...string) {
	p.Helper()
	got := p.push(form)
	if code, _ := got.body["error"].(string); got.status != http.StatusBadRequest || !slices.Contains(codes, code) {
		p.Errorf("%d %v", got.status, got.body)
	}
}

// refusesAssertion checks that an assertion is refused at both endpoints.
func (p fapiPlan) refusesAssertion(raw string) {
	p.Helper()
	for path, form := range map[string]url.Values{"/oauth2/par": p.request(), tokenPath: p.tokenForm("x")} {
		form.Set("client_id", p.app.ID)
		p.proof.post(p.s, path, withAssertion(raw, form)).is(p.T, http.StatusUnauthorized, "invalid_client")
	}
}

// refusesBadAssertions checks that a good request is refused with each assertion that
// is wrong in one way, and taken with a good one.
func (p fapiPlan) refusesBadAssertions(path string, form url.Values) {
	p.Helper()
	now, issuer := p.s.Clock.Now(), p.s.Issuer
	signed := func(pairs ...any) string { return p.key.sign(p.T, "", assertionClaims(p.s, p.app.ID, pairs...)) }
	raw := signed()
	payload := strings.Split(raw, ".")[1]
	bad := map[string]url.Values{
		"none": form, "alg none": withAssertion(encoded(map[string]any{"alg": "none"})+"."+payload+".", form), "signature": withAssertion(raw[:len(raw)-8]+"AAAAAAAA", form),
		"RS256":        withAssertion(signJWT(p.T, "RS256", p.rsa.private, map[string]any{"kid": "r"}, assertionClaims(p.s, p.app.ID)), form),
		"another type": withAssertion(signed(), form), "no type": withAssertion(signed(), form),
	}
	bad["another type"].Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
	bad["no type"].Del("client_assertion_type")
	for name, pairs := range map[string][]any{
		"no sub": {"sub", nil}, "another sub": {"sub", p.two.ID}, "no iss": {"iss", nil}, "another iss": {"iss", p.two.ID}, "no aud": {"aud", nil}, "another aud": {"aud", "https://other.example"},
		"aud of PAR": {"aud", issuer + "/oauth2/par"}, "aud of the token endpoint": {"aud", issuer + tokenPath}, "a list as aud": {"aud", []string{issuer, "https://other.example"}},
		"expired": {"exp", now.Add(-5 * time.Minute).Unix()}, "ahead": {"iat", now.Add(61 * time.Second).Unix(), "nbf", now.Add(61 * time.Second).Unix(), "exp", now.Add(2 * time.Minute).Unix()},
	} {
		bad[name] = withAssertion(signed(pairs...), form)
	}
	for name, form := range bad {
		got := p.proof.post(p.s, path, form)
		if code := got.body["error"]; got.status != http.StatusBadRequest && got.status != http.StatusUnauthorized || code != "invalid_client" && code != "invalid_request" {
			p.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}
	ahead := now.Add(8 * time.Second).Unix()
	for _, raw := range []string{signed("iat", ahead, "nbf", ahead), signed()} {
		if got := p.proof.post(p.s, path, withAssertion(raw, form)); got.status >= 300 {
			p.Errorf("a good one: %d %v", got.status, got.body)
		}
	}
}

func (p fapiPlan) refusesClaims(pairs ...any) {
	p.Helper()
	p.refusesAssertion(p.key.sign(p.T, "", assertionClaims(p.s, p.app.ID, pairs...)))
}

// onPage checks that the browser goes nowhere.
func (p fapiPlan) onPage(b *browser, q url.Values) {
	p.Helper()
	b.open(p.s.URL + "/oauth2/authorize?" + q.Encode())
	if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
		p.Errorf("%d to %q", b.page.status, b.page.header.Get("Location"))
	}
}
