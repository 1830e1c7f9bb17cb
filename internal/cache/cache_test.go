package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keystone-auth/keystone/internal/cache"
)

// want fails unless the cache has exactly these keys of the given ones.
func want(t *testing.T, c cache.Cache[string, int], has map[string]bool) {
	t.Helper()
	for key, yes := range has {
		if _, ok := c.GetIfPresent(key); ok != yes {
			t.Errorf("%s: present %v, want %v", key, ok, yes)
		}
	}
}

func yes() bool { return true }

func TestTheLeastAskedForGoesFirst(t *testing.T) {
	c := cache.Sized[string, int](3)
	for i, key := range []string{"a", "b", "c"} {
		c.Set(key, i)
	}
	c.GetIfPresent("a")
	c.Set("d", 4)
	want(t, c, map[string]bool{"a": true, "b": false, "c": true, "d": true})
	c.Set("d", 5)
	if v, _ := c.GetIfPresent("d"); v != 5 || c.Len() != 3 {
		t.Errorf("set again: %d, %d entries", v, c.Len())
	}
}

func TestWeighed(t *testing.T) {
	c := cache.Weighed(10, func(_ string, v int) int { return v })
	c.Set("a", 4)
	c.Set("b", 4)
	c.Set("c", 4)
	want(t, c, map[string]bool{"a": false, "b": true, "c": true})
	c.Set("b", 1) // weighs what it weighs now
	c.Set("d", 5)
	want(t, c, map[string]bool{"b": true, "c": true, "d": true})
	c.Set("heavier than the cache", 11)
	if n := c.Len(); n != 0 {
		t.Errorf("%d entries beside one that is too heavy", n)
	}
	c.Set("a", 10)
	want(t, c, map[string]bool{"a": true})
}

func TestAged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.Aged[string, int](100, time.Second)
		c.Set("usual", 1)
		c.SetFor("longer", 1, 2*time.Second)
		time.Sleep(time.Second - 1)
		c.GetIfPresent("usual") // does not make it younger
		c.SetIfAbsent("usual", 2, time.Now(), yes)
		want(t, c, map[string]bool{"usual": true, "longer": true})
		time.Sleep(time.Nanosecond)
		want(t, c, map[string]bool{"usual": false, "longer": true})
		c.SetIfAbsent("usual", 3, time.Now(), func() bool { return false })
		want(t, c, map[string]bool{"usual": false})
		c.SetIfAbsent("usual", 2, time.Now().Add(-time.Second/2), yes)
		c.SetIfAbsent("longer", 2, time.Now(), yes)
		if v, _ := c.GetIfPresent("usual"); v != 2 {
			t.Errorf("an entry that was too old is still in place: %d", v)
		}
		if v, _ := c.GetIfPresent("longer"); v != 1 {
			t.Errorf("an entry that was there is %d", v)
		}
		time.Sleep(time.Second / 2)
		want(t, c, map[string]bool{"usual": false, "longer": true})
		c.SetIfAbsent("read too long ago", 2, time.Now().Add(-time.Second), yes)
		want(t, c, map[string]bool{"read too long ago": false})
		if c.Tidy(); c.Len() != 1 {
			t.Errorf("%d entries that are not too old", c.Len())
		}
		time.Sleep(time.Second / 2)
		if c.Tidy(); c.Len() != 0 {
			t.Errorf("%d entries, all of them too old", c.Len())
		}
	})
}

func TestBound(t *testing.T) {
	const most = 1000
	c := cache.Aged[string, int](most, time.Hour)
	for i := range 20 * most {
		c.Set(strconv.Itoa(i), i)
	}
	if n := c.Len(); n < most/2 || n > most+16 {
		t.Errorf("%d entries of %d", n, most)
	}
	c.InvalidateAll()
	if n := c.Len(); n != 0 {
		t.Errorf("%d entries after all went", n)
	}
}

func TestOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.Aged[string, int](100, time.Hour)
		var loads atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				v, err := c.Get(t.Context(), "key", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(loads.Add(1)), nil
				})
				if v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
			})
		}
		synctest.Wait()
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Get(hasty, "key", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller whose time is over: %v", err)
		}
		cancel()
		if _, err := c.Get(hasty, "another", nil); err == nil {
			t.Error("a caller who has gone began a load")
		}
		all.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads", loads.Load())
		}
	})
}

// While a load goes on, what it will bring can become untrue.
func TestLoadIsOvertaken(t *testing.T) {
	for what, change := range map[string]func(cache.Cache[string, int]){
		"invalidated":     func(c cache.Cache[string, int]) { c.Invalidate("key") },
		"all invalidated": func(c cache.Cache[string, int]) { c.InvalidateAll() },
		"set":             func(c cache.Cache[string, int]) { c.Set("key", 2) },
		"set for long":    func(c cache.Cache[string, int]) { c.SetFor("key", 2, time.Minute) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := cache.Aged[string, int](100, time.Hour)
				older := func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }
				newer := func(context.Context) (int, error) { return 2, nil }
				var first sync.WaitGroup
				first.Go(func() {
					if v, err := c.Get(t.Context(), "key", older); v != 1 || err != nil {
						t.Errorf("the one that began before: %d, %v", v, err)
					}
				})
				synctest.Wait()
				change(c)
				if v, err := c.Get(t.Context(), "key", newer); v != 2 || err != nil {
					t.Errorf("one that began after: %d, %v", v, err)
				}
				first.Wait()
				if v, ok := c.GetIfPresent("key"); v != 2 || !ok {
					t.Errorf("kept: %d, %v", v, ok)
				}
			})
		})
	}
}

// A load takes its time: what it brings is as old as its beginning, and too old for who
// comes later than an entry's age.
func TestSlowLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.Aged[string, int](100, time.Second)
		taking := func(d time.Duration, v int) func(context.Context) (int, error) {
			return func(context.Context) (int, error) { time.Sleep(d); return v, nil }
		}
		c.Get(t.Context(), "a", taking(600*time.Millisecond, 1))
		want(t, c, map[string]bool{"a": true})
		time.Sleep(400 * time.Millisecond)
		want(t, c, map[string]bool{"a": false})

		var loads atomic.Int32
		slow := func(context.Context) (int, error) {
			time.Sleep(1500 * time.Millisecond)
			return int(loads.Add(1)), nil
		}
		var all sync.WaitGroup
		get := func(want int) {
			all.Go(func() {
				if v, err := c.Get(t.Context(), "b", slow); v != want || err != nil {
					t.Errorf("the answer of load %d, %v; want that of %d", v, err, want)
				}
			})
		}
		get(1)
		time.Sleep(time.Second - 1)
		get(1) // what it gets is a second old, less one nanosecond, when it asks
		time.Sleep(time.Nanosecond)
		get(2)
		get(2)
		all.Wait()
		if loads.Load() != 2 {
			t.Errorf("%d loads, want one after the other", loads.Load())
		}
	})
}

func TestFailedLoadIsNotKept(t *testing.T) {
	c := cache.Sized[string, int](100)
	failure := errors.New("no")
	if _, err := c.Get(t.Context(), "key", func(context.Context) (int, error) { return 1, failure }); !errors.Is(err, failure) {
		t.Error(err)
	}
	var both sync.WaitGroup
	begun := make(chan struct{})
	both.Go(func() {
		defer func() { recover() }()
		c.Get(t.Context(), "key", func(context.Context) (int, error) {
			close(begun)
			both.Go(func() {
				if v, err := c.Get(t.Context(), "key", func(context.Context) (int, error) { return 2, nil }); err == nil && v != 2 {
					t.Errorf("beside a panic: %d", v)
				}
			})
			panic("no")
		})
	})
	<-begun
	both.Wait()
	if v, err := c.Get(t.Context(), "key", func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("after a failure and a panic: %d, %v", v, err)
	}
}

// Nobody ever reads what is older than the last drop of its key.
func TestNothingOutlivesItsDrop(t *testing.T) {
	c := cache.Aged[string, int64](64, time.Hour) // fewer than there are keys
	var truth [100]atomic.Int64
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; !stop.Load(); i = (i + 7) % len(truth) {
				since := truth[i].Load()
				v, err := c.Get(t.Context(), fmt.Sprint(i), func(context.Context) (int64, error) {
					v := truth[i].Load()
					runtime.Gosched()
					return v, nil
				})
				// A writer may stand between its change and the drop: one behind is right.
				if err != nil || v < since-1 {
					t.Errorf("read %d, %v of what was %d before", v, err, since)
					return
				}
			}
		})
	}
	for w := range 2 {
		writers.Go(func() {
			for n := range 20_000 {
				i := (n*2 + w) % len(truth)
				truth[i].Add(1)
				c.Invalidate(fmt.Sprint(i))
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	for i := range truth {
		if v, ok := c.GetIfPresent(fmt.Sprint(i)); ok && v != truth[i].Load() {
			t.Errorf("%d: kept %d of %d", i, v, truth[i].Load())
		}
	}
}
