package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// binary is the program under test, built as it ships.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keystone-cmd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "keystone")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-X main.version=v0-test", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// machine is a place where keystone is installed: a working folder and an
// environment.
type machine struct {
	t   *testing.T
	dir string
	env []string
	ran *coverage
}

// coverage is the commands that ran with --json and whose answer was parsed.
type coverage struct {
	mu   sync.Mutex
	seen map[string]bool
}

// newMachine is a machine with SQLite, or with the database of the URL. Nothing
// of the environment of the tests reaches it.
func newMachine(t *testing.T, databaseURL string, settings ...string) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), ran: &coverage{seen: map[string]bool{}}}
	m.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "USER=tester", "MANAGEMENT_ADDR=127.0.0.1:0", "LOG_FORMAT=json"}
	if databaseURL != "" {
		m.env = append(m.env, "DATABASE_URL="+databaseURL, "MASTER_KEY="+storetest.Master.Encode())
	}
	m.env = append(m.env, settings...)
	return m
}

// with is the same machine with more settings.
func (m *machine) with(settings ...string) *machine {
	other := *m
	other.env = append(append([]string{}, m.env...), settings...)
	return &other
}

// eachDB runs f on a machine with SQLite and on one with PostgreSQL.
func eachDB(t *testing.T, f func(t *testing.T, m *machine)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newMachine(t, "")) })
	t.Run("postgres", func(t *testing.T) { f(t, newMachine(t, storetest.PostgresURL(t))) })
}

// result is what one run came to.
type result struct {
	out, err string
	code     int
}

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir, c.Env = m.dir, m.env
	return c
}

func (m *machine) run(stdin string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := m.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("keystone %s: %v", strings.Join(args, " "), err)
	}
	return result{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// ok runs a command that must be done, and returns what it printed.
func (m *machine) ok(args ...string) string { m.t.Helper(); return m.okWith("", args...) }

func (m *machine) okWith(stdin string, args ...string) string {
	m.t.Helper()
	r := m.run(stdin, args...)
	if r.code != exitDone {
		m.t.Fatalf("keystone %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// object runs a command with --json and returns the one document it printed.
func (m *machine) object(args ...string) map[string]any {
	m.t.Helper()
	return m.objectWith("", args...)
}

func (m *machine) objectWith(stdin string, args ...string) map[string]any {
	m.t.Helper()
	out := m.okWith(stdin, append(args, "--json")...)
	m.ran.add(args)
	return parse(m.t, out)
}

// parse reads exactly one JSON object.
func parse(t *testing.T, out string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("not one JSON document (%v):\n%s", err, out)
	}
	return v
}

// items runs a list with --json.
func (m *machine) items(args ...string) []map[string]any {
	m.t.Helper()
	list, ok := m.object(args...)["items"].([]any)
	if !ok {
		m.t.Fatalf("keystone %s has no items", strings.Join(args, " "))
	}
	var items []map[string]any
	for _, item := range list {
		object, _ := item.(map[string]any)
		items = append(items, object)
	}
	return items
}

// refused runs a command that must be refused with one line that says want.
func (m *machine) refused(want string, args ...string) {
	m.t.Helper()
	m.refusedWith(want, "", args...)
}

func (m *machine) refusedWith(want, stdin string, args ...string) {
	m.t.Helper()
	r := m.run(stdin, args...)
	if r.code != exitRefused {
		m.t.Errorf("keystone %s: exit %d, want %d\n%s%s", strings.Join(args, " "), r.code, exitRefused, r.out, r.err)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "keystone: ") || !strings.Contains(r.err, want) {
		m.t.Errorf("keystone %s: want one line with %q, got:\n%s", strings.Join(args, " "), want, r.err)
	}
}

// usage runs a command line that cannot be right.
func (m *machine) usage(want string, args ...string) {
	m.t.Helper()
	r := m.run("", args...)
	if r.code != exitUsage || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, want) {
		m.t.Errorf("keystone %s: exit %d, want %d and one line with %q, got:\n%s%s", strings.Join(args, " "), r.code, exitUsage, want, r.out, r.err)
	}
}

func (c *coverage) add(args []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, _, err := root(&app{}).Find(args); err == nil {
		c.seen[found.CommandPath()] = true
	}
}

// leaves returns every command that does something.
func leaves(c *cobra.Command) (list []*cobra.Command) {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	for _, below := range c.Commands() {
		list = append(list, leaves(below)...)
	}
	return list
}

func text(v any) string { s, _ := v.(string); return s }
