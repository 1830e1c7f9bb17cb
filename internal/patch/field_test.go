package patch_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
)

type request struct {
	Body struct {
		Name patch.Field[string] `json:"name,omitempty" maxLength:"5"`
		Age  patch.Field[int64]  `json:"age,omitempty" minimum:"1" maximum:"150"`
	}
}

func TestField(t *testing.T) {
	var got request
	api := httpio.NewAPI("Test", "1")
	h := api.Handler(httpio.JSON(http.MethodPatch, "/x", httpio.Public, httpio.LimitNone, "Change", func(_ context.Context, in *request) (*struct{}, error) {
		got = *in
		return nil, nil
	}))
	none, empty, zero, jane, forty := (*string)(nil), "", int64(0), "jane", int64(40)
	for _, c := range []struct {
		body   string
		status int
		name   *string
		age    *int64
	}{
		{`{}`, 204, none, nil},
		{`{"name":null,"age":null}`, 204, &empty, &zero},
		{`{"name":"","age":40}`, 204, &empty, &forty},
		{`{"name":"jane"}`, 204, &jane, nil},
		{`{"name":"janejane"}`, 400, nil, nil},
		{`{"name":7}`, 400, nil, nil},
		{`{"name":{"a":1}}`, 400, nil, nil},
		{`{"age":0}`, 400, nil, nil},
		{`{"age":"40"}`, 400, nil, nil},
		{`{"age":1.5}`, 400, nil, nil},
		{`{"nome":"jane"}`, 400, nil, nil},
	} {
		got = request{}
		r := httptest.NewRequest(http.MethodPatch, "/x", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.body, w.Code, w.Body)
		}
		if name, age := got.Body.Name.Change(), got.Body.Age.Change(); !same(name, c.name) || !same(age, c.age) {
			t.Errorf("%s: name %v, age %v", c.body, name, age)
		}
	}
	doc, err := api.OpenAPI("")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), `"type":["string","null"]`) || !strings.Contains(string(doc), `"type":["integer","null"]`) {
		t.Errorf("the document does not say that the fields may be null: %s", doc)
	}
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }
