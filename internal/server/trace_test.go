package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// TestTrace: spans go to the collector under the route's pattern, with nothing
// of the request's own text (P7).
func TestTrace(t *testing.T) {
	var mu sync.Mutex
	var got strings.Builder
	var path string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got.Write(b)
		path = r.URL.Path
	}))
	defer collector.Close()
	s, _ := boot(t, with("OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL+"/"), httpio.Plain("GET", "/t/{id}", httpio.Public, httpio.LimitNone, "x", echo),
		httpio.Plain("GET", "/t/{id}/panic", httpio.Public, httpio.LimitNone, "x", func(http.ResponseWriter, *http.Request) error { panic("CANARY") }))
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	send(s, "GET", "/t/CANARY?token=CANARY", "", "traceparent: 00-"+parent+"-00f067aa0ba902b7-01", "tracestate: CANARY=1", "baggage: CANARY=1", "User-Agent: CANARY", "X-Request-Id: request-of-test")
	send(s, "GET", "/t/CANARY/panic", "")
	send(s, "CANARY", "/CANARY", "")
	if err := s.tracer.close(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	text := got.String()
	for _, want := range []string{"GET /t/{id}", "http.route", "request-of-test", "keystone", "GET /t/{id}/panic"} {
		if !strings.Contains(text, want) {
			t.Errorf("the spans do not say %q", want)
		}
	}
	text = strings.ReplaceAll(text, "CANARY=1", "") // the caller's own tracestate is passed on
	if strings.Contains(text, "CANARY") || path != "/v1/traces" {
		t.Errorf("sent to %s, or a canary is in the spans", path)
	}
	if (tracer{}).close(context.Background()) != nil {
		t.Error("no tracer does not close")
	}
}
