package httpio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

func TestPage(t *testing.T) {
	for _, test := range []struct {
		limit  int
		cursor string
		after  string
		field  string
	}{
		{0, "", "", ""},
		{200, "YQ", "a", ""},
		{201, "", "", "limit"},
		{-1, "", "", "limit"},
		{0, "not base64!", "", "cursor"},
		{0, "YQ==", "", "cursor"},
		{0, "YR", "", "cursor"},   // bits that encode nothing
		{0, "AA", "", "cursor"},   // NUL
		{0, "_w", "", "cursor"},   // not UTF-8
		{0, "YQ\n", "", "cursor"}, // base64 would skip it
		{0, strings.Repeat("YWFh", 400), "", "cursor"},
	} {
		p, err := Page(test.limit, test.cursor)
		var e *keystone.Error
		if errors.As(err, &e) != (test.field != "") || e != nil && e.Fields[test.field] == "" || p.After != test.after {
			t.Errorf("Page(%d, %.20q) = %+v, %v", test.limit, test.cursor, p, err)
		}
	}
}

func TestCollect(t *testing.T) {
	none, _ := json.Marshal(Collect(keystone.List[int]{}, func(i int) int { return i }))
	if string(none) != `{"items":[],"next_cursor":null}` {
		t.Errorf("an empty list is %s", none)
	}
	c := Collect(keystone.List[int]{Items: []int{1}, Next: "a/b\x01"}, func(i int) string { return strings.Repeat("x", i) })
	p, err := Page(0, *c.NextCursor)
	if err != nil || p.After != "a/b\x01" || c.Items[0] != "x" {
		t.Errorf("%v: %+v, %v", c, p, err)
	}
}

// TestVersion: If-Match names a version by one tag or several (RFC 9110 section 13.1.1).
func TestVersion(t *testing.T) {
	for header, want := range map[string]int64{"": 0, "*": 0, ETag(1, time.Now(), []string{"a"}): 1, ` "42" `: 42, `"42-0"`: 42, ETag(math.MaxInt64, time.Now(), nil): math.MaxInt64,
		`"42-"`: -1, `"42-a-b"`: -1, `"42-{"`: -1, `"-a"`: -1, `"42-zzzzzzzzzzzzzzzzzz"`: -1, `"042-a"`: -1,
		`"0"`: -1, `42`: -1, `W/"42"`: -1, `"42", "43"`: 43, `"zz" ,"42-a"`: 42, `"43-a","42"`: 43, `"zz", W/"42"`: -1, ",": -1, `"9223372036854775808"`: -1, `"x"`: -1, `"`: -1, `"-1"`: -1, `"+1"`: -1, `"01"`: -1, `"99999999999999999999"`: -1} {
		got, err := Version(header)
		if want < 0 && keystone.KindOf(err) != keystone.Stale || want >= 0 && (err != nil || got != want) {
			t.Errorf("Version(%q) = %d, %v", header, got, err)
		}
	}
}

func TestAccess(t *testing.T) {
	for access, known := range map[Access]bool{"": false, "scope:": false, "anything": false, Public: true, Bearer: true, Self: true, ClientAuth: true, Scope("users:read"): true} {
		if access.Known() != known {
			t.Errorf("%q known: %v", access, !known)
		}
	}
	if Scope("a:b").Demands() != "a:b" || Public.Demands() != "" {
		t.Error("Demands")
	}
	ok := Plain("GET", "/", Public, LimitNone, "x", nil)
	for _, change := range []func(*Route){
		func(rt *Route) { rt.Access = "" }, func(rt *Route) { rt.Limit = "" }, func(rt *Route) { rt.Path = "x" },
		func(rt *Route) { rt.Method = "" }, func(rt *Route) { rt.Summary = "" }, func(rt *Route) { rt.build = nil },
	} {
		rt := ok
		change(&rt)
		if ok.Check() != nil || rt.Check() == nil {
			t.Errorf("%+v passes", rt)
		}
	}
}

func TestActor(t *testing.T) {
	ctx := context.Background()
	if a := Actor(ctx); a.Kind != keystone.ActorAnonymous {
		t.Errorf("nobody is %v", a)
	}
	x := &Exchange{Route: "GET /", Actor: keystone.Actor{Kind: keystone.ActorUser, ID: "a"}}
	ctx = WithExchange(ctx, x)
	if got := Actor(ctx); got.ID != "a" {
		t.Errorf("%v acts", got)
	}
	if SetClient(ctx, "c"); x.ClientID != "c" {
		t.Error("SetClient")
	}
	SetClient(context.Background(), "c")
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := WriteJSON(w, 201, map[string]string{"a": "<&>"}); err != nil || w.Code != 201 || w.Body.String() != `{"a":"<&>"}`+"\n" {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	if got := w.Header(); got.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", got)
	}
	// Short or long, and for HEAD as for GET, an answer says how long it is.
	for _, n := range []int{12, 1 << 10, 3 << 10, 100 << 10} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteRaw(w, 200, "", bytes.Repeat([]byte("x"), n)) }))
		for _, method := range []string{"GET", "HEAD"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Client().Do(r)
			if err != nil || resp.ContentLength != int64(n) || len(resp.TransferEncoding) > 0 {
				t.Errorf("%s of %d: %+v, %v", method, n, resp, err)
			}
			_ = resp.Body.Close()
		}
		s.Close()
	}
	w = httptest.NewRecorder()
	if err := WriteJSON(w, 200, func() {}); err == nil || w.Body.Len() > 0 {
		t.Errorf("what cannot be encoded: %v, %s", err, w.Body)
	}
	w = httptest.NewRecorder()
	w.Header().Set("Cache-Control", "public, max-age=60")
	WriteRaw(w, 200, "text/html", []byte("x"))
	if w.Header().Get("Cache-Control") != "public, max-age=60" || w.Header().Get("Content-Type") != "text/html" {
		t.Errorf("%v", w.Header())
	}
}

func TestFillSlices(t *testing.T) {
	type inner struct{ List []string }
	type outer struct {
		One   inner
		Ptr   *inner
		Nil   *inner
		Many  []inner
		Bytes []byte
		Any   any
		Deep  [][]string
	}
	v := outer{Ptr: &inner{}, Many: make([]inner, 1), Any: &inner{}, Deep: make([][]string, 1)}
	fillSlices(reflect.ValueOf(&v).Elem())
	b, _ := json.Marshal(v)
	if want := `{"One":{"List":[]},"Ptr":{"List":[]},"Nil":null,"Many":[{"List":[]}],"Bytes":null,"Any":{"List":[]},"Deep":[[]]}`; string(b) != want {
		t.Errorf("%s\nwant %s", b, want)
	}
}

func TestPageOf(t *testing.T) {
	letters := []string{"a", "b", "c", "d", "e"}
	key := func(s string) string { return s }
	for _, limit := range []int{0, 1, 2, 5, 200} {
		var got []string
		p := keystone.Page{Limit: limit}
		for range letters {
			list := PageOf(letters, p, key)
			if limit > 0 && len(list.Items) > limit {
				t.Errorf("limit %d: %q", limit, list.Items)
			}
			got = append(got, list.Items...)
			if p.After = list.Next; p.After == "" {
				break
			}
		}
		if !slices.Equal(got, letters) {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
	if list := PageOf(letters, keystone.Page{After: "gone"}, key); len(list.Items) != 5 {
		t.Errorf("%+v", list)
	}
	if list := PageOf(letters, keystone.Page{After: "e"}, key); len(list.Items) != 0 || list.Next != "" {
		t.Errorf("%+v", list)
	}
}
