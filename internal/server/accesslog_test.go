package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
)

// TestAccessLogOfSignIns: the line of a request by which somebody signs in, gets tokens or
// an account says who it was and through which client, where the request came without an
// actor; a wrong password names nobody.
func TestAccessLogOfSignIns(t *testing.T) {
	l, ctx := &logs{}, context.Background()
	s, err := New(ctx, settings(t, with("RATE_LIMIT_PAGE=off")...), Options{Log: NewLogger(l, slog.LevelInfo, "json"), Version: "test", Hashing: password.Params{Memory: 64, Time: 1, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const isJSON, isForm = "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"
	const pass, next = "rather long words for ida", "even longer words for ida"
	// says sends a request and holds its line to the expected one.
	says := func(w *httptest.ResponseRecorder, status int, user, client string) map[string]any {
		t.Helper()
		entries := l.lines(t, "request")
		e := entries[len(entries)-1]
		kind := ""
		if user != "" {
			kind = "user"
		}
		if w.Code != status || text0(e["actor"]) != user || text0(e["actor_kind"]) != kind || text0(e["client"]) != client {
			t.Errorf("%d %s: the line is %v; want %d, user %q, client %q", w.Code, w.Body, e, status, user, client)
		}
		var answer map[string]any
		_ = json.Unmarshal(w.Body.Bytes(), &answer)
		return answer
	}
	idOf := func(name string) string {
		t.Helper()
		u, err := s.parts.Store.FindUser(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}

	link, err := s.parts.Store.SetupToken(ctx, keystone.Operator("test"))
	if err != nil {
		t.Fatal(err)
	}
	w := send(s, "POST", "/setup", url.Values{"token": {link}, "username": {"root"}, "email": {"root@example.com"}, "password": {"rather long words for root"}}.Encode(), isForm)
	says(w, 200, idOf("root"), "")

	w = send(s, "POST", "/api/v1/auth/register", `{"username":"ida","email":"ida@example.com","password":"`+pass+`"}`, isJSON)
	ida := idOf("ida")
	says(w, 201, ida, "")
	says(send(s, "POST", "/api/v1/auth/login", `{"username":"ida","password":"another password"}`, isJSON), 401, "", "keystone")
	tokens := says(send(s, "POST", "/api/v1/auth/login", `{"username":"ida","password":"`+pass+`"}`, isJSON), 200, ida, "keystone")
	tokens = says(send(s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+text0(tokens["refresh_token"])+`"}`, isJSON), 200, ida, "keystone")
	says(send(s, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"keystone"}, "refresh_token": {text0(tokens["refresh_token"])}}.Encode(), isForm), 200, ida, "keystone")

	reset, _, err := (&proof.Checker{Store: s.parts.Store, Hasher: s.parts.Hasher}).StartReset(ctx, keystone.Operator("test"), ida)
	if err != nil {
		t.Fatal(err)
	}
	says(send(s, "POST", "/api/v1/auth/reset-password", `{"token":"`+reset+`","password":"short"}`, isJSON), 400, "", "")
	says(send(s, "POST", "/api/v1/auth/reset-password", `{"token":"`+reset+`","password":"`+next+`"}`, isJSON), 204, ida, "")
	says(send(s, "POST", "/api/v1/auth/reset-password", `{"token":"`+reset+`","password":"`+next+`"}`, isJSON), 401, "", "")

	// In the browser.
	begin := func(page string) (flow, cookie string) {
		t.Helper()
		w := send(s, "GET", page, "")
		_, flow, _ = strings.Cut(w.Header().Get("Location"), "flow=")
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return flow, "Cookie: " + cookie
	}
	flow, cookie := begin("/login")
	says(send(s, "POST", "/login", url.Values{"flow": {flow}, "login": {"ida"}, "password": {"another password"}}.Encode(), isForm, cookie), 401, "", "keystone")
	says(send(s, "POST", "/login", url.Values{"flow": {flow}, "login": {"ida"}, "password": {next}}.Encode(), isForm, cookie), 303, ida, "keystone")
	flow, cookie = begin("/register")
	w = send(s, "POST", "/register", url.Values{"flow": {flow}, "username": {"bob"}, "email": {"bob@example.com"}, "password": {"rather long words for bob"}}.Encode(), isForm, cookie)
	says(w, 303, idOf("bob"), "keystone")
}

// text0 is a text of the log; empty: there is none.
func text0(v any) string { s, _ := v.(string); return s }
