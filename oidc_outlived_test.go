package keystone_test

import (
	"net/http"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestOutlivedAudience: a grant for what the client may not ask for any more, or for
// the server under another ISSUER, is not valid any more; clients then sign people in
// again, which they do not at invalid_target. Only who names the audience is told that.
func TestOutlivedAudience(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, admin := s.CreateUser("jane"), s.Admin()
		own := s.SignIn(jane)
		app := webClient(s)
		_, tokens := redeem(t, s, app, signedIn(t, s, jane, app).code(app, "scope", "openid offline_access"))
		moved := s.AddNode(func(n *keystonetest.Server) { n.Issuer = "http://localhost:1" })
		refused := func(node *keystonetest.Server, c keystonetest.Client, refresh any, want string, pairs ...string) {
			t.Helper()
			status, answer := refreshed(t, node, c, refresh, pairs...)
			if status != http.StatusBadRequest || answer["error"] != want || answer["access_token"] != nil {
				t.Errorf("%d %v, want %s", status, answer, want)
			}
			if want != "invalid_grant" {
				return
			}
			if got, raw := explain(t, s, s.Admin(), answer["request_id"].(string)); got.Refused != "audience" || got.Facts["why"] == "" {
				t.Error(raw)
			}
		}
		refused(moved, app, tokens["refresh_token"], "invalid_grant")
		refused(moved, app, tokens["refresh_token"], "invalid_target", "resource", moved.Issuer)
		body := m{"refresh_token": own.RefreshToken}
		if a := as(moved, "").json(t, "POST", "/api/v1/auth/refresh", body); a.status != http.StatusUnauthorized || a.text("error") != "authentication_failed" {
			t.Errorf("the JSON API: %d %s", a.status, a.body)
		}
		// Nothing was used up: under the issuer of before all goes on.
		if status, answer := refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusOK {
			t.Errorf("%d %v", status, answer)
		}

		for name, allow := range allowedFor {
			person := s.CreateUser("person-" + name)
			c, redeem := allow(t, s, person, api1, api2)
			status, tokens := redeem()
			if status != http.StatusOK {
				t.Fatalf("%s: %d %v", name, status, tokens)
			}
			other, late := allow(t, s, person, api1, api2)
			audiences := func(client string, list ...string) {
				t.Helper()
				if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+client, admin, m{"audiences": list}, nil); status != http.StatusOK {
					t.Fatal(status)
				}
			}
			audiences(c.ID, api2)
			audiences(other.ID, api2)
			refused(s, c, tokens["refresh_token"], "invalid_grant")
			refused(s, c, tokens["refresh_token"], "invalid_target", "resource", api1)
			if status, answer := refreshed(t, s, c, tokens["refresh_token"], "resource", api2); status != http.StatusOK {
				t.Errorf("%s: what the client still may: %d %v", name, status, answer)
			}
			if status, answer := late(); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				t.Errorf("%s, redeemed afterwards: %d %v", name, status, answer)
			}
		}
	})
}
