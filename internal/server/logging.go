package server

import (
	"context"
	"io"
	"log/slog"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// NewLogger returns the logger of the process: JSON or text, redacted, with the
// request id of the context where there is one. Set it as slog's default too, so
// that libraries are redacted alike. w may be a LogWriter.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	out, ok := w.(*LogWriter)
	if !ok {
		out = &LogWriter{w: w}
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
	if format == "text" {
		return slog.New(requestHandler{Handler: slog.NewTextHandler(out, o)})
	}
	return slog.New(requestHandler{slog.NewJSONHandler(out, o), out})
}

// requestHandler adds the request id to entries that handlers write.
type requestHandler struct {
	slog.Handler
	lines *LogWriter // takes lines of JSON that are written by hand; nil: none
}

// Handle adds the id unless the entry has one.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := httpio.Actor(ctx).RequestID; id != "" && r.Message != "request" && r.Message != "panic" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the wrapper, but for lines by hand, which would lack attrs.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{Handler: h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the wrapper, as above.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{Handler: h.Handler.WithGroup(name)}
}
