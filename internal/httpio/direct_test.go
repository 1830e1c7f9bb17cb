package httpio

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
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
		if _, ok := h.(bodiless).Handler.(*direct[struct{}, directAnswer]); !ok {
			t.Fatal("this operation is not answered directly")
		}
		for _, has := range []string{"", `"5"`, `W/"4", W/"5"`, `"4"`, "*"} {
			got, want := callHaving(mux, "GET", "/short"+test.query, has), callHaving(mux, "GET", "/long"+test.query, has)
			if unchanged := got.Code == http.StatusNotModified; unchanged != (test.out == full && test.err == nil && test.query != "?x=1" && has != "" && has != `"4"`) ||
				unchanged && (got.Body.Len() > 0 || got.Header().Get("ETag") != `"5"` || got.Header().Get("Content-Type")+got.Header().Get("Content-Length") != "") {
				t.Errorf("%s, has %s: %d %v %s", name, has, got.Code, got.Header(), got.Body)
			}
			same(t, name+" "+has, got, want)
		}
	}
}

func same(t *testing.T, name string, got, want *httptest.ResponseRecorder) {
	t.Helper()
	if got.Code != want.Code || got.Body.String() != want.Body.String() || !maps.EqualFunc(got.Header(), want.Header(), func(a, b []string) bool { return len(a) == 1 && len(b) == 1 && a[0] == b[0] }) {
		t.Errorf("%s:\n directly     %d %v %s through huma %d %v %s", name, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
	}
}

// callHaving is call by somebody who has an answer with a tag.
func callHaving(mux http.Handler, method, target, has string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if has != "" {
		r.Header.Set("If-None-Match", has)
	}
	r = r.WithContext(WithExchange(r.Context(), &Exchange{Actor: keystone.Actor{RequestID: "req-12345678"}}))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

type ownBody struct {
	ID string `json:"id"`
}

func (o *ownBody) AppendJSON(b []byte) []byte {
	return append(AppendText(append(b, `{"id":`...), o.ID), '}')
}

type wider struct {
	ownBody
	More string `json:"more"`
}

// TestAppender: a body that writes itself is asked to; one that has only embedded
// such a body is not, or it would lose what it adds.
func TestAppender(t *testing.T) {
	a := NewAPI("t", "1")
	mux := http.NewServeMux()
	mux.Handle("GET /own", a.Handler(JSON("GET", "/own", Self, LimitAPI, "x", func(context.Context, *struct{}) (*struct{ Body ownBody }, error) {
		return &struct{ Body ownBody }{ownBody{"a<b"}}, nil
	})))
	mux.Handle("GET /wider", a.Handler(JSON("GET", "/wider", Self, LimitAPI, "x", func(context.Context, *struct{}) (*struct{ Body wider }, error) {
		return &struct{ Body wider }{wider{ownBody{"1"}, "2"}}, nil
	})))
	for target, want := range map[string]string{"/own": `{"id":"a\u003cb"}` + "\n", "/wider": `{"id":"1","more":"2"}` + "\n"} {
		w := call(mux, "GET", target, "", "")
		if got := w.Body.String(); w.Code != 200 || got != want {
			t.Errorf("%s: %d, %s, want %s", target, w.Code, got, want)
		}
	}
}
