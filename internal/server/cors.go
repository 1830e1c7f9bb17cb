package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// cors lets scripts of the listed origins read answers (the Fetch standard's
// CORS protocol). An origin is compared exactly; "null" and "*" are nobody.
type cors struct {
	origins map[string]bool
	methods string
	headers string
	allowed []string // the headers, lower case
	vary    []string
	expose  []string
	yes     []string
}

func newCORS(origins, methods, headers []string) *cors {
	c := &cors{
		origins: map[string]bool{},
		methods: strings.Join(methods, ", "),
		headers: strings.Join(headers, ", "),
		vary:    []string{"Origin"},
		expose:  []string{"DPoP-Nonce, ETag, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, X-Request-Id"},
		yes:     []string{"true"},
	}
	for _, o := range origins {
		if o != "*" && o != "null" && o != "" {
			c.origins[o] = true
		}
	}
	for _, h := range headers {
		c.allowed = append(c.allowed, strings.ToLower(h))
	}
	return c
}

var errOrigin = keystone.Fail(keystone.Forbidden, "Scripts of this origin may not call this server. Whoever runs it lists the origins that may in ALLOWED_ORIGINS.")

// reach is what scripts of other origins may do with a path.
type reach uint8

const (
	reachNone        reach = iota // pages, health: nothing
	reachAnonymous                // token endpoints, metadata: read, but the browser adds no cookies
	reachCredentials              // the API: also with credentials
)

func reachOf(path string) reach {
	switch {
	case strings.HasPrefix(path, "/oauth2/"), strings.HasPrefix(path, "/api/v1/auth/"), strings.HasPrefix(path, "/.well-known/"), path == "/openapi.json":
		return reachAnonymous
	case strings.HasPrefix(path, "/api/"):
		return reachCredentials
	}
	return reachNone
}

// apply sets the headers of an answer to a script of another origin. It reports
// true where the request was a preflight and is answered.
func (c *cors) apply(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(c.origins) == 0 && r.Method != http.MethodOptions {
		return false
	}
	to := reachOf(r.URL.Path)
	if to == reachNone {
		return false
	}
	h := w.Header()
	h["Vary"] = c.vary
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return false
	}
	allowed := len(origins) == 1 && c.origins[origins[0]]
	if allowed {
		h["Access-Control-Allow-Origin"] = origins
		if to == reachCredentials {
			h["Access-Control-Allow-Credentials"] = c.yes
		}
	}
	asked := r.Header["Access-Control-Request-Method"]
	if r.Method != http.MethodOptions || len(asked) != 1 {
		h["Access-Control-Expose-Headers"] = c.expose
		if !allowed {
			delete(h, "Access-Control-Expose-Headers")
		}
		return false
	}
	h["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	if !allowed || !c.permits(r.Header["Access-Control-Request-Headers"]) {
		delete(h, "Access-Control-Allow-Origin")
		delete(h, "Access-Control-Allow-Credentials")
		httpio.WriteError(w, r, errOrigin)
		return true
	}
	h["Access-Control-Allow-Methods"] = []string{c.methods}
	h["Access-Control-Allow-Headers"] = []string{c.headers}
	h["Access-Control-Max-Age"] = []string{"600"}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// permits reports whether every header that a preflight asks for is listed.
func (c *cors) permits(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name != "" && !slices.Contains(c.allowed, name) {
				return false
			}
		}
	}
	return true
}
