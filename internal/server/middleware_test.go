package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

func TestSecurityHeaders(t *testing.T) {
	everywhere := map[string]string{
		"X-Content-Type-Options":    "nosniff",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"Strict-Transport-Security": "", // the issuer is http
		"Server":                    "", "X-Powered-By": "",
	}
	shown := map[string]string{ // where a browser may render or follow what comes
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	s, _ := boot(t, off)
	for target, data := range map[string]bool{
		"/health": false, "/nowhere": false, "/openapi.json": false, "/login": false, "/oauth2/authorize": false, "/oauth2/nowhere": false,
		"/oauth2/jwks": true, "/oauth2/token": true, "/oauth2/userinfo": true, "/api/v1/users/me": true, "/api/nowhere": true, "/.well-known/openid-configuration": true,
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "INVENTED"} {
			h := send(s, method, target, "").Header()
			for name, want := range everywhere {
				if got := h.Get(name); got != want && (name != "Content-Security-Policy" || !strings.Contains(got, "frame-ancestors 'none'")) {
					t.Errorf("%s %s: %s: %q, want %q", method, target, name, got, want)
				}
			}
			for name, want := range shown {
				if data {
					want = ""
				}
				if got := h.Get(name); got != want {
					t.Errorf("%s %s: %s: %q, want %q", method, target, name, got, want)
				}
			}
		}
	}
	s, _ = boot(t, with("ISSUER=https://id.example.com"))
	for _, target := range []string{"/health", "/oauth2/token", "/nowhere"} {
		if got := send(s, "GET", target, "").Header().Get("Strict-Transport-Security"); got != "max-age=31536000; includeSubDomains" {
			t.Errorf("%s: HSTS %q", target, got)
		}
	}
}

// TestPagesAreGoneTo: what another site's page loads as an image or by a script is no
// visit of a person, and takes from nobody's limit.
func TestPagesAreGoneTo(t *testing.T) {
	s, _ := boot(t, with("RATE_LIMIT_PAGE=4/minute"))
	for i, test := range []struct {
		mode, site string
		status     int
	}{
		{"no-cors", "cross-site", 403}, {"cors", "cross-site", 403}, {"websocket", "same-site", 403}, {"no-cors", "cross-site", 403}, {"no-cors", "same-site", 403},
		{"navigate", "cross-site", 200}, {"cors", "", 200}, {"", "", 200}, {"cors", "same-origin", 200}, {"navigate", "none", 429},
	} {
		var headers []string
		for name, value := range map[string]string{"Sec-Fetch-Mode": test.mode, "Sec-Fetch-Site": test.site} {
			if value != "" {
				headers = append(headers, name+": "+value)
			}
		}
		if w := send(s, "GET", "/device", "", headers...); w.Code != test.status {
			t.Errorf("%d: %+v: %d", i, test, w.Code)
		}
	}
	if w := send(s, "GET", "/health", "", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: cross-site"); w.Code != 200 {
		t.Errorf("what is no page: %d", w.Code)
	}
}

// TestDataOnly: a route whose answers a browser may render or follow has the
// whole set of headers, and so has a route that is not known yet.
func TestDataOnly(t *testing.T) {
	s, _ := boot(t, off)
	var document struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct{ Content map[string]any }
		}
	}
	text, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	shown, data := 0, 0
	for path, operations := range document.Paths {
		for method, op := range operations {
			for status, answer := range op.Responses {
				switch {
				case status[0] == '3' && status != "304", answer.Content["text/html"] != nil, answer.Content["text/html; charset=utf-8"] != nil, answer.Content["text/css"] != nil:
					if shown++; dataOnly(path) {
						t.Errorf("%s %s answers %s with a page or a redirect, without the headers of one", method, path, status)
					}
				default:
					data++
				}
			}
		}
	}
	if shown < 10 || data < 10 {
		t.Errorf("%d answers to show and %d of data in the document", shown, data)
	}
}

// TestExact: the table of paths finds what ServeMux finds, and nothing else.
func TestExact(t *testing.T) {
	s, _ := boot(t, off)
	found := 0
	for _, rt := range s.Routes() {
		for _, target := range []string{rt.Path, rt.Path + "/", rt.Path + "/x", strings.Replace(rt.Path, "/api/", "/api%2F", 1), strings.Replace(rt.Path, "e", "%65", 1)} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "INVENTED"} {
				r := httptest.NewRequest(method, strings.NewReplacer("{", "x", "}", "x", "...", "").Replace(target), nil)
				e := s.exact.find(r)
				if e == nil {
					continue
				}
				found++
				if h, pattern := s.mux.Handler(r); h != e || pattern != e.pattern {
					t.Errorf("%s %s: the table says %s, ServeMux %s", method, target, e.pattern, pattern)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d routes are in the table", found)
	}
}

func TestRequestID(t *testing.T) {
	s, _ := boot(t, off)
	for given, kept := range map[string]bool{
		"abcdefgh": true, strings.Repeat("a", 64): true, "AZaz09_-": true,
		"short": false, strings.Repeat("a", 65): false, "has space": false, "quote\"quote": false, "newline\\n": false, "<script>alert": false, "éééééééé": false,
	} {
		got := send(s, "GET", "/health", "", "X-Request-Id: "+given).Header().Get("X-Request-Id")
		if (got == given) != kept || !plainID(got) {
			t.Errorf("%q became %q", given, got)
		}
	}
	two := send(s, "GET", "/health", "", "X-Request-Id: abcdefgh", "X-Request-Id: ijklmnop").Header()["X-Request-Id"]
	if len(two) != 1 || !keystone.IsID(two[0]) {
		t.Errorf("two ids became %v", two)
	}
}

// TestPanic (X31): a panic is one request's 500; the process lives.
func TestPanic(t *testing.T) {
	s, l := boot(t, off,
		httpio.Plain("GET", "/t/panic", httpio.Public, httpio.LimitNone, "x", func(http.ResponseWriter, *http.Request) error { panic("ks_cs_CANARYCANARYCANARY at rest") }),
		httpio.Plain("GET", "/t/late", httpio.Public, httpio.LimitNone, "x", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			_, _ = w.Write([]byte("begun"))
			panic("late")
		}),
		httpio.JSON("GET", "/t/json", httpio.Public, httpio.LimitNone, "x", func(context.Context, *struct{}) (*struct{}, error) { panic(errors.New("inside huma")) }),
		httpio.Plain("GET", "/t/abort", httpio.Public, httpio.LimitNone, "x", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }),
	)
	for _, target := range []string{"/t/panic", "/t/json"} {
		wantError(t, send(s, "GET", target, ""), 500, "internal_error")
	}
	for _, target := range []string{"/t/late", "/t/abort"} {
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
					t.Errorf("%s: the connection is not ended: %v", target, p)
				}
			}()
			send(s, "GET", target, "")
		}()
	}
	panics := l.lines(t, "panic")
	if len(panics) != 3 || panics[0]["request_id"] == nil || !strings.Contains(panics[0]["stack"].(string), "TestPanic") || panics[0]["route"] != "GET /t/panic" {
		t.Errorf("panics in the log: %v", panics)
	}
	if strings.Contains(l.String(), "CANARY") {
		t.Errorf("a panic's secret is in the log: %s", l)
	}
	if w := send(s, "GET", "/health", ""); w.Code != 200 {
		t.Errorf("after the panics: %d", w.Code)
	}
	send(s, "GET", "/t/panic", "") // a second time in this minute
	ctx := context.Background()
	record := s.panics.record
	s.panics.record = func(context.Context, keystone.Actor, keystone.AuditEvent) error {
		return errors.New("the database is away")
	}
	if s.flushRefusals(ctx) == nil {
		t.Error("not written, and nobody is told")
	}
	s.panics.record = record
	for range 2 {
		if err := s.flushRefusals(ctx); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.parts.Store.AuditEvents(ctx, keystone.AuditFilter{Action: keystone.ActServerPanicked}, keystone.Page{Limit: 200})
	if err != nil || len(rows.Items) != 3 {
		t.Fatalf("%+v, %v", rows, err)
	}
	for _, e := range rows.Items {
		if e.TargetName == "GET /t/panic" && e.RequestID != panics[0]["request_id"] || !strings.HasPrefix(e.TargetName, "GET /t/") || len(e.Detail) != 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestUnmatched(t *testing.T) {
	s, l := boot(t, off)
	for _, test := range []struct {
		method, target string
		status         int
		code, allow    string
	}{
		{"GET", "/", 404, "not_found", ""},
		{"GET", "/nowhere?password=CANARY", 404, "not_found", ""},
		{"POST", "/api/v1/users/me/CANARY", 404, "not_found", ""},
		{"GET", "/health/", 404, "not_found", ""},
		{"POST", "/health", 405, "method_not_allowed", "GET, HEAD"},
		{"DELETE", "/openapi.json", 405, "method_not_allowed", "GET, HEAD"},
		{"GET", "/oauth2/token", 405, "method_not_allowed", "POST"},
		{"PUT", "/api/v1/auth/login", 405, "method_not_allowed", "POST"},
		{"OPTIONS", "/health", 405, "method_not_allowed", "GET, HEAD"},
		{"TRACE", "/health", 405, "method_not_allowed", "GET, HEAD"},
		{"CANARY", "/health", 405, "method_not_allowed", "GET, HEAD"},
		{"GET", "//health", 400, "invalid_request", ""},
		{"GET", "/../health", 400, "invalid_request", ""},
		{"GET", "/./health", 400, "invalid_request", ""},
		{"GET", "/%2e%2e/health", 400, "invalid_request", ""},
		{"GET", "/health%00", 400, "invalid_request", ""},
		{"GET", "/health%ff", 400, "invalid_request", ""},
		{"GET", "/%2f/evil.example", 400, "invalid_request", ""},
		{"GET", "/oauth2/.well-known/x", 404, "not_found", ""},
		{"GET", "/docs", 404, "not_found", ""},
		{"GET", "/metrics", 404, "not_found", ""},
		{"GET", "/debug/pprof/", 404, "not_found", ""},
	} {
		w := send(s, test.method, test.target, "")
		wantError(t, w, test.status, test.code)
		if got := w.Header().Get("Allow"); got != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.target, got, test.allow)
		}
		if w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "CANARY") {
			t.Errorf("%s %s: %v %s", test.method, test.target, w.Header(), w.Body)
		}
	}
	if strings.Contains(l.String(), "CANARY") {
		t.Error("the raw address or method is in the log")
	}
	if w := send(s, "HEAD", "/health", ""); w.Code != 200 {
		t.Errorf("HEAD /health: %d", w.Code)
	}
}

// TestN1Access: every rule against every kind of actor.
func TestN1Access(t *testing.T) {
	s, _ := boot(t, off,
		httpio.Plain("GET", "/t/public", httpio.Public, httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/client", httpio.ClientAuth, httpio.LimitToken, "x", echo),
		httpio.Plain("GET", "/t/bearer", httpio.Bearer, httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/self", httpio.Self, httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/read", httpio.Scope(keystone.UsersRead), httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/write", httpio.Scope(keystone.UsersWrite), httpio.LimitAPI, "x", echo),
	)
	who := []string{"", "wrong", "user", "third", "reader", "service"}
	for target, want := range map[string][]int{
		"/t/public": {200, 200, 200, 200, 200, 200},
		"/t/client": {200, 200, 200, 200, 200, 200},
		"/t/bearer": {401, 401, 200, 200, 200, 200},
		"/t/self":   {401, 401, 200, 403, 200, 403},
		"/t/read":   {401, 401, 403, 403, 200, 200},
		"/t/write":  {401, 401, 403, 403, 403, 403},
	} {
		for i, token := range who {
			var headers []string
			if token != "" {
				headers = []string{"Authorization: Bearer " + token}
			}
			w := send(s, "GET", target, "", headers...)
			if w.Code != want[i] {
				t.Errorf("%s as %q: %d %s, want %d", target, token, w.Code, w.Body, want[i])
			}
			challenge := w.Header().Get("WWW-Authenticate")
			metadata := `, resource_metadata="` + s.config.Issuer + `/.well-known/oauth-protected-resource"`
			switch {
			case w.Code == 401 && token == "" && challenge != `Bearer realm="keystone"`+metadata,
				w.Code == 401 && token != "" && challenge != `Bearer realm="keystone", error="invalid_token"`+metadata,
				w.Code == 403 && strings.HasPrefix(target, "/t/w") && challenge != `Bearer realm="keystone", error="insufficient_scope", scope="users:write"`+metadata:
				t.Errorf("%s as %q: %d with %q", target, token, w.Code, challenge)
			}
			var got map[string]string
			if w.Code == 200 && json.Unmarshal(w.Body.Bytes(), &got) == nil {
				open := target == "/t/public" || target == "/t/client"
				if open && got["kind"] != "anonymous" || !open && got["id"] != actors[token].ID || got["source"] != "192.0.2.1" || got["request_id"] != w.Header().Get("X-Request-Id") {
					t.Errorf("%s as %q: the handler sees %v", target, token, got)
				}
			}
		}
	}
}

// TestDenyByDefault: a route that does not say who may use it stops the start,
// and should one slip through, it refuses everybody.
func TestDenyByDefault(t *testing.T) {
	for _, rt := range []httpio.Route{
		httpio.Plain("GET", "/t/x", "", httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/x", "everybody", httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/x", httpio.Public, "", "x", echo),
		httpio.Plain("GET", "/health", httpio.Public, httpio.LimitNone, "x", echo),
		{Method: "GET", Path: "/t/x", Access: httpio.Public, Limit: httpio.LimitNone, Summary: "x"},
	} {
		s, err := New(context.Background(), settings(t), Options{routes: []httpio.Route{rt}})
		if err == nil {
			s.Close()
			t.Errorf("the server starts with %s, access %q, limit %q", rt.Pattern(), rt.Access, rt.Limit)
		}
	}
	s, _ := boot(t, off)
	for _, access := range []httpio.Access{"", "everybody", "scope:"} {
		e := &endpoint{s: s, route: httpio.Route{Access: access, Limit: httpio.LimitAPI}, demands: access.Demands(), metrics: s.metrics.unmatched,
			handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("access %q reaches the handler", access) })}
		for _, token := range []string{"user", "reader", "service"} {
			r := httptest.NewRequest("GET", "/t/x", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			e.ServeHTTP(&recorder{ResponseWriter: w}, r)
			if w.Code != 403 {
				t.Errorf("access %q as %s: %d", access, token, w.Code)
			}
			w = httptest.NewRecorder()
			e.ServeHTTP(w, r) // the mux without the server around it
			if w.Code != 403 {
				t.Errorf("access %q without the server: %d", access, w.Code)
			}
		}
	}
}

// TestBearer: one header, one scheme, one word; never the address or the body
// (P9).
func TestBearer(t *testing.T) {
	s, l := boot(t, off, httpio.Plain("POST", "/t/bearer", httpio.Bearer, httpio.LimitAPI, "x", echo))
	for name, test := range map[string]struct {
		target, body string
		headers      []string
		status       int
	}{
		"plain":               {headers: []string{"Authorization: Bearer user"}, status: 200},
		"scheme in any case":  {headers: []string{"Authorization: bEARER user"}, status: 200},
		"no space":            {headers: []string{"Authorization: Beareruser"}, status: 401},
		"no token":            {headers: []string{"Authorization: Bearer "}, status: 401},
		"two spaces":          {headers: []string{"Authorization: Bearer  user"}, status: 200}, // RFC 9110 section 11.4
		"a tab":               {headers: []string{"Authorization: Bearer \tuser"}, status: 401},
		"two words":           {headers: []string{"Authorization: Bearer user user"}, status: 401},
		"basic":               {headers: []string{"Authorization: Basic dXNlcjp1c2Vy"}, status: 401},
		"DPoP":                {headers: []string{"Authorization: DPoP user"}, status: 401},
		"bare":                {headers: []string{"Authorization: user"}, status: 401},
		"two headers":         {headers: []string{"Authorization: Bearer user", "Authorization: Bearer user"}, status: 400},
		"query":               {target: "?access_token=user", status: 400},
		"query beside header": {target: "?access_token=CANARY", headers: []string{"Authorization: Bearer user"}, status: 400},
		"body":                {body: "access_token=user", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 401},
		"cookie":              {headers: []string{"Cookie: access_token=user"}, status: 401},
		"other header":        {headers: []string{"X-Access-Token: user", "X-Forwarded-User: ada"}, status: 401},
	} {
		if w := send(s, "POST", "/t/bearer"+test.target, test.body, test.headers...); w.Code != test.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, test.status)
		}
	}
	if strings.Contains(l.String(), "CANARY") {
		t.Error("the token of the address is in the log")
	}
}

// TestDenialsAreRecorded: what an actor was refused is in the audit trail, once
// a minute for each route.
func TestDenialsAreRecorded(t *testing.T) {
	s, _ := boot(t, off, httpio.Plain("GET", "/t/write", httpio.Scope(keystone.UsersWrite), httpio.LimitAPI, "x", echo))
	for range 5 {
		send(s, "GET", "/t/write", "", "Authorization: Bearer service", "X-Request-Id: request-of-test")
	}
	send(s, "GET", "/t/write", "") // nobody knows who: not recorded
	list, err := s.parts.Store.AuditEvents(context.Background(), keystone.AuditFilter{Action: keystone.ActAccessDenied}, keystone.Page{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%v, %v", list.Items, err)
	}
	e := list.Items[0]
	if e.ActorID != actors["service"].ID || e.TargetName != "GET /t/write" || e.Detail["demands"] != "users:write" || e.RequestID != "request-of-test" || e.Source != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	now := time.Now()
	written := 0
	d := denials{count: s.metrics.denials, log: s.log, now: func() time.Time { return now }, record: func(context.Context, keystone.Actor, keystone.AuditEvent) error {
		written++
		return errors.New("full")
	}}
	for i := range 3 * maxDenials {
		d.note(context.Background(), keystone.Actor{ID: string(rune(i))}, "x", "y")
	}
	if written != maxDenials {
		t.Errorf("%d rows in a minute", written)
	}
	// Strangers have a room of their own: they cannot mute what is recorded of others.
	now, written = now.Add(denialEvery), 0
	for i := range 3 * maxCrowd {
		d.clientFailed(context.Background(), keystone.Actor{Source: fmt.Sprintf("192.0.2.%d", i)}, "")
	}
	d.note(context.Background(), keystone.Actor{ID: "somebody"}, "x", "y")
	d.clientFailed(context.Background(), keystone.Actor{Source: "192.0.2.1"}, keystone.NewID(now))
	if written != maxCrowd+2 {
		t.Errorf("%d rows of strangers and two others in a minute", written)
	}
	written = maxDenials
	now = now.Add(denialEvery)
	if d.note(context.Background(), keystone.Actor{ID: "new"}, "x", "y"); written != maxDenials+1 || len(d.seen) > 3 {
		t.Errorf("a minute later: %d rows, %d remembered", written, len(d.seen))
	}
}

// TestCrossOrigin: what a page of another origin sends is refused (I2), except
// at the token endpoints, which have no cookies to ride on.
func TestCrossOrigin(t *testing.T) {
	s, _ := boot(t, with("ALLOWED_ORIGINS=https://app.example"),
		httpio.Plain("POST", "/t/page", httpio.Public, httpio.LimitNone, "x", echo),
		httpio.Plain("POST", "/api/t", httpio.Public, httpio.LimitNone, "x", echo),
		httpio.Plain("POST", "/oauth2/t", httpio.ClientAuth, httpio.LimitToken, "x", echo))
	for _, test := range []struct {
		target, headers string
		status          int
	}{
		{"/t/page", "X-None: x", 200}, // not a browser
		{"/t/page", "Sec-Fetch-Site: same-origin", 200},
		{"/t/page", "Sec-Fetch-Site: none", 200},
		{"/t/page", "Sec-Fetch-Site: cross-site", 403},
		{"/t/page", "Sec-Fetch-Site: same-site", 403},
		{"/t/page", "Origin: https://evil.example", 403},
		{"/t/page", "Origin: null", 403},
		{"/t/page", "Origin: https://app.example", 403}, // listed, but a page is for nobody else
		{"/api/t", "Origin: https://app.example", 200},
		{"/api/t", "Origin: https://evil.example", 403},
		{"/t/page", "Origin: http://127.0.0.1:8000", 200},
		{"/oauth2/t", "Sec-Fetch-Site: cross-site", 200},
		{"/oauth2/t", "Origin: https://evil.example", 200},
	} {
		if w := send(s, "POST", test.target, "", test.headers); w.Code != test.status {
			t.Errorf("%s with %s: %d %s, want %d", test.target, test.headers, w.Code, w.Body, test.status)
		}
	}
}
