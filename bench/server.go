package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// issuer is the same for every server, so that tokens made ahead fit all.
const issuer = "http://localhost:8000"

// settings are what every measured server runs with. The limits are on and so
// high that they never trip.
var settings = map[string]string{
	"ISSUER":              issuer,
	"RATE_LIMIT_LOGIN":    "1000000/second",
	"RATE_LIMIT_REGISTER": "1000000/second",
	"RATE_LIMIT_TOKEN":    "1000000/second",
	"RATE_LIMIT_API":      "1000000/second",
	"RATE_LIMIT_PAGE":     "1000000/second",
}

// server is a running Keystone.
type server struct {
	addr       string
	management string
	pid        int
	cmd        *exec.Cmd
	log        string
	ended      chan struct{} // closed when the process is gone
	Started    time.Duration // from exec to the first 200 of /health
}

// start runs the binary with the settings of f and more, and waits until it is
// healthy.
func (b *bench) start(ctx context.Context, f *fixture, more map[string]string) (*server, error) {
	public, management, err := freePorts(ctx)
	if err != nil {
		return nil, err
	}
	env := maps.Clone(settings)
	maps.Copy(env, f.settings)
	env["HOST"], env["PORT"], env["MANAGEMENT_ADDR"] = "127.0.0.1", strconv.Itoa(public), "127.0.0.1:"+strconv.Itoa(management)
	if b.profiles != "" {
		env["DEBUG"] = "true"
	}
	maps.Copy(env, b.set)
	maps.Copy(env, more)

	s := &server{addr: "127.0.0.1:" + env["PORT"], management: env["MANAGEMENT_ADDR"], ended: make(chan struct{})}
	b.started++
	s.log = filepath.Join(b.dir, "server-"+strconv.Itoa(b.started)+".log")
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	s.cmd = exec.CommandContext(ctx, b.binary, "serve")
	s.cmd.Dir = f.dir // its own, so that no .env of anybody is read
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.dir}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		s.cmd.Env = append(s.cmd.Env, name+"="+env[name])
	}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 5 * time.Second
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", b.binary, err)
	}
	s.pid = s.cmd.Process.Pid
	go func() {
		_ = s.cmd.Wait() // how it ended stands in its log
		close(s.ended)
	}()
	if err := s.healthy(ctx, begun); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w; its log ends:\n%s", err, tail(s.log))
	}
	return s, nil
}

// healthy waits for the first 200 of /health.
func (s *server) healthy(ctx context.Context, begun time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/health", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.Started = time.Since(begun)
				return nil
			}
		}
		select {
		case <-time.After(time.Millisecond):
		case <-s.ended:
			return errors.New("the server ended while it started")
		case <-ctx.Done():
			return errors.New("the server did not become healthy")
		}
	}
}

// stop ends the server as an operator would.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// freePorts returns two ports of loopback that nobody listens on. They are taken together:
// one after the other, the system may give the same one twice.
func freePorts(ctx context.Context) (first, second int, err error) {
	var ports [2]int
	for i := range ports {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = l.Close() }()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return 0, 0, err
		}
		if ports[i], err = strconv.Atoi(port); err != nil {
			return 0, 0, err
		}
	}
	return ports[0], ports[1], nil
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
