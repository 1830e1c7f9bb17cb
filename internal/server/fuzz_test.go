package server

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// FuzzRequest is Q10 over the whole server: whatever is sent, no handler panics
// and no answer is a 5xx.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 41\r\n\r\ngrant_type=client_credentials&client_id=x",
		"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic a2V5c3RvbmU6eA==\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 24\r\n\r\ngrant_type=refresh_token",
		"POST /oauth2/introspect HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 32\r\n\r\nclient_id=keystone&token=eyJ.a.b",
		"POST /oauth2/revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 32\r\n\r\nclient_id=keystone&token=ks_rt_a",
		"POST /api/v1/auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{\"refresh_token\":\"ks_rt_\"}",
		"POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 49\r\n\r\n{\"username\":\"a\",\"email\":\"a@b.c\",\"password\":\"abc\"}",
		"GET /api/v1/users?limit=5&cursor=YQ&q=%25 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\n\r\n",
		"PATCH /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nIf-Match: \"1\"\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"first_name\":null}",
		"GET /setup?token=ks_ot_x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /static/..%2fx HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS /api/v1/users HTTP/1.1\r\nHost: x\r\nOrigin: null\r\nAccess-Control-Request-Method: GET\r\n\r\n",
		"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ,,\r\n\r\n",
	} {
		f.Add(seed)
	}
	s, _ := boot(f, with("DEBUG=true", "TRUSTED_PROXIES=192.0.2.0/24"))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		r.RemoteAddr = "192.0.2.1:5"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && r.Method != http.MethodHead {
			wantError(t, w, w.Code, codeOf(w))
		}
	})
}

func codeOf(w *httptest.ResponseRecorder) string {
	_, rest, _ := strings.Cut(w.Body.String(), `"error":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// TestN1Routes goes over the real list: whoever lacks what a route demands is
// refused there, each kind of actor. A route of another rule fails here until
// somebody has thought about it.
func TestN1Routes(t *testing.T) {
	s, _ := boot(t, with("DEBUG=true", "METRICS_PUBLIC=true"))
	public := 0
	for _, rt := range s.Routes() {
		target := strings.NewReplacer("{id}", "00000000-0000-7000-8000-000000000009", "{kid}", "00000000-0000-7000-8000-000000000009", "{sid}", "00000000-0000-7000-8000-000000000009", "{file}", "x").Replace(rt.Path)
		refused := map[string]int{}
		switch {
		case rt.Access == httpio.Public || rt.Access == httpio.ClientAuth || rt.Access == httpio.CrossSite:
			public++
			continue
		case rt.Access == httpio.Self:
			refused = map[string]int{"": 401, "wrong": 401, "third": 403, "service": 403}
		case keystone.IsBuiltInScope(rt.Access.Demands()):
			refused = map[string]int{"": 401, "wrong": 401, "user": 403, "third": 403}
			if rt.Access.Demands() != keystone.UsersRead {
				refused["reader"], refused["service"] = 403, 403
			}
		default:
			t.Errorf("%s: nobody has said what %q means", rt.Pattern(), rt.Access)
		}
		for token, want := range refused {
			headers := []string{"Content-Type: application/json"}
			if token != "" {
				headers = append(headers, "Authorization: Bearer "+token)
			}
			if w := send(s, rt.Method, target, "{}", headers...); w.Code != want {
				t.Errorf("%s as %q: %d %s, want %d", rt.Pattern(), token, w.Code, w.Body, want)
			}
		}
	}
	if public == 0 || public == len(s.Routes()) {
		t.Errorf("%d of %d routes are public", public, len(s.Routes()))
	}
}
