package keystone_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestCodeFlow is the whole way: a person signs in, consents, the application
// redeems the code, reads the ID token and userinfo, and the second time nobody
// is asked anything.
func TestCodeFlow(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), webClient(s)
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		b.at("login")
		b.submit(map[string]string{"login": "jane", "password": "wrong"})
		b.at("error")
		if b.page.status != http.StatusUnauthorized {
			t.Fatalf("a wrong password answered %d", b.page.status)
		}
		b.signIn(jane)
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "allow"})
		got := b.answer()
		if got.Get("state") != "st" || got.Get("code") == "" {
			t.Fatalf("answer: %v", got)
		}
		status, tokens := redeem(t, s, app, got.Get("code"))
		if status != http.StatusOK || tokens["token_type"] != "Bearer" || tokens["refresh_token"] != nil {
			t.Fatalf("%d %v", status, tokens)
		}
		id := idClaims(t, tokens["id_token"])
		if id["iss"] != s.Issuer || id["aud"] != app.ID || id["sub"] != jane.ID || id["nonce"] != "n-1" || id["auth_time"] == nil || id["at_hash"] != halfHash(tokens["access_token"]) || id["c_hash"] != halfHash(got.Get("code")) || id["sid"] == nil {
			t.Fatalf("ID token: %v", id)
		}
		var info map[string]any
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, &info); status != http.StatusOK {
			t.Fatalf("userinfo answered %d", status)
		}
		if info["sub"] != jane.ID || info["email"] != jane.Email || info["preferred_username"] != "jane" {
			t.Fatalf("userinfo: %v", info)
		}

		b.open(authorizeURL(s, app))
		code := b.answer().Get("code")
		if status, answer := redeem(t, s, app, code, "code_verifier", strings.Repeat("x", 43)); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Fatalf("a wrong verifier: %d %v", status, answer)
		}
		if status, answer := redeem(t, s, app, code); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Fatalf("the code survived a wrong verifier: %d %v", status, answer)
		}

		b.open(authorizeURL(s, app, "scope", "openid offline_access", "prompt", "consent"))
		b.submit(map[string]string{"decision": "allow"})
		code = b.answer().Get("code")
		_, tokens = redeem(t, s, app, code)
		if tokens["refresh_token"] == nil {
			t.Fatalf("no refresh token with offline_access: %v", tokens)
		}
		if status, _ := redeem(t, s, app, code); status != http.StatusBadRequest {
			t.Fatal("a code was redeemed twice")
		}
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", tokens["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
			t.Fatalf("the code was used twice, and its token still answers %d", status)
		}
	})
}

// halfHash is at_hash and c_hash under RS256 (OpenID Connect Core section 3.3.2.11).
func halfHash(value any) string {
	sum := sha256.Sum256([]byte(value.(string)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func idClaims(t *testing.T, raw any) map[string]any {
	t.Helper()
	text, _ := raw.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("no ID token: %v", raw)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
