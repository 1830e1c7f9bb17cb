package keystonetest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
	"github.com/keystone-auth/keystone/verify"
)

// TestOfAProtectedProgram is how a program that Keystone protects tests itself:
// the real server issues, the program verifies from its JWKS.
func TestOfAProtectedProgram(t *testing.T) {
	const audience = "https://orders.example.com"
	s := keystonetest.Start(t)
	s.CreateScope("orders:read", "orders:write")

	v, err := verify.New(verify.Config{Issuer: s.Issuer, Audience: audience, Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	orders := httptest.NewServer(v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	defer orders.Close()

	billing := s.CreateClient(keystone.Client{Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{audience}})
	other := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}})
	for _, test := range []struct {
		name, token string
		want        int
	}{
		{"nobody", "", http.StatusUnauthorized},
		{"billing", s.ServiceTokenFor(billing, audience, "orders:read"), http.StatusNoContent},
		{"a scope too few", s.ServiceTokenFor(billing, audience, "orders:write"), http.StatusForbidden},
		{"a token for Keystone itself", s.ServiceToken(other), http.StatusUnauthorized},
	} {
		if status := s.Call(http.MethodGet, orders.URL, test.token, nil, nil); status != test.want {
			t.Errorf("%s: %d, want %d", test.name, status, test.want)
		}
	}
}
