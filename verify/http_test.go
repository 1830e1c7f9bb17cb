package verify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/verify"
)

func TestRequire(t *testing.T) {
	is := newIssuer(t)
	v, _ := is.verifier(t, nil)
	handler := v.Require("orders:read", "orders:write")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := verify.ClaimsFrom(r.Context())
		if !ok || c.Subject == "" {
			t.Error("no claims in the context")
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	good := is.token(nil)
	realm := `Bearer realm="` + is.URL + `"`
	for _, test := range []struct {
		name          string
		authorization []string
		target        string
		status        int
		challenge     string // a part of it; "-" for none at all
	}{
		{"good", []string{"Bearer " + good}, "/", 204, "-"},
		{"scheme in other case", []string{"bEARER " + good}, "/", 204, "-"},
		{"nothing", nil, "/", 401, realm},
		{"token in the query", nil, "/?access_token=" + good, 401, realm},
		{"Basic", []string{"Basic YTpi"}, "/", 401, realm},
		{"DPoP", []string{"DPoP " + good}, "/", 401, `error="invalid_token"`},
		{"no token", []string{"Bearer"}, "/", 400, `error="invalid_request"`},
		{"empty token", []string{"Bearer "}, "/", 400, `error="invalid_request"`},
		{"two spaces", []string{"Bearer  " + good}, "/", 204, "-"}, // RFC 9110 section 11.4
		{"a space inside", []string{"Bearer  x " + good}, "/", 400, `error="invalid_request"`},
		{"spaces alone", []string{"Bearer   "}, "/", 400, `error="invalid_request"`},
		{"two tokens in one", []string{"Bearer " + good + ", Bearer " + good}, "/", 400, `error="invalid_request"`},
		{"two headers", []string{"Bearer " + good, "Bearer " + good}, "/", 400, `error="invalid_request"`},
		{"two headers, one Basic", []string{"Basic YTpi", "Bearer " + good}, "/", 400, `error="invalid_request"`},
		{"garbage", []string{"Bearer x"}, "/", 401, `error="invalid_token"`},
		{"expired", []string{"Bearer " + is.token(map[string]any{"exp": time.Now().Unix() - 60})}, "/", 401, `The access token has expired`},
		{"one scope only", []string{"Bearer " + is.token(map[string]any{"scope": "orders:read"})}, "/", 403, `scope="orders:read orders:write", error="insufficient_scope"`},
		{"no scope, but the list of old", []string{"Bearer " + is.token(map[string]any{"scope": nil})}, "/", 403, `error="insufficient_scope"`},
	} {
		r := httptest.NewRequest(http.MethodGet, test.target, nil)
		r.Header["Authorization"] = test.authorization
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != test.status || test.challenge == "-" && challenge != "" || test.challenge != "-" && !strings.Contains(challenge, test.challenge) {
			t.Errorf("%s: %d, %q", test.name, w.Code, challenge)
		}
		if test.challenge == realm && challenge != realm {
			t.Errorf("%s: who did not try is told %q (RFC 6750 section 3.1)", test.name, challenge)
		}
		if w.Code == 204 {
			continue
		}
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["error"] == "" || body["error_description"] == "" {
			t.Errorf("%s: body %q", test.name, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", test.name)
		}
	}
}

func TestRequireWhileTheIssuerIsDown(t *testing.T) {
	is := newIssuer(t)
	is.set(func() { is.down = true })
	v, _ := is.verifier(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+is.token(nil))
	w := httptest.NewRecorder()
	v.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(w.Body.String(), "502") || strings.Contains(w.Body.String(), is.URL) {
		t.Errorf("the answer tells what went wrong behind: %s", w.Body)
	}
}

func TestRequireRefusesWhatIsNoScope(t *testing.T) {
	is := newIssuer(t)
	v, _ := is.verifier(t, nil)
	for _, scope := range []string{"", "a b", `a"b`, "a\\b", "ä", "a\n"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken for a scope", scope)
				}
			}()
			v.Require(scope)
		}()
	}
}

func TestClaimsFromElsewhere(t *testing.T) {
	if _, ok := verify.ClaimsFrom(t.Context()); ok {
		t.Error("claims where no token was checked")
	}
}
