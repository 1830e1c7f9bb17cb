package server

import (
	"context"
	"io"
	"log/slog"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// NewLogger returns the logger of the process: JSON or text, redacted, with the
// request id of the context where there is one. Set it as slog's default too, so
// that libraries are redacted alike.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
	var h slog.Handler
	if format == "text" {
		h = slog.NewTextHandler(w, o)
	} else {
		h = slog.NewJSONHandler(w, o)
	}
	return slog.New(requestHandler{h})
}

// requestHandler adds the request id to entries that handlers write.
type requestHandler struct{ slog.Handler }

// Handle adds the id unless the entry has one.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := httpio.Actor(ctx).RequestID; id != "" && r.Message != "request" && r.Message != "panic" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the wrapper.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the wrapper.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
