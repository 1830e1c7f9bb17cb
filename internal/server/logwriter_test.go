package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
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

// ids are the request ids of the lines that were written, and what is no such
// line, with a bar between writes.
func (w *writes) ids() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for _, one := range w.list {
		for line := range strings.Lines(one) {
			var entry struct {
				ID string `json:"request_id"`
			}
			if json.Unmarshal([]byte(line), &entry) != nil {
				entry.ID = strings.TrimSpace(line)
			}
			ids = append(ids, entry.ID)
		}
		ids = append(ids, "|")
	}
	return strings.Join(ids, " ")
}

func TestLogWriter(t *testing.T) {
	w := &writes{}
	l := NewLogWriter(w)
	l.delay = time.Hour // nothing here waits for a timer
	now := time.Now()
	ask := func(id string, after time.Duration) { l.access(&accessLine{requestID: id}, now.Add(after)) }
	ask("1", 0)
	if got := w.ids(); got != "1 |" {
		t.Errorf("the first line of a quiet log waits: %q", got)
	}
	ask("2", time.Millisecond)
	ask("3", 2*time.Millisecond)
	if got := w.ids(); got != "1 |" {
		t.Errorf("lines that come fast are written one by one: %q", got)
	}
	_, _ = l.Write([]byte("another\n"))
	if got := w.ids(); got != "1 | 2 3 another |" {
		t.Errorf("another line must come at once, and in its order: %q", got)
	}
	ask("4", 3*time.Millisecond)
	l.access(&accessLine{requestID: "5", level: slog.LevelWarn}, now.Add(4*time.Millisecond))
	if got := w.ids(); got != "1 | 2 3 another | 4 5 |" {
		t.Errorf("a fault must come at once, and in its order: %q", got)
	}
	ask("6", 5*time.Millisecond)
	l.Flush()
	l.Flush()
	if got := w.ids(); got != "1 | 2 3 another | 4 5 | 6 |" {
		t.Errorf("flushed: %q", got)
	}
	for range logMost / 100 {
		ask("7", 6*time.Millisecond)
	}
	if got := w.ids(); !strings.Contains(got, "7 |") {
		t.Error("a full buffer waits")
	}
	w.list = nil
	ask("8", 2*time.Hour)
	if got := w.ids(); !strings.HasSuffix(got, "8 |") {
		t.Errorf("long after the last write it waits: %q", got)
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
		id := strconv.Itoa(round)
		l.access(&accessLine{requestID: id}, time.Now())
		for until := time.Now().Add(10 * time.Second); !strings.HasSuffix(w.ids(), id+" |"); runtime.Gosched() {
			if time.Now().After(until) {
				t.Fatalf("round %d: %q", round, w.ids())
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
