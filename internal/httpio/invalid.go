package httpio

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keystone-auth/keystone"
)

// invalid turns what huma found into our error: each finding becomes a field
// and a text that says what is wanted. Neither huma's message nor the value is
// passed on as it is: some messages repeat the value.
func invalid(m *huma.ErrorModel) error {
	if m.Status == http.StatusRequestEntityTooLarge {
		return errTooLarge
	}
	fields := map[string]string{}
	for _, d := range m.Errors {
		if d == nil || len(fields) >= 50 {
			continue
		}
		name, why := finding(d)
		if _, ok := fields[name]; !ok {
			fields[name] = why
		}
	}
	if len(fields) == 0 {
		return errEmpty
	}
	return keystone.FailFields(fields)
}

func finding(d *huma.ErrorDetail) (name, why string) {
	name = d.Location
	if _, rest, ok := strings.Cut(name, "."); ok {
		name = rest // without body., path., query., header.
	}
	if missing, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		missing = strings.TrimSuffix(missing, " to be present")
		if name == "body" {
			return printable(missing), "This is required."
		}
		return printable(name + "." + missing), "This is required."
	}
	for _, t := range findings {
		if rest, ok := strings.CutPrefix(d.Message, t.says); ok {
			if t.bound {
				return printable(name), t.text + rest + t.unit
			}
			return printable(name), t.text
		}
	}
	return printable(name), "This does not have the form that is wanted here."
}

// findings is what huma says and what we say; where bound is true, the rest of
// what huma says comes from the route's own type.
var findings = []struct {
	says, text, unit string
	bound            bool
}{
	{says: "required ", text: "This is required."},
	{says: "unexpected property", text: "There is no such field."},
	{says: "expected length >= ", text: "Send at least ", unit: " characters.", bound: true},
	{says: "expected length <= ", text: "Send at most ", unit: " characters.", bound: true},
	{says: "expected array length >= ", text: "Send at least ", unit: " items.", bound: true},
	{says: "expected array length <= ", text: "Send at most ", unit: " items.", bound: true},
	{says: "expected array items to be unique", text: "Send each item once."},
	{says: "expected number >= ", text: "Send a number of at least ", unit: ".", bound: true},
	{says: "expected number <= ", text: "Send a number of at most ", unit: ".", bound: true},
	{says: "expected value to be one of ", text: "Send one of ", unit: ".", bound: true},
	{says: "expected string to be RFC 3339", text: "Send a time such as 2026-01-31T12:00:00Z (RFC 3339)."},
	{says: "expected string to be RFC 5322", text: "Send an e-mail address."},
	{says: "expected string to be RFC 3986", text: "Send a URL."},
	{says: "expected string to be RFC 4122", text: "Send an id as it was given to you."},
	{says: "expected string to match pattern", text: "This has characters, or a form, that are not allowed here."},
	{says: "expected string", text: "Send a text."},
	{says: "expected boolean", text: "Send true or false."},
	{says: "invalid boolean", text: "Send true or false."},
	{says: "expected integer", text: "Send a whole number."},
	{says: "invalid integer", text: "Send a whole number."},
	{says: "expected number", text: "Send a number."},
	{says: "invalid float", text: "Send a number."},
	{says: "invalid date/time", text: "Send a time such as 2026-01-31T12:00:00Z (RFC 3339)."},
	{says: "expected array", text: "Send a list."},
	{says: "expected object", text: "Send an object."},
}

// wanted returns what to send for a value of a JSON type.
func wanted(kind string) string {
	for _, t := range findings {
		if t.says == "expected "+kind {
			return t.text
		}
	}
	return ""
}

// tidySchemas makes the document say what is true here: lists are never null.
// huma's own setting for it is one for the whole process.
func tidySchemas(a *API, op *huma.Operation) {
	for _, s := range a.api.OpenAPI().Components.Schemas.Map() {
		tidy(s)
	}
	for _, p := range op.Parameters {
		tidy(p.Schema)
	}
	if op.RequestBody != nil {
		for _, m := range op.RequestBody.Content {
			tidy(m.Schema)
		}
	}
	for _, res := range op.Responses {
		for _, m := range res.Content {
			tidy(m.Schema)
		}
	}
}

func tidy(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	tidy(s.Items)
	for _, p := range s.Properties {
		tidy(p)
	}
	if extra, ok := s.AdditionalProperties.(*huma.Schema); ok {
		tidy(extra)
	}
}
