package ephemeral

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"
)

// proxy stands between the limiter and the real server and breaks.
type proxy struct {
	t      *testing.T
	target string
	addr   string
	delay  atomic.Int64 // of every answer
	stall  atomic.Bool  // swallow everything

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

// newProxy returns a proxy and the URL that goes through it. db keeps the test
// apart from others on the same server.
func newProxy(t *testing.T, db int) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(redisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: u.Host, addr: "127.0.0.1:0"}
	p.start()
	t.Cleanup(p.cut)
	u.Host, u.Path = p.addr, fmt.Sprint("/", db)
	return p, u.String()
}

func (p *proxy) start() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener, p.addr = l, l.Addr().String()
	p.mu.Unlock()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", p.target)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			go p.pass(server, client, false)
			go p.pass(client, server, true)
		}
	}()
}

func (p *proxy) pass(to, from net.Conn, answers bool) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.stall.Load() {
			continue
		}
		if d := p.delay.Load(); answers && d > 0 {
			time.Sleep(time.Duration(d))
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut closes everything, as a killed server does.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// entries is a log that tests read.
type entries struct {
	sync.Mutex
	bytes.Buffer
}

func (e *entries) Write(b []byte) (int, error) {
	e.Lock()
	defer e.Unlock()
	return e.Buffer.Write(b)
}

func (e *entries) count(what string) int {
	e.Lock()
	defer e.Unlock()
	return strings.Count(e.String(), what)
}

func openFaulty(t *testing.T, url string) (*Limiter, *entries) {
	t.Helper()
	log := &entries{}
	l, err := Open(Options{RedisURL: url, Prefix: prefix(t), Log: slog.New(slog.NewTextHandler(log, nil)), retry: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, log
}

// quick fails if a take lasts longer than a lost Redis may cost. The bound is
// 50 ms; the rest is for a loaded machine.
func quick(t *testing.T, l *Limiter, key string, rate Rate) Decision {
	t.Helper()
	start := time.Now()
	d := l.Take(t.Context(), key, rate, 1)
	if e := time.Since(start); e > 800*time.Millisecond {
		t.Errorf("a take lasted %v", e)
	}
	return d
}

var faultRate = Rate{5, time.Hour}

const (
	lost  = "this node counts rate limits alone"
	found = "shared between nodes"
)

// SECURITY.md X10: the server is killed in mid-run and comes back empty.
func TestRedisKilled(t *testing.T) {
	p, url := newProxy(t, 0)
	l, log := openFaulty(t, url)
	until(t, "shared", l.Shared)
	for range 3 {
		quick(t, l, "k", faultRate)
	}

	p.cut()
	allowed := 0
	for range 20 {
		if quick(t, l, "k", faultRate).Allowed {
			allowed++
		}
	}
	if allowed != 2 {
		t.Errorf("after the kill %d more were allowed, want 2: the counter in memory is not warm", allowed)
	}
	if l.Shared() {
		t.Error("still shared with a dead server")
	}
	until(t, "the loss is logged", func() bool { return log.count(lost) == 1 })

	p.start()
	until(t, "shared again", l.Shared)
	until(t, "the return is logged", func() bool { return log.count(found) == 1 })
	if quick(t, l, "k", faultRate).Allowed {
		t.Error("the return of Redis freed a limited key")
	}
	if d := quick(t, l, "other", faultRate); !d.Allowed || d.Remaining != 4 {
		t.Errorf("after the return: %+v", d)
	}
	if log.count(lost) != 1 || log.count(found) != 1 {
		t.Errorf("not one entry for each change:\n%s", log.String())
	}
}

// Everything is gone from a living server, the script too.
func TestRedisFlushed(t *testing.T) {
	p, url := newProxy(t, 13)
	l, log := openFaulty(t, url)
	until(t, "shared", l.Shared)
	for range 5 {
		quick(t, l, "k", faultRate)
	}
	admin := client(t, p.target)
	for _, command := range [][]string{{"SELECT", "13"}, {"FLUSHDB"}, {"SCRIPT", "FLUSH"}} {
		if err := admin.Do(t.Context(), admin.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if quick(t, l, "k", faultRate).Allowed {
		t.Error("FLUSHDB freed a key that this node has seen at its limit")
	}
	if d := quick(t, l, "new", faultRate); !d.Allowed || d.Remaining != 4 || !l.Shared() {
		t.Errorf("after SCRIPT FLUSH: %+v, shared %v", d, l.Shared())
	}
	if log.count("level") != 0 {
		t.Errorf("something was logged:\n%s", log.String())
	}
}

// SECURITY.md X11: Redis accepts and never answers, from the start.
func TestRedisNeverAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	for _, addr := range []string{listener.Addr().String(), "127.0.0.1:1"} { // the second refuses
		start := time.Now()
		l, err := Open(Options{RedisURL: "redis://" + addr})
		if err != nil {
			t.Fatal(err)
		}
		if e := time.Since(start); e > 2*time.Second {
			t.Errorf("Open waited %v", e)
		}
		allowed := 0
		for range 20 {
			if quick(t, l, "k", faultRate).Allowed {
				allowed++
			}
		}
		if allowed != 5 || l.Shared() {
			t.Errorf("%d were allowed, want 5; shared %v", allowed, l.Shared())
		}
		l.Close()
	}
}

// SECURITY.md X11: a working Redis stalls, with many requests in flight, and
// then is only slow.
func TestRedisStalls(t *testing.T) {
	p, url := newProxy(t, 0)
	l, log := openFaulty(t, url)
	until(t, "shared", l.Shared)

	p.stall.Store(true)
	start := time.Now()
	var wg sync.WaitGroup
	var allowed atomic.Int64
	for i := range 32 {
		wg.Go(func() {
			for range 80 {
				if l.Take(context.Background(), fmt.Sprint("k", i), faultRate, 1).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if e := time.Since(start); e > 3*time.Second { // each wait is 50 ms
		t.Errorf("2560 takes on a stalled Redis lasted %v: each must not wait again", e)
	}
	if n := allowed.Load(); n != 32*5 {
		t.Errorf("%d were allowed, want %d", n, 32*5)
	}
	until(t, "the loss is logged", func() bool { return log.count(lost) == 1 })

	// Slow is not well: the circuit stays open.
	p.delay.Store(int64(120 * time.Millisecond))
	p.stall.Store(false)
	for range 50 {
		quick(t, l, "slow", Rate{1000, time.Hour})
	}
	if l.Shared() {
		t.Error("a Redis that needs 120 ms is used")
	}
	p.delay.Store(0)
	until(t, "shared again", l.Shared)
}

// SECURITY.md X12: the server answers but takes no write. A user without the
// right to SET gives it on a shared server; out of memory does on one of our own.
func TestRedisRefusesWrites(t *testing.T) {
	u, err := url.Parse(redisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	admin := client(t, u.Host)
	acl := func(rule ...string) {
		t.Helper()
		command := append([]string{"ACL", "SETUSER", "keystone-test-limited"}, rule...)
		if err := admin.Do(t.Context(), admin.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	acl("reset", "on", ">wJ5-kq", "~*", "+@all")
	t.Cleanup(func() {
		admin.Do(context.Background(), admin.B().Arbitrary("ACL", "DELUSER", "keystone-test-limited").Build())
	})
	u.User = url.UserPassword("keystone-test-limited", "wJ5-kq")
	l, log := openFaulty(t, u.String())
	until(t, "shared", l.Shared)

	acl("-set")
	allowed := 0
	for range 20 {
		if quick(t, l, "k", faultRate).Allowed {
			allowed++
		}
	}
	if allowed != 5 {
		t.Errorf("%d were allowed, want 5", allowed)
	}
	until(t, "the loss is logged", func() bool { return log.count(lost) == 1 })
	if l.Shared() {
		t.Error("a Redis that takes no write is used")
	}
	acl("+set")
	until(t, "shared again", l.Shared)
	if log.count(lost) != 1 || log.count("wJ5-kq") != 0 {
		t.Errorf("not one entry for each change, or a password:\n%s", log.String())
	}
}

// The same with a server that is really out of memory, where one is installed.
func TestRedisOutOfMemory(t *testing.T) {
	redisURL(t)
	path, err := exec.LookPath("redis-server")
	if err != nil {
		path, err = exec.LookPath("valkey-server")
	}
	if err != nil {
		t.Log("no server is installed: TestRedisRefusesWrites stands in")
		return
	}
	socket := t.TempDir() + "/s"
	server := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	l, _ := openFaulty(t, "unix://"+socket)
	until(t, "shared", l.Shared)

	admin := *l.redis.client.Load()
	limit := func(bytes string) {
		t.Helper()
		if err := admin.Do(t.Context(), admin.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", bytes).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	allowed := 0
	for range 20 {
		if quick(t, l, "k", faultRate).Allowed {
			allowed++
		}
	}
	if allowed != 5 || l.Shared() {
		t.Errorf("%d were allowed, want 5; shared %v", allowed, l.Shared())
	}
	limit("0")
	until(t, "shared again", l.Shared)
}

// Two nodes share a limit, and what one node took in vain is not held against
// it.
func TestNodesShare(t *testing.T) {
	o := Options{RedisURL: redisURL(t), Prefix: prefix(t)}
	var nodes [2]*Limiter
	for i := range nodes {
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		until(t, "shared", l.Shared)
		nodes[i] = l
	}
	rate := Rate{6, time.Hour}
	allowed := 0
	for i := range 20 {
		if nodes[i%2].Take(t.Context(), "k", rate, 1).Allowed {
			allowed++
		}
	}
	if allowed != 6 {
		t.Errorf("two nodes allowed %d, want 6", allowed)
	}
	if d := nodes[0].memory.take("k", rate, 0); d.Remaining != 3 {
		t.Errorf("the first node holds %d against itself, it took 3", 6-d.Remaining)
	}
	nodes[0].Take(t.Context(), "k", rate, -1)
	if d := nodes[1].Take(t.Context(), "k", rate, 1); !d.Allowed {
		t.Errorf("what one node gave back the other does not get: %+v", d)
	}
}

// The server's own clock and the life of its keys, without any seam.
func TestRedisOwnClock(t *testing.T) {
	r := testRedis(t, Options{RedisURL: redisURL(t)}, nil)
	rate := Rate{2, 100 * time.Millisecond}
	until(t, "the rate is used up", func() bool {
		d, err := r.take(t.Context(), "k", rate, 1)
		return err == nil && !d.Allowed
	})
	until(t, "one comes back", func() bool {
		d, err := r.take(t.Context(), "k", rate, 0)
		return err == nil && d.Allowed
	})
	until(t, "the key expires", func() bool {
		n, err := (*r.client.Load()).Do(t.Context(), (*r.client.Load()).B().Exists().Key(r.name("k")).Build()).AsInt64()
		return err == nil && n == 0
	})
	if name := r.name("login:account:alice@example.com"); strings.Contains(name, "alice") || len(name) != len(r.prefix)+22 {
		t.Errorf("the key in Redis shows whom it is about: %s", name)
	}
}

func TestBusyIsDecidedHere(t *testing.T) {
	l := &Limiter{memory: newMemory(100, time.Now), redis: testRedis(t, Options{RedisURL: redisURL(t)}, nil)}
	l.redis.flying.Store(maxInFlight)
	if d := l.Take(t.Context(), "k", faultRate, 1); !d.Allowed || d.Remaining != 4 || !l.Shared() {
		t.Errorf("%+v, shared %v", d, l.Shared())
	}
	l.redis.flying.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := l.Take(ctx, "gone", faultRate, 1); !d.Allowed || !l.Shared() {
		t.Errorf("a caller that went away took Redis down: %+v, shared %v", d, l.Shared())
	}
}

func client(t *testing.T, addr string) valkey.Client {
	t.Helper()
	option, err := valkey.ParseURL(redisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	option.InitAddress, option.DisableCache, option.ForceSingleClient, option.PipelineMultiplex = []string{addr}, true, true, -1
	c, err := valkey.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
