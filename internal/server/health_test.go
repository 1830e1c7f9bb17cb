package server

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

func TestHealth(t *testing.T) {
	s, _ := boot(t, off)
	for path, want := range map[string]string{"/health": "healthy", "/ready": "ready"} {
		w := send(s, "GET", path, "")
		var body struct {
			Status    string
			Timestamp int64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 || body.Status != want || time.Since(time.Unix(body.Timestamp, 0)) > time.Minute {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, header := range []string{"User-Agent: kube-probe/1", "X-Health: 1", "User-Agent: GoogleHC/1.0"} { // R4
		if w := send(s, "GET", "/metrics", "", header); w.Code != 404 {
			t.Errorf("/metrics with %s: %d", header, w.Code)
		}
	}
	public, _ := boot(t, with("METRICS_PUBLIC=true", "DEBUG=true"))
	if w := send(public, "GET", "/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "keystone_build_info") {
		t.Errorf("METRICS_PUBLIC: %d", w.Code)
	}
	if w := send(public, "GET", "/debug/pprof/", ""); w.Code != 404 {
		t.Errorf("profiles on the public listener: %d", w.Code)
	}
	if w := send(public.Management(), "GET", "/debug/pprof/cmdline", ""); w.Code != 200 {
		t.Errorf("profiles on the management listener with DEBUG: %d", w.Code)
	}
}

func TestReady(t *testing.T) {
	var pingErr, migErr error
	pending, asked := 0, 0
	h := &health{now: time.Now, ping: func(context.Context) error { asked++; return pingErr },
		migrations: func(context.Context) (int, error) { return pending, migErr }}
	at := func(want error) {
		t.Helper()
		h.at = time.Time{}
		var e *keystone.Error
		if err := h.ready(context.Background()); (err == nil) != (want == nil) || err != nil && (!errors.As(err, &e) || e.Msg != want.(*keystone.Error).Msg) { //nolint:errorlint // it is one of ours
			t.Errorf("%v, want %v", err, want)
		}
	}
	pingErr = errors.New("down")
	at(errDatabase)
	pingErr, pending = nil, 1
	at(errMigrate)
	migErr = errors.New("down")
	at(errDatabase)
	migErr, pending = nil, 0
	at(nil)
	pending = 5 // a newer program has migrated: this one serves on
	at(nil)
	n := asked
	for range 1000 {
		_ = h.ready(context.Background())
	}
	if asked != n {
		t.Errorf("1000 questions in a moment asked the database %d times", asked-n)
	}
	h.draining.Store(true)
	at(errDraining)
}

// TestProbers: a node goes when everybody who asked lately has seen that it does, and
// nobody can see it for another.
func TestProbers(t *testing.T) {
	var p probers
	now := time.Now()
	p.asked("gone", now.Add(-time.Minute), false)
	p.asked("balancer", now.Add(-10*time.Second), false)
	p.drain(now)
	for range 10 {
		p.asked("stranger", now.Add(time.Second), true)
	}
	for i := range probesSeen {
		if !p.waiting() {
			t.Errorf("%d answers to the balancer may be mistakes, and a stranger's are not its", i)
		}
		p.asked("balancer", now.Add(time.Duration(2*i)*time.Second), true)
	}
	p.asked("gone", now.Add(time.Second), true)
	p.asked("stranger, later", now.Add(time.Second), true)
	if p.waiting() {
		t.Error("everybody who asked lately knows")
	}
	p = probers{}
	for i := range 10 * probersMost {
		p.asked(strconv.Itoa(i), now.Add(time.Duration(i)), false)
	}
	if len(p.known) > probersMost {
		t.Errorf("%d sources are kept", len(p.known))
	}
}
