package server

import (
	"net/http"
	"strings"
)

// apiPolicy is for answers that no browser should render: nothing may load,
// nothing may frame.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

// securityHeaders go on every answer: the whole set, or, on the addresses that
// only programs ask, those of them that mean something for data. Pages replace
// the Content-Security-Policy by one of their own. The slices are shared by all
// answers: handlers replace them and never append.
type securityHeaders struct {
	nosniff, frame, csp, referrer, permissions, opener, resource, hsts []string
}

// newSecurityHeaders adds HSTS where clients reach this server through https
// (RFC 6797 section 7.2 forbids it otherwise).
func newSecurityHeaders(https bool) securityHeaders {
	h := securityHeaders{
		nosniff:     []string{"nosniff"},
		frame:       []string{"DENY"},
		csp:         []string{apiPolicy},
		referrer:    []string{"no-referrer"},
		permissions: []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
		opener:      []string{"same-origin"},
		resource:    []string{"same-origin"},
	}
	if https {
		h.hsts = []string{"max-age=31536000; includeSubDomains"}
	}
	return h
}

// set is called before the route is known, so that no answer can miss it.
func (s *securityHeaders) set(h http.Header, path string) {
	h["X-Content-Type-Options"] = s.nosniff
	h["Content-Security-Policy"] = s.csp
	if s.hsts != nil {
		h["Strict-Transport-Security"] = s.hsts
	}
	if dataOnly(path) {
		return
	}
	h["Referrer-Policy"] = s.referrer
	h["X-Frame-Options"] = s.frame
	h["Permissions-Policy"] = s.permissions
	h["Cross-Origin-Opener-Policy"] = s.opener
	h["Cross-Origin-Resource-Policy"] = s.resource
}

// dataOnly reports whether a path never answers with something to render or to
// follow: what governs windows, frames, features and links is then five headers
// that mean nothing. JSON is not embedded by pages of others either: browsers
// block it for its type (nosniff). A path that is not listed gets all of them.
func dataOnly(path string) bool {
	if rest, ok := strings.CutPrefix(path, "/oauth2/"); ok {
		switch rest {
		case "token", "introspect", "revoke", "par", "userinfo", "jwks":
			return true
		}
		return false
	}
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/.well-known/")
}
