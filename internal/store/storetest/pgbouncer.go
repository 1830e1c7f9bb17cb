package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// PgBouncer starts PgBouncer before a PostgreSQL database, as its operator would
// who changed nothing but the pool mode, and returns the URL through it. More lines
// are for the section pgbouncer of its configuration.
func PgBouncer(t testing.TB, database, mode string, more ...string) string {
	t.Helper()
	program := Program(t, "pgbouncer")
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	free, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().(*net.TCPAddr)
	_ = free.Close()
	login := "user=" + u.User.Username()
	if password, set := u.User.Password(); set {
		login += " password=" + password
	}
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s %s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = %s\n",
		u.Hostname(), u.Port(), login, at.Port, mode)
	for _, line := range more {
		text += line + "\n"
	}
	args := []string{}
	if os.Getuid() == 0 { // under which it refuses to run
		args = append(args, "-u", "nobody")
	}
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program, append(args, file)...) //nolint:gosec // the program was found by its name, the arguments are ours
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = c.Wait() })
	u.Host = at.String()
	query := u.Query()
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host); err == nil {
			_ = conn.Close()
			return u.String()
		}
		if time.Now().After(end) {
			stop()
			_ = c.Wait()
			t.Fatalf("pgbouncer does not listen: %s", said.String())
		}
	}
}

// Program finds a program that scripts/test.sh installs. The test is skipped where it is
// missing, and fails where CI=true.
func Program(t testing.TB, name string) string {
	t.Helper()
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	file := "/usr/sbin/" + name // where Debian has it, outside of the path of people
	if _, err := os.Stat(file); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(name + " is not installed, and CI=true allows no skipped test; scripts/test.sh installs it")
		}
		t.Skip(name + " is not installed")
	}
	return file
}
