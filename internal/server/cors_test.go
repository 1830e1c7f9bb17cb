package server

import (
	"testing"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// TestP10CORS: listed origins, compared exactly, and never credentials at token
// endpoints.
func TestP10CORS(t *testing.T) {
	s, _ := boot(t, with("ALLOWED_ORIGINS=https://app.example,http://localhost:3000"),
		httpio.Plain("GET", "/api/v1/t", httpio.Public, httpio.LimitNone, "x", echo),
		httpio.Plain("GET", "/setup-t", httpio.Public, httpio.LimitNone, "x", echo))
	for _, test := range []struct {
		target, origin      string
		origins, credential string
	}{
		{"/api/v1/t", "https://app.example", "https://app.example", "true"},
		{"/api/v1/t", "http://localhost:3000", "http://localhost:3000", "true"},
		{"/oauth2/jwks", "https://app.example", "https://app.example", ""},
		{"/.well-known/oauth-authorization-server", "https://app.example", "https://app.example", ""},
		{"/openapi.json", "https://app.example", "https://app.example", ""},
		{"/api/v1/auth/nowhere", "https://app.example", "https://app.example", ""},
		{"/oauth2/par", "https://app.example", "https://app.example", ""},
		{"/oauth2/register/x", "https://app.example", "https://app.example", ""},
		{"/oauth2/authorize", "https://app.example", "", ""}, // RFC 9700 section 2.6
		{"/oauth2/resume", "https://app.example", "", ""},
		{"/oauth2/logout", "https://app.example", "", ""},
		{"/oauth2/bc-authorize", "https://app.example", "", ""},
		{"/oauth2/tokens", "https://app.example", "", ""},
		{"/login", "https://app.example", "", ""},
		{"/setup-t", "https://app.example", "", ""},
		{"/health", "https://app.example", "", ""},
		{"/api/v1/t", "https://evil.example", "", ""},
		{"/api/v1/t", "null", "", ""},
		{"/api/v1/t", "*", "", ""},
		{"/api/v1/t", "https://app.example.evil.example", "", ""},
		{"/api/v1/t", "https://evil-app.example", "", ""},
		{"/api/v1/t", "https://app.example:8443", "", ""},
		{"/api/v1/t", "http://app.example", "", ""},
		{"/api/v1/t", "https://APP.example", "", ""},
		{"/api/v1/t", "https://app.example/", "", ""},
		{"/api/v1/t", "http://localhost:3001", "", ""},
	} {
		h := send(s, "GET", test.target, "", "Origin: "+test.origin).Header()
		if h.Get("Access-Control-Allow-Origin") != test.origins || h.Get("Access-Control-Allow-Credentials") != test.credential {
			t.Errorf("%s from %s: origin %q, credentials %q", test.target, test.origin, h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials"))
		}
		if reachOf(test.target) != reachNone && h.Get("Vary") == "" {
			t.Errorf("%s: no Vary, so a cache would mix origins up", test.target)
		}
	}
	if h := send(s, "GET", "/api/v1/t", "").Header(); h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v", h)
	}
	if h := send(s, "GET", "/api/v1/t", "", "Origin: https://app.example", "Origin: https://evil.example").Header(); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("two origins: %v", h)
	}

	for _, test := range []struct {
		target, origin, method, headers string
		status                          int
	}{
		{"/api/v1/t", "https://app.example", "GET", "authorization, content-type", 204},
		{"/api/v1/t", "https://app.example", "DELETE", "", 204},
		{"/oauth2/token", "https://app.example", "POST", "Authorization,DPoP", 204},
		{"/api/v1/admin/roles", "https://evil.example", "GET", "", 403},
		{"/api/v1/admin/roles", "null", "GET", "", 403},
		{"/api/v1/t", "https://app.example", "GET", "x-evil", 403},
		{"/health", "https://app.example", "GET", "", 405},
		{"/oauth2/authorize", "https://app.example", "GET", "", 405},
	} {
		w := send(s, "OPTIONS", test.target, "", "Origin: "+test.origin, "Access-Control-Request-Method: "+test.method, "Access-Control-Request-Headers: "+test.headers)
		h := w.Header()
		if w.Code != test.status {
			t.Errorf("preflight %+v: %d %s", test, w.Code, w.Body)
		}
		if test.status == 204 && (h.Get("Access-Control-Allow-Origin") != test.origin || h.Get("Access-Control-Allow-Methods") == "" || h.Get("Access-Control-Allow-Headers") == "" || h.Get("Access-Control-Allow-Headers") == "*") {
			t.Errorf("preflight %+v: %v", test, h)
		}
		if test.status != 204 && h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("refused preflight %+v: %v", test, h)
		}
	}

	none, _ := boot(t, off)
	w := send(none, "OPTIONS", "/api/v1/auth/login", "", "Origin: https://app.example", "Access-Control-Request-Method: POST")
	wantError(t, w, 403, "authorization_failed")
}
