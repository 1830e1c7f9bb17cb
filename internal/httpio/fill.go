package httpio

import "reflect"

// filler makes every nil list of a value an empty one: in an answer a list is
// [], never null. What there is to look for is known from the type, so a value
// without lists costs nothing; nil is the filler of such a type.
type filler func(reflect.Value)

// fillerOf returns the filler of a type. seen breaks the circle of types that
// contain themselves: of those the inner ones are looked at when they come.
func fillerOf(t reflect.Type, seen map[reflect.Type]bool) filler {
	if seen[t] {
		return fillSlices
	}
	switch t.Kind() {
	case reflect.Interface:
		return fillSlices
	case reflect.Pointer:
		seen[t] = true
		defer delete(seen, t)
		if inner := fillerOf(t.Elem(), seen); inner != nil {
			return func(v reflect.Value) {
				if !v.IsNil() {
					inner(v.Elem())
				}
			}
		}
	case reflect.Struct:
		seen[t] = true
		defer delete(seen, t)
		return structFiller(t, seen)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil // bytes and raw JSON
		}
		seen[t] = true
		defer delete(seen, t)
		empty, inner := reflect.MakeSlice(t, 0, 0), fillerOf(t.Elem(), seen)
		return func(v reflect.Value) {
			if v.IsNil() {
				v.Set(empty)
			}
			for i := 0; inner != nil && i < v.Len(); i++ {
				inner(v.Index(i))
			}
		}
	}
	return nil
}

func structFiller(t reflect.Type, seen map[reflect.Type]bool) filler {
	type field struct {
		i    int
		fill filler
	}
	var fields []field
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			continue
		}
		if fill := fillerOf(t.Field(i).Type, seen); fill != nil {
			fields = append(fields, field{i, fill})
		}
	}
	if fields == nil {
		return nil
	}
	return func(v reflect.Value) {
		for _, f := range fields {
			f.fill(v.Field(f.i))
		}
	}
}

// fillSlices fills a value whose type is only known now.
func fillSlices(v reflect.Value) {
	if v.Kind() == reflect.Interface {
		if v = v.Elem(); v.Kind() != reflect.Pointer {
			return // cannot be changed
		}
	}
	if !v.IsValid() {
		return
	}
	if fill := fillerOf(v.Type(), map[reflect.Type]bool{}); fill != nil {
		fill(v)
	}
}
