package httpio

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

const formType = "application/x-www-form-urlencoded"

func TestForm(t *testing.T) {
	for name, test := range map[string]struct {
		method, target, contentType, body string
		want                              url.Values
		err                               error
	}{
		"plain":              {body: "grant_type=client_credentials&scope=a+b", want: url.Values{"grant_type": {"client_credentials"}, "scope": {"a b"}}},
		"escapes":            {body: "scope=%C3%A9%20x&%61=b", want: url.Values{"scope": {"é x"}, "a": {"b"}}},
		"empty is left out":  {body: "scope=&a&&b=1&", want: url.Values{"b": {"1"}}},
		"value with =":       {body: "a=b=c", want: url.Values{"a": {"b=c"}}},
		"nothing":            {body: "", want: url.Values{}},
		"charset":            {contentType: formType + "; charset=UTF-8", body: "a=b", want: url.Values{"a": {"b"}}},
		"case of the type":   {contentType: "Application/X-WWW-Form-Urlencoded", body: "a=b", want: url.Values{"a": {"b"}}},
		"resource repeats":   {body: "resource=a&resource=b&audience=c&audience=d", want: url.Values{"resource": {"a", "b"}, "audience": {"c", "d"}}},
		"repeats, one empty": {body: "resource=&resource=b&resource=&audience=&audience=", want: url.Values{"resource": {"b"}}},
		"repeats are apart":  {body: "resource=a&scope=s&resource=b", want: url.Values{"resource": {"a", "b"}, "scope": {"s"}}},
		"twice":              {body: "scope=a&scope=b", err: errFormDuplicate},
		"twice, empty":       {body: "scope=&scope=b", err: errFormDuplicate},
		"twice by escape":    {body: "scope=a&sc%6fpe=b", err: errFormDuplicate},
		"bad escape":         {body: "scope=%zz", err: errFormEscape},
		"bad name":           {body: "sc%zzope=a", err: errFormEscape},
		"NUL":                {body: "scope=a%00b", err: errFormEscape},
		"bare NUL":           {body: "scope=a\x00b", err: errFormEscape},
		"NUL in a name":      {body: "sc%00ope=b", err: errFormEscape},
		"not UTF-8":          {body: "scope=%ff", err: errFormEscape},
		"bare not UTF-8":     {body: "scope=é\xff", err: errFormEscape},
		"NUL after UTF-8":    {body: "scope=é%00", err: errFormEscape},
		"semicolons":         {body: "a=b;c=d", want: url.Values{"a": {"b;c=d"}}},
		"too many":           {body: strings.Repeat("a=b&", maxParams+1), err: errFormParams},
		"too large":          {body: "a=" + strings.Repeat("b", MaxForm), err: errTooLarge},
		"JSON":               {contentType: "application/json", body: "{}", err: errFormType},
		"no type":            {contentType: "-", body: "a=b", err: errFormType},
		"text":               {contentType: "text/plain", body: "a=b", err: errFormType},
		"multipart":          {contentType: "multipart/form-data; boundary=x", body: "a=b", err: errFormType},
		"other charset":      {contentType: formType + "; charset=utf-16", body: "a=b", err: errFormType},
		"query":              {target: "/?a=b", body: "a=b", err: errFormQuery},
		"secret in query":    {target: "/?client_secret=x", body: "", err: errFormQuery},
		"GET":                {method: "GET", body: "a=b", err: errMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			method, target, contentType := "POST", "/", formType
			if test.method != "" {
				method = test.method
			}
			if test.target != "" {
				target = test.target
			}
			if test.contentType != "" {
				contentType = test.contentType
			}
			r := httptest.NewRequest(method, target, strings.NewReader(test.body))
			if contentType != "-" {
				r.Header.Set("Content-Type", contentType)
			}
			got, err := Form(r, MaxForm)
			if !errors.Is(err, test.err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, %v; want %v, %v", got, err, test.want, test.err)
			}
		})
	}

	r := httptest.NewRequest("POST", "/", strings.NewReader("a=b"))
	r.Header["Content-Type"] = []string{formType, "application/json"}
	if _, err := Form(r, MaxForm); !errors.Is(err, errFormType) {
		t.Errorf("two content types: %v", err)
	}
	r = httptest.NewRequest("POST", "/", io.LimitReader(strings.NewReader(strings.Repeat("a", MaxForm+1)), MaxForm+1))
	r.Header.Set("Content-Type", formType)
	r.ContentLength = -1
	if _, err := Form(r, MaxForm); !errors.Is(err, errTooLarge) {
		t.Errorf("too large without a length: %v", err)
	}
	r = httptest.NewRequest("POST", "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.Header.Set("Content-Type", formType)
	if _, err := Form(r, MaxForm); !errors.Is(err, io.ErrUnexpectedEOF) || StatusOf(r, err) != http.StatusBadRequest {
		t.Errorf("cut body: %v", err)
	}
	r = httptest.NewRequest("POST", "/", strings.NewReader("a=b"))
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := Form(r, MaxForm); StatusOf(r, err) != http.StatusUnsupportedMediaType || !errors.Is(err, errEncoded) {
		t.Errorf("packed body: %v", err)
	}
}

// FuzzForm: parseForm agrees with url.ParseQuery on everything it passes, apart
// from what it leaves out on purpose.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"a=b&c=d", "scope=a+b%20c", "a=1&a=2", "a=%00", "resource=x&resource=y", "%zz=1", "=&=", "a;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		if err != nil {
			return
		}
		std, err := url.ParseQuery(body)
		if err != nil && !strings.Contains(body, ";") {
			t.Fatalf("parseForm passed %q, net/url says %v", body, err)
		}
		for name, values := range form {
			if len(values) > 1 && name != "resource" && name != "audience" {
				t.Fatalf("%q: %d values", name, len(values))
			}
			for _, v := range values {
				if v == "" && len(values) == 1 || !cleanText(v) || !cleanText(name) {
					t.Fatalf("%q=%q passed", name, v)
				}
			}
			if !strings.Contains(body, ";") && std.Get(name) != values[0] && std.Get(name) != "" {
				t.Fatalf("%q: %q, net/url says %q", name, values[0], std.Get(name))
			}
		}
	})
}

func BenchmarkForm(b *testing.B) {
	const body = "grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite&audience=https%3A%2F%2Fapi.example"
	header := http.Header{"Content-Type": {formType}}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/oauth2/token"}, Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
		if _, err := Form(r, MaxForm); err != nil {
			b.Fatal(err)
		}
	}
}
