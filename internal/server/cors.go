package server

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// cors lets scripts of the listed origins, and of clients that are scripts, read
// answers (the Fetch standard's CORS protocol). An origin is compared exactly; "null"
// and "*" are nobody.
type cors struct {
	origins map[string]bool
	isSPA   func(ctx context.Context, origin string) (bool, error)
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

var errOrigin = keystone.Fail(keystone.Forbidden, "Scripts from this origin may not call this server. An operator can allow it in ALLOWED_ORIGINS.")

// reach is what scripts of other origins may do with a path.
type reach uint8

const (
	reachNone        reach = iota // pages, health: nothing
	reachAnonymous                // token endpoints, metadata: read, but the browser adds no cookies
	reachSPA                      // the same, and also for the origins of clients of kind spa
	reachCredentials              // the API: also with credentials
)

// reachOf says what a path is. The authorization endpoint is none of these, as is
// every page (RFC 9700 section 2.6): nothing there is for scripts.
func reachOf(path string) reach {
	switch path {
	case "/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/jwks":
		return reachSPA
	case "/oauth2/introspect", "/oauth2/par", "/oauth2/device_authorization", "/oauth2/register", "/openapi.json":
		return reachAnonymous
	}
	switch {
	case strings.HasPrefix(path, "/.well-known/"):
		return reachSPA
	case strings.HasPrefix(path, "/oauth2/register/"), strings.HasPrefix(path, "/api/v1/auth/"):
		return reachAnonymous
	case strings.HasPrefix(path, "/api/"):
		return reachCredentials
	}
	return reachNone
}

// allows reports whether scripts of this origin may read what a path answers. Where
// the clients cannot be asked, they may not.
func (c *cors) allows(ctx context.Context, origins []string, to reach) bool {
	if len(origins) != 1 {
		return false
	}
	if c.origins[origins[0]] || to != reachSPA || len(origins[0]) > maxOrigin {
		return c.origins[origins[0]]
	}
	ok, err := c.isSPA(ctx, origins[0])
	return ok && err == nil
}

const maxOrigin = 300 // scheme, host name and port

// apply sets the headers of an answer to a script of another origin. It reports
// true where the request was a preflight and is answered.
func (c *cors) apply(w http.ResponseWriter, r *http.Request) (answered bool) {
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
	allowed := c.allows(r.Context(), origins, to)
	if allowed {
		h["Access-Control-Allow-Origin"] = origins
		h["Access-Control-Expose-Headers"] = c.expose
		if to == reachCredentials {
			h["Access-Control-Allow-Credentials"] = c.yes
		}
	}
	asked := r.Header["Access-Control-Request-Method"]
	if r.Method != http.MethodOptions || len(asked) != 1 {
		return false
	}
	h["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	delete(h, "Access-Control-Expose-Headers")
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
