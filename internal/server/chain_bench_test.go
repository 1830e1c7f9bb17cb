//go:build unix

package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// blank is a ResponseWriter that costs nothing.
type blank struct{ h http.Header }

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

// cpuTime is what this process has used: it does not depend on what else the
// machine does.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChain measures everything that stands around a handler, against the
// handler alone. The log goes to a writer that drops it.
func BenchmarkChain(b *testing.B) {
	empty := func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	routes := []httpio.Route{
		httpio.Plain("POST", "/t/client", httpio.ClientAuth, httpio.LimitToken, "x", empty),
		httpio.Plain("GET", "/t/bearer", httpio.Bearer, httpio.LimitAPI, "x", empty),
	}
	s, err := New(context.Background(), settings(b, "RATE_LIMIT_API=1000000/second", "ALLOWED_ORIGINS=https://app.example"), Options{Log: NewLogger(io.Discard, slog.LevelInfo, "json"), routes: routes})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.authenticate = fixedActor
	silent, err := New(context.Background(), settings(b), Options{Log: NewLogger(io.Discard, slog.LevelWarn, "json"), routes: routes})
	if err != nil {
		b.Fatal(err)
	}
	defer silent.Close()
	for _, bench := range []struct {
		name, method, target string
		h                    http.Handler
	}{
		{"handler alone", "POST", "/t/client", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = empty(w, r) })},
		{"token endpoint", "POST", "/t/client", s},
		{"token endpoint, log at warn", "POST", "/t/client", silent},
		{"bearer endpoint with limit", "GET", "/t/bearer", s},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(bench.method, bench.target, nil)
			r.Header.Set("Authorization", "Bearer user")
			before := cpuTime(b)
			for b.Loop() {
				bench.h.ServeHTTP(&blank{make(http.Header)}, r)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
