package httpio

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// shape is what the names of a JSON value may be, taken from the Go type that it
// will become. A nil shape takes everything.
type shape struct {
	fields map[string]*shape // of a struct
	elem   *shape            // of a list
}

// shapeOf returns the shape of a type. Types that decode themselves, maps and
// any are open. seen breaks the circle of types that contain themselves.
func shapeOf(t reflect.Type, seen map[reflect.Type]*shape) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if elem := shapeOf(t.Elem(), seen); elem != nil {
			return &shape{elem: elem}
		}
	case reflect.Struct:
		if s, ok := seen[t]; ok {
			return s
		}
		if seen == nil {
			seen = map[reflect.Type]*shape{}
		}
		s := &shape{fields: map[string]*shape{}}
		seen[t] = s
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case !f.IsExported() || name == "-" || f.Anonymous && name == "":
				continue
			case name == "":
				name = f.Name
			}
			s.fields[name] = shapeOf(f.Type, seen)
		}
		return s
	}
	return nil
}

// field returns the shape of a named field, and whether the name is known.
func (s *shape) field(name string) (*shape, bool) {
	if s == nil || s.fields == nil {
		return nil, true
	}
	inner, known := s.fields[name]
	return inner, known
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
