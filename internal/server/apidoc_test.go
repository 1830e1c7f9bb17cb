package server

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/httpio"
)

var update = flag.Bool("update", false, "write docs/API.md again")

// TestGoldenAPI holds docs/API.md to the routes: it is made from them and from
// the OpenAPI document, and from nothing else.
func TestGoldenAPI(t *testing.T) {
	s, _ := boot(t, nil)
	body, err := s.api.OpenAPI(s.config.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	var doc apiDocument
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/API.md"
	got := doc.markdown(s.Routes())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatal("docs/API.md is not what the routes say; run make docs")
	}
}

// apiDocument is what docs/API.md takes from the OpenAPI document.
type apiDocument struct {
	Paths      map[string]map[string]apiOperation `json:"paths"`
	Components struct {
		Schemas map[string]apiSchema `json:"schemas"`
	} `json:"components"`
}

type apiOperation struct {
	Parameters []struct {
		Name, In, Description string
		Required              bool
	} `json:"parameters"`
	RequestBody struct {
		Content map[string]struct {
			Schema apiSchema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string `json:"description"`
		Content     map[string]struct {
			Schema apiSchema `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type apiSchema struct {
	Ref         string               `json:"$ref"`
	Type        any                  `json:"type"`
	Description string               `json:"description"`
	Enum        []any                `json:"enum"`
	Required    []string             `json:"required"`
	Properties  map[string]apiSchema `json:"properties"`
}

func (d apiDocument) resolve(s apiSchema) apiSchema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

const apiHead = `# API

Made from the routes and the OpenAPI document (always at ` + "`/openapi.json`" + `; interactive at ` + "`/docs`" + ` with ` + "`DEBUG=true`" + `). Regenerate with ` + "`make docs`" + `.

- **Who may**: *public*, anybody; *self*, a user through a first-party client; *client*, the OAuth client proves itself; a scope, whoever holds it now. Tokens go into ` + "`Authorization: Bearer …`" + `, once, never into the address.
- **Limits** (settings ` + "`RATE_LIMIT_*`" + `): *login* per source and per account, *register* per source, *page* per source, *api* per actor, else per source, *token* only failures, per client and per source. Answers carry ` + "`RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, and `Retry-After`" + ` with 429.
- **Bodies** are JSON, at most 1 MiB, or forms (` + "`/oauth2/*`" + ` and the pages), at most 64 KiB; neither is taken compressed. In JSON, unknown and repeated members are refused, and in a PATCH ` + "`null`" + ` where a field does not say *or null*; elsewhere ` + "`null`" + ` for an optional field is the same as leaving it out. A call that takes no body refuses one that is not empty, ` + "`{}`" + ` or ` + "`null`" + `. Times are RFC 3339 UTC, ids UUIDv7.
- **Lists** take ` + "`limit` (1 to 200) and `cursor`, and answer `{\"items\": […], \"next_cursor\": \"…\" or null}`" + `.
- **Changes** take ` + "`If-Match`" + ` with the ` + "`ETag`" + ` of what was read; 412 where it was changed since. **Reads** take ` + "`If-None-Match`" + ` with it; 304 where nothing that they show has changed.
- **Errors** everywhere: ` + "`{\"error\", \"error_description\", \"timestamp\", \"request_id\", \"fields\"?}`" + `; name the ` + "`request_id`" + ` (also ` + "`X-Request-Id`" + `) when you ask for help.

| error | status | |
|---|---|---|
| invalid_request | 400 | correct what error_description and fields say |
| authentication_failed | 401 | no token, or not a good one |
| authorization_failed | 403 | known, but not allowed |
| not_found | 404 | |
| method_not_allowed | 405 | |
| conflict | 409 | exists already, or the state forbids it |
| precondition_failed | 412 | changed since it was read |
| too_large | 413 | |
| unsupported_media_type | 415 | |
| rate_limited | 429 | wait as Retry-After says |
| internal_error | 500 | report the request_id |
| temporarily_unavailable | 503 | wait as Retry-After says; error_description says whether something may have been changed |

The ` + "`/oauth2/*`" + ` endpoints use the codes of RFC 6749 in the same body: invalid_client, invalid_grant, invalid_scope, invalid_target, unauthorized_client, unsupported_grant_type, and to polls those of RFC 8628: authorization_pending, slow_down, expired_token, access_denied.
`

func (d apiDocument) markdown(routes []httpio.Route) string {
	var b strings.Builder
	b.WriteString(apiHead)
	for _, rt := range routes {
		op := d.Paths[rt.Path][strings.ToLower(rt.Method)]
		fmt.Fprintf(&b, "\n## %s %s\n\n%s. Who may: %s. Limit: %s.\n", rt.Method, rt.Path, rt.Summary, strings.TrimPrefix(string(rt.Access), "scope:"), rt.Limit)
		for _, p := range op.Parameters {
			fmt.Fprintf(&b, "- %s `%s`: %s\n", p.In, p.Name, strings.TrimSpace(p.Description))
		}
		for _, kind := range sorted(op.RequestBody.Content) {
			fmt.Fprintf(&b, "\nTakes %s:\n\n", kind)
			d.fields(&b, op.RequestBody.Content[kind].Schema)
		}
		for _, status := range sorted(op.Responses) {
			r := op.Responses[status]
			if status >= "400" {
				continue
			}
			fmt.Fprintf(&b, "\nAnswers %s. %s\n\n", status, strings.TrimSpace(r.Description))
			for _, kind := range sorted(r.Content) {
				d.fields(&b, r.Content[kind].Schema)
			}
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// fields lists the members of an object.
func (d apiDocument) fields(b *strings.Builder, s apiSchema) {
	s = d.resolve(s)
	for _, name := range sorted(s.Properties) {
		p := s.Properties[name]
		optional := ""
		if !slices.Contains(s.Required, name) {
			optional = ", optional"
		}
		text := p.Description
		if len(p.Enum) > 0 {
			text = strings.TrimSpace(fmt.Sprintf("one of %v. %s", p.Enum, text))
		}
		b.WriteString(strings.TrimSpace(fmt.Sprintf("- `%s` (%s%s) %s", name, typeName(p), optional, text)) + "\n")
	}
}

func typeName(s apiSchema) string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		return fmt.Sprint(t[0]) + " or null"
	}
	if s.Ref != "" {
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	}
	return "any"
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
