package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// requestTime is how long a handler may take in all. What waits longer, a stalled
// database for one, ends with 503 instead of piling up.
const requestTime = 15 * time.Second

// ServeHTTP is what every request passes before the routes: request id, source,
// security headers, CORS; and after them: panic, access log, metrics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	rec.x.Actor = keystone.Actor{Kind: keystone.ActorAnonymous, RequestID: requestID(r, start), Source: s.sources.of(r)}

	h := w.Header()
	rec.x.Header, rec.x.Challenges = h, s.challenges
	rec.x.Certificates = s.clientCerts.of(r)
	s.headers.set(h, r.URL.Path)
	h["X-Request-Id"] = []string{rec.x.Actor.RequestID}
	if r.ProtoMajor < 2 && (r.TransferEncoding != nil || s.health.draining.Load()) {
		// Where a length and chunks come together, net/http believes the chunks; a
		// proxy before it may not have. What follows on such a connection is not
		// read (RFC 9112 section 6.1). A node that leaves serves what comes, once a
		// connection; one of HTTP/2 is left at the end, since others are sending on it.
		h["Connection"] = []string{"close"}
	}

	own := httpio.NewContext(r.Context(), &rec.x, start.Add(requestTime))
	defer own.End()
	ctx, span := s.tracer.start(own, r)
	r = r.WithContext(ctx)
	defer func() { // also on panic
		if p := recover(); p != nil {
			s.panicked(rec, r, p)
			if p == http.ErrAbortHandler || rec.bytes > 0 { //nolint:errorlint // net/http compares it the same way
				s.finish(rec, r, start, span)
				panic(http.ErrAbortHandler) // the answer has begun: only ending the connection tells
			}
			if rec.status == 0 {
				httpio.WriteError(rec, r, errPanic)
			}
		}
		s.finish(rec, r, start, span)
	}()

	if s.cors.apply(rec, r) {
		return
	}
	if !cleanPath(r.URL) {
		httpio.WriteError(rec, r, errPath)
		return
	}
	if e := s.exact.find(r); e != nil {
		e.ServeHTTP(rec, r)
		return
	}
	s.mux.ServeHTTP(rec, r)
}

// errPanic has no kind: it is answered with 500 and the fixed text.
var errPanic = fmt.Errorf("a handler panicked")

func (s *Server) panicked(rec *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
		return
	}
	s.metrics.panics.Inc()
	s.log.LogAttrs(r.Context(), slog.LevelError, "panic",
		slog.String("request_id", rec.x.Actor.RequestID), slog.String("route", rec.x.Route),
		slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	s.panics.add(rec.x.Actor, rec.x.Route)
}

// finish counts and logs the request.
func (s *Server) finish(rec *recorder, r *http.Request, start time.Time, span span) {
	took := time.Since(start)
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	if rec.endpoint != nil {
		rec.endpoint.metrics.observe(status, took)
	} else {
		s.metrics.unmatched.observe(status, took)
	}
	// Who looks for a trace before it is written would else use up what is kept of
	// their address, by asking.
	if rec.x.Err != nil && rec.endpoint != nil && !errors.Is(rec.x.Err, keystone.ErrNoTrace) {
		s.traces.add(rec, status)
	}
	span.end(rec, status)
	s.accessLog(rec, r, status, start, took)
}

// requestID takes the caller's id where it is short and plain, else makes one. FAPI
// has a header of its own for it.
func requestID(r *http.Request, now time.Time) string {
	for _, name := range [...]string{"X-Request-Id", "X-Fapi-Interaction-Id"} {
		if given := r.Header[name]; len(given) == 1 && plainID(given[0]) {
			return given[0]
		}
	}
	return keystone.NewID(now)
}

func plainID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
