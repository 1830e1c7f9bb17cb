package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// writes keeps every write apart.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(b))
	return len(b), nil
}

func (w *writes) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.list, "|")
}

func TestLogWriter(t *testing.T) {
	w := &writes{}
	l := NewLogWriter(w)
	l.delay = time.Hour // nothing here waits for a timer
	now := time.Now()
	l.later([]byte("1\n"), now)
	if w.String() != "1\n" {
		t.Errorf("the first line of a quiet log waits: %q", w)
	}
	l.later([]byte("2\n"), now.Add(time.Millisecond))
	l.later([]byte("3\n"), now.Add(2*time.Millisecond))
	if w.String() != "1\n" {
		t.Errorf("lines that come fast are written one by one: %q", w)
	}
	_, _ = l.Write([]byte("fault\n"))
	if w.String() != "1\n|2\n3\nfault\n" {
		t.Errorf("another line must come at once, and in its order: %q", w)
	}
	l.later([]byte("4\n"), now.Add(3*time.Millisecond))
	l.Flush()
	l.Flush()
	if w.String() != "1\n|2\n3\nfault\n|4\n" {
		t.Errorf("flushed: %q", w)
	}
	l.later([]byte("5\n"), now.Add(3*time.Millisecond))
	l.later([]byte(strings.Repeat("x", logMost)), now.Add(3*time.Millisecond))
	if got := w.String(); len(got) < logMost {
		t.Errorf("a full buffer waits: %d bytes written", len(got))
	}
}

// TestLogWriterTimer: what waits is written without a further line.
func TestLogWriterTimer(t *testing.T) {
	w := &writes{}
	l := NewLogWriter(w)
	l.delay = time.Millisecond
	for round := range 3 {
		l.mu.Lock()
		l.written = time.Now().Add(time.Hour) // as if something had just been written
		l.mu.Unlock()
		want := fmt.Sprintf("%d\n", round)
		l.later([]byte(want), time.Now())
		for until := time.Now().Add(10 * time.Second); !strings.HasSuffix(w.String(), want); {
			if time.Now().After(until) {
				t.Fatalf("round %d: %q", round, w)
			}
		}
	}
}

// TestLogOrder: requests at once and other lines between them leave whole lines,
// each request one.
func TestLogOrder(t *testing.T) {
	w := &writes{}
	lines := NewLogWriter(w)
	log := NewLogger(lines, slog.LevelInfo, "json")
	s, _ := boot(t, off, httpio.Plain("GET", "/t/ok", httpio.Public, httpio.LimitNone, "x", echo),
		httpio.Plain("GET", "/t/fault", httpio.Public, httpio.LimitNone, "x", func(http.ResponseWriter, *http.Request) error { return errors.New("broken") }))
	s.log = log
	send(s, "GET", "/t/ok", "")
	send(s, "GET", "/t/ok", "")
	send(s, "GET", "/t/fault", "")
	if got := strings.Count(w.String(), `"msg":"request"`); got != 3 {
		t.Errorf("after a fault %d lines are written, want all 3:\n%s", got, w)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 50 {
				if i == 0 {
					log.Info("between")
				}
				send(s, "GET", "/t/ok", "")
			}
		})
	}
	group.Wait()
	lines.Flush()
	l := &logs{}
	for _, one := range w.list {
		_, _ = l.Write([]byte(one))
	}
	if requests, between := len(l.lines(t, "request")), len(l.lines(t, "between")); requests != 403 || between != 50 {
		t.Errorf("%d requests and %d other lines, want 403 and 50", requests, between)
	}
}
