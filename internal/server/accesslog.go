package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/keystone-auth/keystone"
)

// accessLog writes one line for each request: who, which route, how it ended.
// Never the path or query as sent, a body or a header: they hold secrets.
func (s *Server) accessLog(rec *recorder, r *http.Request, status int, start time.Time, took time.Duration) {
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
	line := accessLine{level: level, requestID: a.RequestID, method: methodLabel(r.Method), route: "none", source: a.Source,
		status: status, took: took, bytes: rec.bytes, client: rec.x.ClientID}
	if rec.endpoint != nil {
		line.route = rec.endpoint.route.Path
	}
	switch {
	case a.Kind != keystone.ActorAnonymous:
		line.actorKind, line.actor = string(a.Kind), a.ID
	case rec.x.UserID != "":
		line.actorKind, line.actor = string(keystone.ActorUser), rec.x.UserID
	}
	if line.client == "" {
		line.client = a.ClientID
	}
	switch {
	case rec.x.Err == nil:
	case status >= http.StatusInternalServerError:
		line.err = rec.x.Err.Error()
	default:
		line.refused = refusal(rec.x.Err)
	}
	s.write(ctx, &line, start.Add(took))
}

// write gives a line to the log: by hand where the log is ours, else through
// slog.
func (s *Server) write(ctx context.Context, line *accessLine, now time.Time) {
	h, ok := s.log.Handler().(requestHandler)
	if !ok || h.lines == nil {
		s.log.LogAttrs(ctx, line.level, "request", line.attrs()...)
		return
	}
	h.lines.access(line, now)
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
