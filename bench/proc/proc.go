// Package proc reads from Linux's /proc what a process has used: processor time
// and memory, as the operating system counts them, whoever asks.
//
// On other systems every reading is refused, and the table shows a dash.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc's processor times (sysconf(_SC_CLK_TCK), which is
// 100 on every Linux).
const tick = 10 * time.Millisecond

// stat is the part of /proc/PID/stat (proc(5)) that is used here.
type stat struct {
	parent                   int
	user, system             time.Duration // own
	childrenUser, childrenOS time.Duration // of ended children that were waited for
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	// The name, in brackets, may contain anything; fields count from behind it.
	end := bytes.LastIndexByte(b, ')')
	f := strings.Fields(string(b[end+1:]))
	if end < 0 || len(f) < 15 {
		return stat{}, fmt.Errorf("proc: /proc/%d/stat is not as expected", pid)
	}
	var s stat
	if s.parent, err = strconv.Atoi(f[1]); err != nil {
		return stat{}, fmt.Errorf("proc: /proc/%d/stat: %w", pid, err)
	}
	for i, to := range map[int]*time.Duration{11: &s.user, 12: &s.system, 13: &s.childrenUser, 14: &s.childrenOS} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("proc: /proc/%d/stat: %w", pid, err)
		}
		*to = time.Duration(n) * tick
	}
	return s, nil
}

// CPU returns the processor time that a process has used so far.
func CPU(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.user + s.system, err
}

// FamilyCPU returns the processor time of a process and its children, living
// and ended: PostgreSQL is a postmaster and one child for each connection.
func FamilyCPU(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	total := s.user + s.system + s.childrenUser + s.childrenOS
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if c, err := readStat(child); err == nil && c.parent == pid { // one that ended meanwhile is in the parent's count
			total += c.user + c.system
		}
	}
	return total, nil
}

// Parent returns the process that started pid.
func Parent(pid int) (int, error) {
	s, err := readStat(pid)
	return s.parent, err
}

// Name returns the name of a process's program, shortened to 15 characters, or
// "" where there is no such process.
func Name(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Memory is what a process has resident, in bytes.
type Memory struct {
	Now  int64 // VmRSS
	Peak int64 // VmHWM: the most since it started
}

// ReadMemory returns the resident memory of a process.
func ReadMemory(pid int) (Memory, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for line := range strings.SplitSeq(string(b), "\n") {
		name, value, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "VmRSS":
			to = &m.Now
		case "VmHWM":
			to = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("proc: /proc/%d/status: %w", pid, err)
		}
		*to = kib << 10
	}
	return m, nil
}

// Machine returns the processor time that the whole machine has spent working,
// and in all, so far.
func Machine() (busy, all time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("proc: /proc/stat is not as expected")
	}
	for i, v := range f[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("proc: /proc/stat: %w", err)
		}
		all += time.Duration(n) * tick
		if i != 3 && i != 4 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, all, nil
}
