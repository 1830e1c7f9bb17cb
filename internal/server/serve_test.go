package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// start serves on a free port until the test ends, and returns its address.
func start(t *testing.T, s *Server) string {
	t.Helper()
	addr, _, stop := startStoppable(t, s)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// startStoppable returns the addresses of both listeners and what stops them,
// once.
func startStoppable(t *testing.T, s *Server) (public, management string, stop func() error) {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b := listen(), listen()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeOn(ctx, a, b) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(s.config.ShutdownTimeout + 2*time.Second):
			return errors.New("the server does not stop inside SHUTDOWN_TIMEOUT")
		}
	})
	t.Cleanup(func() { _ = stop() })
	return a.Addr().String(), b.Addr().String(), stop
}

// raw sends text on a connection of its own and returns the answer's status and
// body, and whether the server closed the connection.
func raw(t *testing.T, addr, text string, wait time.Duration) (status int, answer string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(wait))
	go func() { _, _ = io.WriteString(conn, text) }() // the server may stop reading
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, "", !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	_, err = r.ReadByte()
	return res.StatusCode, string(b), err != nil && !isTimeout(err)
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// quick are bounds that a test can wait for.
var quick = bounds{readHeader: 300 * time.Millisecond, read: 600 * time.Millisecond, write: time.Second, idle: 500 * time.Millisecond}

// TestQ4Slow: slow headers, slow bodies, idle connections and readers that do
// not read are cut, while others are served.
func TestQ4Slow(t *testing.T) {
	s, _ := boot(t, off, httpio.Plain("GET", "/t/large", httpio.Public, httpio.LimitNone, "x", func(w http.ResponseWriter, _ *http.Request) error {
		block := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(block); err != nil {
				return nil
			}
		}
		return nil
	}))
	s.bounds = quick
	addr := start(t, s)

	var wait sync.WaitGroup
	slow := func(name, first, drip string) {
		wait.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, first)
			began := time.Now()
			answered := make(chan struct{})
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				close(answered)
			}()
			for time.Since(began) < 5*time.Second {
				select {
				case <-answered:
					return
				case <-time.After(100 * time.Millisecond):
					if drip != "" {
						_, _ = io.WriteString(conn, drip)
					}
				}
			}
			t.Errorf("%s: still connected after 5 s", name)
		})
	}
	for range 20 {
		slow("slow headers", "GET /health HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n")
		slow("slow request line", "G", "E")
		slow("slow body", "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n", "{")
		slow("slow form", "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n", "a")
		slow("idle", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "")
		slow("nothing", "", "")
	}
	for range 50 { // meanwhile
		if status, _, _ := raw(t, addr, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 2*time.Second); status != 200 {
			t.Fatalf("others get %d", status)
		}
	}
	wait.Wait()

	conn, err := net.Dial("tcp", addr) // asks for 64 MiB and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /t/large HTTP/1.1\r\nHost: x\r\n\r\n")
	time.Sleep(2 * quick.write)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if n, err := io.Copy(io.Discard, conn); n >= 64<<20 || isTimeout(err) {
		t.Errorf("a reader that did not read got %d bytes, %v", n, err)
	}
}

// TestLargeRequests: 100 MB bodies, header bombs, long addresses: refused fast.
func TestLargeRequests(t *testing.T) {
	s, _ := boot(t, off)
	addr := start(t, s)
	huge := 100 << 20
	for name, test := range map[string]struct {
		text   string
		status int
		code   string
	}{
		"100 MB announced": {fmt.Sprintf("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", huge), 413, "too_large"},
		"100 MB sent":      {fmt.Sprintf("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", huge) + strings.Repeat(" ", 8<<20), 413, "too_large"},
		"chunks":           {"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat(" ", 0x10000)+"\r\n", 40), 413, "too_large"},
		"large form":       {fmt.Sprintf("POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", huge), 413, "too_large"},
		"large header":     {"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 431, ""},
		"many headers":     {"GET /health HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 20000) + "\r\n", 431, ""},
		"64 KiB query":     {"GET /health?" + strings.Repeat("a", 80<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, ""},
		// R9: what could be read two ways is not read at all.
		"two lengths":       {"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, ""},
		"length and chunks": {"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 401, "invalid_client"},
		"bad chunk":         {"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request"},
		"two hosts":         {"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, ""},
		"header with LF":    {"GET /health HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400, ""},
	} {
		began := time.Now()
		status, answer, closed := raw(t, addr, test.text, 10*time.Second)
		if status != test.status || test.code != "" && !strings.Contains(answer, `"error":"`+test.code+`"`) {
			t.Errorf("%s: %d %.200s, want %d %s", name, status, answer, test.status, test.code)
		}
		if status >= 400 && status != 401 && !closed {
			t.Errorf("%s: the connection stays open", name)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// TestLargeBodyIsAnswered: whoever writes everything before they read gets the
// answer, and may go on with the connection.
func TestLargeBodyIsAnswered(t *testing.T) {
	s, _ := boot(t, off)
	addr := start(t, s)
	body := "{" + strings.Repeat(" ", 3<<20) + "}"
	request := fmt.Sprintf("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request+request+"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil || strings.Count(string(answers), `"error":"too_large"`) != 2 || !strings.Contains(string(answers), "healthy") {
		t.Errorf("%v %.1000s", err, answers)
	}
}

// TestShutdown: what is in flight finishes, what comes is refused, usage is
// written, and the process is free inside SHUTDOWN_TIMEOUT.
func TestX20Shutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s, l := boot(t, with("SHUTDOWN_TIMEOUT=5s"), httpio.Plain("GET", "/t/slow", httpio.Public, httpio.LimitNone, "x", func(w http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-release
		return echo(w, r)
	}))
	public, management, stop := startStoppable(t, s)
	get := func(addr, path string) int {
		status, _, _ := raw(t, addr, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5*time.Second)
		return status
	}
	for addr, paths := range map[string]map[string]int{
		public:     {"/health": 200, "/ready": 200, "/metrics": 404, "/debug/pprof/": 404},
		management: {"/health": 200, "/ready": 200, "/metrics": 200, "/debug/pprof/": 404, "/oauth2/jwks": 404},
	} {
		for path, want := range paths {
			if got := get(addr, path); got != want {
				t.Errorf("%s%s: %d, want %d", addr, path, got, want)
			}
		}
	}

	inFlight := make(chan int, 1)
	go func() { inFlight <- get(public, "/t/slow") }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()

	// A balancer asks and is told to go elsewhere, while requests are still served.
	deadline := time.Now().Add(3 * time.Second)
	for get(management, "/ready") != 503 {
		if time.Now().After(deadline) {
			t.Fatal("ready while shutting down")
		}
	}
	if got := get(public, "/health"); got != 200 {
		t.Errorf("while draining: %d", got)
	}
	if got := get(public, "/ready"); got != 503 {
		t.Errorf("/ready while draining: %d", got)
	}
	close(release)
	if got := <-inFlight; got != 200 {
		t.Errorf("the request in flight got %d", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", public); err == nil {
		t.Error("still listening")
	}
	if len(l.lines(t, "stopped")) != 1 {
		t.Errorf("the log does not tell of the end:\n%s", l)
	}
}

// leave has a balancer ask whether the server is ready, tells the server to stop, and returns
// once it drains. It does until left is called, which has the balancer ask often enough.
func leave(t *testing.T, management string, stop func() error) (left func()) {
	t.Helper()
	ready := func() int {
		status, _, _ := raw(t, management, "GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5*time.Second)
		return status
	}
	if got := ready(); got != http.StatusOK {
		t.Fatal(got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for deadline := time.Now().Add(3 * time.Second); ready() != http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("ready while shutting down")
		}
	}
	return func() {
		t.Helper()
		for range probesSeen - 1 {
			if got := ready(); got != http.StatusServiceUnavailable {
				t.Error(got)
			}
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
}

// TestX20IdleConnections: a connection on which nothing was under way when draining began is
// good for one more request, and its answer says that it is the last: what a balancer sends at
// that moment would be lost with it.
func TestX20IdleConnections(t *testing.T) {
	s, _ := boot(t, with("SHUTDOWN_TIMEOUT=5s"), httpio.Plain("GET", "/t/echo", httpio.Public, httpio.LimitNone, "x", echo))
	public, management, stop := startStoppable(t, s)
	conn, err := net.Dial("tcp", public)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(conn)
	ask := func() *http.Response {
		if _, err := io.WriteString(conn, "GET /t/echo HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res
	}
	if res := ask(); res.StatusCode != http.StatusOK || res.Close {
		t.Fatalf("%d, last: %v", res.StatusCode, res.Close)
	}
	left := leave(t, management, stop)
	if res := ask(); res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("while draining: %d, last: %v", res.StatusCode, res.Close)
	}
	left()
}

// TestX20HTTP2: what is sent on one connection of HTTP/2 while draining is answered there: the
// first answer must not end it, since others are on their way.
func TestX20HTTP2(t *testing.T) {
	certFile, keyFile := writeCertificate(t, t.TempDir(), 1)
	s, _ := boot(t, with("SHUTDOWN_TIMEOUT=5s", "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile),
		httpio.Plain("GET", "/t/echo", httpio.Public, httpio.LimitNone, "x", echo))
	public, management, stop := startStoppable(t, s)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	connections := map[string]bool{}
	ask := func() {
		t.Helper()
		trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { connections[c.Conn.LocalAddr().String()] = true }})
		req, err := http.NewRequestWithContext(trace, http.MethodGet, "https://"+public+"/t/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
			t.Errorf("%d, %s", res.StatusCode, res.Proto)
		}
	}
	ask()
	left := leave(t, management, stop)
	for range 3 {
		ask()
	}
	if len(connections) != 1 {
		t.Errorf("%d connections, want one", len(connections))
	}
	left()
}

// TestShutdownCuts: a request that does not end does not keep the process.
func TestShutdownCuts(t *testing.T) {
	entered := make(chan struct{})
	s, _ := boot(t, with("SHUTDOWN_TIMEOUT=1s"), httpio.Plain("GET", "/t/never", httpio.Public, httpio.LimitNone, "x", func(_ http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-r.Context().Done()
		return r.Context().Err()
	}))
	public, _, stop := startStoppable(t, s)
	go func() { _, _, _ = raw(t, public, "GET /t/never HTTP/1.1\r\nHost: x\r\n\r\n", 5*time.Second) }()
	<-entered
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestListenFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s, _ := boot(t, with("PORT="+port))
	if err := s.Serve(context.Background()); err == nil || !strings.Contains(err.Error(), "PORT") {
		t.Errorf("a port in use: %v", err)
	}
	s, _ = boot(t, with("PORT=1024", "MANAGEMENT_ADDR="+l.Addr().String()))
	if err := s.Serve(context.Background()); err == nil || !strings.Contains(err.Error(), "MANAGEMENT_ADDR") {
		t.Errorf("a management port in use: %v", err)
	}
}
