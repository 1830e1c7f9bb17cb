package keystone_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// platform is another issuer: its metadata, its keys, its tokens.
type platform struct {
	t      *testing.T
	issuer string
	option keystonetest.Option // lets Keystone reach it

	mu   sync.Mutex
	keys []clientKey
}

func newPlatform(t *testing.T, keys ...clientKey) *platform {
	t.Helper()
	p := &platform{t: t, keys: keys}
	site, ca := tlsSite(t, p.serve)
	p.issuer = site.URL
	p.option = inSettings("OUTBOUND_ALLOW", "127.0.0.1", "OUTBOUND_CA_FILE", ca)
	return p
}

// serve answers at several paths, of which each is an issuer of its own.
func (p *platform) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	metadata := map[string]map[string]string{
		"":       {"issuer": p.issuer, "jwks_uri": p.issuer + "/keys"},
		"/lying": {"issuer": p.issuer, "jwks_uri": p.issuer + "/keys"},
		"/plain": {"issuer": p.issuer + "/plain", "jwks_uri": strings.Replace(p.issuer, "https", "http", 1) + "/keys"},
		"/bare":  {"issuer": p.issuer + "/bare"},
	}
	switch path := strings.TrimSuffix(r.URL.Path, "/.well-known/openid-configuration"); {
	case r.URL.Path == "/keys":
		_, _ = w.Write(jwks(p.t, p.keys...))
	case path != r.URL.Path && metadata[path] != nil:
		_ = json.NewEncoder(w).Encode(metadata[path])
	default:
		http.NotFound(w, r)
	}
}

func (p *platform) rotate(keys ...clientKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

const serviceAccount = "system:serviceaccount:shop:billing"

// projected are the claims of a token that Kubernetes projects into a pod.
func (p *platform) projected(s *keystonetest.Server, pairs ...any) map[string]any {
	now := s.Clock.Now()
	return changed(map[string]any{
		"iss": p.issuer, "sub": serviceAccount, "aud": []string{s.Issuer}, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "billing"}},
	}, pairs)
}

// TestWorkload: a client proves itself with the token that its platform gave it,
// as often as it likes, and with no other (RFC 7523 section 2.2).
func TestWorkload(t *testing.T) {
	rsa, ec, stranger := newClientKey(t, "RS256", "k1"), newClientKey(t, "ES256", "k2"), newClientKey(t, "RS256", "k1")
	p := newPlatform(t, rsa, ec)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		p.rotate(rsa, ec)
		const job = "repo:octo-org/octo-repo:ref:refs/heads/main"
		client := func(list ...keystone.Workload) keystonetest.Client {
			return keyClient(s, nil, func(c *keystone.ClientSettings) { c.Workloads = list })
		}
		c := client(keystone.Workload{Issuer: p.issuer, Subject: serviceAccount},
			keystone.Workload{Issuer: p.issuer, Subject: job, Audience: "https://github.com/octo-org", JWKSURI: p.issuer + "/keys"})
		if c.Secret != "" {
			t.Error("a client that its platform proves was given a secret")
		}
		send := func(id, raw, path string, form url.Values) (int, any) {
			form = withAssertion(raw, form)
			if id != "" {
				form.Set("client_id", id)
			}
			status, answer := postForm(t, s, path, form)
			return status, answer["error"]
		}
		good := rsa.sign(t, "", p.projected(s))
		for name, raw := range map[string]string{
			"Kubernetes":             good,
			"another algorithm":      ec.sign(t, "", p.projected(s)),
			"typ JWT":                rsa.sign(t, "JWT", p.projected(s)),
			"aud as one string":      rsa.sign(t, "JWT", p.projected(s, "aud", s.Issuer)),
			"a job":                  rsa.sign(t, "JWT", p.projected(s, "sub", job, "aud", "https://github.com/octo-org", "jti", "x", "kubernetes.io", nil)),
			"the same, once more":    good,
			"the same token, thrice": good,
		} {
			for path, form := range map[string]url.Values{"/oauth2/token": asItself, "/oauth2/introspect": {"token": {"x"}}, "/oauth2/revoke": {"token": {"x"}}} {
				if status, code := send(c.ID, raw, path, form); status != http.StatusOK {
					t.Errorf("%s, %s: %d %v", name, path, status, code)
				}
			}
		}
		now := s.Clock.Now()
		for name, pairs := range map[string][]any{
			"another subject":        {"sub", "system:serviceaccount:shop:other"},
			"longer subject":         {"sub", serviceAccount + "2"},
			"subject in other case":  {"sub", strings.ToUpper(serviceAccount)},
			"no subject":             {"sub", nil},
			"subject list":           {"sub", []string{serviceAccount}},
			"another issuer":         {"iss", "https://other.example"},
			"issuer with slash":      {"iss", p.issuer + "/"},
			"no issuer":              {"iss", nil},
			"the client as issuer":   {"iss", c.ID, "sub", c.ID, "jti", "a", "aud", s.Issuer},
			"audience of the API":    {"aud", []string{"https://kubernetes.default.svc"}},
			"two audiences":          {"aud", []string{s.Issuer, "https://vault.example"}},
			"audience of the job":    {"aud", "https://github.com/octo-org"},
			"token endpoint":         {"aud", s.Issuer + "/oauth2/token"},
			"no audience":            {"aud", nil},
			"no audience in it":      {"aud", []string{}},
			"no exp":                 {"exp", nil},
			"expired":                {"exp", now.Add(-time.Minute).Unix()},
			"good for a year":        {"exp", now.Add(365 * 24 * time.Hour).Unix()},
			"exp that is a text":     {"exp", "soon"},
			"of the future":          {"nbf", now.Add(time.Hour).Unix()},
			"made in the future":     {"iat", now.Add(time.Hour).Unix()},
			"job, audience of other": {"sub", job},
		} {
			status, code := send(c.ID, rsa.sign(t, "", p.projected(s, pairs...)), "/oauth2/token", asItself)
			wantInvalidClient(t, name, status, code)
		}
		parts := strings.Split(good, ".")
		for name, raw := range map[string]string{
			"another's key":        stranger.sign(t, "", p.projected(s)),
			"a key with no kid":    signJWT(t, "RS256", stranger.private, nil, p.projected(s)),
			"E1 none":              encoded(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
			"E1 no signature":      parts[0] + "." + parts[1] + ".",
			"E2 HS256":             signJWT(t, "HS256", []byte(jwks(t, rsa, ec)), map[string]any{"kid": "k1"}, p.projected(s)),
			"E3 key brought along": signJWT(t, "RS256", stranger.private, map[string]any{"jku": "https://evil.example/keys"}, p.projected(s)),
			"an access token":      rsa.sign(t, "at+jwt", p.projected(s)),
			"a logout token":       rsa.sign(t, "logout+jwt", p.projected(s)),
			"truncated":            good[:len(good)-1],
		} {
			status, code := send(c.ID, raw, "/oauth2/token", asItself)
			wantInvalidClient(t, name, status, code)
		}
		for name, w := range map[string]keystone.Workload{
			"metadata of another":    {Issuer: p.issuer + "/lying", Subject: serviceAccount},
			"keys over http":         {Issuer: p.issuer + "/plain", Subject: serviceAccount},
			"no keys named":          {Issuer: p.issuer + "/bare", Subject: serviceAccount},
			"no metadata":            {Issuer: p.issuer + "/none", Subject: serviceAccount},
			"a host not to be asked": {Issuer: "https://10.1.2.3", Subject: serviceAccount},
			"nobody there":           {Issuer: "https://127.0.0.1:1", Subject: serviceAccount},
			"no keys there":          {Issuer: p.issuer + "/none", Subject: serviceAccount, JWKSURI: p.issuer + "/none"},
		} {
			status, code := send(client(w).ID, rsa.sign(t, "", p.projected(s, "iss", w.Issuer)), "/oauth2/token", asItself)
			wantInvalidClient(t, name, status, code)
		}
		elsewhere := client(keystone.Workload{Issuer: p.issuer + "/none", Subject: serviceAccount, JWKSURI: p.issuer + "/keys"})
		if status, code := send(elsewhere.ID, rsa.sign(t, "", p.projected(s, "iss", p.issuer+"/none")), "/oauth2/token", asItself); status != http.StatusOK {
			t.Errorf("keys that are registered: %d %v", status, code)
		}
		status, code := send("", good, "/oauth2/token", asItself)
		wantInvalidClient(t, "no client_id", status, code)
		status, code = send(keyClient(s, jwks(t, stranger)).ID, good, "/oauth2/token", asItself)
		wantInvalidClient(t, "a client that registered no such thing", status, code)
		both := maps.Clone(asItself)
		both.Set("client_secret", "x")
		if status, _ := send(c.ID, good, "/oauth2/token", both); status != http.StatusBadRequest {
			t.Errorf("G1 with a secret: %d", status)
		}

		// Keys of its own beside it, and the algorithm that is registered, count as well.
		own := newClientKey(t, "ES256", "own")
		mixed := keyClient(s, jwks(t, own), func(c *keystone.ClientSettings) {
			c.Workloads, c.AuthSigningAlg = []keystone.Workload{{Issuer: p.issuer, Subject: serviceAccount}}, "ES256"
		})
		for name, test := range map[string]struct {
			raw  string
			good bool
		}{
			"its own key":              {own.sign(t, "", assertionClaims(s, mixed.ID)), true},
			"its platform":             {ec.sign(t, "", p.projected(s)), true},
			"another algorithm":        {rsa.sign(t, "", p.projected(s)), false},
			"its key for the platform": {own.sign(t, "", p.projected(s)), false},
			"the platform's for it":    {ec.sign(t, "", assertionClaims(s, mixed.ID)), false},
		} {
			if status, code := send(mixed.ID, test.raw, "/oauth2/token", asItself); (status == http.StatusOK) != test.good {
				t.Errorf("%s: %d %v", name, status, code)
			}
		}

		// The issuer changes its keys: the new one is found, the old one ends.
		next := newClientKey(t, "RS256", "k3")
		p.rotate(next)
		s.Clock.Move(11 * time.Second)
		if status, code := send(c.ID, next.sign(t, "", p.projected(s)), "/oauth2/token", asItself); status != http.StatusOK {
			t.Errorf("a new key: %d %v", status, code)
		}
		status, code = send(c.ID, rsa.sign(t, "", p.projected(s)), "/oauth2/token", asItself)
		wantInvalidClient(t, "the key before", status, code)
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"enabled": false}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		status, code = send(c.ID, next.sign(t, "", p.projected(s)), "/oauth2/token", asItself)
		wantInvalidClient(t, "disabled", status, code)
	}, p.option)
}

// TestWorkloadRegistration: what is wrong with an identity is said when it is
// registered.
func TestWorkloadRegistration(t *testing.T) {
	s := keystonetest.Start(t)
	c := keyClient(s, jwks(t, newClientKey(t, "ES256", "a")))
	one := func(pairs ...any) map[string]any {
		return map[string]any{"workload_identities": []any{changed(map[string]any{"issuer": "https://k8s.example", "subject": "x"}, pairs)}}
	}
	for name, body := range map[string]map[string]any{
		"no issuer":             one("issuer", ""),
		"http":                  one("issuer", "http://k8s.example"),
		"with a query":          one("issuer", "https://k8s.example?x=1"),
		"with a fragment":       one("issuer", "https://k8s.example#x"),
		"no subject":            one("subject", ""),
		"subject with a line":   one("subject", "a\nb"),
		"keys over http":        one("jwks_uri", "http://k8s.example/keys"),
		"audience with a space": one("audience", "a b"),
		"unknown field":         one("email", "a@b.example"),
		"twice":                 {"workload_identities": []any{map[string]any{"issuer": "https://k8s.example", "subject": "x"}, map[string]any{"issuer": "https://k8s.example", "subject": "x", "audience": "y"}}},
		"FAPI 2.0":              {"workload_identities": one()["workload_identities"], "profile": "fapi2"},
		"another method":        {"workload_identities": one()["workload_identities"], "token_endpoint_auth_method": "client_secret_basic"},
	} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, nil); status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, status)
		}
	}
	var answer map[string]any
	body := one()
	body["jwks"] = nil
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, &answer); status != http.StatusOK || answer["workload_identities"] == nil {
		t.Errorf("instead of keys: %d %v", status, answer)
	}
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"workload_identities": []any{}}, nil); status != http.StatusBadRequest {
		t.Errorf("neither keys nor identity: %d", status)
	}
}
