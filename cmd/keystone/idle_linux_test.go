package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestAttackX24_IdleConnections: connections that were used once and kept open cost
// little memory, and whoever comes meanwhile is served.
func TestAttackX24_IdleConnections(t *testing.T) {
	const many, each = 3000, 32 << 10
	m := newMachine(t, "").onPort()
	n := m.serve()
	address := strings.TrimPrefix(n.url, "http://")
	hold := func(count int) (open []net.Conn) {
		t.Helper()
		for range count {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if _, err := fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", address); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			open = append(open, c)
		}
		return open
	}
	hold(200) // what the first requests cost is not theirs
	before := residentMemory(t, n.cmd.Process.Pid)
	open := hold(many)
	after := residentMemory(t, n.cmd.Process.Pid)
	t.Logf("%d bytes each", (after-before)/many)
	if after-before > many*each {
		t.Errorf("an idle connection costs %d bytes, at most %d", (after-before)/many, each)
	}
	for range 200 {
		if status, _ := n.send(http.MethodGet, "/oauth2/jwks", "", nil); status != http.StatusOK {
			t.Fatalf("with %d idle connections the keys answer %d", many, status)
		}
	}
	for _, c := range []net.Conn{open[0], open[many/2], open[many-1]} { // and each is still good
		if _, err := fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", address); err != nil {
			t.Fatal(err)
		}
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Error(resp, err)
		}
	}
}

// residentMemory is what a process holds in memory, in bytes.
func residentMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
