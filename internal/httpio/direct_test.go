package httpio

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

type directAnswer struct {
	ETag string `header:"ETag"`
	Note string `header:"x-note"`
	Body struct {
		ID    string               `json:"id"`
		List  []string             `json:"list"`
		Deep  []struct{ L []int }  `json:"deep"`
		Map   map[string]time.Time `json:"map"`
		HTML  string               `json:"html"`
		Maybe *time.Time           `json:"maybe" nullable:"true"`
	}
}

// TestDirect: an operation that takes nothing answers what it would answer
// through huma, errors included.
func TestDirect(t *testing.T) {
	full := &directAnswer{ETag: `"5"`, Note: "n"}
	full.Body.ID, full.Body.HTML, full.Body.Deep = "1", "<&>\u2028é", []struct{ L []int }{{}, {L: []int{1}}}
	for name, test := range map[string]struct {
		query string
		out   *directAnswer
		err   error
	}{
		"full":          {"", full, nil},
		"without tag":   {"", &directAnswer{}, nil},
		"nothing":       {"", nil, nil},
		"refused":       {"", full, keystone.Fail(keystone.NotFound, "Not here.")},
		"fault":         {"", full, errors.New("disk full")},
		"unknown query": {"?x=1", full, nil},
		"empty query":   {"?", full, nil},
	} {
		a := NewAPI("t", "1")
		short := JSON("GET", "/short", Self, LimitAPI, "x", func(context.Context, *struct{}) (*directAnswer, error) { return test.out, test.err })
		long := JSON("GET", "/long", Self, LimitAPI, "x", func(context.Context, *struct {
			Unused string `header:"X-Unused"`
		}) (*directAnswer, error) {
			return test.out, test.err
		})
		mux := http.NewServeMux()
		mux.Handle("GET /long", a.Handler(long))
		h := a.Handler(short)
		mux.Handle("GET /short", h)
		if _, ok := h.(*direct[struct{}, directAnswer]); !ok {
			t.Fatal("this operation is not answered directly")
		}
		got, want := call(mux, "GET", "/short"+test.query, "", ""), call(mux, "GET", "/long"+test.query, "", "")
		if got.Code != want.Code || got.Body.String() != want.Body.String() || !maps.EqualFunc(got.Header(), want.Header(), func(a, b []string) bool { return len(a) == 1 && len(b) == 1 && a[0] == b[0] }) {
			t.Errorf("%s:\n directly     %d %v %s through huma %d %v %s", name, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
		}
	}
}
