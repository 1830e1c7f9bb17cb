package server

import "net/http"

// apiPolicy is for answers that no browser should render: nothing may load,
// nothing may frame.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

// securityHeaders go on every answer. Pages replace the Content-Security-Policy
// by one of their own. The slices are shared by all answers: handlers replace
// them and never append.
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

func (s *securityHeaders) set(h http.Header) {
	h["X-Content-Type-Options"] = s.nosniff
	h["X-Frame-Options"] = s.frame
	h["Content-Security-Policy"] = s.csp
	h["Referrer-Policy"] = s.referrer
	h["Permissions-Policy"] = s.permissions
	h["Cross-Origin-Opener-Policy"] = s.opener
	h["Cross-Origin-Resource-Policy"] = s.resource
	if s.hsts != nil {
		h["Strict-Transport-Security"] = s.hsts
	}
}
