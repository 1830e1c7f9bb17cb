package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// The program starts itself for bare limits; inside a test that is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "limit" {
		if err := limits.Command(context.Background(), os.Args[2:], os.Stdout); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTable measures the real server on SQLite, for moments only: the numbers
// mean nothing, that there are some does.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the server")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "keystone")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "../cmd/keystone")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does: most of it is compiled already
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	report := filepath.Join(dir, "table.md")
	err := table(t.Context(), options{
		server: binary, out: report, mode: mode{name: "test", runs: 1, pace: 0.4, users: 10_000, chains: 2 * time.Second},
		only: regexp.MustCompile(`bare: (token|rows)|refresh.*SQLite|code flow.*SQLite|start.*SQLite|search.*SQLite`),
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`\| refresh, SQLite FULL, c=64 \| 64 \| [0-9,.]+ \| [0-9.]+ \| [0-9.]+ \| [0-9,.]+ \|`, `0 errors, 0 old tokens usable, 0 families outlived`,
		`\| code flow with a live session, SQLite \| 16 \| [0-9,.]+ \|`, `\| start to healthy, SQLite \| \d+ ms`, `\| search users by prefix, SQLite \| 4 \| [0-9,.]+ \|`, `bare: rows on SQLite FULL, 64 in a transaction \| [0-9,]+/s`, `mode test`,
	} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("the table has no %s:\n%s", want, text)
		}
	}
}

func TestRowsAreNamedApart(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.name] {
			t.Errorf("two rows are %q", r.name)
		}
		seen[r.name] = true
		if r.share > 0 && r.limit > 0 && r.by == nil {
			t.Errorf("%s: a published limit and no yardstick", r.name)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("TEST_POSTGRES_URL", "")
	t.Setenv("CI", "")
	for args, good := range map[string]bool{
		"": true, "-short": true, "-full": true, "-users 10000": true, "-only refresh": true, "-runs 5": true,
		"-short -full": false, "-users 9999": false, "-users 5000001": false, "-only (": false, "-runs 10": false, "-pace 11": false, "extra": false,
	} {
		if _, err := parse(strings.Fields(args)); (err == nil) != good {
			t.Errorf("%q: %v", args, err)
		}
	}
	t.Setenv("CI", "true")
	if _, err := parse(nil); err == nil {
		t.Error("CI=true runs without PostgreSQL")
	}
}

func TestRequestsAreHTTP(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, pass, _ := r.BasicAuth()
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("Content-Type") + " " + user + ":" + pass + " " + string(body)
		_, _ = w.Write([]byte(`{"a":"1", "b": "two", "n":3}`))
	}))
	defer server.Close()
	b := &bench{}
	for want, request := range map[string][]byte{
		"POST /x application/x-www-form-urlencoded id:s%2B a=b": appendForm(nil, "/x", basic("id", "s+"), []byte("a=b")),
		`POST /y application/json : {"c":1}`:                    appendJSON(nil, "/y", []byte(`{"c":1}`)),
		"GET /z?q=1  id:s ":                                     appendGet(nil, "/z?q=1", basic("id", "s")),
	} {
		body, err := b.ask(t.Context(), strings.TrimPrefix(server.URL, "http://"), request)
		if err != nil || got != want {
			t.Errorf("got %q, want %q (%v)", got, want, err)
		}
		for name, want := range map[string]string{"a": "1", "b": "two", "n": "", "c": ""} {
			if got := string(value(body, name)); got != want {
				t.Errorf("member %s is %q", name, got)
			}
		}
	}
}

// standIn rotates refresh tokens t<chain>.<generation>. The mistake is what it
// does wrong.
func standIn(t *testing.T, mistake string) string {
	var mu sync.Mutex
	now, ended := map[string]int{}, map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/start" {
			_, _ = w.Write([]byte(`{"refresh_token":"` + r.FormValue("name") + `.0"}`))
			return
		}
		name, generation, _ := strings.Cut(r.FormValue("refresh_token"), ".")
		n, _ := strconv.Atoi(generation)
		switch {
		case mistake == "repeats" && n == 5:
			_, _ = w.Write([]byte(`{"refresh_token":"` + name + `.2"}`))
		case n != now[name] && mistake != "reuse" || ended[name]:
			ended[name] = mistake != "outlives"
			w.WriteHeader(http.StatusBadRequest)
		default:
			now[name] = n + 1
			_, _ = w.Write([]byte(`{"refresh_token":"` + name + "." + strconv.Itoa(n+1) + `"}`))
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestChains(t *testing.T) {
	for mistake, want := range map[string]struct{ errors, twice, survived bool }{
		"none": {}, "repeats": {errors: true}, "reuse": {twice: true, survived: true}, "outlives": {survived: true},
	} {
		addr := standIn(t, mistake)
		b := &bench{slots: 2}
		c, err := b.begin(t.Context(), newChains(4, "/refresh", "", "grant_type=refresh_token"), addr, func(i int, out []byte) []byte {
			return appendForm(out, "/start", "", []byte("name=t"+strconv.Itoa(i)))
		})
		if err != nil {
			t.Fatal(err)
		}
		p := c.plan()
		p.Addr, p.Conns, p.For = addr, 4, 200*time.Millisecond
		r, err := load.Run(t.Context(), p)
		if err != nil || (r.Errors > 0) != want.errors {
			t.Errorf("%s: %d errors, the first: %v (%v)", mistake, r.Errors, r.First, err)
		}
		twice, survived, err := b.reuse(t.Context(), addr, c)
		if err != nil || !want.errors && ((twice == 4) != want.twice || (survived == 4) != want.survived) {
			t.Errorf("%s: %d old tokens usable, %d families survived (%v)", mistake, twice, survived, err)
		}
	}
}

func TestVerdicts(t *testing.T) {
	second := func(n int, each, cpu time.Duration) shot {
		var s shot
		s.Elapsed = time.Second
		for range n {
			s.Add(each)
		}
		s.used.server = time.Duration(n) * cpu
		return s
	}
	r := row{name: "x", limit: 2000, by: byShape, share: 0.8, cpu: 80 * time.Microsecond, p99: 10 * time.Millisecond}
	for _, test := range []struct {
		n         int
		each, cpu time.Duration
		speed     float64
		want      string
	}{
		{1000, time.Millisecond, 70 * time.Microsecond, 0.5, "yes"},
		{1000, time.Millisecond, 70 * time.Microsecond, 1, "**no**: rate"},
		{1000, time.Millisecond, 90 * time.Microsecond, 0.5, "**no**: CPU"},
		{1000, 20 * time.Millisecond, 90 * time.Microsecond, 1, "**no**: rate, CPU, p99"},
	} {
		l := lineOf(r, turn{shot: second(test.n, test.each, test.cpu), yard: yard{speed: test.speed, work: 1}, limit: r.limit * test.speed})
		if got := l.verdict(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
	if l := lineOf(row{name: "y"}, turn{shot: second(1, 1, 1)}); l.verdict() != "–" || l.target() != "–" {
		t.Errorf("a row without a target: %s, %s", l.verdict(), l.target())
	}
	var out bytes.Buffer
	writeTable(&out, []string{"a", "b"}, [][]string{{"x", "1"}}, 1, 1)
	if out.String() != "| a | b |\n|---|---:|\n| x | 1 |\n" {
		t.Errorf("table: %q", out.String())
	}
	for v, want := range map[float64]string{0.5: "0.5", 99.94: "99.9", 100: "100", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("%f is %s", v, got)
		}
	}
}
