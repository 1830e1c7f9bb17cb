package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// startTime starts a server on a migrated database, several times.
func startTime(ctx context.Context, b *bench, r row) error {
	in, err := b.on(ctx, r)
	if err != nil {
		return err
	}
	most := 100 * time.Millisecond
	if r.postgres {
		most = 150 * time.Millisecond
	}
	var times []time.Duration
	for range 2*b.mode.runs + 1 {
		s, err := b.start(ctx, in.fixture, nil)
		if err != nil {
			return err
		}
		s.stop()
		times = append(times, s.Started)
	}
	middle := median(times, func(d time.Duration) time.Duration { return d })
	f := fact{name: r.name, measured: fmt.Sprintf("%.0f ms (median of %d)", milliseconds(middle), len(times)), target: fmt.Sprintf("≤ %.0f ms", milliseconds(most))}
	f.judge(middle <= most)
	b.facts = append(b.facts, f)
	return nil
}

// binarySize looks at the binary as make build writes it: stripped.
func binarySize(_ context.Context, b *bench, r row) error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	f := fact{name: r.name, measured: fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), target: "≤ 50 MB"}
	f.judge(info.Size() <= 50_000_000)
	b.facts = append(b.facts, f)
	return nil
}
