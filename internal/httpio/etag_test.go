package httpio

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestETag: whatever of an answer changes, the tag does.
func TestETag(t *testing.T) {
	now := time.Now()
	seen := map[string]int{}
	for i, tag := range []string{
		ETag(1, time.Time{}, nil), ETag(2, time.Time{}, nil), ETag(1, now, nil), ETag(1, now.Add(time.Microsecond), nil),
		ETag(1, now, []string{""}), ETag(1, now, []string{"a"}), ETag(1, now, []string{"a", "b"}), ETag(1, now, []string{"ab"}), ETag(1, now, []string{"b", "a"}), ETag(11, now, nil),
	} {
		if other, twice := seen[tag]; twice || len(tag) > maxETag {
			t.Errorf("%d and %d have the tag %s", i, other, tag)
		}
		seen[tag] = i
	}
	if ETag(7, now, []string{"a", "b"}) != ETag(7, now.UTC(), []string{"a", "b"}) {
		t.Error("the same has two tags")
	}
}

// TestUnchanged is RFC 9110 section 13.1.2 by weak comparison (section 8.8.3.2).
func TestUnchanged(t *testing.T) {
	for _, test := range []struct {
		method, tag string
		has         []string
		want        bool
	}{
		{"GET", `"5-a"`, nil, false},
		{"GET", `"5-a"`, []string{`"5-a"`}, true},
		{"HEAD", `"5-a"`, []string{`"5-a"`}, true},
		{"POST", `"5-a"`, []string{`"5-a"`}, false},
		{"PATCH", `"5-a"`, []string{"*"}, false},
		{"GET", `"5-a"`, []string{"*"}, true},
		{"GET", `"5-a"`, []string{" * "}, true},
		{"GET", ``, []string{"*"}, false}, // without a tag there is nothing to compare
		{"GET", ``, []string{`""`}, false},
		{"GET", `"5-a"`, []string{`W/"5-a"`}, true},
		{"GET", `W/"5-a"`, []string{`"5-a"`}, true},
		{"GET", `"5-a"`, []string{`"4-a", "5-a"`}, true},
		{"GET", `"5-a"`, []string{`"4-a"`, `W/"x","5-a"`}, true},
		{"GET", `"5-a"`, []string{`,, "4",	, "5-a" ,`}, true},
		{"GET", `"5-a"`, []string{`"a, \"", "5-a"`}, false}, // a backslash escapes nothing in a tag
		{"GET", `"5-a"`, []string{`"a, b", "5-a"`}, true},
		{"GET", `"5-a"`, []string{`5-a`}, false},
		{"GET", `"5-a"`, []string{`"5-a`}, false},
		{"GET", `"5-a"`, []string{`5-a"`}, false},
		{"GET", `"5-a"`, []string{`w/"5-a"`}, false},
		{"GET", `"5-a"`, []string{`"4", *`}, false},
		{"GET", `"5-a"`, []string{`"5-A"`}, false},
		{"GET", `"5-a"`, []string{`"5"`}, false},
		{"GET", `"5-a"`, []string{``}, false},
		{"GET", `"5-a"`, []string{`"`}, false},
		{"GET", `"5-a"`, []string{`W/`}, false},
		{"GET", `"5-a"`, []string{`x "5-a"`}, false},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		if test.has != nil {
			r.Header["If-None-Match"] = test.has
		}
		w := httptest.NewRecorder()
		if test.tag != "" {
			w.Header().Set("ETag", test.tag)
		}
		if got := Unchanged(w, r); got != test.want || got != (w.Code == http.StatusNotModified) || got && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s, has %q: %v %d", test.method, test.tag, test.has, got, w.Code)
		}
	}
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	if n := testing.AllocsPerRun(100, func() { Unchanged(w, r) }); n != 0 {
		t.Errorf("%v allocations where nobody asks", n)
	}
}
