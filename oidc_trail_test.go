package keystone_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestTrailOfCodesAndTokens: what a code or a refresh token is used for stands in the
// trail, also where nothing, or nothing new, came of it (P8).
func TestTrailOfCodesAndTokens(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), webClient(s)
		b := signedIn(t, s, jane, app)
		rows := func(action string) (details []map[string]any) {
			t.Helper()
			for _, row := range audited(t, s, "action="+action) {
				if row["client_id"] == app.ID {
					details = append(details, row["detail"].(map[string]any))
				}
			}
			return details
		}
		_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
		first := tokens["refresh_token"]
		_, next := refreshed(t, s, app, first)
		if got := rows("token.refreshed"); len(got) != 1 || len(got[0]) != 1 || got[0]["presented_generation"] != 1.0 {
			t.Errorf("the first rotation of a family: %v", got)
		}
		status, same := refreshed(t, s, app, first)
		if status != http.StatusOK || same["refresh_token"] != next["refresh_token"] || same["access_token"] == next["access_token"] {
			t.Errorf("inside the grace window: %d %v", status, same)
		}
		if got := rows("token.refreshed"); len(got) != 2 || got[0]["grace"] != true || got[0]["presented_generation"] != 1.0 {
			t.Errorf("inside the grace window: %v", got)
		}
		s.Clock.Move(time.Minute)
		if status, _ := refreshed(t, s, app, first); status != http.StatusBadRequest {
			t.Errorf("after it: %d", status)
		}
		if got := rows("token.reuse_detected"); len(got) != 1 || len(rows("token.refreshed")) != 2 {
			t.Errorf("after it: %v", got)
		}

		code := b.code(app)
		for range 3 { // it is burned once
			redeem(t, s, app, code, "code_verifier", strings.Repeat("x", 43))
		}
		bound := b.code(app, "dpop_jkt", strings.Repeat("A", 43))
		redeem(t, s, app, bound)
		var reasons []any
		for _, row := range audited(t, s, "action=code.burned") {
			if row["actor_kind"] != "client" || row["actor_id"] != app.ID || row["target_kind"] != "grant" || row["detail"].(map[string]any)["user_id"] != jane.ID {
				t.Errorf("%v", row)
			}
			reasons = append(reasons, row["detail"].(map[string]any)["reason"])
		}
		if len(reasons) != 2 || reasons[0] != "dpop_jkt" || reasons[1] != "code_verifier" {
			t.Errorf("burned for %v", reasons)
		}
	})
}

// TestUserinfoDenied: a token without openid at userinfo is a refused right like any
// other: in the trail, with who and for want of what, once a minute.
func TestUserinfoDenied(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), webClient(s)
		b := signedIn(t, s, jane, app)
		_, tokens := redeem(t, s, app, b.code(app, "scope", "profile"))
		access := tokens["access_token"].(string)
		for range 2 {
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", access, nil, nil); status != http.StatusForbidden {
				t.Fatalf("%d", status)
			}
		}
		postForm(t, s, "/oauth2/userinfo", url.Values{"access_token": {access}})
		got := audited(t, s, "action=access.denied")
		if len(got) != 2 {
			t.Fatalf("%d rows: %v", len(got), got)
		}
		for i, route := range []string{"POST /oauth2/userinfo", "GET /oauth2/userinfo"} {
			if got[i]["target_name"] != route || got[i]["actor_id"] != jane.ID || got[i]["client_id"] != app.ID || got[i]["detail"].(map[string]any)["demands"] != keystone.ScopeOpenID {
				t.Errorf("%v", got[i])
			}
		}
	})
}
