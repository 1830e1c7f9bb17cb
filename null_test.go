package keystone_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestNullWhereItIsNone sends null for each field of each JSON body: it is refused by
// name wherever the document does not say that it may be null, and what it was sent to
// stays as it was. A field that may be null takes it; one that may be left out is left
// out by it, but in a PATCH.
func TestNullWhereItIsNone(t *testing.T) {
	s := keystonetest.Start(t)
	type schema struct {
		Ref        string `json:"$ref"`
		Type       any
		Properties map[string]schema
		Required   []string
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
		t.Fatal(err)
	}
	boss := s.SignIn(s.CreateUser("boss", keystone.RoleAdmin)).AccessToken
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	nullable, refused := map[string]bool{}, 0
	for path, methods := range doc.Paths {
		if !strings.HasPrefix(path, "/api/v1/") {
			continue // RFC 7591 section 3.1 has its own rules
		}
		for method, op := range methods {
			body, ok := op.RequestBody.Content["application/json"]
			if !ok {
				continue
			}
			address := parameter.ReplaceAllString(path, keystone.NewID(s.Clock.Now()))
			whole := doc.Components.Schemas[strings.TrimPrefix(body.Schema.Ref, "#/components/schemas/")]
			for name, field := range whole.Properties {
				what := strings.ToUpper(method) + " " + path + " " + name
				got := as(s, boss).json(t, strings.ToUpper(method), address, map[string]any{name: nil})
				fields, _ := got.fields["fields"].(map[string]any)
				if types, _ := field.Type.([]any); len(types) > 1 || field.Type == nil && field.Ref == "" {
					nullable[name] = true
					if fields[name] != nil {
						t.Errorf("%s: null is refused, the document allows it: %s", what, got.body)
					}
					continue
				}
				if method != "patch" && !slices.Contains(whole.Required, name) {
					if fields[name] != nil {
						t.Errorf("%s: null is not taken as nothing: %s", what, got.body)
					}
					continue
				}
				if refused++; got.status != http.StatusBadRequest || fields[name] == nil {
					t.Errorf("%s: %d %.200s", what, got.status, got.body)
				}
			}
		}
	}
	for _, name := range []string{"first_name", "last_name", "description", "access_token_ttl_seconds", "jwks"} {
		if !nullable[name] {
			t.Errorf("the document does not say that %s may be null", name)
		}
	}
	if len(nullable) > 5 || refused < 60 {
		t.Errorf("%d fields refuse null, these do not: %v", refused, nullable)
	}

	plain := s.CreateUser("plain")
	mine := s.SignIn(plain).AccessToken
	before := as(s, mine).json(t, "GET", "/api/v1/users/me", nil)
	as(s, mine).json(t, "PATCH", "/api/v1/users/me", `{"first_name":"Ada","email":null}`).wants(t, 400, "null beside a wish")
	as(s, boss).json(t, "PATCH", "/api/v1/users/"+plain.ID, `{"first_name":"Ada","enabled":null}`).wants(t, 400, "null beside a wish, as an administrator")
	if after := as(s, mine).json(t, "GET", "/api/v1/users/me", nil); after.header.Get("ETag") != before.header.Get("ETag") || after.body != before.body {
		t.Errorf("a refused change changed: %s", after.body)
	}
}

// TestNoBodyWhereNoneIsTaken: a call that takes no body refuses a wish in one, and does
// nothing of what it is there for.
func TestNoBodyWhereNoneIsTaken(t *testing.T) {
	s := keystonetest.Start(t)
	plain := s.CreateUser("plain")
	mine := s.SignIn(plain).AccessToken
	for _, body := range []string{`{"x":1}`, `{"session_id":"x"}`, `[]`, `"x"`, `x=1`} {
		as(s, mine).json(t, "POST", "/api/v1/auth/logout", body).wants(t, 400, "logout with %s", body)
		as(s, mine).json(t, "DELETE", "/api/v1/users/me/sessions", body).wants(t, 400, "other sessions with %s", body)
		as(s, mine).with("Content-Type", "application/x-www-form-urlencoded").json(t, "POST", "/api/v1/auth/logout", body).wants(t, 400, "logout with a form of %s", body)
	}
	as(s, mine).json(t, "GET", "/api/v1/users/me", `{"fields":["id"]}`).wants(t, 400, "a read with a body")
	as(s, mine).json(t, "GET", "/api/v1/users/me", `{}`).wants(t, 200, "a read with an empty object")
	as(s, mine).json(t, "GET", "/api/v1/users/me", `null`).wants(t, 200, "a read with null")
	as(s, mine).json(t, "DELETE", "/api/v1/users/me/sessions", ``).wants(t, 204, "an empty body")
	as(s, mine).json(t, "POST", "/api/v1/auth/logout", `{}`).wants(t, 204, "an empty object")
	as(s, mine).json(t, "GET", "/api/v1/users/me", nil).wants(t, 401, "after the logout")
}
