package verify_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
	"github.com/keystone-auth/keystone/verify"
)

// The real server rotates its keys as often as it lets itself be told to; no
// verifier, however long it has not looked, refuses a token that is good.
func TestKeystoneRotates(t *testing.T) {
	s := keystonetest.Start(t)
	s.CreateScope("orders:read")
	client := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}, Audiences: []string{audience}})
	config := verify.Config{Issuer: s.Issuer, Audience: audience, Now: s.Clock.Now}
	busy, idle := must(verify.New(config)), must(verify.New(config))

	type minted struct {
		token string
		at    time.Time
	}
	var tokens []minted
	signedBy := map[string]bool{}
	for step := range 60 {
		status := s.Call(http.MethodPost, "/api/v1/admin/keys/rotate", s.Admin(), map[string]any{}, nil)
		if status != http.StatusCreated && status != http.StatusConflict {
			t.Fatalf("rotate: %d", status)
		}
		tokens = append(tokens, minted{s.ServiceTokenFor(client, audience, "orders:read"), s.Clock.Now()})
		signedBy[kidOf(t, tokens[step].token)] = true
		for _, m := range tokens {
			if s.Clock.Now().Sub(m.at) > 14*time.Minute {
				continue
			}
			if _, err := busy.Verify(t.Context(), m.token); err != nil {
				t.Fatalf("step %d, a token of %s ago: %v", step, s.Clock.Now().Sub(m.at), err)
			}
			if step%20 > 0 {
				continue
			}
			if _, err := idle.Verify(t.Context(), m.token); err != nil {
				t.Fatalf("step %d, after a long pause: %v", step, err)
			}
		}
		s.Clock.Move(time.Minute)
	}
	if len(signedBy) < 5 {
		t.Errorf("only %d keys have signed in an hour: the test shows nothing", len(signedBy))
	}

	// An ID token's type, another audience and another's key were refused above
	// (TestVerifyRefuses); here, what the real server revokes.
	last := tokens[len(tokens)-1].token
	if status := s.Call(http.MethodDelete, "/api/v1/admin/keys/"+kidOf(t, last), s.Admin(), nil, nil); status != http.StatusNoContent && status != http.StatusOK {
		t.Fatalf("revoke the key: %d", status)
	}
	s.Clock.Move(5 * time.Minute)
	if _, err := busy.Verify(t.Context(), last); !errors.Is(err, verify.ErrInvalid) || errors.Is(err, verify.ErrExpired) {
		t.Errorf("a token by a revoked key, once the copy of the key set is old: %v", err)
	}
}

// Tokens that the real server binds to a DPoP key or to a TLS client certificate
// are worth something at an API with that key only.
func TestKeystoneBinds(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS(), keystonetest.WithSettings(map[string]string{"TLS_CLIENT_CERTS": "true"}))
	s.CreateScope("orders:read")
	site := httptest.NewTLSServer(nil)
	defer site.Close()
	certified := func(from *http.Client) *http.Client {
		transport := from.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &site.TLS.Certificates[0], nil }
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}

	api := httptest.NewUnstartedServer(nil)
	api.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	api.StartTLS()
	defer api.Close()
	v := must(verify.New(verify.Config{Issuer: s.Issuer, Audience: audience, URL: api.URL, HTTPClient: s.Client(), Now: s.Clock.Now}))
	api.Config.Handler = v.Require("orders:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	get := func(client *http.Client, binds keystone.ClientSettings, proof string) string {
		c := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}, Audiences: []string{audience}, ClientSettings: binds})
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {c.Secret}, "resource": {audience}}
		r := must(http.NewRequest(http.MethodPost, s.URL+"/oauth2/token", strings.NewReader(form.Encode())))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		resp := must(client.Do(r))
		defer func() { _ = resp.Body.Close() }()
		var tokens struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		return tokens.AccessToken
	}
	use := func(client *http.Client, scheme, token, proof string) int {
		r := must(http.NewRequest(http.MethodGet, api.URL+"/orders?all", nil))
		r.Header.Set("Authorization", scheme+" "+token)
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		resp := must(client.Do(r))
		_ = resp.Body.Close()
		return resp.StatusCode
	}

	h, thief := newHolder(s.Clock.Now), newHolder(s.Clock.Now)
	keyed := get(s.Client(), keystone.ClientSettings{DPoPBound: true}, h.proof("POST", s.Issuer+"/oauth2/token", "", "ath", nil))
	proof := h.proof("GET", api.URL+"/orders", keyed)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if got := use(api.Client(), "DPoP", keyed, proof); got != want {
			t.Errorf("use %d of a proof: %d", i+1, got)
		}
	}
	if a, b := use(api.Client(), "Bearer", keyed, ""), use(api.Client(), "DPoP", keyed, thief.proof("GET", api.URL+"/orders", keyed)); a != http.StatusUnauthorized || b != http.StatusUnauthorized {
		t.Errorf("without the key: %d, %d", a, b)
	}
	held := get(certified(s.Client()), keystone.ClientSettings{TLSBound: true}, "")
	if a, b := use(certified(api.Client()), "Bearer", held, ""), use(api.Client(), "Bearer", held, ""); a != http.StatusOK || b != http.StatusUnauthorized {
		t.Errorf("with the certificate %d, without it %d", a, b)
	}
}

// kidOf returns the kid of a token.
func kidOf(t *testing.T, token string) string {
	part, _, _ := strings.Cut(token, ".")
	var h struct{ Kid string }
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(part)), &h); err != nil || h.Kid == "" {
		t.Fatalf("no kid: %v", err)
	}
	return h.Kid
}
