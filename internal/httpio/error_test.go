package httpio

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
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

func TestWriteError(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, test := range map[string]struct {
		err    error
		token  bool
		ctx    context.Context
		status int
		code   string
		header map[string]string
	}{
		"invalid":         {err: keystone.Fail(keystone.Invalid, "x"), status: 400, code: "invalid_request"},
		"own code":        {err: keystone.Fail(keystone.Invalid, "x").WithCode("invalid_grant"), status: 400, code: "invalid_grant"},
		"unauthenticated": {err: keystone.Fail(keystone.Unauthenticated, "x"), status: 401, code: "authentication_failed", header: map[string]string{"WWW-Authenticate": `Bearer realm="keystone"`}},
		"bad token":       {err: keystone.Fail(keystone.Unauthenticated, "x"), token: true, status: 401, code: "authentication_failed", header: map[string]string{"WWW-Authenticate": `Bearer realm="keystone", error="invalid_token"`}},
		"bad client":      {err: keystone.Fail(keystone.Unauthenticated, "x").WithCode("invalid_client"), token: true, status: 401, code: "invalid_client", header: map[string]string{"WWW-Authenticate": `Basic realm="keystone", charset="UTF-8"`}},
		"second factor":   {err: keystone.Fail(keystone.Unauthenticated, "x").WithCode("mfa_required"), status: 401, code: "mfa_required"},
		"forbidden":       {err: keystone.Fail(keystone.Forbidden, "x"), status: 403, code: "authorization_failed"},
		"not found":       {err: keystone.Fail(keystone.NotFound, "x"), status: 404, code: "not_found"},
		"conflict":        {err: keystone.Fail(keystone.Conflict, "x"), status: 409, code: "conflict"},
		"stale":           {err: keystone.Fail(keystone.Stale, "x"), status: 412, code: "precondition_failed"},
		"limited":         {err: keystone.Fail(keystone.Limited, "x").After(1500 * time.Millisecond), status: 429, code: "rate_limited", header: map[string]string{"Retry-After": "2", "RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "2"}},
		"unavailable":     {err: keystone.Fail(keystone.Unavailable, "x"), status: 503, code: "temporarily_unavailable", header: map[string]string{"Retry-After": "1", "RateLimit-Remaining": ""}},
		"unknown":         {err: errors.New("CANARY select * from users"), status: 500, code: "internal_error"},
		"unknown kind":    {err: keystone.Fail(keystone.Unknown, "CANARY"), status: 500, code: "internal_error"},
		"kind from afar":  {err: keystone.Fail(keystone.Kind(200), "CANARY"), status: 500, code: "internal_error"},
		"cause is hidden": {err: keystone.Fail(keystone.Invalid, "x").Because(errors.New("CANARY")), status: 400, code: "invalid_request"},
		"wrapped":         {err: fmt.Errorf("CANARY: %w", keystone.Fail(keystone.NotFound, "x")), status: 404, code: "not_found"},
		"body too large":  {err: fmt.Errorf("CANARY: %w", &http.MaxBytesError{}), status: 413, code: "too_large"},
		"caller has gone": {err: fmt.Errorf("CANARY: %w", context.Canceled), ctx: gone, status: 503, code: "temporarily_unavailable"},
		"our own timeout": {err: context.DeadlineExceeded, status: 500, code: "internal_error"},
		"fields":          {err: keystone.FailField("name", `say "why" <b>`), status: 400, code: "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			x := &Exchange{TokenSent: test.token, Actor: keystone.Actor{RequestID: "req-12345678"}}
			r := httptest.NewRequest("GET", "/", nil).WithContext(WithExchange(ctx, x))
			w := httptest.NewRecorder()
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Cache-Control", "public")
			WriteError(w, r, test.err)
			wantErrorShape(t, w)
			var body ErrorBody
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || body.Error != test.code || StatusOf(r, test.err) != test.status {
				t.Errorf("%d %s, want %d %s", w.Code, body.Error, test.status, test.code)
			}
			for name, want := range test.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if test.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers of another answer: %v", w.Header())
			}
			if strings.Contains(w.Body.String(), "CANARY") || strings.Contains(w.Body.String(), "<") {
				t.Errorf("the answer says too much: %s", w.Body)
			}
			if x.Err != test.err { //nolint:errorlint // identity is meant
				t.Errorf("the exchange keeps %v", x.Err)
			}
			if test.err.Error() == keystone.FailField("name", `say "why" <b>`).Error() && body.Fields["name"] != `say "why" <b>` {
				t.Errorf("fields %v", body.Fields)
			}
		})
	}
}

// FuzzErrorText: whatever the text, the body stays JSON and says it.
func FuzzErrorText(f *testing.F) {
	f.Add("plain")
	f.Add("\"quote\\ \x00 \xff é <b>")
	f.Fuzz(func(t *testing.T, text string) {
		b := appendError(nil, "code", &keystone.Error{Msg: text, Fields: map[string]string{text: text, "b": "c"}}, "id", 5)
		var body ErrorBody
		if err := json.Unmarshal(b, &body); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if utf8.ValidString(text) && body.Description != text || !utf8.ValidString(body.Description) {
			t.Fatalf("%q became %q", text, body.Description)
		}
	})
}

func TestErrorsOfTheEdge(t *testing.T) {
	for _, test := range []struct {
		answer func(http.ResponseWriter, *http.Request)
		status int
		allow  string
	}{
		{NotFound, 404, ""},
		{func(w http.ResponseWriter, r *http.Request) { MethodNotAllowed(w, r, "GET, POST") }, 405, "GET, POST"},
	} {
		r := httptest.NewRequest("GET", "/", nil).WithContext(WithExchange(context.Background(), &Exchange{Actor: keystone.Actor{RequestID: "req-12345678"}}))
		w := httptest.NewRecorder()
		test.answer(w, r)
		wantErrorShape(t, w)
		if w.Code != test.status || w.Header().Get("Allow") != test.allow {
			t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
		}
	}
}
