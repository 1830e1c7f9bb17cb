package httpio

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// shape is which names a JSON value may have, and where it may not be null: what the
// OpenAPI document says of it. A nil shape takes everything.
type shape struct {
	fields   map[string]*shape // of an object whose names are known
	optional []string          // of them: those for which null is the same as nothing
	elem     *shape            // of a list
	want     string            // what to send instead of null; empty: null is a value of it
}

// shaper makes the shapes of the schemas of one operation.
type shaper struct {
	schemas huma.Registry
	// absent makes null the same as nothing where nothing will do: programs write what they
	// do not set as null. In a PATCH it would be a wish that is passed over.
	absent bool
	seen   map[*huma.Schema]*shape // schemas may contain themselves
}

// of returns the shape of a schema.
func (m shaper) of(schema *huma.Schema) *shape {
	if schema != nil && schema.Ref != "" {
		schema = m.schemas.SchemaFromRef(schema.Ref)
	}
	if schema == nil {
		return nil
	}
	if s, ok := m.seen[schema]; ok {
		return s
	}
	s := &shape{}
	m.seen[schema] = s
	if !schema.Nullable {
		s.want = wanted(schema.Type)
	}
	s.elem = m.of(schema.Items)
	if schema.AdditionalProperties == false {
		s.fields = make(map[string]*shape, len(schema.Properties))
		for name, property := range schema.Properties {
			s.fields[name] = m.of(property)
			if m.absent && !slices.Contains(schema.Required, name) {
				s.optional = append(s.optional, name)
			}
		}
	}
	return s
}

// field returns the shape of a named field, and whether the name is known.
func (s *shape) field(name string) (*shape, bool) {
	if s == nil || s.fields == nil {
		return nil, true
	}
	inner, known := s.fields[name]
	return inner, known
}

// inside reports whether there are names to look at within a value.
func (s *shape) inside() bool { return s != nil && (s.fields != nil || s.elem != nil) }

// insteadOfNull returns what to send instead of null, or nothing where null may be sent.
func (s *shape) insteadOfNull() string {
	if s == nil {
		return ""
	}
	return s.want
}

func (s *shape) items() *shape {
	if s == nil {
		return nil
	}
	return s.elem
}

// unquote decodes the inside of a JSON string that the scanner has passed.
func unquote(raw []byte) string {
	var s string
	quoted := append(append([]byte{'"'}, raw...), '"')
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(raw) // cannot be: the scanner is the stricter of the two
	}
	return s
}

const maxNamed = 64

// printable returns a name as it may be repeated in an answer: letters, digits
// and a few signs, and short. Anything else is not repeated.
func printable(name string) string {
	if name == "" || len(name) > maxNamed || strings.HasPrefix(name, "ks_") || strings.HasPrefix(name, "eyJ") {
		return "(unnamed)"
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.', c == '[', c == ']':
		default:
			return "(unnamed)"
		}
	}
	return name
}
