package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone/bench/load"
	"github.com/keystone-auth/keystone/bench/proc"
)

// shot is a load on one process, with what the operating system counted.
type shot struct {
	load.Result
	used   cpuTimes
	memory int64 // of the server, resident at the end
}

// merge adds a later shot of the same load.
func (s *shot) merge(later shot) {
	s.Merge(&later.Histogram)
	s.Elapsed += later.Elapsed
	s.Errors += later.Errors
	if s.First == nil {
		s.First = later.First
	}
	s.used = s.used.plus(later.used)
	s.memory = later.memory
}

// cpu and database are the processor times of server and PostgreSQL for each
// request; 0: not known.
func (s *shot) cpu() time.Duration      { return s.each(s.used.server) }
func (s *shot) database() time.Duration { return s.each(s.used.database) }

func (s *shot) each(d time.Duration) time.Duration {
	if s.Count() == 0 {
		return 0
	}
	return d / time.Duration(s.Count())
}

// meter reads processor times at the edges of a load.
type meter struct {
	pid, postmaster int
	from, used      cpuTimes
}

// cpuTimes are processor times: of the server, of PostgreSQL, of this program,
// of the whole machine working, and of the machine in all.
type cpuTimes struct{ server, database, own, busy, all time.Duration }

func (t cpuTimes) plus(o cpuTimes) cpuTimes {
	return cpuTimes{t.server + o.server, t.database + o.database, t.own + o.own, t.busy + o.busy, t.all + o.all}
}

func (t cpuTimes) minus(o cpuTimes) cpuTimes {
	return cpuTimes{t.server - o.server, t.database - o.database, t.own - o.own, t.busy - o.busy, t.all - o.all}
}

// foreign is the share of the machine that other programs used.
func (t cpuTimes) foreign() float64 {
	if t.all <= 0 {
		return 0
	}
	return max(0, float64(t.busy-t.server-t.database-t.own)/float64(t.all))
}

func (m *meter) read() (t cpuTimes) {
	// What cannot be read stays 0 and is shown as a dash.
	t.server, _ = proc.CPU(m.pid)
	if m.postmaster != 0 {
		t.database, _ = proc.FamilyCPU(m.postmaster)
	}
	t.own, _ = proc.CPU(os.Getpid())
	t.busy, t.all, _ = proc.Machine()
	return t
}

func (m *meter) begin() { m.from = m.read() }

func (m *meter) end() { m.used = m.read().minus(m.from) }

// shoot loads the process pid with plan; its durations are scaled by the mode.
func (b *bench) shoot(ctx context.Context, pid int, plan load.Plan) (shot, error) {
	m := &meter{pid: pid, postmaster: b.postmaster}
	plan.Begin, plan.End = m.begin, m.end
	plan.Warm, plan.For = b.mode.scale(plan.Warm), b.mode.scale(plan.For)
	r, err := load.Run(ctx, plan)
	if err != nil {
		return shot{}, err
	}
	s := shot{Result: r, used: m.used}
	if mem, err := proc.ReadMemory(pid); err == nil {
		s.memory = mem.Now
	}
	return s, nil
}

func (m mode) scale(d time.Duration) time.Duration { return time.Duration(float64(d) * m.pace) }

// failed is the error of a shot that had any: the row fails.
func (s shot) failed() error {
	if s.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %w", s.Errors, s.First)
	}
	return nil
}

// median returns the element in the middle by key.
func median[T any, K cmp.Ordered](list []T, key func(T) K) T {
	sorted := slices.SortedStableFunc(slices.Values(list), func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	return sorted[(len(sorted)-1)/2]
}

// profile saves a CPU profile of a server while f runs, where one was asked for.
func (b *bench) profile(ctx context.Context, s *server, name string, f func() error) error {
	if b.profiles == "" || s == nil {
		return f()
	}
	saved := make(chan error, 1)
	go func() { saved <- b.saveProfile(ctx, s, name) }()
	err := f()
	if profileErr := <-saved; err == nil {
		err = profileErr
	}
	return err
}

func (b *bench) saveProfile(ctx context.Context, s *server, name string) error {
	seconds := max(1, int(b.mode.scale(3*counts)/time.Second))
	address := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.management, seconds)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("take a profile: status %d", resp.StatusCode)
	}
	fileName := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	out, err := os.Create(filepath.Join(b.profiles, fileName+".pprof"))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}
