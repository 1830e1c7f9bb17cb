package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// node is a keystone serve that runs.
type node struct {
	t       *testing.T
	cmd     *exec.Cmd
	url     string
	ready   map[string]any // what it printed
	took    time.Duration  // from start to ready
	log     *output
	exited  chan struct{}
	stopped bool
}

// output collects what a process writes while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// onPort is the machine with a port of its own for keystone serve.
func (m *machine) onPort() *machine {
	m.t.Helper()
	return m.with("PORT="+freePort(m.t), "RATE_LIMIT_LOGIN=off", "RATE_LIMIT_API=off")
}

// begin starts keystone serve and does not wait.
func (m *machine) begin() (*node, io.Reader) {
	m.t.Helper()
	n := &node{t: m.t, log: &output{}, exited: make(chan struct{})}
	n.cmd = m.command(context.Background(), "serve", "--json")
	n.cmd.Stderr = n.log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(n.kill)
	return n, out
}

// wait reads the document that says that the server is ready.
func (n *node) wait(out io.Reader, began time.Time) {
	n.t.Helper()
	dead := time.AfterFunc(30*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer dead.Stop()
	err := json.NewDecoder(out).Decode(&n.ready)
	n.took = time.Since(began)
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = n.cmd.Wait()
		close(n.exited)
	}()
	if err != nil {
		<-n.exited
		n.t.Fatalf("keystone serve: %v, exit %d\n%s", err, n.cmd.ProcessState.ExitCode(), n.log)
	}
	n.url = text(n.ready["url"])
}

// serve starts keystone serve and waits until it is ready.
func (m *machine) serve() *node {
	m.t.Helper()
	began := time.Now()
	n, out := m.begin()
	n.wait(out, began)
	m.ran.add([]string{"serve"})
	return n
}

// signal sends a signal and returns the exit code; -1 is an end by the signal.
func (n *node) signal(s os.Signal) int {
	n.t.Helper()
	n.stopped = true
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
	return n.exit()
}

func (n *node) exit() int {
	n.t.Helper()
	select {
	case <-n.exited:
	case <-time.After(30 * time.Second):
		n.t.Fatalf("keystone serve does not end\n%s", n.log)
	}
	return n.cmd.ProcessState.ExitCode()
}

func (n *node) kill() {
	if n.stopped {
		return
	}
	n.stopped = true
	_ = n.cmd.Process.Kill()
	if n.url != "" {
		<-n.exited
	}
}

// post sends JSON and returns status and answer.
func (n *node) post(path, bearer string, body any) (int, map[string]any) {
	n.t.Helper()
	return n.send(http.MethodPost, path, bearer, asJSON(body))
}

// asJSON is a body. What tests send can be written.
func asJSON(v any) io.Reader {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return bytes.NewReader(b)
}

func (n *node) send(method, path, bearer string, body io.Reader) (int, map[string]any) {
	n.t.Helper()
	status, answer, err := n.try(method, path, bearer, body)
	if err != nil {
		n.t.Fatal(err)
	}
	return status, answer
}

func (n *node) try(method, path, bearer string, body io.Reader) (int, map[string]any, error) {
	req, err := http.NewRequest(method, n.url+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	answer := map[string]any{}
	if len(text) > 0 && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(text, &answer)
	}
	return resp.StatusCode, answer, err
}

// refusal has a client refused and returns the id of the request.
func (n *node) refusal() string {
	n.t.Helper()
	status, answer := n.post("/api/v1/auth/token", "", map[string]any{"client_id": "nobody", "client_secret": "nothing"})
	if status < 400 || text(answer["request_id"]) == "" {
		n.t.Fatalf("not refused: %d %v", status, answer)
	}
	return text(answer["request_id"])
}

// signIn returns the tokens of a user, who must be able to sign in.
func (n *node) signIn(name, password string) map[string]any {
	n.t.Helper()
	status, answer := n.post("/api/v1/auth/login", "", map[string]any{"username": name, "password": password})
	if status != http.StatusOK {
		n.t.Fatalf("sign-in of %s: %d %v", name, status, answer)
	}
	return answer
}

// within tries until a condition holds, for as long as it may take.
func within(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
		if time.Since(began) > d {
			t.Errorf("after %s: still not %s", d, what)
			return
		}
	}
}

func dayOfServing(m *machine) {
	t := m.t
	s := m.onPort()
	if list := s.items("routes"); len(list) < 10 || text(list[0]["method"]) == "" || text(list[0]["summary"]) == "" {
		t.Errorf("routes: %v", list)
	}
	s.refused("keystone serve", "health")
	n := s.serve()
	if _, has := n.ready["setup_link"]; has {
		t.Error("a setup link although there is an administrator")
	}
	if h := s.object("health"); h["status"] != "healthy" {
		t.Errorf("health: %v", h)
	}
	for _, c := range s.items("doctor") {
		if c["status"] == "fail" {
			t.Errorf("doctor: %v", c)
		}
	}

	refusal := n.refusal()
	within(t, 10*time.Second, "explained", func() bool { return s.run("", "explain", refusal).code == 0 })
	if got := s.items("explain", refusal); len(got) != 1 || got[0]["error"] != "authentication_failed" || got[0]["refused_by"] != "client and what proves it" {
		t.Errorf("explain: %v", got)
	}
	if out := s.ok("explain", refusal); !strings.Contains(out, "REFUSED client and what proves it") || !strings.Contains(out, "there is no such client") {
		t.Errorf("explain:\n%s", out)
	}
	s.refused("No refused request with this id", "explain", "no-such-request")

	const password = "a rather long one for amy"
	s.okWith(password, "user", "create", "--username", "amy", "--email", "amy@example.com", "--password-stdin")
	first := n.signIn("amy", password)
	n.signIn("amy@example.com", password)
	sessions := s.items("session", "list", "--user", "amy")
	if len(sessions) != 2 || sessions[0]["username"] != "amy" || sessions[0]["source"] != "127.0.0.1" {
		t.Fatalf("sessions: %v", sessions)
	}
	if u := s.object("user", "show", "amy"); u["last_login"] == nil {
		t.Errorf("last login: %v", u)
	}
	if r := s.object("session", "end", text(sessions[0]["id"])); r["ended"] != 1.0 {
		t.Errorf("session end: %v", r)
	}
	s.refused("There is no such session", "session", "end", text(sessions[0]["id"]))
	if status, _ := n.post("/api/v1/auth/refresh", "", map[string]any{"refresh_token": first["refresh_token"]}); status != http.StatusBadRequest && status != http.StatusUnauthorized {
		t.Errorf("refresh of an ended session: %d", status)
	}
	if r := s.object("session", "end", "--user", "amy"); r["ended"] != 1.0 {
		t.Errorf("session end --user: %v", r)
	}

	locked := func() bool {
		status, _ := n.post("/api/v1/auth/login", "", map[string]any{"username": "amy", "password": password})
		return status != http.StatusOK
	}
	for range 7 {
		n.post("/api/v1/auth/login", "", map[string]any{"username": "amy", "password": "not the right one"})
	}
	if !locked() {
		t.Error("seven failures do not slow down")
	}
	s.ok("user", "unlock", "amy")
	if locked() {
		t.Error("still locked after user unlock")
	}

	bearer := text(n.signIn("amy", password)["access_token"])
	mine := func() int { status, _ := n.send(http.MethodGet, "/api/v1/users/me", bearer, nil); return status }
	if status := mine(); status != http.StatusOK {
		t.Errorf("own account: %d", status)
	}
	s.ok("user", "disable", "amy")
	within(t, time.Second, "refused", func() bool { return mine() == http.StatusUnauthorized })
	s.ok("user", "enable", "amy")

	before := len(s.items("key", "list"))
	if r := s.run("", "key", "rotate"); r.code != exitDone && !strings.Contains(r.err, "already published") {
		t.Errorf("key rotate: %+v", r)
	}
	within(t, 2*time.Second, "published by the server", func() bool {
		_, set := n.send(http.MethodGet, "/oauth2/jwks", "", nil)
		keys, _ := set["keys"].([]any)
		return len(keys) >= before-1
	})
	if code := n.signal(syscall.SIGTERM); code != exitDone {
		t.Errorf("SIGTERM: exit %d\n%s", code, n.log)
	}
	within(t, 30*time.Second, "sealed", func() bool { return s.object("audit", "verify")["ok"] == true })
}

// TestReadyInASecond: from exec to ready, on a new database.
func TestReadyInASecond(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		best := time.Hour
		for range 3 {
			n := m.onPort().serve()
			best = min(best, n.took)
			if code := n.signal(syscall.SIGINT); code != exitDone {
				t.Errorf("SIGINT: exit %d\n%s", code, n.log)
			}
		}
		if best > time.Second {
			t.Errorf("ready after %s at best", best)
		}
		t.Logf("ready after %s", best)
	})
}

// TestSetupLinkIsForPeople: in plain lines on standard output, and in no log.
func TestSetupLinkIsForPeople(t *testing.T) {
	m := newMachine(t, "").onPort()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := m.command(ctx, "serve")
	var out, log output
	c.Stdout, c.Stderr = &out, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "ready", func() bool { return strings.Contains(out.String(), "/setup?token=") })
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if !strings.Contains(out.String(), "\n    http://127.0.0.1:") || !strings.Contains(out.String(), "is ready at http://127.0.0.1:") {
		t.Errorf("standard output:\n%s", &out)
	}
	if strings.Contains(log.String(), "ks_ot_") {
		t.Errorf("the link is in the log:\n%s", &log)
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a JSON log line: %q", line)
		}
	}
}

func TestBootstrapAdmin(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		const password = "only for the very first day"
		admin := []string{"BOOTSTRAP_ADMIN_USERNAME=chief", "BOOTSTRAP_ADMIN_EMAIL=chief@example.org"}
		m = m.onPort()
		m.with(append(admin, "BOOTSTRAP_ADMIN_PASSWORD=tooshort")...).refused("BOOTSTRAP_ADMIN_PASSWORD", "serve")
		if list := m.items("user", "list"); len(list) != 0 {
			t.Fatalf("a refused password makes a user: %v", list)
		}
		first := m.with(append(admin, "BOOTSTRAP_ADMIN_PASSWORD="+password)...)
		n := first.serve()
		if _, has := n.ready["setup_link"]; has {
			t.Error("a setup link beside the bootstrap administrator")
		}
		if scope := text(n.signIn("chief", password)["scope"]); !strings.Contains(scope, "users:write") {
			t.Errorf("the bootstrap administrator may only %q", scope)
		}
		n.signal(syscall.SIGTERM)
		again := m.with(append(admin, "BOOTSTRAP_ADMIN_PASSWORD=another for the second day")...).serve()
		again.signIn("chief", password)
		if list := m.items("user", "list"); len(list) != 1 {
			t.Errorf("users: %v", list)
		}
	})
}

// TestKilledServerKeepsWhatItAcknowledged: P2. Whoever got a refresh token before
// kill -9 can use it after the restart.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		const password = "a rather long one for all"
		m = m.onPort()
		m.okWith(password, "user", "create", "--username", "amy", "--email", "amy@example.com", "--password-stdin")
		n := m.serve()
		var mu sync.Mutex
		var acknowledged []string
		var wg sync.WaitGroup
		body := `{"username":"amy","password":"` + password + `"}`
		for range 4 {
			wg.Go(func() {
				for {
					status, answer, err := n.try(http.MethodPost, "/api/v1/auth/login", "", strings.NewReader(body))
					if err != nil {
						return // killed
					}
					if status == http.StatusOK {
						mu.Lock()
						acknowledged = append(acknowledged, text(answer["refresh_token"]))
						mu.Unlock()
					}
				}
			})
		}
		within(t, 20*time.Second, "signed in ten times", func() bool { mu.Lock(); defer mu.Unlock(); return len(acknowledged) >= 10 })
		n.kill()
		wg.Wait()
		n = m.serve()
		for i, refresh := range acknowledged {
			if status, answer := n.post("/api/v1/auth/refresh", "", map[string]any{"refresh_token": refresh}); status != http.StatusOK {
				t.Fatalf("refresh token %d of %d is lost: %d %v", i+1, len(acknowledged), status, answer)
			}
		}
		if list := m.items("session", "list", "--user", "amy", "--limit", "200"); len(list) < len(acknowledged) {
			t.Errorf("%d sessions of %d", len(list), len(acknowledged))
		}
		if code := n.signal(syscall.SIGTERM); code != exitDone {
			t.Errorf("SIGTERM after a recovery: exit %d", code)
		}
		m.object("audit", "verify")
	})
}

// TestTwoNodesStartAtOnce on one database: one administrator, one current key,
// and each node's tokens are good at the other.
func TestTwoNodesStartAtOnce(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		const password = "only for the very first day"
		admin := []string{"BOOTSTRAP_ADMIN_USERNAME=chief", "BOOTSTRAP_ADMIN_EMAIL=chief@example.org", "BOOTSTRAP_ADMIN_PASSWORD=" + password, "ISSUER=http://127.0.0.1:8000"}
		a, outA := m.onPort().with(admin...).begin()
		b, outB := m.onPort().with(admin...).begin()
		a.wait(outA, time.Now())
		b.wait(outB, time.Now())
		if list := m.items("user", "list"); len(list) != 1 {
			t.Fatalf("administrators: %v", list)
		}
		keys := map[string]int{}
		for _, k := range m.items("key", "list") {
			keys[text(k["alg"])+" "+text(k["state"])]++
		}
		// RS256 is for ID tokens; a background job makes it, perhaps a moment later.
		if keys["ES256 current"] != 1 || keys["RS256 current"] > 1 || len(keys) > 2 {
			t.Errorf("keys: %v", keys)
		}
		tokens := a.signIn("chief", password)
		if status, answer := b.post("/api/v1/auth/refresh", "", map[string]any{"refresh_token": tokens["refresh_token"]}); status != http.StatusOK {
			t.Errorf("a's refresh token at b: %d %v", status, answer)
		}
		if status, answer := b.post("/api/v1/auth/logout", text(tokens["access_token"]), nil); status != http.StatusNoContent {
			t.Errorf("a's access token at b: %d %v", status, answer)
		}
		for _, n := range []*node{a, b} {
			if code := n.signal(syscall.SIGTERM); code != exitDone {
				t.Errorf("SIGTERM: exit %d\n%s", code, n.log)
			}
		}
		if r := m.object("audit", "verify"); r["ok"] != true {
			t.Errorf("audit verify: %v", r)
		}
	})
}

// TestSecondSignalForces: a request that never ends holds the first signal up to
// SHUTDOWN_TIMEOUT, but not the second.
func TestSecondSignalForces(t *testing.T) {
	m := newMachine(t, "").onPort().with("SHUTDOWN_TIMEOUT=1m")
	n := m.serve()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until the handler waits for the body
	began := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.exited:
		t.Fatalf("ended with a request in flight\n%s", n.log)
	case <-time.After(500 * time.Millisecond):
	}
	if code := n.signal(syscall.SIGTERM); code == exitDone || time.Since(began) > 5*time.Second {
		t.Errorf("second signal: exit %d after %s", code, time.Since(began))
	}
}

func TestPortInUse(t *testing.T) {
	m := newMachine(t, "").onPort()
	n := m.serve()
	m.refused("cannot be listened on", "serve")
	port, err := strconv.Atoi(n.url[strings.LastIndex(n.url, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	other := m.with("PORT="+strconv.Itoa(l.Addr().(*net.TCPAddr).Port), "ISSUER=http://127.0.0.1:"+strconv.Itoa(port))
	r := other.run("", "doctor", "--json")
	if r.code != exitRefused || !strings.Contains(r.out, "cannot be listened on") {
		t.Errorf("doctor beside a stranger: %+v", r)
	}
}
