package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// settingsOf says of a client what an administrator sees.
func settingsOf(t *testing.T, s *keystonetest.Server, id string, names ...string) string {
	t.Helper()
	got := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/clients/"+url.PathEscape(keystone.PathOfClientID(id)), nil)
	got.wants(t, http.StatusOK, "read %s", id)
	var list []string
	for _, name := range names {
		list = append(list, fmt.Sprint(got.fields[name]))
	}
	return strings.Join(list, " ")
}

// TestAdministratorsTakings: what an administrator took from a client that registered
// itself does not come back by its own word (N11, RFC 7592 section 2.2).
func TestAdministratorsTakings(t *testing.T) {
	site := newDocumentSite(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const evil = "https://evil.example/cb"
		s.CreateScope("pay")
		initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid", "pay"}, "audiences": []string{bankAPI}, "grants": []string{"authorization_code", "refresh_token", "client_credentials"}}).text("registration_token")
		old := []any{"scope", "openid pay", "grant_types", []string{"authorization_code", "client_credentials"}, "redirect_uris", []string{callback, evil}, "initiate_login_uri", evil, "post_logout_redirect_uris", []string{evil}, "client_name", "Your Bank"}
		names := []string{"name", "scopes", "grants", "audiences", "redirect_uris", "post_logout_redirect_uris", "initiate_login_uri", "require_par", "dpop_bound", "subject_type", "access_token_format"}
		reg := registers(t, s, initial, old...)
		reg.wants(t, http.StatusCreated, "register")
		id := reg.text("client_id")
		put := func(reg answer, pairs ...any) answer {
			body := m{"client_id": reg.text("client_id"), "redirect_uris": []string{callback}, "token_endpoint_auth_method": "client_secret_post"}
			for i := 0; i < len(pairs); i += 2 {
				body[pairs[i].(string)] = pairs[i+1]
			}
			return as(s, reg.text("registration_access_token")).json(t, "PUT", "/oauth2/register/"+reg.text("client_id"), body)
		}
		patch := func(id string, body m) {
			t.Helper()
			as(s, s.Admin()).json(t, "PATCH", "/api/v1/admin/clients/"+url.PathEscape(keystone.PathOfClientID(id)), body).wants(t, http.StatusOK, "PATCH %v", body)
			s.Clock.Move(time.Second)
		}
		patch(id, m{"name": "App", "scopes": []string{"openid"}, "grants": []string{"authorization_code"}, "audiences": []string{}, "redirect_uris": []string{callback}, "post_logout_redirect_uris": []string{},
			"initiate_login_uri": "", "require_par": true, "dpop_bound": true, "subject_type": "pairwise", "access_token_format": "opaque"})
		narrow := settingsOf(t, s, id, names...)
		for what, pairs := range map[string][]any{
			"its old word":       old,
			"what is taken only": {"scope", "pay", "grant_types", []string{"client_credentials"}, "redirect_uris", []string{evil}, "client_name", "Your Bank"},
			"looser in words":    append(old, "dpop_bound_access_tokens", false, "require_pushed_authorization_requests", false, "subject_type", "public"),
		} {
			got := put(reg, pairs...)
			got.wants(t, http.StatusOK, "%s", what)
			if now := settingsOf(t, s, id, names...); now != narrow {
				t.Errorf("%s: %s, want %s", what, now, narrow)
			}
			if got.text("scope") != "openid" || got.fields["dpop_bound_access_tokens"] != true || got.text("subject_type") != "pairwise" || strings.Contains(got.body, evil) {
				t.Errorf("%s: the answer does not say what holds: %s", what, got.body)
			}
		}
		status, answer := postForm(t, s, "/oauth2/token", credentials(reg.client(), "grant_type", "client_credentials", "scope", "pay"))
		if status != http.StatusBadRequest || answer["error"] != "unauthorized_client" {
			t.Errorf("client_credentials: %d %v", status, answer)
		}
		// Given again, it is the client's to leave and to say.
		patch(id, m{"scopes": []string{"openid", "pay"}, "dpop_bound": false})
		for _, want := range []string{"openid pay", "openid", "openid pay"} {
			if got := put(reg, "scope", want, "client_name", "Other"); got.text("scope") != want || got.fields["dpop_bound_access_tokens"] == true || got.text("client_name") != "Other" {
				t.Errorf("given again: %d %s", got.status, got.body)
			}
		}

		// A method that an administrator made stronger stays, with its keys; they are the client's to change.
		key, next := newClientKey(t, "ES256", "a"), newClientKey(t, "ES256", "b")
		strong := registers(t, s, initial)
		patch(strong.text("client_id"), m{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, key)})
		got := put(strong)
		if got.status != http.StatusOK || got.text("token_endpoint_auth_method") != "private_key_jwt" || got.text("client_secret") != "" || !strings.Contains(got.body, `"kid":"a"`) {
			t.Errorf("back to secrets: %d %s", got.status, got.body)
		}
		got = put(strong, "token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, next))
		if got.status != http.StatusOK || !strings.Contains(got.body, `"kid":"b"`) || strings.Contains(got.body, `"kid":"a"`) {
			t.Errorf("new keys: %d %s", got.status, got.body)
		}

		// A document, whatever it says later: also where its client is made anew.
		app := site.put("/app.json", "scope", "openid profile email offline_access")
		asked := func() {
			newBrowser(t, s).open(authorizeURL(s, app, "scope", "openid"))
			s.Clock.Move(time.Second)
		}
		asked()
		what := []string{"scopes", "grants", "redirect_uris", "dpop_bound", "require_pkce"}
		patch(app.ID, m{"scopes": []string{"openid"}, "grants": []string{"authorization_code"}, "dpop_bound": true})
		narrow = settingsOf(t, s, app.ID, what...)
		for _, pairs := range [][]any{
			{"client_name", "Your Bank"}, {"client_name", "Your Bank"}, {"token_endpoint_auth_method", "private_key_jwt", "jwks", jwks(t, key)}, {"client_name", "Desk", "grant_types", []string{"authorization_code", "refresh_token"}},
		} {
			site.put("/app.json", append([]any{"scope", "openid profile email offline_access"}, pairs...)...)
			s.Clock.Move(6 * time.Minute)
			asked()
			if now := settingsOf(t, s, app.ID, what...); now != narrow {
				t.Errorf("document, %v: %s, want %s", pairs[0], now, narrow)
			}
		}
		patch(app.ID, m{"scopes": []string{"openid", "profile"}})
		site.put("/app.json", "scope", "openid profile email", "client_name", "Again")
		s.Clock.Move(6 * time.Minute)
		asked()
		if got := settingsOf(t, s, app.ID, "scopes", "name"); got != "[openid profile] Again" {
			t.Errorf("document, given again: %s", got)
		}
		if rows := audited(t, s, "action="+keystone.ActClientUpdated+"&target="+url.QueryEscape(app.ID)); len(rows) > 5 {
			t.Errorf("%d changes are in the trail", len(rows)) // reading a document that says nothing new is none
		}
	}, site.settings("consent", map[string]string{"CLIENT_REGISTRATION": "token"}))
}
