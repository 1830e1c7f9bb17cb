package httpio

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

func TestScan(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + `":` + "1")
		}
		return "{" + b.String() + "}"
	}
	for body, want := range map[string]error{
		`{}`:                             nil,
		` [ 1 , -0.5e-3 , "x" , null ] `: nil,
		`"\ud83d\ude00 \n \/ é"`:         nil,
		`{"a":{"a":{"a":1}}}`:            nil,
		deep(maxDepth):                   nil,
		deep(maxDepth + 1):               errDepth,
		strings.Repeat("[", 1<<20):       errDepth,
		``:                               errSyntax,
		`{`:                              errSyntax,
		`{"a"}`:                          errSyntax,
		`{"a":}`:                         errSyntax,
		`{"a":1,}`:                       errSyntax,
		`{,}`:                            errSyntax,
		`{1:2}`:                          errSyntax,
		`[1,]`:                           errSyntax,
		`[1 2]`:                          errSyntax,
		`[`:                              errSyntax,
		`[1`:                             errSyntax,
		`nul`:                            errSyntax,
		`tru`:                            errSyntax,
		`NaN`:                            errSyntax,
		`'a'`:                            errSyntax,
		`// x`:                           errSyntax,
		"\ufeff{}":                       errSyntax, // a byte order mark
		`"abc`:                           errSyntax,
		`"a\x"`:                          errSyntax,
		`"\u12"`:                         errSyntax,
		`"\u12g4"`:                       errSyntax,
		"\"a\tb\"":                       errSyntax,
		`"\`:                             errSyntax,
		`{} {}`:                          errTrailing,
		`1 1`:                            errTrailing,
		`{}x`:                            errTrailing,
		`{"a":1,"a":2}`:                  errDuplicate,
		`{"a":1,"\u0061":2}`:             errDuplicate,
		`[[{"x":{"b":1,"b":1}}]]`:        errDuplicate,
		many(200):                        errDuplicate,
		`01`:                             errTrailing,
		`-`:                              errSyntax,
		`1.`:                             errSyntax,
		`.5`:                             errSyntax,
		`1e`:                             errSyntax,
		`+1`:                             errSyntax,
		`1e400`:                          errNumber,
		`-1e999999999999`:                errNumber,
		strings.Repeat("9", 65):          errNumber,
		"\"\xff\"":                       errUTF8,
		"\"\xed\xa0\x80\"":               errUTF8, // a surrogate as UTF-8
		`"\ud800"`:                       errUTF8,
		`"\ud800x"`:                      errUTF8,
		`"\ud800\u0041"`:                 errUTF8,
		`"\udc00"`:                       errUTF8,
		`"\u0000"`:                       errNUL,
		"\"\x00\"":                       errNUL,
		`{"\u0000":1}`:                   errNUL,
	} {
		if err := scan([]byte(body), nil); err != want { //nolint:errorlint // identity is meant
			t.Errorf("%.60q: %v, want %v", body, err, want)
		}
	}
}

// TestScanLinear: a body full of distinct names, the worst that fits, costs no
// more than any other.
func TestScanLinear(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("{")
	for i := 0; b.Len() < maxJSONBody-32; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(map[string]int{string(rune('a' + i%26)): i})
		b.WriteString(`"` + strings.NewReplacer(`"`, "", "{", "", "}", "", ":", "").Replace(string(name)) + `":1`)
	}
	b.WriteString("}")
	start := time.Now()
	if err := scan(b.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if err := scan(b.Bytes(), shapeFor[struct{ A int }]()); err == nil || len(err.Error()) > 2000 {
		t.Errorf("unknown names of a full body: %v", err)
	}
	if took := time.Since(start); took > 20*time.Second { // quadratic would be minutes
		t.Errorf("took %v", took)
	}
}

type ring struct {
	Name string           `json:"name"`
	Next *ring            `json:"next"`
	List []ring           `json:"list"`
	Free map[string]any   `json:"free"`
	When time.Time        `json:"when"`
	Any  any              `json:"any"`
	Raw  json.RawMessage  `json:"raw"`
	Skip string           `json:"-"`
	Bare string           //nolint:tagliatelle // a field without a tag
	Maps map[string]*ring `json:"maps"`
	RingInner
}

type RingInner struct {
	Inner string `json:"inner"`
}

func shapeFor[T any]() *shape {
	reg := NewAPI("Test", "1").api.OpenAPI().Components.Schemas
	return shaper{schemas: reg, seen: map[*huma.Schema]*shape{}}.of(reg.Schema(reflect.TypeFor[T](), true, "Body"))
}

func TestShape(t *testing.T) {
	s := shapeFor[ring]()
	for body, unknown := range map[string]string{
		`{"name":"a","next":{"next":{"name":"b"}},"list":[{"name":"c"}]}`: "",
		`{"free":{"x":{"y":1}},"any":{"z":1},"raw":{"q":1},"when":"now"}`: "",
		`{"Bare":"x","inner":"y"}`:                                        "",
		`{"next":{"next":{"nam":"b"}}}`:                                   "next.next.nam",
		`{"list":[{"name":"c"},{"x":1}]}`:                                 "list.x",
		`{"Skip":"x"}`:                                                    "Skip",
		`{"-":"x"}`:                                                       "-",
		`{"NAME":"x"}`:                                                    "NAME",
		`{"RingInner":{}}`:                                                "RingInner",
	} {
		err := scan([]byte(body), s)
		if (err == nil) != (unknown == "") || err != nil && !strings.Contains(err.Error(), unknown+": There is no such field.") {
			t.Errorf("%s: %v, want %q", body, err, unknown)
		}
	}
}

// FuzzScan: what the scanner passes, encoding/json reads, and reads the same
// again after a round trip. The scanner never panics.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2,{"b":null}]}`, `"\ud83d\ude00"`, `[1e5,-0]`, `{"a":1,"a":2}`, "\"\xff\"", `{"\u0061":"\u0000"}`, `1e400`, strings.Repeat("[", 40)} {
		f.Add([]byte(seed))
	}
	s := shapeFor[ring]()
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := scan(body, nil); err == nil {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatalf("the scanner passed %q, encoding/json says %v", body, err)
			}
			if _, err := json.Marshal(v); err != nil {
				t.Fatalf("%q does not encode again: %v", body, err)
			}
			if bytes.Contains(body, []byte{0}) {
				t.Fatalf("NUL passed: %q", body)
			}
		} else if len(body) > 8 && strings.Contains(err.Error(), string(body)) {
			t.Fatalf("the error repeats the body: %v", err)
		}
		if err := scan(body, s); err == nil {
			var v ring
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			var bad *json.UnmarshalTypeError
			var badTime *time.ParseError
			if err := d.Decode(&v); err != nil && !errors.As(err, &bad) && !errors.As(err, &badTime) && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "Time.UnmarshalJSON") {
				t.Fatalf("the shape passed %q, encoding/json says %v", body, err)
			}
		}
	})
}
