package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// report is what was found.
type report struct {
	lines    []line
	facts    []fact
	failures int
	machine  string
	took     time.Duration
}

// line is a row of requests.
type line struct {
	row
	turn
}

func lineOf(r row, t turn) line { return line{row: r, turn: t} }

// fact is anything else.
type fact struct{ name, measured, target, held string }

func (f *fact) judge(held bool) {
	f.held = "yes"
	if !held {
		f.held = "**no**"
	}
}

func (p *report) add(l line) { p.lines = append(p.lines, l) }

func (p *report) skip(r row, why string) {
	p.facts = append(p.facts, fact{name: r.name, measured: "not measured: " + why, target: "–", held: "–"})
}

func (p *report) fail(r row, err error) {
	p.failures++
	fmt.Fprintf(os.Stderr, "bench: %s: %v\n", r.name, err)
	p.facts = append(p.facts, fact{name: r.name, measured: "failed: " + strings.ReplaceAll(err.Error(), "\n", " "), target: "0 errors", held: "**no**"})
}

// target says what the line must reach, and verdict whether it does.
func (l line) target() string {
	var parts []string
	if l.share > 0 {
		parts = append(parts, fmt.Sprintf("≥ %.2g ×", l.share))
	}
	if l.row.cpu > 0 {
		parts = append(parts, fmt.Sprintf("≤ %.0f µs CPU", microseconds(l.mostCPU())))
	}
	if l.p99 > 0 {
		parts = append(parts, fmt.Sprintf("p99 ≤ %.0f ms", milliseconds(l.p99)))
	}
	return cmp.Or(strings.Join(parts, ", "), "–")
}

// mostCPU is the published processor time, carried to today.
func (l line) mostCPU() time.Duration {
	if l.work <= 0 {
		return l.row.cpu
	}
	return time.Duration(float64(l.row.cpu) * l.work)
}

func (l line) verdict() string {
	var missed []string
	if l.share > 0 && l.judge() > 0 && l.ratio() < l.share {
		missed = append(missed, "rate")
	}
	if l.row.cpu > 0 && l.turn.cpu() > l.mostCPU() {
		missed = append(missed, "CPU")
	}
	if l.p99 > 0 && l.Quantile(0.99) > l.p99 {
		missed = append(missed, "p99")
	}
	beside := ""
	if share := l.used.plus(l.turn.bare.used).foreign(); share > quietEnough {
		beside = fmt.Sprintf(" (beside others: %.0f %%)", 100*share)
	}
	switch {
	case l.target() == "–":
		return "–" + beside
	case len(missed) > 0:
		return "**no**: " + strings.Join(missed, ", ") + beside
	}
	return "yes" + beside
}

// quietEnough is the share of the machine that other programs may use before
// the line says so.
const quietEnough = 0.1

func (l line) limit() float64 { return l.turn.limit }

// bareCell is the bare endpoint: its rate and server time.
func (l line) bareCell() string {
	if l.turn.bare.Count() == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s)", thousands(l.turn.bare.Rate()), orDash(l.turn.bare.cpu(), microseconds))
}

func (l line) cells() []string {
	ratio := func(of float64) string {
		if of == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", l.Rate()/of)
	}
	return []string{
		l.name, strconv.Itoa(l.conns), thousands(l.Rate()), fmt.Sprintf("%.2f", milliseconds(l.Quantile(0.5))), fmt.Sprintf("%.2f", milliseconds(l.Quantile(0.99))),
		orDash(l.turn.cpu(), microseconds), orDash(l.database(), microseconds), orDash(l.memory, func(n int64) float64 { return float64(n) / (1 << 20) }),
		orDash(l.limit(), func(v float64) float64 { return v }), ratio(l.limit()), l.bareCell(), ratio(l.turn.bare.Rate()), l.target(), l.verdict(),
	}
}

var lineHead = []string{"operation", "c", "requests/s", "p50 ms", "p99 ms", "server CPU µs", "PostgreSQL CPU µs", "memory MiB", "limit today", "ratio", "bare endpoint (CPU µs)", "ratio", "target", "held"}

// print writes the tables as Markdown, to standard output and the file.
func (b *bench) print() error {
	var out bytes.Buffer
	if len(b.lines) > 0 {
		list := make([][]string, 0, len(b.lines))
		for _, l := range b.lines {
			list = append(list, l.cells())
		}
		writeTable(&out, lineHead, list, 1, 11)
		out.WriteByte('\n')
	}
	if len(b.facts) > 0 {
		list := make([][]string, 0, len(b.facts))
		for _, f := range b.facts {
			list = append(list, []string{f.name, f.measured, f.target, f.held})
		}
		writeTable(&out, []string{"what", "measured", "target", "held"}, list, 0, 0)
		out.WriteByte('\n')
	}
	fmt.Fprintln(&out, b.machine)
	if b.out != "" {
		if err := os.WriteFile(b.out, out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	_, err := os.Stdout.Write(out.Bytes())
	return err
}

// writeTable writes a Markdown table whose columns from right to before are
// numbers.
func writeTable(out *bytes.Buffer, head []string, rows [][]string, right, before int) {
	fmt.Fprintf(out, "| %s |\n|", strings.Join(head, " | "))
	for i := range head {
		if i >= right && i <= before && before > 0 {
			out.WriteString("---:|")
		} else {
			out.WriteString("---|")
		}
	}
	out.WriteByte('\n')
	for _, r := range rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(r, " | "))
	}
}

// orDash formats a number where there is one.
func orDash[T int64 | float64 | time.Duration](v T, unit func(T) float64) string {
	if v == 0 {
		return "–"
	}
	return thousands(unit(v))
}

// thousands formats a number with three digits that count, and commas.
func thousands(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func mebibytes(n int64) string             { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
