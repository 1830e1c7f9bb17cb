package httpio

import (
	"encoding/json"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// shape is which names a JSON value may have, and where it may not be null: what the
// OpenAPI document says of it. A nil shape takes everything.
type shape struct {
	fields map[string]*shape // of an object whose names are known
	elem   *shape            // of a list
	want   string            // what to send instead of null; empty: null is a value of it
}

// shapeOf returns the shape of a schema. seen breaks the circle of schemas that contain
// themselves.
func shapeOf(reg huma.Registry, schema *huma.Schema, seen map[*huma.Schema]*shape) *shape {
	if schema != nil && schema.Ref != "" {
		schema = reg.SchemaFromRef(schema.Ref)
	}
	if schema == nil {
		return nil
	}
	if s, ok := seen[schema]; ok {
		return s
	}
	s := &shape{}
	seen[schema] = s
	if !schema.Nullable {
		s.want = wanted(schema.Type)
	}
	s.elem = shapeOf(reg, schema.Items, seen)
	if schema.AdditionalProperties == false {
		s.fields = make(map[string]*shape, len(schema.Properties))
		for name, property := range schema.Properties {
			s.fields[name] = shapeOf(reg, property, seen)
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
