package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// describe is the line about the machine and the run.
func (b *bench) describe() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	parts := []string{
		fmt.Sprintf("%d × %s", runtime.NumCPU(), cmp.Or(fieldOf("/proc/cpuinfo", "model name"), runtime.GOARCH)),
	}
	if kib, err := strconv.ParseInt(strings.TrimSuffix(fieldOf("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		parts = append(parts, fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20)))
	}
	parts = append(parts, strings.TrimSpace(runtime.GOOS+" "+release(string(kernel))), runtime.Version())
	if b.database != "" {
		parts = append(parts, "PostgreSQL "+b.database)
	} else {
		parts = append(parts, "no PostgreSQL")
	}
	parts = append(parts, time.Now().UTC().Format("2006-01-02 15:04 UTC"), fmt.Sprintf("mode %s, %.0f s", b.mode.name, b.took.Seconds()))
	line := strings.Join(parts, "; ") + "."
	if len(b.set) > 0 { // not their values: some are secret
		line += " Servers with settings of their own: " + strings.Join(slices.Sorted(maps.Keys(b.set)), ", ") + "."
	}
	if b.postmaster == 0 && b.database != "" {
		line += " PostgreSQL runs elsewhere: its processor time is not known."
	}
	return line + " Load program, server and database share the processors."
}

// release cuts a kernel's release after its second number: the rest names a build.
func release(kernel string) string {
	n := strings.SplitN(strings.TrimSpace(kernel), ".", 3)
	return strings.Join(n[:min(2, len(n))], ".")
}

// fieldOf returns the first value of "name: value" in a file of /proc.
func fieldOf(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, v, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
