package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// TestServiceToken is the main flow through everything that is real: a client in
// the store, a token by its secret, the token on Keystone's own API, and what
// is counted and logged of it.
func TestServiceToken(t *testing.T) {
	l := &logs{}
	s, err := New(context.Background(), settings(t, off...), Options{Log: NewLogger(l, slog.LevelInfo, "json"), Version: "test", routes: []httpio.Route{
		httpio.Plain("GET", "/t/read", httpio.Scope(keystone.UsersRead), httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/write", httpio.Scope(keystone.UsersWrite), httpio.LimitAPI, "x", echo),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	c, secret, err := s.Parts().Store.CreateClient(ctx, keystone.Operator("test"), keystone.Client{
		Name: "billing", Kind: keystone.ClientService, Enabled: true, Scopes: []string{keystone.UsersRead}, Grants: []string{keystone.GrantClientCredentials},
	})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {secret}}.Encode()
	w := send(s, "POST", "/oauth2/token", form, "Content-Type: application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	auth := "Authorization: Bearer " + answer.AccessToken
	for target, want := range map[string]int{"/t/read": 200, "/t/write": 403} {
		if w := send(s, "GET", target, "", auth); w.Code != want {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	wrong := strings.Replace(form, "client_secret=ks_cs_", "client_secret=ks_cs_x", 1)
	wantError(t, send(s, "POST", "/oauth2/token", wrong, "Content-Type: application/x-www-form-urlencoded"), 401, "invalid_client")
	text := l.String()
	if strings.Contains(text, answer.AccessToken) || strings.Contains(text, secret) {
		t.Error("the token or the secret is in the log")
	}
	if !strings.Contains(text, `"client":"`+c.ID+`"`) || !strings.Contains(text, `"actor":"`+c.ID+`"`) {
		t.Errorf("the log does not say who:\n%s", text)
	}
	m := send(s.Management(), "GET", "/metrics", "").Body.String()
	if !strings.Contains(m, `keystone_tokens_total{grant="client_credentials",result="issued"} 1`) {
		t.Error("the token is not counted")
	}
}
