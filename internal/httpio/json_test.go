package httpio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

type userView struct {
	ID    string   `json:"id"`
	Roles []string `json:"roles"`
	Tags  []string `json:"tags,omitempty"`
}

type createUser struct {
	IfMatch string `header:"If-Match"`
	Body    struct {
		Username string   `json:"username" minLength:"3" maxLength:"20"`
		Email    string   `json:"email,omitempty" format:"email"`
		Age      int      `json:"age,omitempty" minimum:"0" maximum:"200"`
		Enabled  *bool    `json:"enabled,omitempty"`
		Kind     string   `json:"kind,omitempty" enum:"web,service"`
		Roles    []string `json:"roles,omitempty" maxItems:"3" maxLength:"10"`
		Nested   struct {
			Deep string `json:"deep,omitempty"`
		} `json:"nested,omitempty"`
	}
}

type created struct {
	ETag string `header:"ETag"`
	Body userView
}

// testAPI is one of each kind of route.
func testAPI() (*API, *http.ServeMux) {
	a := NewAPI("Test", "1")
	mux := http.NewServeMux()
	for _, rt := range []Route{
		JSON("POST", "/users", Scope("users:write"), LimitAPI, "Create", func(_ context.Context, in *createUser) (*created, error) {
			switch in.Body.Username {
			case "boom":
				return nil, keystone.Fail(keystone.Conflict, "Taken.")
			case "fault":
				return nil, context.DeadlineExceeded
			}
			return &created{ETag: ETag(7, time.Time{}, nil), Body: userView{ID: in.Body.Username}}, nil
		}).Answers(201),
		JSON("PATCH", "/users", Scope("users:write"), LimitAPI, "Change", func(_ context.Context, _ *createUser) (*created, error) { return &created{}, nil }),
		JSON("GET", "/users", Scope("users:read"), LimitAPI, "List", func(_ context.Context, in *struct {
			PageQuery
			Q string `query:"q" maxLength:"10"`
		}) (*struct{ Body Collection[userView] }, error) {
			p, err := in.Page()
			if err != nil {
				return nil, err
			}
			return &struct{ Body Collection[userView] }{Collect(keystone.List[string]{Items: []string{p.After}, Next: "next/" + in.Q}, func(s string) userView { return userView{ID: s} })}, nil
		}),
		JSON("DELETE", "/users/{id}", Self, LimitAPI, "Delete", func(context.Context, *struct {
			ID string `path:"id"`
		}) (*struct{}, error) {
			return nil, nil
		}),
		JSON("POST", "/maybe", Public, LimitLogin, "Optional body", func(_ context.Context, in *struct {
			Body *struct {
				Name string `json:"name"`
			}
		}) (*struct{ Body map[string]bool }, error) {
			return &struct{ Body map[string]bool }{map[string]bool{"given": in.Body != nil}}, nil
		}),
		Plain("POST", "/form", ClientAuth, LimitToken, "Form", func(w http.ResponseWriter, r *http.Request) error {
			form, err := Form(r, MaxForm)
			if err != nil {
				return err
			}
			return WriteJSON(w, 200, form)
		}, DocForm[struct {
			GrantType string `json:"grant_type"`
		}](), DocAnswer[userView](200, "A token.")),
	} {
		if err := rt.Check(); err != nil {
			panic(err)
		}
		mux.Handle(rt.Pattern(), a.Handler(rt))
	}
	return a, mux
}

func call(mux http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r = r.WithContext(WithExchange(r.Context(), &Exchange{Actor: keystone.Actor{RequestID: "req-12345678"}}))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func TestJSON(t *testing.T) {
	_, mux := testAPI()
	const j = "application/json"
	for name, test := range map[string]struct {
		method, target, contentType, body string
		status                            int
		want                              string // part of the body
		without                           string // must not be in the body
	}{
		"created":                 {"POST", "/users", j, `{"username":"ada"}`, 201, `{"id":"ada","roles":[]}`, "$schema"},
		"charset":                 {"POST", "/users", "application/json; charset=UTF-8", `{"username":"ada"}`, 201, "", ""},
		"null is not given":       {"POST", "/users", j, `{"username":"ada","age":null,"email":null,"enabled":null,"kind":null,"nested":{"deep":null},"roles":null}`, 201, "", ""},
		"null for each":           {"PATCH", "/users", j, `{"username":"ada","age":null,"email":null,"enabled":null,"kind":null,"nested":null,"roles":null}`, 400, `"fields":{"age":"Send a whole number.","email":"Send a text.","enabled":"Send true or false.","kind":"Send a text.","nested":"Send an object.","roles":"Send a list."}`, ""},
		"null within":             {"PATCH", "/users", j, `{"username":"ada","nested":{"deep":null}}`, 400, `"nested.deep":"Send a text."`, ""},
		"null in a list":          {"POST", "/users", j, `{"username":"ada","roles":[null]}`, 400, `"roles[0]":"Send a text."`, ""},
		"null and unknown":        {"PATCH", "/users", j, `{"emial":null,"email":null}`, 400, `Correct the named fields and send the request again.","timestamp":`, ""},
		"null as an address":      {"PATCH", "/users", j, "{\"username\":\"ada\",\"email\": \t\nnull}", 400, `"email":"Send a text."`, ""},
		"null for all":            {"POST", "/users", j, ` null`, 400, `"body":"Send an object."`, ""},
		"optional body, null":     {"POST", "/maybe", j, `null`, 400, `"body":"Send an object."`, ""},
		"null for required":       {"POST", "/users", j, `{"username":null}`, 400, `"username":"Send a text."`, ""},
		"required":                {"POST", "/users", j, `{}`, 400, `"fields":{"username":"This is required."}`, ""},
		"unknown field":           {"POST", "/users", j, `{"username":"ada","emial":"x"}`, 400, `"emial":"There is no such field."`, ""},
		"unknown nested":          {"POST", "/users", j, `{"username":"ada","nested":{"no":1}}`, 400, `"nested.no":"There is no such field."`, ""},
		"other case":              {"POST", "/users", j, `{"Username":"ada"}`, 400, `"Username":"There is no such field."`, ""},
		"unknown is not echoed":   {"POST", "/users", j, `{"username":"ada","<script>":1}`, 400, "", "<script"},
		"token is not echoed":     {"POST", "/users", j, `{"username":"ada","ks_rt_CANARY":1}`, 400, "", "CANARY"},
		"bad mail is not echoed":  {"POST", "/users", j, `{"username":"ada","email":"CANARY@@"}`, 400, `"email":"Send an e-mail address."`, "CANARY"},
		"too short":               {"POST", "/users", j, `{"username":"a"}`, 400, `"username":"Send at least 3 characters."`, ""},
		"too long is not echoed":  {"POST", "/users", j, `{"username":"CANARYCANARYCANARYCANARY"}`, 400, `"username":"Send at most 20 characters."`, "CANARY"},
		"wrong type":              {"POST", "/users", j, `{"username":{"a":"CANARY"}}`, 400, `"username":"Send a text."`, "CANARY"},
		"enum":                    {"POST", "/users", j, `{"username":"ada","kind":"CANARY"}`, 400, `"kind":"Send one of`, "CANARY"},
		"number too large":        {"POST", "/users", j, `{"username":"ada","age":1e3}`, 400, `"age":"Send a number of at most 200."`, ""},
		"no float":                {"POST", "/users", j, `{"username":"ada","age":1.5}`, 400, `"age":"Send a whole number."`, ""},
		"int in float form":       {"POST", "/users", j, `{"username":"ada","age":1e1}`, 400, `invalid_request`, "1e1"},
		"item of a list":          {"POST", "/users", j, `{"username":"ada","roles":["a",5]}`, 400, `"roles[1]":"Send a text."`, ""},
		"array for object":        {"POST", "/users", j, `[]`, 400, `Send an object.`, ""},
		"duplicate":               {"POST", "/users", j, `{"username":"ada","username":"eve"}`, 400, "twice", "eve"},
		"duplicate by escape":     {"POST", "/users", j, `{"username":"ada","user\u006eame":"eve"}`, 400, "twice", "eve"},
		"syntax is not echoed":    {"POST", "/users", j, `{"username":"CANARY"`, 400, "not JSON", "CANARY"},
		"trailing":                {"POST", "/users", j, `{"username":"ada"} {}`, 400, "behind the end", ""},
		"NUL":                     {"POST", "/users", j, `{"username":"a\u0000da"}`, 400, "NUL", ""},
		"not UTF-8":               {"POST", "/users", j, "{\"username\":\"a\xff\"}", 400, "Unicode", ""},
		"empty":                   {"POST", "/users", j, ``, 400, "empty", ""},
		"nothing":                 {"POST", "/users", "", ``, 400, "The body is empty", ""},
		"nothing, as a form":      {"POST", "/users", "application/x-www-form-urlencoded", ``, 400, "The body is empty", ""},
		"text/plain":              {"POST", "/users", "text/plain", `{"username":"ada"}`, 415, "unsupported_media_type", ""},
		"form":                    {"POST", "/users", "application/x-www-form-urlencoded", `{"username":"ada"}`, 415, "", ""},
		"no type":                 {"POST", "/users", "", `{"username":"ada"}`, 415, "", ""},
		"text/plain with JSON":    {"POST", "/users", "text/plain; application/json", `{"username":"ada"}`, 415, "", ""},
		"problem JSON":            {"POST", "/users", "application/problem+json", `{"username":"ada"}`, 415, "", ""},
		"other charset":           {"POST", "/users", "application/json; charset=utf-7", `{"username":"ada"}`, 415, "", ""},
		"too large":               {"POST", "/users", j, `{"username":"` + strings.Repeat("a", maxJSONBody) + `"}`, 413, "too_large", ""},
		"kind of the handler":     {"POST", "/users", j, `{"username":"boom"}`, 409, `"error":"conflict","error_description":"Taken."`, ""},
		"fault of the handler":    {"POST", "/users", j, `{"username":"fault"}`, 500, `"error":"internal_error"`, "deadline"},
		"list":                    {"GET", "/users?limit=5&q=x", "", "", 200, `{"items":[{"id":"","roles":[]}],"next_cursor":"bmV4dC94"}`, ""},
		"cursor":                  {"GET", "/users?cursor=bmV4dC94", "", "", 200, `{"items":[{"id":"next/x"`, ""},
		"bad cursor":              {"GET", "/users?cursor=%21", "", "", 400, `"cursor":"This is not a cursor`, ""},
		"limit too large":         {"GET", "/users?limit=201", "", "", 400, `"limit":"Send a number of at most 200."`, ""},
		"limit zero":              {"GET", "/users?limit=0", "", "", 400, `"limit":"Send a number of at least 1."`, ""},
		"limit is no number":      {"GET", "/users?limit=CANARY", "", "", 400, `"limit":"Send a whole number."`, "CANARY"},
		"unknown query":           {"GET", "/users?access_token=CANARY", "", "", 400, "Leave out the query parameter", "CANARY"},
		"query twice":             {"GET", "/users?q=a&q=b", "", "", 400, "twice", ""},
		"query NUL":               {"GET", "/users?q=a%00", "", "", 400, "NUL", ""},
		"query not UTF-8":         {"GET", "/users?q=%ff", "", "", 400, "UTF-8", ""},
		"query escape":            {"GET", "/users?q=%zz", "", "", 400, "percent-encode", ""},
		"query too long":          {"GET", "/users?q=aaaaaaaaaaaaaa", "", "", 400, `"q":"Send at most 10 characters."`, ""},
		"no content":              {"DELETE", "/users/5", "", "", 204, "", ""},
		"no body, an object":      {"DELETE", "/users/5", j, " { } ", 204, "", ""},
		"no body, empty":          {"DELETE", "/users/5", j, "", 204, "", ""},
		"no body, of no type":     {"DELETE", "/users/5", "", "{}", 204, "", ""},
		"no body, a wish":         {"DELETE", "/users/5", j, `{"soon":true}`, 400, `"soon":"There is no such field."`, ""},
		"no body, null":           {"DELETE", "/users/5", j, ` null `, 204, "", ""},
		"no body, a list":         {"DELETE", "/users/5", j, `[]`, 400, "takes no body", ""},
		"no body, a form":         {"DELETE", "/users/5", "application/x-www-form-urlencoded", `a=CANARY`, 400, "", "CANARY"},
		"no body, two":            {"DELETE", "/users/5", j, `{}{}`, 400, "", ""},
		"no body, white space":    {"DELETE", "/users/5", j, "\n", 400, "", ""},
		"no body, too large":      {"DELETE", "/users/5", j, `{"a":"` + strings.Repeat("a", maxJSONBody) + `"}`, 400, "takes no body", ""},
		"no body of a list":       {"GET", "/users", j, `{"limit":1}`, 400, `"limit":"There is no such field."`, ""},
		"optional body":           {"POST", "/maybe", "", "", 200, `{"given":false}`, ""},
		"optional body given":     {"POST", "/maybe", j, `{"name":"x"}`, 200, `{"given":true}`, ""},
		"optional body text":      {"POST", "/maybe", "text/plain", `{"name":"x"}`, 415, "", ""},
		"accept is no choice":     {"GET", "/users", "", "", 200, `{"items"`, ""},
		"password of 1 MiB is no": {"POST", "/users", j, `{"username":"` + strings.Repeat("a", 1<<19) + `"}`, 400, "at most 20", "aaaa"},
	} {
		t.Run(name, func(t *testing.T) {
			w := call(mux, test.method, test.target, test.contentType, test.body)
			body := w.Body.String()
			if w.Code != test.status || !strings.Contains(body, test.want) {
				t.Errorf("answered %d %s, want %d with %q", w.Code, body, test.status, test.want)
			}
			if test.without != "" && strings.Contains(body, test.without) {
				t.Errorf("the answer repeats %q: %s", test.without, body)
			}
			if w.Code >= 400 {
				wantErrorShape(t, w)
			}
			if w.Code != 204 && w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
			}
			if w.Code != 204 && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", w.Header().Get("Cache-Control"))
			}
		})
	}
	if got := call(mux, "POST", "/users", j, `{"username":"ada"}`).Header().Get("ETag"); got != ETag(7, time.Time{}, nil) {
		t.Errorf("ETag %s", got)
	}
}

// wantErrorShape checks an error answer against the shape that docs/API.md describes.
func wantErrorShape(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, name := range []string{"error", "error_description", "timestamp", "request_id"} {
		if body[name] == nil || body[name] == "" {
			t.Errorf("the error body has no %s: %s", name, w.Body)
		}
	}
	if body["request_id"] != "req-12345678" {
		t.Errorf("request_id %v", body["request_id"])
	}
}
