package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/keystone-auth/keystone"
)

// accessLog writes one line for each request: who, which route, how it ended.
// Never the path or query as sent, a body or a header: they hold secrets.
func (s *Server) accessLog(rec *recorder, r *http.Request, status int, took time.Duration) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
		if status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
	}
	ctx := r.Context()
	if !s.log.Enabled(ctx, level) {
		return
	}
	a := &rec.x.Actor
	route := "none"
	if rec.endpoint != nil {
		route = rec.endpoint.route.Path
	}
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("request_id", a.RequestID),
		slog.String("method", methodLabel(r.Method)),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("duration_us", took.Microseconds()),
		slog.Int64("bytes", rec.bytes),
		slog.String("source", a.Source))
	if a.Kind != keystone.ActorAnonymous {
		attrs = append(attrs, slog.String("actor_kind", string(a.Kind)), slog.String("actor", a.ID))
	}
	client := rec.x.ClientID
	if client == "" {
		client = a.ClientID
	}
	if client != "" {
		attrs = append(attrs, slog.String("client", client))
	}
	if rec.x.Err != nil && status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.String("error", rec.x.Err.Error()))
	} else if rec.x.Err != nil {
		attrs = append(attrs, slog.String("refused", refusal(rec.x.Err)))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// refusal is the kind of a refusal for the log; its text may speak of the input.
func refusal(err error) string {
	switch keystone.KindOf(err) {
	case keystone.Invalid:
		return "invalid"
	case keystone.Unauthenticated:
		return "unauthenticated"
	case keystone.Forbidden:
		return "forbidden"
	case keystone.NotFound:
		return "not found"
	case keystone.Conflict:
		return "conflict"
	case keystone.Stale:
		return "stale"
	case keystone.Limited:
		return "limited"
	case keystone.Unavailable:
		return "unavailable"
	}
	return "fault"
}

// methodLabel keeps invented methods out of logs and metrics.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
