// Package patch tells what a PATCH body leaves out from what it sets to null
// (RFC 7396): a field that is absent stays as it is, one that is null is
// emptied.
//
// It owns that one type and knows nothing else. Start reading at Field.
package patch

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Field is a field of a PATCH body that may be emptied. Give it the json option
// omitempty: it is never required. The zero Field was left out.
type Field[T any] struct {
	given bool
	value T
}

// Change returns what to set, the zero value where the body says null, or nil
// where it says nothing.
func (f Field[T]) Change() *T {
	if !f.given {
		return nil
	}
	return &f.value
}

// UnmarshalJSON implements json.Unmarshaler. It is called for null, too.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	*f = Field[T]{given: true}
	return json.Unmarshal(b, &f.value) // null leaves the zero value
}

// Schema implements huma.SchemaProvider: the schema of T, or null.
func (f Field[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), false, "")
	s.Nullable = true
	return &s
}
