package httpio

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// CheckJSON holds a file that is to become a value of type t to what a body is held to, and
// says at which byte it stopped.
func CheckJSON(file []byte, t reflect.Type) (at int, err error) {
	reg := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := reg.Schema(t, true, "File")
	for _, s := range reg.Map() {
		tidy(s)
	}
	c := scanner{b: file}
	err = c.whole(shaper{schemas: reg, seen: map[*huma.Schema]*shape{}}.of(schema))
	if err != nil && c.i == len(file) && c.wrong != nil {
		return c.first, err // the whole file was read
	}
	return c.i, err
}
