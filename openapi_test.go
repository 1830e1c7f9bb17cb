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
	Security  []map[string][]string
	Responses map[string]struct{ Content map[string]any }
}

// TestOpenAPIHoldsAnswers sends every route of the document whatever a program
// may get wrong, as everybody who may call, and holds each answer to the document:
// its status, its type, the shape of its error.
func TestOpenAPIHoldsAnswers(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"DEBUG": "true", "METRICS_PUBLIC": "true", "SESSION_IFRAME": "true",
		"CLIENT_REGISTRATION": "open", "REGISTRATION": "closed"}))
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
		t.Fatal(err)
	}
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

// holds reports where an answer is not as the document has it.
func holds(t *testing.T, what string, op operation, a answer) {
	t.Helper()
	said, ok := op.Responses[strconv.Itoa(a.status)]
	if !ok {
		t.Errorf("%s: %d is not in the document: %.200s", what, a.status, a.body)
		return
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
	if a.status >= 400 && got == "application/json" && (a.text("error") == "" || a.text("error_description") == "" || a.text("request_id") == "") {
		t.Errorf("%s: %d without code, text or request id: %s", what, a.status, a.body)
	}
}
