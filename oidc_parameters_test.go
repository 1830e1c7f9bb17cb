package keystone_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestEmptyParameters: a parameter without a value is as if it had not been sent, by
// GET, by form, pushed and in a request object (RFC 6749 section 3.1).
func TestEmptyParameters(t *testing.T) {
	s := keystonetest.Start(t)
	app := webClient(s)
	b := signedIn(t, s, s.CreateUser("jane"), app)
	names := []string{"dpop_jkt", "resource", "response_mode", "prompt", "max_age", "claims", "acr_values", "id_token_hint", "login_hint", "ui_locales", "authorization_details", "request", "request_uri", "unknown"}
	empty := "&" + strings.Join(names, "=&") + "="
	address := authorizeURL(s, app)
	for what, ask := range map[string]func(){
		"GET":        func() { b.open(address + empty) },
		"GET, twice": func() { b.open(address + "&resource=&resource=") },
		"GET, without PKCE": func() {
			b.open(authorizeURL(s, app, "code_challenge", "", "code_challenge_method", "") + "&code_challenge=&code_challenge_method=")
		},
		"POST": func() {
			form, _ := url.ParseQuery(strings.SplitN(address, "?", 2)[1] + empty)
			b.crossPost("/oauth2/authorize", form)
		},
		"pushed": func() {
			form, _ := url.ParseQuery(strings.SplitN(address, "?", 2)[1] + empty)
			form.Set("client_secret", app.Secret)
			form.Del("request_uri")
			status, answer := postForm(t, s, "/oauth2/par", form)
			if status != http.StatusCreated {
				t.Fatalf("%d %v", status, answer)
			}
			b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {answer["request_uri"].(string)}}.Encode())
		},
	} {
		ask()
		want := what == "GET, without PKCE"
		if got := b.answer(); (got.Get("error") != "") != want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestPushedIsKeptWithinBounds: what nobody reads is not kept, and what is read has a
// bound (RFC 9126 section 2.3).
func TestPushedIsKeptWithinBounds(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		jane := s.CreateUser("jane")
		b := signedIn(t, s, jane, app)
		request, _ := url.ParseQuery(strings.SplitN(authorizeURL(s, app, "scope", "openid"), "?", 2)[1])
		push := func(name, value string) (int, map[string]any) {
			form := url.Values{"client_secret": {app.Secret}}
			for n, v := range request {
				form[n] = v
			}
			form.Set(name, value)
			return postForm(t, s, "/oauth2/par", form)
		}
		const large = 40_000
		status, answer := push("junk", strings.Repeat("x", large))
		if status != http.StatusCreated {
			t.Fatalf("with what nobody reads: %d %v", status, answer)
		}
		if b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {answer["request_uri"].(string)}}.Encode()); b.answer().Get("code") == "" {
			t.Errorf("%s", b.page.url)
		}
		if status, answer := push("login_hint", strings.Repeat("x", large)); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
			t.Errorf("too large: %d %v", status, answer)
		}
		form := url.Values{"login_hint": {strings.Repeat("x", large)}}
		for n, v := range request {
			form[n] = v
		}
		if b.crossPost("/oauth2/authorize", form); b.page.status != http.StatusBadRequest && b.page.url.Query().Get("error") != "invalid_request" {
			t.Errorf("too large, by form: %d %s", b.page.status, b.page.url)
		}
		// A sign-in that takes longer than the request lives goes on, also past a sweep.
		_, answer = push("prompt", "login")
		b.open(s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {answer["request_uri"].(string)}}.Encode())
		b.at("password")
		s.Clock.Move(5 * time.Minute)
		s.Sweep()
		b.signIn(jane)
		if b.answer().Get("code") == "" {
			t.Errorf("after its time: %s", b.page.url)
		}
	})
}
