package keystone_test

import (
	"net/http"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestRefreshLimit: a family that is used too often waits; what is refused for another
// reason takes nothing from it; and a token that was used before ends it, however often
// it was used (D3).
func TestRefreshLimit(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_API": "3/hour"}))
	u := s.CreateUser("jane")
	refresh := func(token, scope string) answer {
		body := m{"refresh_token": token}
		if scope != "" {
			body["scope"] = scope
		}
		return as(s, "").json(t, "POST", "/api/v1/auth/refresh", body)
	}
	first := s.SignIn(u).RefreshToken
	for range 5 {
		if got := refresh(first, "not:granted"); got.status == http.StatusOK || got.status == http.StatusTooManyRequests {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	token := first
	for i := range 3 {
		got := refresh(token, "")
		got.wants(t, http.StatusOK, "use %d", i+1)
		token = got.text("refresh_token")
	}
	got := refresh(token, "")
	if got.wants(t, http.StatusTooManyRequests, "one more"); got.header.Get("Retry-After") == "" {
		t.Errorf("%v", got.header)
	}
	refresh(s.SignIn(u).RefreshToken, "").wants(t, http.StatusOK, "another family")
	if got := refresh(first, ""); got.status != http.StatusUnauthorized {
		t.Fatalf("a token that was used before: %d %s", got.status, got.body)
	}
	for range 3 { // now there is nothing left to end
		refresh(first, "").wants(t, http.StatusTooManyRequests, "a used token of a family that has ended")
	}
	if trail := as(s, s.Admin()).json(t, "GET", "/api/v1/admin/audit?action=token.reuse_detected", nil); len(trail.fields["items"].([]any)) != 1 {
		t.Errorf("%s", trail.body)
	}
}
