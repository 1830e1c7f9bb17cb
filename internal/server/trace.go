package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracer starts a span for each request. The zero tracer does nothing, and
// costs nothing.
//
// The instrumentation that OpenTelemetry offers for net/http records the path as
// it was sent; ids and tokens would leave the process in it. So the span is made
// here, with the route's pattern and nothing of the request's own text.
type tracer struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
}

// newTracer sends traces to an OTLP/HTTP collector. The provider is also set for
// the whole process, because that is where the database driver looks for it.
func newTracer(ctx context.Context, endpoint, name, version string, log *slog.Logger) (tracer, error) {
	if endpoint == "" {
		return tracer{}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return tracer{}, fmt.Errorf("server: OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", strings.ToLower(name)), attribute.String("service.version", version))),
	)
	otel.SetTracerProvider(provider)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.WarnContext(ctx, "traces not sent", "error", err)
	}))
	return tracer{tracer: provider.Tracer("github.com/keystone-auth/keystone/internal/server"), provider: provider}, nil
}

// start begins the span of a request, as a child of the caller's where it sends
// one (W3C Trace Context).
func (t tracer) start(ctx context.Context, r *http.Request) (context.Context, span) {
	if t.tracer == nil {
		return ctx, span{}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, sp := t.tracer.Start(ctx, methodLabel(r.Method), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", methodLabel(r.Method))))
	return ctx, span{sp}
}

// close sends what is waiting.
func (t tracer) close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("server: send last traces: %w", err)
	}
	return nil
}

// span is the span of one request; the zero span is none.
type span struct{ trace.Span }

func (s span) end(rec *recorder, status int) {
	if s.Span == nil {
		return
	}
	if rec.endpoint != nil {
		s.SetName(rec.endpoint.pattern)
		s.SetAttributes(attribute.String("http.route", rec.endpoint.route.Path))
	}
	s.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("keystone.request_id", rec.x.Actor.RequestID))
	if status >= http.StatusInternalServerError {
		s.SetStatus(codes.Error, "")
	}
	s.Span.End()
}
