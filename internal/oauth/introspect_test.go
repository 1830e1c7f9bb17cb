package oauth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/token"
)

// TestIntrospectionJSON: the answer that is written by hand is the answer of the
// type, with every field and with none, whatever is in a text.
func TestIntrospectionJSON(t *testing.T) {
	full := introspection{}
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString(v.Type().Field(i).Name + " \"\\<&>\n\u2028é")
		case reflect.Int64:
			f.SetInt(int64(1000 + i))
		case reflect.Pointer:
			switch f.Interface().(type) {
			case *confirm:
				f.Set(reflect.ValueOf(&confirm{"key", `cert"<`}))
			case *token.Act:
				f.Set(reflect.ValueOf(&token.Act{Subject: "s<", ClientID: "c", Act: &token.Act{Subject: "t"}}))
			}
		case reflect.Slice:
			switch f.Interface().(type) {
			case keystone.Details:
				f.Set(reflect.ValueOf(keystone.Details{json.RawMessage(`{"type":"a\u003c"}`), json.RawMessage(`{"type":"b"}`)}))
			default:
				f.Set(reflect.ValueOf([]string{"one", `t"wo`}))
			}
		default:
			t.Fatalf("a field of kind %s: write it in appendJSON, and fill it here", f.Kind())
		}
	}
	for _, a := range []introspection{full, {}, {Active: true, Audience: []string{"one"}}, {Active: true, Bound: &confirm{JKT: "key"}}, {Active: true, Bound: &confirm{X5T: "cert"}}} {
		b := a.appendJSON(nil)
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
		if strings.ContainsAny(string(b[:len(b)-1]), "<>&\n") {
			t.Errorf("not escaped: %s", b)
		}
	}
}
