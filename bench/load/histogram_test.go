package load

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.99) != 0 || h.Max() != 0 {
		t.Error("an empty histogram is not zero")
	}
	for i := range 10_000 {
		h.Add(time.Duration(i+1) * time.Microsecond)
	}
	var other Histogram
	other.Add(2 * time.Second)
	h.Merge(&other)
	h.Merge(&Histogram{})
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Microsecond}, {0.5, 5 * time.Millisecond}, {0.99, 9900 * time.Microsecond}, {1, 2 * time.Second}} {
		got := h.Quantile(test.q)
		if off := float64(got-test.want) / float64(test.want); off > 0.01 || off < -0.01 {
			t.Errorf("quantile %v is %s, want %s", test.q, got, test.want)
		}
	}
	if h.Count() != 10_001 || h.Max() != 2*time.Second {
		t.Errorf("count %d, max %s", h.Count(), h.Max())
	}
}

// TestBuckets holds that a bucket contains what is counted in it, to 1 %.
func TestBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 3*time.Minute; d += 1 + d/100 {
		b := bucket(d)
		if b < last {
			t.Fatalf("bucket of %s is %d, after %d", d, b, last)
		}
		last = b
		if off := float64(middle(b)-d) / float64(max(d, 1)); d < 2*time.Minute && (off > 0.01 || off < -0.01) {
			t.Fatalf("%s is counted as %s", d, middle(b))
		}
	}
	if bucket(-1) != 0 || bucket(1<<62) != (longestExp+2)*sub-1 {
		t.Error("durations out of range are not in the outermost buckets")
	}
}
