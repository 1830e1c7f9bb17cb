package limits

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// parallel calls work over and over on n goroutines (0: one for each processor)
// and returns the calls a second. A tenth of the time goes before it counts.
func parallel(ctx context.Context, n int, d time.Duration, work func() error) (float64, error) {
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return each(ctx, n, d, func(int) error { return work() })
}

// each is parallel with the goroutine's number.
func each(ctx context.Context, n int, d time.Duration, work func(i int) error) (float64, error) {
	begun := time.Now()
	from, to := d/10, d+d/10
	// Calls that overlap an edge count by the part that lies inside.
	share := make([]float64, n)
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			start := time.Since(begun)
			for start < to && errs[i] == nil && ctx.Err() == nil {
				errs[i] = work(i)
				end := time.Since(begun)
				if inside := min(end, to) - max(start, from); inside > 0 && end > start {
					share[i] += float64(inside) / float64(end-start)
				}
				start = end
			}
		})
	}
	running.Wait()
	total := 0.0
	for _, s := range share {
		total += s
	}
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if failed >= 0 {
		return 0, errs[failed] // the others say the same
	}
	return total / d.Seconds(), ctx.Err()
}
