package server

import (
	"context"
	"fmt"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// trailOf counts the rows of an action by their reason.
func trailOf(t *testing.T, s *store.Store, action string) map[any]int {
	t.Helper()
	list, err := s.AuditEvents(context.Background(), keystone.AuditFilter{Action: action}, keystone.Page{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[any]int{}
	for _, e := range list.Items {
		rows[e.Detail["reason"]]++
		if e.TargetID != "" {
			t.Errorf("a stranger's refusal has a target: %+v", e)
		}
	}
	return rows
}

// TestStrangersCannotFillTheTrail: what anybody may send, from as many addresses as
// they like, leaves a bounded number of rows; links that never were leave none.
func TestStrangersCannotFillTheTrail(t *testing.T) {
	s, _ := boot(t, with("REGISTRATION=closed", "RATE_LIMIT_PAGE=off"))
	address := func(i int) string { return fmt.Sprintf("RemoteAddr: 198.51.%d.%d:4711", i/200, i%200) }
	const isJSON = "Content-Type: application/json"
	for i := range 2 * maxCrowd {
		value := secret.New(secret.OneTime)
		if w := send(s, "POST", "/api/v1/auth/reset-password", `{"token":"`+value+`","password":"correct horse battery staple"}`, isJSON, address(i)); w.Code != 401 {
			t.Fatal(w.Code, w.Body)
		}
		if i%100 == 0 {
			send(s, "POST", "/reset", "token="+value+"&password=x", "Content-Type: application/x-www-form-urlencoded", address(i))
		}
	}
	if rows := trailOf(t, s.parts.Store, keystone.ActAccessDenied); len(rows) != 0 {
		t.Errorf("forged links left %v", rows)
	}

	ctx := context.Background()
	jane, err := s.parts.Store.CreateUser(ctx, keystone.Operator("test"), keystone.User{Username: "jane", Email: "jane@example.com", Enabled: true}, "")
	if err != nil {
		t.Fatal(err)
	}
	check := proof.Checker{Store: s.parts.Store, Hasher: s.parts.Hasher}
	value, _, err := check.StartReset(ctx, keystone.Operator("test"), jane.ID)
	if err != nil {
		t.Fatal(err)
	}
	reset := `{"token":"` + value + `","password":"correct horse battery staple 9"}`
	for i := range 20 {
		w := send(s, "POST", "/api/v1/auth/reset-password", reset, isJSON, address(0))
		if want := map[bool]int{true: 204, false: 401}[i == 0]; w.Code != want {
			t.Fatalf("use %d of the link: %d %s", i+1, w.Code, w.Body)
		}
	}
	if rows := trailOf(t, s.parts.Store, keystone.ActAccessDenied); rows["reset_link"] != 1 {
		t.Errorf("a link that was used already left %v", rows)
	}

	for i := range 2 * maxCrowd {
		body := fmt.Sprintf(`{"username":"eve%d","email":"eve%d@example.com","password":"correct horse battery staple 9"}`, i, i)
		if w := send(s, "POST", "/api/v1/auth/register", body, isJSON, address(i)); w.Code != 403 {
			t.Fatal(w.Code, w.Body)
		}
	}
	if rows := trailOf(t, s.parts.Store, keystone.ActAccessDenied); rows["registration_closed"] == 0 || rows["registration_closed"] > maxCrowd {
		t.Errorf("registering while it is closed left %v", rows)
	}
}
