package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoopbackOnly(t *testing.T) {
	for addr, allowed := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true, "[::ffff:127.0.0.1]:80": true,
		"10.0.0.1:80": false, "0.0.0.0:80": false, "example.com:80": false, "localhost.example.com:80": false, "[2001:db8::1]:80": false, "127.0.0.1": false, ":80": false, "": false,
	} {
		if _, err := Loopback(addr); (err == nil) != allowed {
			t.Errorf("%q: %v", addr, err)
		}
		plan := Plan{Addr: addr, Conns: 1, For: time.Second}
		if err := plan.check(); (err == nil) != allowed {
			t.Errorf("a plan for %q: %v", addr, err)
		}
	}
}

func TestBounds(t *testing.T) {
	good := Plan{Addr: "127.0.0.1:1", Conns: 1, For: time.Second}
	for name, change := range map[string]func(*Plan){
		"no connection":        func(p *Plan) { p.Conns = 0 },
		"too many connections": func(p *Plan) { p.Conns = MostConns + 1 },
		"too many requests":    func(p *Plan) { p.Most = MostRequests + 1 },
		"no time":              func(p *Plan) { p.For = 0 },
		"too long":             func(p *Plan) { p.Warm = LongestRun },
	} {
		plan := good
		change(&plan)
		if plan.check() == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func get(_ int, b []byte) ([]byte, bool) {
	return append(b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"...), true
}

func TestRunCounts(t *testing.T) {
	var asked atomic.Int64
	addr := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	r, err := Run(context.Background(), Plan{Addr: addr, Conns: 4, For: time.Minute, Most: 1000, Next: get})
	if err != nil || r.Errors != 0 {
		t.Fatal(err, r.First)
	}
	if n := asked.Load(); n != 1000 || r.Count() < 990 || r.Count() > 1000 {
		t.Errorf("asked %d times, counted %d", n, r.Count())
	}
	begun, ended := time.Time{}, time.Time{}
	r, err = Run(context.Background(), Plan{Addr: addr, Conns: 2, Warm: 50 * time.Millisecond, For: 100 * time.Millisecond, Next: get,
		Begin: func() { begun = time.Now() }, End: func() { ended = time.Now() }})
	if err != nil || r.Errors != 0 {
		t.Fatal(err, r.First)
	}
	if d := ended.Sub(begun); d < 95*time.Millisecond || d > time.Second || r.Elapsed < 95*time.Millisecond || r.Rate() < 10 {
		t.Errorf("counted for %s, says %s and %f/s", d, r.Elapsed, r.Rate())
	}
}

// TestRunWaitsForTheFirst: a plan shorter than one answer counts that answer, and
// what it says of the time is true.
func TestRunWaitsForTheFirst(t *testing.T) {
	const slow = 100 * time.Millisecond
	addr := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(slow) })
	r, err := Run(context.Background(), Plan{Addr: addr, Conns: 2, For: time.Millisecond, Next: get})
	if err != nil || r.Errors != 0 || r.Count() == 0 || r.Elapsed < slow {
		t.Errorf("%v, %d errors, %d counted in %s", err, r.Errors, r.Count(), r.Elapsed)
	}
}

func TestErrorsCount(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) })
	r, err := Run(context.Background(), Plan{Addr: addr, Conns: 2, For: time.Minute, Next: get})
	if err != nil {
		t.Fatal(err)
	}
	if r.Errors != 2*mostErrors || r.Count() != 0 || !strings.Contains(fmt.Sprint(r.First), "418") {
		t.Errorf("%d errors, %d counted, first: %v", r.Errors, r.Count(), r.First)
	}
}

func TestConnReads(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 5000)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			_, _ = io.WriteString(w, "short")
		case "/chunks":
			_, _ = w.Write(long[:20_000])
			w.(http.Flusher).Flush()
			_, _ = w.Write(long[20_000:])
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/close":
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, "bye")
		case "/echo":
			_, _ = io.Copy(w, r.Body)
		}
	})
	c, err := Dial(context.Background(), addr, time.Now().Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct {
		path, body string
		status     int
		closed     bool
	}{
		{"/short", "short", 200, false}, {"/chunks", string(long), 200, false}, {"/none", "", 204, false},
		{"/short", "short", 200, false}, {"/close", "bye", 200, true},
	} {
		status, body, closed, err := c.Do([]byte("GET " + test.path + " HTTP/1.1\r\nHost: a\r\n\r\n"))
		if err != nil || status != test.status || string(body) != test.body || closed != test.closed {
			t.Fatalf("%s: %d, %d bytes, closed %v, %v", test.path, status, len(body), closed, err)
		}
	}
	if _, _, _, err := c.Do([]byte("GET /short HTTP/1.1\r\nHost: a\r\n\r\n")); err == nil {
		t.Error("a closed connection still answers")
	}
}

// TestRunReconnects: a server that closes its connections is slow, not wrong.
func TestRunReconnects(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	r, err := Run(context.Background(), Plan{Addr: addr, Conns: 2, For: time.Minute, Most: 20, Next: get})
	if err != nil || r.Errors != 0 || r.Count() < 18 {
		t.Errorf("%v, %d errors (%v), %d counted", err, r.Errors, r.First, r.Count())
	}
}
