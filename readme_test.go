package keystone_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestReadme types the tour of the README into a shell, line by line, and holds
// what is printed against what the README says.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```console\n")
	tour, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatal("the README has no tour")
	}
	dir, port := t.TempDir(), freePort(t)
	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/bin/keystone", "./cmd/keystone")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does: most of it is compiled already
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := append(os.Environ(), "PORT="+port, "MANAGEMENT_ADDR=127.0.0.1:0", "DATA_DIR="+dir+"/data")
	serve := exec.Command(dir+"/bin/keystone", "serve")
	serve.Env, serve.Dir = env, dir
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
	waitFor(t, port)

	var script, want strings.Builder
	for line := range strings.SplitSeq(tour, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			command = strings.ReplaceAll(command, "127.0.0.1:8000", "127.0.0.1:"+port)
			script.WriteString(strings.ReplaceAll(command, "bin/keystone", dir+"/bin/keystone") + "\n")
			continue
		}
		want.WriteString(line + "\n")
	}
	shell := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script.String())
	shell.Env = env
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Answers that end without a line break run into the next one here, as they
	// do in a terminal.
	if got := strings.ReplaceAll(string(out), "{}authentication_failed", "{}\nauthentication_failed"); got != want.String() {
		t.Fatalf("the tour printed:\n%s\nthe README says:\n%s", got, want.String())
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

func waitFor(t *testing.T, port string) {
	t.Helper()
	for range 600 {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the server did not come up")
}
