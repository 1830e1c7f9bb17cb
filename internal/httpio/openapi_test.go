package httpio

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

func TestOpenAPI(t *testing.T) {
	a, _ := testAPI()
	b, err := a.OpenAPI("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
			RequestBody struct{ Content map[string]any }
			Responses   map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Servers[0].URL != "https://id.example" {
		t.Errorf("%s %v", doc.OpenAPI, doc.Servers)
	}
	create := doc.Paths["/users"]["post"]
	for _, status := range []string{"201", "400", "401", "403", "409", "412", "413", "415", "429", "500", "503"} {
		if create.Responses[status] == nil {
			t.Errorf("POST /users does not say %s", status)
		}
	}
	for _, status := range []string{"200", "422", "default"} {
		if create.Responses[status] != nil {
			t.Errorf("POST /users says %s, which it never answers", status)
		}
	}
	if got := create.Security[0]["bearer"]; len(got) != 1 || got[0] != "users:write" {
		t.Errorf("POST /users demands %v", create.Security)
	}
	if doc.Paths["/users/{id}"]["delete"].Responses["204"] == nil || doc.Paths["/users/{id}"]["delete"].OperationID != "deleteUsersById" {
		t.Errorf("DELETE /users/{id}: %+v", doc.Paths["/users/{id}"])
	}
	form := doc.Paths["/form"]["post"]
	if form.RequestBody.Content[formType] == nil || form.Responses["200"] == nil {
		t.Errorf("POST /form: %+v", form)
	}
	for _, unwanted := range []string{"ErrorModel", "ErrorDetail"} {
		if doc.Components.Schemas[unwanted] != nil || strings.Contains(string(b), unwanted) {
			t.Errorf("%s is in the document", unwanted)
		}
	}
	if doc.Components.Schemas["Error"] == nil || strings.Contains(string(b), "$schema") {
		t.Error("no Error, or a $schema")
	}
	if strings.Contains(string(b), `["array","null"]`) || strings.Contains(string(b), `"array","null"`) {
		t.Error("the document says that a list may be null")
	}
	// Every reference leads somewhere.
	for _, part := range strings.Split(string(b), `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
}

// TestNamer: two packages with a type of one name are told apart.
func TestNamer(t *testing.T) {
	a := NewAPI("Test", "1")
	a.Handler(JSON("GET", "/a", Public, LimitNone, "a", func(context.Context, *struct{}) (*struct{ Body keystone.Scope }, error) { return nil, nil }))
	type Scope struct {
		B int `json:"b"`
	}
	a.Handler(JSON("GET", "/b", Public, LimitNone, "b", func(context.Context, *struct{}) (*struct{ Body Scope }, error) { return nil, nil }))
	b, err := a.OpenAPI("")
	if err != nil || !strings.Contains(string(b), `"Scope":{`) || !strings.Contains(string(b), `"HttpioScope":{`) {
		t.Errorf("%v: %s", err, b)
	}
}

func TestStatusField(t *testing.T) {
	a := NewAPI("Test", "1")
	type answer struct {
		Status int
		Body   map[string]int
	}
	h := a.Handler(JSON("POST", "/s", Public, LimitNone, "s", func(_ context.Context, in *struct {
		Body struct {
			Status int `json:"status"`
		}
	}) (*answer, error) {
		return &answer{Status: in.Body.Status}, nil
	}).Answers(201))
	for body, want := range map[string]int{`{"status":0}`: 201, `{"status":202}`: 202} {
		if w := call(h, http.MethodPost, "/s", "application/json", body); w.Code != want {
			t.Errorf("%s: %d, want %d", body, w.Code, want)
		}
	}
	// What cannot be encoded is one clean error, not half an answer.
	h = a.Handler(JSON("GET", "/f", Public, LimitNone, "f", func(context.Context, *struct{}) (*struct{ Body map[string]any }, error) {
		return &struct{ Body map[string]any }{map[string]any{"f": func() {}}}, nil
	}))
	w := call(h, http.MethodGet, "/f", "", "")
	if w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	wantErrorShape(t, w)
}

func BenchmarkJSONGet(b *testing.B) {
	_, mux := testAPI()
	b.ReportAllocs()
	for b.Loop() {
		if w := call(mux, "GET", "/users", "", ""); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
