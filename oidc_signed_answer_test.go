package keystone_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// signingAlgs are the algorithms that a client can register.
var signingAlgs = []string{"PS256", "ES256", "EdDSA", "RS256"}

// published returns which algorithms the key set has.
func published(s *keystonetest.Server) map[string]bool {
	var set jose.JSONWebKeySet
	s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set)
	algs := map[string]bool{}
	for _, k := range set.Keys {
		algs[k.Algorithm] = true
	}
	return algs
}

// fetchAs gets a path with headers, and returns the type and the text of the answer.
func fetchAs(t *testing.T, s *keystonetest.Server, req *http.Request) (contentType, body string) {
	t.Helper()
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	return resp.Header.Get("Content-Type"), string(text)
}

// TestAlgorithmsPerClient: ID tokens, userinfo and introspection are signed as the
// client registered; the key is published from then on (OpenID Connect Core
// sections 2, 3.1.3.6 and 5.3.2, RFC 9701).
func TestAlgorithmsPerClient(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		for _, alg := range signingAlgs {
			var app keystonetest.Client
			body := map[string]any{"name": alg, "kind": "web", "redirect_uris": []string{callback}, "scopes": []string{"openid", "profile", "email", "offline_access"},
				"id_token_signed_response_alg": alg, "userinfo_signed_response_alg": alg, "introspection_signed_response_alg": alg}
			var made struct {
				ClientID     string `json:"client_id"`
				ClientSecret string `json:"client_secret"`
			}
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, &made); status != http.StatusCreated {
				t.Fatalf("%s: %d", alg, status)
			}
			if app.ID, app.Secret = made.ClientID, made.ClientSecret; !published(s)[alg] {
				t.Errorf("%s is registered and its key not published", alg)
			}
			b := signedIn(t, s, jane, app)
			status, tokens := redeem(t, s, app, b.code(app))
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, tokens)
			}
			access, raw := tokens["access_token"].(string), tokens["id_token"].(string)
			sum := sha256.Sum256([]byte(access))
			half := sum[:16]
			if alg == "EdDSA" {
				sum := sha512.Sum512([]byte(access))
				half = sum[:32]
			}
			if id := verifiedJWT(t, s, raw, alg, "JWT"); id["sub"] != jane.ID || id["aud"] != app.ID || id["at_hash"] != base64.RawURLEncoding.EncodeToString(half) {
				t.Errorf("%s: %v", alg, id)
			}
			b.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", raw))
			if b.answer().Get("code") == "" {
				t.Errorf("%s as hint: %s", alg, b.page.url)
			}

			req, _ := http.NewRequest(http.MethodGet, s.URL+"/oauth2/userinfo", nil)
			req.Header.Set("Authorization", "Bearer "+access)
			contentType, info := fetchAs(t, s, req)
			if claims := verifiedJWT(t, s, info, alg, "JWT"); contentType != "application/jwt" || claims["iss"] != s.Issuer || claims["aud"] != app.ID || claims["sub"] != jane.ID || claims["email"] != jane.Email {
				t.Errorf("%s userinfo: %s %v", alg, contentType, claims)
			}
			b.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", info))
			if b.answer().Get("error") != "invalid_request" {
				t.Error("userinfo is taken for an ID token")
			}
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", info, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("userinfo is taken for an access token: %d", status)
			}

			for token, active := range map[string]bool{access: true, "unknown": false} {
				req, _ = http.NewRequest(http.MethodPost, s.URL+"/oauth2/introspect", strings.NewReader(credentials(app, "token", token).Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Accept", "application/json;q=0.5, application/token-introspection+jwt")
				contentType, text := fetchAs(t, s, req)
				claims := verifiedJWT(t, s, text, alg, "token-introspection+jwt")
				answer, _ := claims["token_introspection"].(map[string]any)
				if contentType != "application/token-introspection+jwt" || claims["iss"] != s.Issuer || claims["aud"] != app.ID || claims["iat"] == nil || claims["sub"] != nil || claims["exp"] != nil || answer["active"] != active {
					t.Errorf("%s introspection: %s %v", alg, contentType, claims)
				}
				if active && (answer["sub"] != jane.ID || answer["client_id"] != app.ID) || !active && len(answer) != 1 {
					t.Errorf("%s introspection: %v", alg, answer)
				}
			}
			if status, answer := postForm(t, s, "/oauth2/introspect", credentials(app, "token", access)); status != http.StatusOK || answer["active"] != true {
				t.Errorf("introspection in JSON: %d %v", status, answer)
			}
			var changed struct {
				Alg string `json:"id_token_signed_response_alg"`
			}
			if s.Call(http.MethodPatch, "/api/v1/admin/clients/"+app.ID, s.Admin(), map[string]any{"id_token_signed_response_alg": ""}, &changed); changed.Alg != "" {
				t.Errorf("%s stays", changed.Alg)
			}
		}
		for _, alg := range []string{"none", "HS256", "RS512", "ES256K", "x"} {
			for _, name := range []string{"id_token_signed_response_alg", "userinfo_signed_response_alg", "introspection_signed_response_alg", "authorization_signed_response_alg"} {
				if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), map[string]any{"name": "x", "kind": "web", name: alg}, nil); status != http.StatusBadRequest {
					t.Errorf("%s %s: %d", name, alg, status)
				}
			}
		}
	})
}

// TestRotateEveryKey: rotating makes the next key of each algorithm that is in use,
// or of one; ID tokens go on being good.
func TestRotateEveryKey(t *testing.T) {
	s := keystonetest.Start(t)
	jane := s.CreateUser("jane")
	app := s.CreateClient(keystone.Client{Name: "App", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"},
		ClientSettings: keystone.ClientSettings{IDTokenAlg: "EdDSA"}})
	b := signedIn(t, s, jane, app)
	_, tokens := redeem(t, s, app, b.code(app))
	count := func() map[string]int {
		var set jose.JSONWebKeySet
		s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set)
		n := map[string]int{}
		for _, k := range set.Keys {
			n[k.Algorithm]++
		}
		return n
	}
	var key struct{ Alg string }
	for _, step := range []struct {
		path          string
		body          any
		status        int
		alg           string
		es256, eddsas int
	}{
		{"", m{"algorithm": "none"}, http.StatusBadRequest, "", 1, 1},
		{"", m{"alg": "EdDSA"}, http.StatusBadRequest, "", 1, 1},
		{"?alg=ES256", m{"algorithm": "EdDSA"}, http.StatusBadRequest, "", 1, 1},
		{"?alg=none", m{}, http.StatusBadRequest, "", 1, 1},
		{"", m{"algorithm": "EdDSA"}, http.StatusCreated, "EdDSA", 1, 2},
		{"?alg=EdDSA", m{}, http.StatusConflict, "", 1, 2},
		{"?alg=EdDSA", m{"algorithm": "EdDSA"}, http.StatusConflict, "", 1, 2},
		{"", m{}, http.StatusCreated, "ES256", 2, 2},
		{"", nil, http.StatusConflict, "", 2, 2},
		{"?alg=PS256", nil, http.StatusCreated, "PS256", 2, 2}, // its first, announced
		{"", nil, http.StatusConflict, "", 2, 2},
	} {
		key.Alg = ""
		if status := s.Call(http.MethodPost, "/api/v1/admin/keys/rotate"+step.path, s.Admin(), step.body, &key); status != step.status || key.Alg != step.alg {
			t.Errorf("%q %v: %d %q", step.path, step.body, status, key.Alg)
		}
		if n := count(); n["ES256"] != step.es256 || n["EdDSA"] != step.eddsas {
			t.Errorf("%q: %v", step.path, n)
		}
	}
	verifiedJWT(t, s, tokens["id_token"].(string), "EdDSA", "JWT")
	s.Clock.Move(6 * time.Minute)
	old := tokens["id_token"].(string)
	b = signedIn(t, s, jane, app)
	_, tokens = redeem(t, s, app, b.code(app))
	verifiedJWT(t, s, tokens["id_token"].(string), "EdDSA", "JWT")
	if was, is := strings.SplitN(old, ".", 2)[0], strings.SplitN(tokens["id_token"].(string), ".", 2)[0]; was == is {
		t.Error("the next key does not sign")
	}
	if b.open(authorizeURL(s, app, "prompt", "none", "id_token_hint", old)); b.answer().Get("code") == "" {
		t.Errorf("a token of the key before: %s", b.page.url)
	}
}
