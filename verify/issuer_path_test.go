package verify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
	"github.com/keystone-auth/keystone/verify"
)

// TestIssuerWithPath: behind a proxy that takes the path of the issuer away, the
// metadata is where RFC 8414 and RFC 9728 (section 3.1 of each) have it, and the
// verifier finds the keys by it.
func TestIssuerWithPath(t *testing.T) {
	var mu sync.Mutex
	var target *httputil.ReverseProxy
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		switch rest, below := strings.CutPrefix(r.URL.Path, "/auth/"); {
		case below:
			r.URL.Path = "/" + rest
		case !strings.HasPrefix(r.URL.Path, "/.well-known/"):
			http.NotFound(w, r)
			return
		}
		target.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	issuer := proxy.URL + "/auth"
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"ISSUER": issuer}))
	target = httputil.NewSingleHostReverseProxy(must(url.Parse(s.URL)))

	for address, field := range map[string]string{
		proxy.URL + "/.well-known/oauth-authorization-server/auth": "issuer", issuer + "/.well-known/oauth-authorization-server": "issuer",
		issuer + "/.well-known/openid-configuration": "issuer", proxy.URL + "/.well-known/oauth-protected-resource/auth": "resource",
		issuer + "/.well-known/oauth-protected-resource": "resource",
	} {
		resp := must(http.Get(address))
		body := must(io.ReadAll(resp.Body))
		_ = resp.Body.Close()
		var facts map[string]any
		if json.Unmarshal(body, &facts) != nil || resp.StatusCode != http.StatusOK || facts[field] != issuer {
			t.Errorf("%s: %d %.200s", address, resp.StatusCode, body)
		}
	}
	resp := must(http.Get(proxy.URL + "/.well-known/oauth-authorization-server/other"))
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("another path: %d", resp.StatusCode)
	}

	s.CreateScope("orders:read")
	c := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}, Audiences: []string{audience}})
	token := s.ServiceTokenFor(c, audience, "orders:read")
	mu.Lock()
	asked = nil
	mu.Unlock()
	if _, err := must(verify.New(verify.Config{Issuer: issuer, Audience: audience, Now: s.Clock.Now})).Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "/.well-known/oauth-authorization-server/auth /auth/oauth2/jwks" {
		t.Errorf("asked for %s", got)
	}
}
