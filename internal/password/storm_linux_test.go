package password

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// resident returns the memory that this process has in use, in MiB.
func resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Error(err)
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("VmRSS:"))
	kib, err := strconv.ParseInt(string(bytes.Fields(after)[0]), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return kib >> 10
}

// TestQ2Storm: 200 callers at once, default parameters, two slots. Memory stays
// at what there was, two arenas and 48 MiB; who is refused is told to come
// back; afterwards no goroutine is left.
func TestQ2Storm(t *testing.T) {
	h := newHasher(t, Options{Slots: 2, Queue: 64, MaxWait: time.Minute})
	runtime.GC()
	before, goroutines := resident(t), runtime.NumGoroutine()
	var checked, refused, most, peak atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 2 {
				ok, _, err := h.Verify(context.Background(), "", "correct horse battery staple")
				switch {
				case err == nil && !ok:
					checked.Add(1)
				case keystone.KindOf(err) == keystone.Unavailable:
					refused.Add(1)
				default:
					t.Errorf("ok %v, %v", ok, err)
				}
				inUse, _ := h.Stats()
				most.Store(max(most.Load(), int64(inUse)))
				peak.Store(max(peak.Load(), resident(t)))
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d hashes at once", most.Load())
	}
	if limit := before + 2*19 + 48; peak.Load() > limit {
		t.Errorf("%d MiB resident, want at most %d", peak.Load(), limit)
	}
	if checked.Load() < 66 || refused.Load() == 0 {
		t.Errorf("%d checked, %d refused: this was no storm", checked.Load(), refused.Load())
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // who has said that it is done may still be leaving
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	t.Logf("%d checked, %d refused, %d MiB before, %d at most", checked.Load(), refused.Load(), before, peak.Load())
}

// TestQ2StormOfImported: hashes that take their memory from the heap (scrypt,
// 16 MiB) or need more than a slot has (argon2id, 64 MiB) go one at a time, and
// leave nothing behind.
func TestQ2StormOfImported(t *testing.T) {
	h := newHasher(t, Options{Slots: 2, MaxWait: time.Minute})
	runtime.GC()
	before := resident(t)
	var peak atomic.Int64
	var wg sync.WaitGroup
	for _, test := range imported {
		if test.name != "scrypt, RFC 7914" && test.name != "argon2id, four lanes" {
			continue
		}
		for range 8 {
			wg.Go(func() {
				if ok, _, err := h.Verify(context.Background(), test.phc, test.password); !ok || err != nil {
					t.Errorf("%s: ok %v, %v", test.name, ok, err)
				}
				peak.Store(max(peak.Load(), resident(t)))
			})
		}
	}
	wg.Wait()
	if limit := before + 64 + 48; peak.Load() > limit {
		t.Errorf("%d MiB resident, want at most %d", peak.Load(), limit)
	}
	t.Logf("%d MiB before, %d at most", before, peak.Load())
}
