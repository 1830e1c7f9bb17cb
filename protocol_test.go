package keystone_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestProtocol plays every conversation in testdata/http against a real server;
// testdata/http/README.md says how they are written.
func TestProtocol(t *testing.T) {
	files, err := filepath.Glob("testdata/http/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no protocol scripts", err)
	}
	for _, db := range []string{"sqlite", "postgres"} {
		for _, file := range files {
			t.Run(db+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				play(t, newStage(t, db, string(text)), string(text))
			})
		}
	}
}

// step is one request of a script with what is expected of its answer.
type step struct {
	line    int
	title   string
	request []string
	expect  []string
}

// play runs a script's directives and steps in order.
func play(t *testing.T, st *stage, script string) {
	t.Helper()
	var current *step
	inExpect := false
	finish := func() {
		if current != nil {
			st.run(t, *current)
			current = nil
		}
	}
	for i, line := range strings.Split(script, "\n") {
		switch {
		case strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "@"):
			finish()
			st.direct(t, i+1, strings.Fields(line[1:]))
		case strings.HasPrefix(line, "=== "):
			finish()
			current, inExpect = &step{line: i + 1, title: line[4:]}, false
		case current == nil:
		case line == "---":
			inExpect = true
		case inExpect:
			current.expect = append(current.expect, line)
		default:
			current.request = append(current.request, line)
		}
	}
	finish()
}

// run sends a step's request and compares the answer.
func (st *stage) run(t *testing.T, s step) {
	t.Helper()
	times := 1
	if head, n, ok := strings.Cut(s.request[0], " x"); ok {
		var err error
		if times, err = strconv.Atoi(n); err != nil {
			t.Fatalf("line %d: %v", s.line, err)
		}
		s.request[0] = head
	}
	for range times {
		st.once(t, s)
	}
}

func (st *stage) once(t *testing.T, s step) {
	t.Helper()
	req := st.request(t, s)
	resp, err := st.http.Do(req)
	if err != nil {
		t.Fatalf("line %d: %s: %v", s.line, s.title, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("line %d: %s: %v", s.line, s.title, err)
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("line %d: %s: %s\nanswer: %d %s", s.line, s.title, fmt.Sprintf(format, args...), resp.StatusCode, body)
	}
	if resp.Header.Get("X-Request-Id") == "" {
		fail("no X-Request-Id")
	}
	rest := s.expect
	if want := strings.TrimSpace(rest[0]); want != strconv.Itoa(resp.StatusCode) {
		fail("want status %s", want)
	}
	for rest = rest[1:]; len(rest) > 0 && rest[0] != "" && rest[0][0] != '{'; rest = rest[1:] {
		name, want, _ := strings.Cut(st.expand(t, rest[0]), ": ")
		if why := st.matchHeader(resp.Header, name, want); why != "" {
			fail("%s", why)
		}
	}
	text := strings.TrimSpace(st.expand(t, strings.Join(rest, "\n")))
	if text == "" {
		return
	}
	var want, got any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		fail("script: %v in %s", err, text)
	}
	if err := json.Unmarshal(body, &got); err != nil {
		fail("not JSON: %v", err)
	}
	if why := st.match("", want, got); why != "" {
		fail("%s", why)
	}
}

func (st *stage) matchHeader(h http.Header, name, want string) string {
	got, present := h.Get(name), len(h.Values(name)) > 0
	switch {
	case want == "!":
		if present {
			return name + " must not be there, but is " + got
		}
		return ""
	case !present:
		return name + " is missing"
	case want == "*" || want == got:
		return ""
	case strings.HasPrefix(want, "="):
		st.vars[want[1:]] = got
		return ""
	case strings.HasSuffix(want, "…") && strings.HasPrefix(got, strings.TrimSuffix(want, "…")):
		return ""
	}
	return fmt.Sprintf("%s is %q, want %q", name, got, want)
}

// match reports how got fails to contain want, or "".
func (st *stage) match(path string, want, got any) string {
	if s, ok := want.(string); ok {
		switch {
		case s == "*":
			return ""
		case strings.HasPrefix(s, "="):
			st.vars[s[1:]] = fmt.Sprint(got)
			return ""
		}
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return path + " is not an object"
		}
		for key, v := range w {
			value, present := g[key]
			if v == "!" {
				if present {
					return path + "." + key + " must not be there"
				}
				continue
			}
			if !present {
				return path + "." + key + " is missing"
			}
			if why := st.match(path+"."+key, v, value); why != "" {
				return why
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %v, want %d items", path, got, len(w))
		}
		for i := range w {
			if why := st.match(fmt.Sprintf("%s[%d]", path, i), w[i], g[i]); why != "" {
				return why
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s is %v, want %v", path, got, want)
	}
	return ""
}

// request builds a step's request.
func (st *stage) request(t *testing.T, s step) *http.Request {
	t.Helper()
	method, target, ok := strings.Cut(st.expand(t, s.request[0]), " ")
	if !ok {
		t.Fatalf("line %d: no request line", s.line)
	}
	header := http.Header{}
	lines := s.request[1:]
	for len(lines) > 0 && lines[0] != "" {
		name, value, _ := strings.Cut(st.expand(t, lines[0]), ": ")
		header.Add(name, value)
		lines = lines[1:]
	}
	var kept []string
	for _, l := range lines {
		if l != "" {
			kept = append(kept, l)
		}
	}
	body := ""
	if len(kept) > 0 {
		if strings.HasPrefix(kept[0], "{") {
			body = st.expand(t, strings.Join(kept, "\n"))
			setDefault(header, "application/json")
		} else {
			body = st.form(t, kept)
			setDefault(header, "application/x-www-form-urlencoded")
		}
	}
	req, err := http.NewRequest(method, st.url+target, bytes.NewBufferString(body))
	if err != nil {
		t.Fatalf("line %d: %v", s.line, err)
	}
	req.Header = header
	return req
}

// form encodes one parameter a line; names and values are expanded first.
func (st *stage) form(t *testing.T, lines []string) string {
	pairs := make([]string, len(lines))
	for i, l := range lines {
		name, value, _ := strings.Cut(l, "=")
		pairs[i] = url.QueryEscape(st.expand(t, name)) + "=" + url.QueryEscape(st.expand(t, value))
	}
	return strings.Join(pairs, "&")
}

func setDefault(h http.Header, contentType string) {
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
}

var variable = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// expand replaces {{…}}.
func (st *stage) expand(t *testing.T, s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-2]
		if client, ok := strings.CutPrefix(name, "basic "); ok {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(st.value(t, client+".id")+":"+st.value(t, client+".secret")))
		}
		if n, ok := strings.CutPrefix(name, "fill "); ok {
			size, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Repeat("x", size)
		}
		return st.value(t, name)
	})
}

func (st *stage) value(t *testing.T, name string) string {
	t.Helper()
	v, ok := st.vars[name]
	if !ok {
		t.Fatalf("nothing is called {{%s}}", name)
	}
	return v
}

// options reads key=value words; a word without = is true.
func options(words []string) map[string]string {
	out := map[string]string{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			value = "true"
		}
		out[key] = value
	}
	return out
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func duration(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
