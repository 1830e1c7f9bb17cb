package keystone_test

import (
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// What the OpenAPI document says of an operation.
type operation struct {
	Security    []map[string][]string
	Parameters  []struct{ Name string }
	RequestBody struct {
		Content map[string]struct{ Schema openSchema }
	}
	Responses map[string]struct {
		Headers map[string]any
		Content map[string]struct{ Schema openSchema }
	}
}

type openSchema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]openSchema
}

type openDocument struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]openSchema }
}

func openAPI(t *testing.T, s *keystonetest.Server) (doc openDocument) {
	t.Helper()
	if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// form returns the fields of a form.
func (d openDocument) form(op operation) map[string]openSchema {
	ref := op.RequestBody.Content["application/x-www-form-urlencoded"].Schema.Ref
	return d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")].Properties
}

// TestOpenAPISaysWhatIsTaken: every call that takes something says what: the ways in which
// the metadata says that clients prove themselves, what an authorization request has
// wherever it comes, the forms of all pages, the parameters of addresses.
func TestOpenAPISaysWhatIsTaken(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "open"}))
	doc := openAPI(t, s)
	for path, names := range map[string]string{
		"/oauth2/token": "grant_type", "/oauth2/introspect": "token token_type_hint", "/oauth2/revoke": "token token_type_hint",
		"/oauth2/par":                  "response_type response_mode redirect_uri scope state nonce code_challenge code_challenge_method prompt max_age claims request",
		"/oauth2/device_authorization": "scope", "/oauth2/bc-authorize": "scope login_hint",
	} {
		fields := doc.form(doc.Paths[path]["post"])
		for _, name := range strings.Fields(names + " client_id client_secret client_assertion client_assertion_type") {
			if _, ok := fields[name]; !ok {
				t.Errorf("POST %s does not say %s", path, name)
			}
		}
	}
	for path, names := range map[string]string{
		"/oauth2/authorize": "client_id request_uri response_type response_mode redirect_uri scope state nonce code_challenge code_challenge_method prompt max_age login_hint id_token_hint acr_values claims ui_locales resource audience authorization_details request dpop_jkt",
		"/oauth2/logout":    "id_token_hint client_id post_logout_redirect_uri state ui_locales", "/logout": "id_token_hint", "/device/qr": "user_code", "/device": "user_code", "/login": "flow", "/oauth2/resume": "flow", "/oauth2/initiate": "client_id login_hint",
	} {
		for _, name := range strings.Fields(names) {
			if !slices.ContainsFunc(doc.Paths[path]["get"].Parameters, func(p struct{ Name string }) bool { return p.Name == name }) {
				t.Errorf("GET %s does not say %s", path, name)
			}
			if post, ok := doc.Paths[path]["post"]; ok && strings.HasPrefix(path, "/oauth2/") {
				if _, ok := doc.form(post)[name]; !ok {
					t.Errorf("POST %s does not say %s", path, name)
				}
			}
		}
	}
	bodiless := regexp.MustCompile(`^/api/v1/(auth/logout|users/\{id\}/(password-reset|unlock))$`)
	for path, methods := range doc.Paths {
		if op, ok := methods["post"]; ok && len(op.RequestBody.Content) == 0 && !bodiless.MatchString(path) {
			t.Errorf("POST %s does not say what it takes", path)
		}
	}
	for path, media := range map[string]string{"/oauth2/jwks": "application/jwk-set+json", "/openapi.json": "application/json", "/oauth2/userinfo": "application/jwt application/json"} {
		for _, one := range strings.Fields(media) {
			if _, ok := doc.Paths[path]["get"].Responses["200"].Content[one]; !ok {
				t.Errorf("GET %s does not say that it may be %s", path, one)
			}
		}
	}
	if _, ok := doc.Paths["/oauth2/introspect"]["post"].Responses["200"].Content["application/token-introspection+jwt"]; !ok {
		t.Error("introspection does not say that it may be a JWT")
	}
	for what, status := range map[string]string{"get /oauth2/logout": "303", "post /oauth2/logout": "303", "get /oauth2/resume": "200", "get /oauth2/authorize": "200", "post /oauth2/register": "404"} {
		method, path, _ := strings.Cut(what, " ")
		if _, ok := doc.Paths[path][method].Responses[status]; !ok {
			t.Errorf("%s does not say %s", what, status)
		}
	}
}

// TestOpenAPIHoldsAnswers sends every route of the document whatever a program
// may get wrong, as everybody who may call, and holds each answer to the document:
// its status, its type, the shape of its error.
func TestOpenAPIHoldsAnswers(t *testing.T) {
	t.Run("as it comes", func(t *testing.T) { holdsAll(t, nil) })
	t.Run("all switches", func(t *testing.T) {
		holdsAll(t, map[string]string{"DEBUG": "true", "METRICS_PUBLIC": "true", "SESSION_IFRAME": "true", "CLIENT_REGISTRATION": "open", "REGISTRATION": "closed"})
	})
}

func holdsAll(t *testing.T, settings map[string]string) {
	s := keystonetest.Start(t, keystonetest.WithSettings(settings))
	doc := openAPI(t, s)
	admin, plain := s.CreateUser("boss", keystone.RoleAdmin), s.CreateUser("plain")
	service := s.CreateClient(keystone.Client{})
	big := strings.Repeat(" ", 1<<20+100)
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	asked := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			method = strings.ToUpper(method)
			address := parameter.ReplaceAllString(path, keystone.NewID(s.Clock.Now()))
			boss, person := s.SignIn(admin).AccessToken, s.SignIn(plain).AccessToken
			etag := as(s, boss).json(t, "GET", address, nil).header.Get("ETag")
			for probe, send := range map[string]func() answer{
				"nothing": func() answer { return as(s, "").send(t, method, address, nil) },
				"no token we know": func() answer {
					return as(s, "not-a-token").with("Content-Type", "application/json").send(t, method, address, []byte("{}"))
				},
				"two kinds of token": func() answer { return as(s, "").with("Authorization", "Basic eDp5").send(t, method, address, nil) },
				"an administrator":   func() answer { return as(s, boss).send(t, method, address, nil) },
				"an empty object": func() answer {
					return as(s, boss).with("Content-Type", "application/json").send(t, method, address, []byte("{}"))
				},
				"a list": func() answer {
					return as(s, boss).with("Content-Type", "application/json").send(t, method, address, []byte("[1]"))
				},
				"another type": func() answer {
					return as(s, boss).with("Content-Type", "text/plain").send(t, method, address, []byte("x=y"))
				},
				"too much JSON": func() answer {
					return as(s, boss).with("Content-Type", "application/json").send(t, method, address, []byte("{"+big+"}"))
				},
				"too much of a form": func() answer {
					return as(s, "").with("Content-Type", "application/x-www-form-urlencoded").send(t, method, address, []byte("a="+big))
				},
				"an empty form": func() answer {
					return as(s, "").with("Content-Type", "application/x-www-form-urlencoded").send(t, method, address, []byte(""))
				},
				"a client's form": func() answer {
					return as(s, "").form(t, address, "client_id", service.ID, "client_secret", service.Secret)
				},
				"a client's guess": func() answer { return as(s, "").form(t, address, "client_id", service.ID, "client_secret", "guess") },
				"somebody else": func() answer {
					return as(s, person).with("Content-Type", "application/json").send(t, method, address, []byte("{}"))
				},
				"another origin": func() answer {
					return as(s, boss).with("Sec-Fetch-Site", "cross-site").with("Origin", "https://evil.example").with("Content-Type", "application/json").send(t, method, address, []byte("{}"))
				},
				"what is there": func() answer { return as(s, boss).with("If-None-Match", etag).send(t, method, address, nil) },
				"an old version": func() answer {
					return as(s, boss).with("If-Match", `"0"`).with("Content-Type", "application/json").send(t, method, address, []byte("{}"))
				},
				"a query":              func() answer { return as(s, boss).send(t, method, address+"?limit=0&cursor=x&no_such=1", nil) },
				"a token in the query": func() answer { return as(s, "").send(t, method, address+"?access_token="+boss, nil) },
			} {
				if strings.HasSuffix(probe, "form") || strings.HasPrefix(probe, "a client's") {
					if method != http.MethodPost {
						continue
					}
				}
				asked++
				holds(t, method+" "+path+", "+probe, op, send())
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d requests", asked)
	}
}

// describedHeaders are the headers of answers that the document speaks of.
var describedHeaders = []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "WWW-Authenticate", "ETag", "Location"}

// holds reports where an answer is not as the document has it.
func holds(t *testing.T, what string, op operation, a answer) {
	t.Helper()
	said, ok := op.Responses[strconv.Itoa(a.status)]
	if !ok {
		t.Errorf("%s: %d is not in the document: %.200s", what, a.status, a.body)
		return
	}
	for _, name := range describedHeaders {
		if _, ok := said.Headers[name]; !ok && a.header.Get(name) != "" {
			t.Errorf("%s: %d has the header %s, the document does not", what, a.status, name)
		}
	}
	if a.body == "" {
		return
	}
	got, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		t.Errorf("%s: %d of type %q", what, a.status, a.header.Get("Content-Type"))
		return
	}
	var types []string
	for name := range said.Content {
		name, _, _ = strings.Cut(name, ";")
		types = append(types, name)
	}
	if !slices.Contains(types, got) {
		t.Errorf("%s: %d is %s, the document says %v", what, a.status, got, types)
	}
	if said.Content[got].Schema.Type == "string" && strings.HasSuffix(got, "json") {
		t.Errorf("%s: %d is an object, the document says that it is a text", what, a.status)
	}
	if a.status >= 400 && got == "application/json" && (a.text("error") == "" || a.text("error_description") == "" || a.text("request_id") == "") {
		t.Errorf("%s: %d without code, text or request id: %s", what, a.status, a.body)
	}
}
