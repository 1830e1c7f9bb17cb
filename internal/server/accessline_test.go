package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// viaSlog is the line as slog writes it.
func viaSlog(t testing.TB, line *accessLine, now time.Time) string {
	t.Helper()
	var b bytes.Buffer
	h := NewLogger(&b, slog.LevelDebug, "json").Handler()
	r := slog.NewRecord(now, line.level, "request", 0)
	r.AddAttrs(line.attrs()...)
	if err := h.Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAccessLineIsSlogs: the line by hand is the line of slog, to the byte,
// redaction included.
func TestAccessLineIsSlogs(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 123_456_000, time.UTC)
	for name, line := range map[string]accessLine{
		"nobody":  {method: "GET", route: "/health", status: 200, took: time.Millisecond, source: "192.0.2.1", requestID: "0197a1c0-0000-7000-8000-000000000001"},
		"unix":    {method: "other", route: "none", status: 404, took: 999, refused: "not found"},
		"user":    {method: "POST", route: "/api/v1/users/{id}", status: 403, bytes: 120, source: "2001:db8::1", requestID: "abcdefgh", actorKind: "user", actor: "1", client: "keystone", refused: "forbidden"},
		"fault":   {level: slog.LevelError, status: 500, err: "disk \"full\"\\\n<&> password=" + canary + " \u2028\x7f\xff é " + canaryJWT},
		"warning": {level: slog.LevelWarn, status: 503, err: "context deadline exceeded"},
		"canary":  {requestID: "ks_at_" + canary, source: canaryJWT, client: "client_secret=" + canary, actor: "ks_rt_" + canary},
	} {
		got := string(line.appendJSON(nil, now))
		if want := viaSlog(t, &line, now); got != want {
			t.Errorf("%s:\n by hand %s slog    %s", name, got, want)
		}
		if strings.Contains(got, canary) {
			t.Errorf("%s: a canary in %s", name, got)
		}
	}
}

// FuzzAccessLine: the same for texts that anybody may bring in.
func FuzzAccessLine(f *testing.F) {
	f.Add("0197a1c0-0000-7000-8000-000000000001", "password=x", int64(5))
	f.Add("ks_at_CANARYCANARYCANARY", "eyJ\x00\"\\", int64(-1))
	f.Fuzz(func(t *testing.T, id, fault string, took int64) {
		line := accessLine{level: slog.LevelError, requestID: id, method: "GET", route: "/x", took: time.Duration(took), err: fault, client: id}
		now := time.UnixMicro(took)
		if now.Year() < 0 || now.Year() > 9999 {
			return
		}
		if got, want := string(line.appendJSON(nil, now)), viaSlog(t, &line, now); got != want {
			t.Errorf("by hand %s slog    %s", got, want)
		}
	})
}
