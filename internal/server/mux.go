package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/login"
	"github.com/keystone-auth/keystone/web"
)

// methods that any route may have. Everything else (TRACE, CONNECT, inventions)
// is answered with 405 like a method that the address does not have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

var errPath = keystone.Fail(keystone.Invalid, "The address is not well formed: no empty or dot segments, UTF-8, no NUL.")

// mount puts every route behind its endpoint. A list with two routes for one
// pattern, or a route that does not say who may use it, stops the start.
func (s *Server) mount(routes []httpio.Route) error {
	seen := map[string]bool{}
	for _, rt := range routes {
		if err := rt.Check(); err != nil {
			return err
		}
		if seen[rt.Pattern()] {
			return fmt.Errorf("server: two routes answer %s", rt.Pattern())
		}
		seen[rt.Pattern()] = true
		e := &endpoint{
			s: s, route: rt, pattern: rt.Pattern(), demands: rt.Access.Demands(), lacks: s.challenges.LacksScope(rt.Access.Demands()),
			handler: s.api.Handler(rt), metrics: s.metrics.route(rt),
			signsIn: slices.Contains(login.SignIns(), rt.Pattern()),
		}
		if rt.Page {
			e.problem = s.problem(rt.Path)
		}
		s.mux.Handle(rt.Pattern(), e)
		s.exact.add(e)
	}
	s.mux.HandleFunc("/", s.unmatched)
	return nil
}

// exact finds the routes whose path has no wildcard: those of the hot paths. It
// finds what ServeMux would find, because such a pattern is more specific than
// any other, and leaves everything else to it.
type exact map[string][]*endpoint

func (x exact) add(e *endpoint) {
	if !strings.Contains(e.route.Path, "{") && !strings.HasSuffix(e.route.Path, "/") {
		x[e.route.Path] = append(x[e.route.Path], e)
	}
}

func (x exact) find(r *http.Request) *endpoint {
	if r.URL.RawPath != "" { // escaped in a way of its own: what it means is for ServeMux to say
		return nil
	}
	for _, e := range x[r.URL.Path] {
		if e.route.Method == r.Method {
			return e
		}
	}
	return nil
}

// unmatched answers what no route does: 405 where another method would do, else
// 404. Browsers get a page, at the root one that says what is here.
func (s *Server) unmatched(w http.ResponseWriter, r *http.Request) {
	if rec, ok := w.(*recorder); ok && wantsPage(r) {
		if err := s.limits.atSource(rec, r, httpio.LimitPage, true); err != nil {
			httpio.WriteError(w, r, err)
			return
		}
		if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			if err := s.pages.Render(w, r, http.StatusOK, "home", web.Page{}); err != nil {
				httpio.WriteError(w, r, err)
			}
			return
		}
		rec.x.Problem = s.pages.At(r.URL.Path).Problem
	}
	var allow []string
	for _, m := range methods {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		httpio.NotFound(w, r)
		return
	}
	httpio.MethodNotAllowed(w, r, strings.Join(allow, ", "))
}

// maxFolders bounds how deep an address may be that is answered with a page: every
// folder stands in the addresses on it.
const maxFolders = 16

// wantsPage reports whether a person asks: their browser names HTML, and rather than
// JSON (RFC 9110 section 12.5.1). Programs say neither, or JSON.
func wantsPage(r *http.Request) bool {
	if dataOnly(r.URL.Path) || strings.Count(r.URL.Path, "/") > maxFolders {
		return false
	}
	quality := map[string]float64{}
	for part := range strings.SplitSeq(strings.Join(r.Header["Accept"], ","), ",") {
		kind, params, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				q = 0
			}
		}
		quality[strings.TrimSpace(kind)] = q
	}
	return quality["text/html"] > quality["application/json"]
}

// cleanPath reports whether a path is in the one form that routes have. net/http
// would redirect the others, which no client of an API expects.
func cleanPath(u *url.URL) bool {
	p := u.Path
	if p == "" || p[0] != '/' {
		return false
	}
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == 0:
			return false
		case c >= utf8.RuneSelf:
			return utf8.ValidString(p) && !strings.Contains(p, "//") && !strings.Contains(p, "/.") && strings.IndexByte(p, 0) < 0
		case c == '/' && i+1 < len(p) && p[i+1] == '/':
			return false
		case c == '/' && i+1 < len(p) && p[i+1] == '.' && !strings.HasPrefix(p[i:], "/.well-known/"):
			return false
		}
	}
	return true
}
