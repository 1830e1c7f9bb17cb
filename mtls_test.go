package keystone_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// authority is a certificate authority of a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serials atomic.Int64

func certTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	template := certTemplate(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	made := signed(t, template, nil)
	return &authority{t, made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)}
}

// signed makes a certificate and its key; by nil it signs itself.
func signed(t testing.TB, template *x509.Certificate, by *authority) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// issue makes a client's certificate, its template changed.
func (a *authority) issue(name string, change ...func(*x509.Certificate)) *tls.Certificate {
	a.t.Helper()
	template := certTemplate(name)
	for _, f := range change {
		f(template)
	}
	made := signed(a.t, template, a)
	return &made
}

// between is an authority that this one vouches for.
func (a *authority) between(name string) *authority {
	a.t.Helper()
	template := certTemplate(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	made := signed(a.t, template, a)
	return &authority{a.t, made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)}
}

func (a *authority) file() string {
	a.t.Helper()
	name := filepath.Join(a.t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return name
}

func selfSigned(t testing.TB, name string, change ...func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	template := certTemplate(name)
	for _, f := range change {
		f(template)
	}
	made := signed(t, template, nil)
	return &made
}

func x5t(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// certified sends requests with a client certificate in one of the ways that there
// are.
type certified struct {
	t *testing.T
	s *keystonetest.Server
	// show returns the client that sends the request; nil certificate: none.
	show func(*http.Request, *tls.Certificate) *http.Client
}

// byConnection shows certificates in the handshake.
func byConnection(t *testing.T, s *keystonetest.Server) certified {
	return certified{t, s, func(_ *http.Request, c *tls.Certificate) *http.Client { return withCertificate(t, s, c) }}
}

func withCertificate(t *testing.T, s *keystonetest.Server, c *tls.Certificate) *http.Client {
	t.Helper()
	transport := s.Client().Transport.(*http.Transport).Clone()
	if c != nil {
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// escapedPEM is nginx's $ssl_client_escaped_cert.
func escapedPEM(c *tls.Certificate) string {
	return url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
}

// byteSequence is Client-Cert of RFC 9440.
func byteSequence(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }

// byHeader passes certificates on as a proxy does.
func byHeader(t *testing.T, s *keystonetest.Server, name string) certified {
	return certified{t, s, func(r *http.Request, c *tls.Certificate) *http.Client {
		switch {
		case c == nil:
			r.Header.Set(name, "") // it sets the header in any case
		case name == "Client-Cert":
			r.Header.Set(name, byteSequence(c.Certificate[0]))
			for _, more := range c.Certificate[1:] {
				r.Header.Add("Client-Cert-Chain", byteSequence(more))
			}
		default:
			r.Header.Set(name, escapedPEM(c))
		}
		return s.Client()
	}}
}

func (w certified) do(req *http.Request, c *tls.Certificate) answered {
	w.t.Helper()
	resp, err := w.show(req, c).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answered{resp.StatusCode, resp.Header, map[string]any{}}
	if err := json.NewDecoder(resp.Body).Decode(&a.body); err != nil && err != io.EOF {
		w.t.Fatal(err)
	}
	return a
}

func (w certified) post(c *tls.Certificate, path string, form url.Values, pairs ...string) answered {
	w.t.Helper()
	form = maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, w.s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(req, c)
}

func (w certified) get(c *tls.Certificate, path, authorization string) answered {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.s.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	return w.do(req, c)
}

func inSettings(pairs ...string) keystonetest.Option {
	settings := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	return keystonetest.WithSettings(settings)
}

// eachWay runs f with certificates in the handshake, and from a proxy in each form
// that is read; on both databases.
func eachWay(t *testing.T, ca *authority, f func(t *testing.T, w certified)) {
	roots := inSettings("CLIENT_CA_FILE", ca.file())
	proxied := inSettings("TRUSTED_PROXIES", "127.0.0.1", "CLIENT_CERT_HEADER", "Client-Cert")
	t.Run("handshake", func(t *testing.T) {
		f(t, byConnection(t, keystonetest.Start(t, keystonetest.WithTLS(), roots, inSettings("TLS_CLIENT_CERTS", "true"))))
	})
	t.Run("handshake, postgres", func(t *testing.T) {
		f(t, byConnection(t, keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)), keystonetest.WithTLS(), roots, inSettings("TLS_CLIENT_CERTS", "true"))))
	})
	t.Run("RFC 9440", func(t *testing.T) { f(t, byHeader(t, keystonetest.Start(t, roots, proxied), "Client-Cert")) })
	t.Run("nginx, postgres", func(t *testing.T) {
		f(t, byHeader(t, keystonetest.Start(t, keystonetest.WithPostgres(storetest.PostgresURL(t)), roots, proxied, inSettings("CLIENT_CERT_HEADER", "X-SSL-Cert")), "X-SSL-Cert"))
	})
}

func tlsClient(s *keystonetest.Server, settings keystone.ClientSettings) keystonetest.Client {
	if settings.AuthMethod == "" {
		settings.AuthMethod = keystone.AuthTLS
	}
	return s.CreateClient(keystone.Client{Scopes: []string{"users:read"}, ClientSettings: settings})
}

// TestTLSClient: tls_client_auth by each name that can be registered; a certificate
// with the name from elsewhere, of another time or for another use lets nobody in
// (G2, G10; RFC 8705 section 2.1).
func TestTLSClient(t *testing.T) {
	ca, other := newAuthority(t, "Clients CA"), newAuthority(t, "Clients CA")
	spiffe, _ := url.Parse("spiffe://example.com/billing")
	named := func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "billing", Organization: []string{"Example, Inc."}, Country: []string{"DE"}}
		c.DNSNames, c.URIs, c.EmailAddresses = []string{"billing.example.com"}, []*url.URL{spiffe}, []string{"billing@example.com"}
		c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)}
	}
	settings := map[string]keystone.ClientSettings{
		"subject": {TLSSubjectDN: `CN=billing,O=Example\, Inc.,C=DE`}, "dns": {TLSSANDNS: "billing.example.com"}, "uri": {TLSSANURI: "spiffe://example.com/billing"},
		"ip": {TLSSANIP: "192.0.2.7"}, "email": {TLSSANEmail: "billing@example.com"},
	}
	eachWay(t, ca, func(t *testing.T, w certified) {
		good := ca.issue("", named)
		middle := ca.between("Middle CA")
		chained := middle.issue("", named)
		short := *chained
		chained.Certificate = append(chained.Certificate, middle.cert.Raw)
		// nginx passes on the client's certificate alone.
		chainSeen := !strings.HasPrefix(t.Name(), "TestTLSClient/nginx")
		for name, registered := range settings {
			c := tlsClient(w.s, registered)
			if c.Secret != "" {
				t.Error("a client with a certificate was given a secret")
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}}
			a := w.post(good, tokenPath, form)
			if a.is(t, http.StatusOK, ""); a.body["token_type"] != "Bearer" || strings.Contains(payloadOf(t, a.body["access_token"].(string)), "cnf") {
				t.Errorf("%s: %v: a token is bound only where the client asks for it", name, a.body)
			}
			if a := w.post(chained, tokenPath, form); (a.status == http.StatusOK) != chainSeen {
				t.Errorf("%s: through an authority between: %d", name, a.status)
			}
			for what, cert := range map[string]*tls.Certificate{
				"none":                      nil,
				"G10 same name, other CA":   other.issue("", named),
				"self-signed":               selfSigned(t, "", named),
				"expired":                   ca.issue("", named, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
				"not yet":                   ca.issue("", named, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }),
				"for servers":               ca.issue("", named, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
				"another name":              ca.issue("billing2"),
				"no name at all":            ca.issue("", func(c *x509.Certificate) { c.Subject = pkix.Name{} }),
				"between without its chain": &short,
				"by a client, not a CA":     (&authority{t, good.Leaf, good.PrivateKey.(*ecdsa.PrivateKey)}).issue("", named),
			} {
				a := w.post(cert, tokenPath, form)
				wantInvalidClient(t, name+", "+what, a.status, a.body["error"])
			}
			a = w.post(good, tokenPath, form, "client_id", tlsClient(w.s, keystone.ClientSettings{TLSSANDNS: "other.example.com"}).ID)
			wantInvalidClient(t, name+", another client", a.status, a.body["error"])
		}

		c := tlsClient(w.s, settings["uri"])
		form := url.Values{"client_id": {c.ID}}
		w.post(good, "/oauth2/introspect", form, "token", "x").is(t, http.StatusOK, "")
		w.post(good, "/oauth2/revoke", form, "token", "x").is(t, http.StatusOK, "")
		for _, path := range []string{tokenPath, "/oauth2/introspect", "/oauth2/revoke", "/oauth2/par"} {
			a := w.post(other.issue("", named), path, form, "token", "x", "grant_type", "client_credentials")
			wantInvalidClient(t, path, a.status, a.body["error"])
			a = w.post(good, path, form, "client_secret", "x", "token", "x", "grant_type", "client_credentials")
			wantInvalidClient(t, "G1, G2 with a secret, "+path, a.status, a.body["error"])
		}
		k := newClientKey(t, "ES256", "a")
		a := w.post(good, tokenPath, withAssertion(k.sign(t, "", assertionClaims(w.s, c.ID)), asItself))
		wantInvalidClient(t, "with an assertion", a.status, a.body["error"])

		// G2: a certificate is nothing for those who registered something else.
		secret := w.s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{AuthMethod: keystone.AuthSecretPost}})
		a = w.post(good, tokenPath, asItself, "client_id", secret.ID)
		wantInvalidClient(t, "a client with a secret", a.status, a.body["error"])
		w.post(good, tokenPath, asItself, "client_id", secret.ID, "client_secret", secret.Secret).is(t, http.StatusOK, "")

		w.s.Clock.Move(48 * time.Hour)
		a = w.post(good, tokenPath, asItself, "client_id", c.ID)
		wantInvalidClient(t, "expired since", a.status, a.body["error"])
	})
}

// TestSelfSignedTLSClient: the certificate's key is one of the client's (RFC 8705
// section 2.2).
func TestSelfSignedTLSClient(t *testing.T) {
	ca := newAuthority(t, "Clients CA")
	eachWay(t, ca, func(t *testing.T, w certified) {
		good, second := selfSigned(t, "billing"), selfSigned(t, "billing")
		set := func(list ...*tls.Certificate) json.RawMessage {
			var keys jose.JSONWebKeySet
			for i, c := range list {
				k := jose.JSONWebKey{Key: c.Leaf.PublicKey, KeyID: string(rune('a' + i)), Use: "sig"}
				if i == 0 {
					k.Certificates = []*x509.Certificate{c.Leaf}
				}
				keys.Keys = append(keys.Keys, k)
			}
			text, err := json.Marshal(keys)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		c := tlsClient(w.s, keystone.ClientSettings{AuthMethod: keystone.AuthSelfSignedTLS, JWKS: set(good, second)})
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}}
		w.post(good, tokenPath, form).is(t, http.StatusOK, "")
		w.post(second, tokenPath, form).is(t, http.StatusOK, "")
		late := selfSigned(t, "billing", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		lateClient := tlsClient(w.s, keystone.ClientSettings{AuthMethod: keystone.AuthSelfSignedTLS, JWKS: set(late)})
		for what, a := range map[string]answered{
			"none":               w.post(nil, tokenPath, form),
			"another key":        w.post(selfSigned(t, "billing"), tokenPath, form),
			"of the authority":   w.post(ca.issue("billing"), tokenPath, form),
			"expired":            w.post(late, tokenPath, form, "client_id", lateClient.ID),
			"key of another one": w.post(good, tokenPath, form, "client_id", lateClient.ID),
			"with a secret":      w.post(good, tokenPath, form, "client_secret", "x"),
		} {
			wantInvalidClient(t, what, a.status, a.body["error"])
		}
		// The key alone, taken away from the client, lets nobody in within a second.
		if status := w.s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, w.s.Admin(), map[string]any{"jwks": set(second)}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		a := w.post(good, tokenPath, form)
		wantInvalidClient(t, "a key that was taken away", a.status, a.body["error"])
	})
}

// TestTLSBoundTokens: a token of a client with
// tls_client_certificate_bound_access_tokens is worth something with its certificate
// only, at every resource, whatever its form; the refresh token of a public client
// too (RFC 8705 sections 3 and 4).
func TestTLSBoundTokens(t *testing.T) {
	ca := newAuthority(t, "Clients CA")
	eachWay(t, ca, func(t *testing.T, w certified) {
		s := w.s
		s.CreateRole("reader", "users:read")
		jane := s.CreateUser("jane", "reader")
		mine, theirs := selfSigned(t, "mine"), selfSigned(t, "theirs")
		bound := keystone.ClientSettings{TLSBound: true}
		const asked = "openid profile offline_access users:read"
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			for _, kind := range []keystone.ClientKind{keystone.ClientWeb, keystone.ClientSPA} {
				c := s.CreateClient(keystone.Client{Kind: kind, RedirectURIs: []string{callback}, Scopes: strings.Fields(asked), AccessTokenFormat: format, ClientSettings: bound})
				b := signedIn(t, s, jane, c, "scope", asked)
				code := b.code(c, "scope", asked)
				w.post(nil, tokenPath, codeForm(c, code)).is(t, http.StatusBadRequest, "invalid_request")
				tokens := w.post(mine, tokenPath, codeForm(c, code)) // the refusal left the code as it was
				tokens.is(t, http.StatusOK, "")
				raw, _ := tokens.body["access_token"].(string)
				if tokens.body["token_type"] != "Bearer" {
					t.Errorf("%v", tokens.body)
				}
				w.holds(raw, mine, theirs)
				about := w.post(nil, "/oauth2/introspect", credentials(resourceServer(s, c)), "token", raw)
				if cnf, _ := about.body["cnf"].(map[string]any); about.body["active"] != true || about.body["token_type"] != "Bearer" || cnf["x5t#S256"] != x5t(mine) {
					t.Errorf("introspection: %v", about.body)
				}
				if format == keystone.FormatJWT && !strings.Contains(payloadOf(t, raw), `"cnf":{"x5t#S256":"`+x5t(mine)+`"}`) {
					t.Errorf("claims: %s", payloadOf(t, raw))
				}
				w.refreshes(c, kind, tokens.body["refresh_token"], mine, theirs)
			}
		}
		service := tlsClient(s, keystone.ClientSettings{TLSBound: true, AuthMethod: keystone.AuthSecretPost})
		if status := s.Call(http.MethodPost, "/api/v1/auth/token", "", map[string]any{"client_id": service.ID, "client_secret": service.Secret}, nil); status != http.StatusBadRequest {
			t.Errorf("the JSON face gave a bound client a bearer token: %d", status)
		}
		native := s.CreateClient(keystone.Client{Kind: keystone.ClientNative, FirstParty: true, Scopes: []string{"users:read"}, ClientSettings: bound})
		if status := s.Call(http.MethodPost, "/api/v1/auth/login", "", map[string]any{"client_id": native.ID, "username": "jane", "password": jane.Password}, nil); status != http.StatusBadRequest {
			t.Errorf("the JSON sign-in gave a bound client a bearer token: %d", status)
		}
	})
}

// holds uses a token of mine at each resource.
func (w certified) holds(raw string, mine, theirs *tls.Certificate) {
	w.t.Helper()
	for _, path := range []string{usersPath, "/oauth2/userinfo"} {
		w.get(mine, path, "Bearer "+raw).is(w.t, http.StatusOK, "")
		for what, a := range map[string]answered{
			"no certificate":      w.get(nil, path, "Bearer "+raw),
			"another certificate": w.get(theirs, path, "Bearer "+raw),
			"under DPoP":          w.get(mine, path, "DPoP "+raw),
		} {
			if a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				w.t.Errorf("%s, %s: %d %v %q", path, what, a.status, a.body, a.header.Get("WWW-Authenticate"))
			}
		}
	}
	for sent, echoed := range map[string]bool{"": false, "no uuid": false, "93BAC548-d2de-4546-b106-880a5018460d": true} { // FAPI 1.0 Part 1 section 6.2.1
		req, _ := http.NewRequest(http.MethodGet, w.s.URL+"/oauth2/userinfo", nil)
		req.Header.Set("Authorization", "Bearer "+raw)
		req.Header.Set("X-Fapi-Interaction-Id", sent)
		a := w.do(req, mine)
		if id := a.header.Get("X-Fapi-Interaction-Id"); (id == sent) != echoed || !keystone.IsID(strings.ToLower(id)) || a.header.Get("X-Request-Id") != id {
			w.t.Errorf("%q: interaction %q, request %q", sent, id, a.header.Get("X-Request-Id"))
		}
	}
	form := url.Values{"access_token": {raw}}
	w.post(mine, "/oauth2/userinfo", form).is(w.t, http.StatusOK, "")
	for _, cert := range []*tls.Certificate{nil, theirs} {
		if a := w.post(cert, "/oauth2/userinfo", form); a.status != http.StatusUnauthorized {
			w.t.Errorf("in the form, without the certificate: %d", a.status)
		}
	}
}

func (w certified) refreshes(c keystonetest.Client, kind keystone.ClientKind, token any, mine, theirs *tls.Certificate) {
	w.t.Helper()
	raw, _ := token.(string)
	form := credentials(c, "grant_type", "refresh_token", "refresh_token", raw)
	if kind == keystone.ClientSPA {
		w.post(nil, tokenPath, form).is(w.t, http.StatusBadRequest, "invalid_grant")
		w.post(theirs, tokenPath, form).is(w.t, http.StatusBadRequest, "invalid_grant")
		if status := w.s.Call(http.MethodPost, "/api/v1/auth/refresh", "", map[string]any{"client_id": c.ID, "refresh_token": raw}, nil); status != http.StatusUnauthorized {
			w.t.Errorf("the JSON face took a bound refresh token: %d", status)
		}
		w.post(mine, tokenPath, form).is(w.t, http.StatusOK, "")
		return
	}
	// A client that proves itself may change its certificate (RFC 8705 section 6.3).
	w.post(nil, tokenPath, form).is(w.t, http.StatusBadRequest, "invalid_request")
	moved := w.post(theirs, tokenPath, form)
	if moved.is(w.t, http.StatusOK, ""); moved.body["refresh_token"] != raw {
		w.t.Error("the refresh token of a sender-constrained confidential client rotated")
	}
	next, _ := moved.body["access_token"].(string)
	w.holds(next, theirs, mine)
}

// resourceServer is a client that may introspect another's tokens.
func resourceServer(s *keystonetest.Server, _ keystonetest.Client) keystonetest.Client {
	return s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{IntrospectionAudiences: []string{s.Issuer}}})
}

// TestTLSHeader: a certificate in a header is the word of a proxy that is known, and
// of nobody else; a proxy's own certificate is nobody's (G10, R2).
func TestTLSHeader(t *testing.T) {
	ca := newAuthority(t, "Clients CA")
	victim, attacker := ca.issue("victim"), ca.issue("attacker")
	forged := func(c *tls.Certificate) string { return byteSequence(c.Certificate[0]) }
	settings := inSettings("CLIENT_CA_FILE", ca.file(), "TLS_CLIENT_CERTS", "true", "CLIENT_CERT_HEADER", "Client-Cert")
	ask := func(t *testing.T, s *keystonetest.Server, shown *tls.Certificate, header http.Header) (status int) {
		c := tlsClient(s, keystone.ClientSettings{TLSSubjectDN: "CN=victim,O=Example"})
		req, _ := http.NewRequest(http.MethodPost, s.URL+tokenPath, strings.NewReader("grant_type=client_credentials&client_id="+c.ID))
		req.Header = header.Clone()
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return byConnection(t, s).do(req, shown).status
	}
	t.Run("a stranger", func(t *testing.T) {
		s := keystonetest.Start(t, keystonetest.WithTLS(), settings, inSettings("TRUSTED_PROXIES", "10.0.0.0/8"))
		for name, header := range map[string]http.Header{
			"the header":       {"Client-Cert": {forged(victim)}},
			"with a claim":     {"Client-Cert": {forged(victim)}, "X-Forwarded-For": {"10.0.0.1"}},
			"nginx's form":     {"Client-Cert": {escapedPEM(victim)}},
			"other names":      {"X-Ssl-Cert": {escapedPEM(victim)}, "Ssl-Client-Cert": {escapedPEM(victim)}, "X-Client-Cert": {forged(victim)}},
			"an underscore":    {"Client_Cert": {forged(victim)}, "client_cert": {forged(victim)}},
			"hop by hop":       {"Client-Cert": {forged(victim)}, "Connection": {"Client-Cert"}},
			"another's before": {"Client-Cert": {forged(victim), forged(attacker)}},
		} {
			for _, shown := range []*tls.Certificate{nil, attacker} {
				if got := ask(t, s, shown, header); got != http.StatusUnauthorized {
					t.Errorf("%s: %d", name, got)
				}
			}
		}
		if got := ask(t, s, victim, http.Header{"Client-Cert": {forged(attacker)}}); got != http.StatusOK {
			t.Errorf("the connection's own certificate: %d", got)
		}
	})
	t.Run("a proxy", func(t *testing.T) {
		s := keystonetest.Start(t, keystonetest.WithTLS(), settings, inSettings("TRUSTED_PROXIES", "127.0.0.1"))
		if got := ask(t, s, nil, http.Header{"Client-Cert": {forged(victim)}}); got != http.StatusOK {
			t.Errorf("the header: %d", got)
		}
		if got := ask(t, s, attacker, http.Header{"Client-Cert": {forged(victim)}}); got != http.StatusOK {
			t.Errorf("the header, from a proxy with a certificate: %d", got)
		}
		two := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: victim.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: attacker.Certificate[0]})...)
		for name, header := range map[string]http.Header{
			"its own certificate is nobody's": {},
			"an empty header":                 {"Client-Cert": {""}},
			"twice":                           {"Client-Cert": {forged(victim), forged(victim)}},
			"two in one":                      {"Client-Cert": {forged(victim) + ", " + forged(attacker)}},
			"two in one PEM":                  {"Client-Cert": {url.PathEscape(string(two))}},
			"not base64":                      {"Client-Cert": {":!!!:"}},
			"not closed":                      {"Client-Cert": {strings.TrimSuffix(forged(victim), ":")}},
			"DER alone":                       {"Client-Cert": {base64.StdEncoding.EncodeToString(victim.Certificate[0])}},
			"truncated":                       {"Client-Cert": {byteSequence(victim.Certificate[0][:100])}},
			"another PEM":                     {"Client-Cert": {url.PathEscape("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}},
			"half an escape":                  {"Client-Cert": {escapedPEM(victim) + "%"}},
			"under another name":              {"Client_cert": {forged(victim)}, "X-Client-Cert": {forged(victim)}},
		} {
			if got := ask(t, s, victim, header); got != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, got)
			}
		}
	})
	t.Run("no such setting", func(t *testing.T) {
		s := keystonetest.Start(t, keystonetest.WithTLS(), inSettings("TRUSTED_PROXIES", "127.0.0.1"))
		if got := ask(t, s, victim, http.Header{"Client-Cert": {forged(victim)}}); got != http.StatusUnauthorized {
			t.Errorf("%d", got)
		}
	})
}

// TestTLSMetadata: what is not served is not named; where callers with certificates
// have an address of their own, only they are asked, and DPoP proofs name it.
func TestTLSMetadata(t *testing.T) {
	ca := newAuthority(t, "Clients CA")
	facts := func(s *keystonetest.Server) (facts map[string]any) {
		s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
		return facts
	}
	has := func(facts map[string]any, method string) bool {
		list, _ := json.Marshal(facts["token_endpoint_auth_methods_supported"])
		return strings.Contains(string(list), `"`+method+`"`)
	}
	off := facts(keystonetest.Start(t, keystonetest.WithTLS()))
	if has(off, keystone.AuthTLS) || has(off, keystone.AuthSelfSignedTLS) || off["tls_client_certificate_bound_access_tokens"] != nil || off["mtls_endpoint_aliases"] != nil {
		t.Errorf("off: %v", off)
	}
	bare := facts(keystonetest.Start(t, keystonetest.WithTLS(), inSettings("TLS_CLIENT_CERTS", "true")))
	if has(bare, keystone.AuthTLS) || !has(bare, keystone.AuthSelfSignedTLS) || bare["tls_client_certificate_bound_access_tokens"] != true {
		t.Errorf("without authorities: %v", bare)
	}
	s := keystonetest.Start(t, keystonetest.WithTLS(), inSettings("TLS_CLIENT_CERTS", "true", "CLIENT_CA_FILE", ca.file(), "MTLS_URL", "https://mtls.example:8443"))
	on := facts(s)
	aliases, _ := on["mtls_endpoint_aliases"].(map[string]any)
	if !has(on, keystone.AuthTLS) || !has(on, keystone.AuthSelfSignedTLS) || len(aliases) != 7 || aliases["backchannel_authentication_endpoint"] != "https://mtls.example:8443/oauth2/bc-authorize" || aliases["token_endpoint"] != "https://mtls.example:8443/oauth2/token" {
		t.Errorf("on: %v", on)
	}
	for host, want := range map[string]bool{"mtls.example": true, "MTLS.example": true, "id.example": false, "": false} {
		asked := false
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{ServerName: host, InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if asked != want {
			t.Errorf("callers of %q are asked: %v", host, asked)
		}
	}
	k, c := newProofKey(t, s), s.CreateClient(keystone.Client{})
	for base, want := range map[string]int{s.Issuer: http.StatusOK, "https://mtls.example:8443": http.StatusOK, "https://mtls.example": http.StatusBadRequest} {
		if a := k.post(s, tokenPath, credentials(c, "grant_type", "client_credentials"), k.proof(http.MethodPost, tokenPath, "htu", base+tokenPath)); a.status != want {
			t.Errorf("a proof for %s: %d %v", base, a.status, a.body)
		}
	}
	// Programs that name the endpoint as audience name it as the metadata do.
	key := newClientKey(t, "ES256", "a")
	for _, audience := range []string{keystone.AudienceLegacy, keystone.AudienceIssuer} {
		c := s.CreateClient(keystone.Client{ClientSettings: keystone.ClientSettings{AuthMethod: keystone.AuthPrivateKeyJWT, JWKS: jwks(t, key), AssertionAudience: audience}})
		for aud, good := range map[string]bool{"https://mtls.example:8443" + tokenPath: true, "https://mtls.example:8443/oauth2/par": false, "https://mtls.example" + tokenPath: false} {
			status, code := byAssertion(t, s, key.sign(t, "", assertionClaims(s, c.ID, "aud", aud)))
			if (status == http.StatusOK) != (good && audience == keystone.AudienceLegacy) {
				t.Errorf("%s, meant for %s: %d %v", audience, aud, status, code)
			}
		}
	}
}

// TestTLSRegistration: exactly one name, of its form, for its method alone.
func TestTLSRegistration(t *testing.T) {
	s := keystonetest.Start(t)
	c := s.CreateClient(keystone.Client{})
	const method = "token_endpoint_auth_method"
	for name, body := range map[string]map[string]any{
		"no name":             {method: keystone.AuthTLS},
		"two names":           {method: keystone.AuthTLS, "tls_client_auth_san_dns": "a.example", "tls_client_auth_san_ip": "192.0.2.1"},
		"a name alone":        {"tls_client_auth_san_dns": "a.example"},
		"of another method":   {method: keystone.AuthSelfSignedTLS, "tls_client_auth_san_dns": "a.example", "jwks": jwks(t, newClientKey(t, "ES256", "a"))},
		"self-signed, no key": {method: keystone.AuthSelfSignedTLS},
		"a DN that is none":   {method: keystone.AuthTLS, "tls_client_auth_subject_dn": "billing"},
		"a DN of nothing":     {method: keystone.AuthTLS, "tls_client_auth_subject_dn": "CN="},
		"a wildcard":          {method: keystone.AuthTLS, "tls_client_auth_san_dns": "*.example"},
		"a relative URI":      {method: keystone.AuthTLS, "tls_client_auth_san_uri": "/billing"},
		"an IP with a zone":   {method: keystone.AuthTLS, "tls_client_auth_san_ip": "fe80::1%eth0"},
		"a network":           {method: keystone.AuthTLS, "tls_client_auth_san_ip": "192.0.2.0/24"},
		"a mailbox of nobody": {method: keystone.AuthTLS, "tls_client_auth_san_email": "@example.com"},
		"an alg":              {method: keystone.AuthTLS, "tls_client_auth_san_dns": "a.example", "token_endpoint_auth_signing_alg": "ES256"},
	} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	spa := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, RedirectURIs: []string{callback}})
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+spa.ID, s.Admin(), map[string]any{method: keystone.AuthTLS, "tls_client_auth_san_dns": "a.example"}, nil); status != http.StatusBadRequest {
		t.Errorf("a public client that proves itself: %d", status)
	}
	var answer map[string]any
	body := map[string]any{method: keystone.AuthTLS, "tls_client_auth_subject_dn": "CN=billing,O=Example", "tls_client_certificate_bound_access_tokens": true}
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, &answer); status != http.StatusOK || answer["tls_client_auth_subject_dn"] != "CN=billing,O=Example" {
		t.Errorf("%d %v", status, answer)
	}
}
