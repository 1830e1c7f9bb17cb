package account

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAccountJSON: the answer that is written by hand is the answer of the type,
// with every field filled and with none.
func TestAccountJSON(t *testing.T) {
	full, now := Account{}, time.Date(2026, 1, 31, 12, 0, 0, 120_000, time.UTC)
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case bool:
			f.SetBool(true)
		case string:
			f.SetString(v.Type().Field(i).Name + " \"\\<&>\n\u2028é")
		case []string:
			f.Set(reflect.ValueOf([]string{"one", `t"wo`}))
		case time.Time:
			f.Set(reflect.ValueOf(now.Add(time.Duration(i) * time.Hour)))
		case *time.Time:
			f.Set(reflect.ValueOf(&now))
		default:
			t.Fatalf("a field of type %s: write it in AppendJSON, and fill it here", f.Type())
		}
	}
	for _, a := range []Account{full, {Roles: []string{}}} {
		b := a.AppendJSON(nil)
		want, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if err := json.Unmarshal(want, &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("by hand (+) and by type (-):\n%s", diff)
		}
	}
}
