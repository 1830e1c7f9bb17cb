package ephemeral

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// clock is moved by the tests; nothing here waits for time to pass.
type clock struct {
	sync.Mutex
	t time.Time
}

func newClock() *clock { return &clock{t: time.Now()} }

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.t = c.t.Add(d)
}

type taker func(key string, rate Rate, cost int) Decision

// eachLimiter runs a test over memory, over Redis by its script on the moved
// clock, and over both together as the server uses them.
func eachLimiter(t *testing.T, test func(t *testing.T, take taker, c *clock)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		c := newClock()
		m := newMemory(1<<16, c.now)
		test(t, m.take, c)
	})
	t.Run("redis", func(t *testing.T) {
		c := newClock()
		r := testRedis(t, Options{RedisURL: redisURL(t)}, c)
		test(t, func(key string, rate Rate, cost int) Decision {
			d, err := r.take(t.Context(), key, rate, cost)
			if err != nil {
				t.Errorf("redis: %v", err)
			}
			return d
		}, c)
	})
	t.Run("both", func(t *testing.T) {
		c := newClock()
		r := testRedis(t, Options{RedisURL: redisURL(t)}, c)
		l := &Limiter{memory: newMemory(1<<16, c.now), redis: r}
		test(t, func(key string, rate Rate, cost int) Decision {
			return l.Take(t.Context(), key, rate, cost)
		}, c)
	})
}

// redisURL returns the server for tests. On a developer's machine without one
// the test is skipped, in CI it fails.
func redisURL(t testing.TB) string {
	t.Helper()
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" && os.Getenv("CI") == "true" {
		t.Fatal("TEST_REDIS_URL is not set, and CI=true allows no skipped test: run scripts/test.sh")
	}
	if url == "" {
		t.Skip("TEST_REDIS_URL is not set: run scripts/test.sh")
	}
	return url
}

// testRedis starts with keys of its own, and on the moved clock where there is
// one.
func testRedis(t testing.TB, o Options, c *clock) *redis {
	t.Helper()
	o.Prefix = prefix(t)
	r, err := newRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		r.now = func() int64 { return c.now().UnixMicro() }
	}
	r.start()
	t.Cleanup(r.close)
	until(t, "Redis is up", r.up.Load)
	return r
}

func prefix(t testing.TB) string { return fmt.Sprintf("test:%s:%d:", t.Name(), time.Now().UnixNano()) }

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 5000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("waited in vain until: %s", what)
}

func TestTake(t *testing.T) {
	rate := Rate{5, time.Minute} // one every 12 seconds
	s := time.Second
	eachLimiter(t, func(t *testing.T, take taker, c *clock) {
		for i, step := range []struct {
			after time.Duration
			cost  int
			want  Decision
		}{
			{0, 0, Decision{true, 5, 5, 0, 0}}, // a look changes nothing
			{0, 1, Decision{true, 5, 4, 0, 12 * s}},
			{0, 1, Decision{true, 5, 3, 0, 24 * s}},
			{0, 0, Decision{true, 5, 3, 0, 24 * s}},
			{0, 3, Decision{true, 5, 0, 0, 60 * s}}, // the rest in one
			{0, 0, Decision{false, 5, 0, 12 * s, 60 * s}},
			{0, 1, Decision{false, 5, 0, 12 * s, 60 * s}},
			{0, 1, Decision{false, 5, 0, 12 * s, 60 * s}}, // a refusal costs nothing
			{5 * s, 1, Decision{false, 5, 0, 7 * s, 55 * s}},
			{7 * s, 1, Decision{true, 5, 0, 0, 60 * s}}, // one came back
			{0, 1, Decision{false, 5, 0, 12 * s, 60 * s}},
			{24 * s, 3, Decision{false, 5, 2, 12 * s, 36 * s}}, // two are there, three are not
			{0, 2, Decision{true, 5, 0, 0, 60 * s}},
			{0, -1, Decision{true, 5, 1, 0, 48 * s}}, // given back
			{0, 1, Decision{true, 5, 0, 0, 60 * s}},
			{0, -9, Decision{true, 5, 5, 0, 0}}, // never more than Count
			{0, 7, Decision{true, 5, 0, 0, 60 * s}},
			{90 * s, 1, Decision{true, 5, 4, 0, 12 * s}}, // saved up: no more than Count
			{time.Hour, 0, Decision{true, 5, 5, 0, 0}},
		} {
			c.move(step.after)
			if got := take("k", rate, step.cost); got != step.want {
				t.Fatalf("step %d: got %+v, want %+v", i, got, step.want)
			}
		}
		if got := take("another", rate, 1); got.Remaining != 4 {
			t.Errorf("keys are not apart: %+v", got)
		}
	})
}

func TestTakeAtTheEdges(t *testing.T) {
	eachLimiter(t, func(t *testing.T, take taker, c *clock) {
		for _, rate := range []Rate{{1, time.Minute}, {3, time.Minute}, {7, time.Minute}, {1, 24 * time.Hour}, {1_000_000, 24 * time.Hour}, {1_000_000, time.Minute}} {
			key := fmt.Sprint(rate)
			if d := take(key, rate, rate.Count); !d.Allowed || d.Remaining != 0 {
				t.Fatalf("%v: all at once: %+v", rate, d)
			}
			d := take(key, rate, 1)
			if d.Allowed || d.RetryAfter <= 0 || d.RetryAfter > rate.Per || d.ResetAfter > rate.Per {
				t.Fatalf("%v: one more: %+v", rate, d)
			}
			c.move(d.RetryAfter - time.Microsecond)
			if d := take(key, rate, 1); d.Allowed {
				t.Errorf("%v: allowed before RetryAfter", rate)
			}
			c.move(time.Microsecond)
			if d := take(key, rate, 1); !d.Allowed {
				t.Errorf("%v: not allowed after RetryAfter: %+v", rate, d)
			}
		}
	})
}

// A clock that is set back, and a rate made tighter over a restart, must not
// lock anybody out for longer than the rate says.
func TestTakeClampsTheFuture(t *testing.T) {
	eachLimiter(t, func(t *testing.T, take taker, c *clock) {
		take("clock", Rate{2, time.Minute}, 2)
		c.move(-time.Hour)
		if d := take("clock", Rate{2, time.Minute}, 1); d.Allowed || d.RetryAfter > 30*time.Second {
			t.Errorf("clock set back: %+v", d)
		}
		c.move(30 * time.Second)
		if d := take("clock", Rate{2, time.Minute}, 1); !d.Allowed {
			// Memory refused before Redis was asked; Redis learns of it now.
			c.move(d.RetryAfter)
			if d = take("clock", Rate{2, time.Minute}, 1); !d.Allowed {
				t.Errorf("clock set back, a minute later: %+v", d)
			}
		}
		take("rate", Rate{3, time.Hour}, 3)
		if d := take("rate", Rate{3, time.Second}, 1); d.Allowed || d.RetryAfter > time.Second {
			t.Errorf("rate made shorter: %+v", d)
		}
	})
}

// Many at once take exactly what there is.
func TestTakeConcurrently(t *testing.T) {
	eachLimiter(t, func(t *testing.T, take taker, _ *clock) {
		var wg sync.WaitGroup
		var allowed [8]int
		for i := range allowed {
			wg.Go(func() {
				for range 50 {
					if take("k", Rate{100, time.Hour}, 1).Allowed {
						allowed[i]++
					}
				}
			})
		}
		wg.Wait()
		sum := 0
		for _, n := range allowed {
			sum += n
		}
		if sum != 100 {
			t.Errorf("%d of 400 were allowed, want 100", sum)
		}
	})
}

// Both count alike, step by step, over a long pseudo-random walk.
func TestMemoryAndRedisAgree(t *testing.T) {
	c := newClock()
	r := testRedis(t, Options{RedisURL: redisURL(t)}, c)
	m := newMemory(1<<16, c.now)
	// No rate per second: Redis forgets keys in real time, the clock is moved.
	rates := []Rate{{5, time.Minute}, {3, time.Hour}, {7, time.Minute}, {1, time.Minute}, {100, time.Minute}}
	x := uint32(1)
	next := func(n int) int { // xorshift: the walk is the same each time
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		return int(x % uint32(n))
	}
	for i := range 2000 {
		n := next(len(rates))
		rate, key, cost := rates[n], fmt.Sprintf("k%d-%d", n, next(3)), next(6)-1
		c.move(time.Duration(next(int(rate.Per/time.Microsecond)/rate.Count*2)) * time.Microsecond)
		got := m.take(key, rate, cost)
		want, err := r.take(t.Context(), key, rate, cost)
		if err != nil || got != want {
			t.Fatalf("step %d, %v cost %d: memory %+v, Redis %+v, %v", i, rate, cost, got, want, err)
		}
	}
}

func TestOff(t *testing.T) {
	l, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []Rate{{}, {0, time.Second}, {-1, time.Second}, {5, 0}} {
		for range 10 {
			if d := l.Take(t.Context(), "k", rate, 1); d != (Decision{Allowed: true}) {
				t.Errorf("%v limits: %+v", rate, d)
			}
		}
	}
	if n := l.memory.size(); n != 0 {
		t.Errorf("%d counters for no limit", n)
	}
	if l.Shared() {
		t.Error("shared without Redis")
	}
	l.Close()
}

func TestOpenRefusesURLs(t *testing.T) {
	for _, url := range []string{"http://:hunter2@h", "redis://:hunter2@h:port", "redis://:hunter2@h/x", "%"} {
		if _, err := Open(Options{RedisURL: url}); err == nil {
			t.Errorf("%s: accepted", url)
		} else if slices.Contains([]byte(err.Error()), '2') {
			t.Errorf("%s: the error repeats the password: %v", url, err)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	rate := Rate{1_000_000, time.Second}
	b.Run("memory", func(b *testing.B) {
		m := newMemory(1<<16, time.Now)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.take("login:source:192.0.2.7", rate, 1)
			}
		})
	})
	b.Run("memory-full", func(b *testing.B) {
		m := newMemory(1<<12, time.Now)
		keys := make([]string, 1<<15)
		for i := range keys {
			keys[i] = fmt.Sprint("k", i)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			m.take(keys[i%len(keys)], Rate{5, time.Hour}, 1)
			i++
		}
	})
	b.Run("redis", func(b *testing.B) {
		r := testRedis(b, Options{RedisURL: redisURL(b)}, nil)
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.ask(context.Background(), time.Second, "k", rate, 1); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
