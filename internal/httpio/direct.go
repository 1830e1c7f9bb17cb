package httpio

import (
	"context"
	"net/http"
	"reflect"
)

// direct answers an operation that takes nothing but who asks, without huma: there
// is nothing to read or to validate. What it answers is what huma would.
type direct[I, O any] struct {
	h       func(context.Context, *I) (*O, error)
	fill    filler
	headers []directHeader
	status  int
	body    int  // index of the field Body
	appends bool // Body is an Appender
}

// Appender is a body of an answer that writes itself as JSON, for the hot paths:
// the same as encoding/json would, but for escapes of HTML.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// writesItself reports whether a type is an Appender by itself. One that has
// only embedded an Appender would lose its other fields.
func writesItself(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			return false
		}
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[Appender]())
}

type directHeader struct {
	name  string // canonical
	field int
}

// directOf returns the handler, or nil where the types need huma.
func directOf[I, O any](status int, h func(context.Context, *I) (*O, error)) http.Handler {
	in, out := reflect.TypeFor[I](), reflect.TypeFor[O]()
	if in.NumField() != 0 {
		return nil
	}
	d := &direct[I, O]{h: h, fill: fillerOf(out, map[reflect.Type]bool{}), status: status, body: -1}
	if d.status == 0 {
		d.status = http.StatusOK
	}
	for i := range out.NumField() {
		f := out.Field(i)
		name := f.Tag.Get("header")
		switch {
		case f.Name == "Body" && f.Type.Kind() == reflect.Struct:
			d.body, d.appends = i, writesItself(f.Type)
		case name != "" && !f.Anonymous && f.Type.Kind() == reflect.String && name != "Content-Type":
			d.headers = append(d.headers, directHeader{http.CanonicalHeaderKey(name), i})
		default:
			return nil
		}
	}
	if d.body < 0 {
		return nil
	}
	return d
}

func (d *direct[I, O]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		if err := checkQuery(r.URL.RawQuery, nil); err != nil {
			WriteError(w, r, err)
			return
		}
	}
	out, err := d.h(r.Context(), new(I))
	if err != nil {
		WriteError(w, r, err)
		return
	}
	if out == nil {
		out = new(O)
	}
	v := reflect.ValueOf(out).Elem()
	if d.fill != nil {
		d.fill(v)
	}
	h := w.Header()
	for _, one := range d.headers {
		if value := v.Field(one.field).String(); value != "" {
			h[one.name] = []string{value}
		}
	}
	if Unchanged(w, r) {
		return
	}
	b := getBuffer()
	defer putBuffer(b)
	body := v.Field(d.body).Addr().Interface()
	if d.appends {
		b.Write(append(body.(Appender).AppendJSON(b.AvailableBuffer()), '\n'))
	} else if err := encode(b, body); err != nil {
		WriteError(w, r, err)
		return
	}
	h["Content-Type"] = contentJSON
	if _, ok := h["Cache-Control"]; !ok {
		h["Cache-Control"] = noStore
	}
	setLength(h, b.Len())
	w.WriteHeader(d.status)
	_, _ = w.Write(b.Bytes()) // whoever asked has gone: there is nobody to tell
}
