package fetch

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// clock stands still until it is moved.
type clock struct{ ahead atomic.Int64 }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time       { return start.Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

// serve starts a TLS server and a client that trusts its certificate and may
// reach what is listed.
func serve(t *testing.T, h http.HandlerFunc, list ...string) (*httptest.Server, *Client, *clock) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := &clock{}
	c, err := New(Options{Allow: list, CAFile: file, Now: at.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s, c, at
}

// TestPublic is O1 as a table: what is dialled after resolution.
func TestPublic(t *testing.T) {
	for _, s := range []string{"8.8.8.8", "1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.167.1.1", "2606:4700::1111", "2a00::1"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, s := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "239.1.1.1",
		"240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "100::1", "fec0::1", "5f00::1", "4000::1",
	} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
}

// TestBlocked (O1): nothing listens to what is refused, under any spelling, and
// every refusal reads the same (O5).
func TestBlocked(t *testing.T) {
	var hits atomic.Int64
	s, c, _ := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]",
		"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.1", "0x7f.0.0.1", "127.0.0.1.", "[fe80::1%25lo]", "127.0.0.1%00.example.com",
	} {
		for _, rest := range []string{"/jwks", "/?x=1"} {
			if _, err := c.Get(t.Context(), "https://"+host+":"+port+rest); !errors.Is(err, ErrFetch) || err.Error() != ErrFetch.Error() {
				t.Errorf("GET %s: %v", host, err)
			}
		}
		if _, err := c.Post(t.Context(), "https://"+host+":"+port+"/", "text/plain", nil); !errors.Is(err, ErrFetch) {
			t.Errorf("POST %s: %v", host, err)
		}
	}
	for _, address := range []string{
		"", "x", "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https:///x", "https:example.com", "https://user@example.com/", "//example.com/",
		"https://127.0.0.1:1/", "https://10.255.255.1/", "https://169.254.169.254/latest/meta-data", "https://nowhere.invalid/", "https://example.com:99999/", "https://" + strings.Repeat("a", 3000) + "/",
	} {
		if _, err := c.Get(t.Context(), address); !errors.Is(err, ErrFetch) || err.Error() != ErrFetch.Error() {
			t.Errorf("%.40q: %v", address, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests arrived", hits.Load())
	}
}

// TestListed: what the operator lists is reached, by name, address or network,
// over https with its own authority, and nothing else is.
func TestListed(t *testing.T) {
	for _, entry := range []string{"127.0.0.1", "127.0.0.0/8", "example.com"} {
		t.Run(entry, func(t *testing.T) {
			s, c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/jwk-set+json")
				_, _ = io.WriteString(w, r.Method+r.Header.Get("Cookie")+r.Header.Get("Referer"))
			}, entry)
			d, err := c.Get(t.Context(), s.URL+"/a")
			if listed := entry != "example.com"; (err == nil) != listed {
				t.Fatalf("%v", err)
			} else if listed && (string(d.Body) != "GET" || d.ContentType != "application/jwk-set+json") {
				t.Errorf("%+v", d)
			}
			if _, err := c.Get(t.Context(), strings.Replace(s.URL, "https", "http", 1)+"/a"); !errors.Is(err, ErrFetch) {
				t.Errorf("plain http: %v", err)
			}
			if status, err := c.Post(t.Context(), s.URL, "application/x-www-form-urlencoded", []byte("a=b")); err == nil && status != http.StatusOK {
				t.Errorf("%d %v", status, err)
			}
		})
	}
	s, _, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, "127.0.0.1")
	stranger, err := New(Options{Allow: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Get(t.Context(), s.URL); !errors.Is(err, ErrFetch) {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, entry := range []string{"https://x", "a:1", "*.example.com", "", "a b"} {
		if _, err := New(Options{Allow: []string{entry}}); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".missing"} {
		if _, err := New(Options{CAFile: file}); err == nil || !strings.Contains(err.Error(), "OUTBOUND_CA_FILE") {
			t.Errorf("%v", err)
		}
	}
}

// TestAnswers: redirects, errors, what is too large, too slow or broken off are
// one and the same failure.
func TestAnswers(t *testing.T) {
	hung := make(chan struct{})
	s, c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/500":
			http.Error(w, "x", http.StatusInternalServerError)
		case "/201":
			w.WriteHeader(http.StatusCreated)
		case "/exact":
			_, _ = w.Write(make([]byte, maxBody))
		case "/large":
			_, _ = w.Write(make([]byte, maxBody+1))
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		case "/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("x"))
		case "/hang":
			<-hung
		case "/drip":
			for {
				if _, err := w.Write([]byte("x")); err != nil || r.Context().Err() != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-hung:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}
	}, "127.0.0.1")
	t.Cleanup(func() { close(hung) })
	c.limit = 300 * time.Millisecond
	for _, path := range []string{"/redirect", "/500", "/201", "/large", "/header", "/cut", "/hang", "/drip"} {
		began := time.Now()
		if d, err := c.Get(t.Context(), s.URL+path); !errors.Is(err, ErrFetch) || err.Error() != ErrFetch.Error() || d.Body != nil {
			t.Errorf("%s: %v", path, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", path, took)
		}
	}
	c.limit = maxTime
	if d, err := c.Get(t.Context(), s.URL+"/exact"); err != nil || len(d.Body) != maxBody {
		t.Errorf("1 MiB: %v", err)
	}
	if status, err := c.Post(t.Context(), s.URL+"/redirect", "text/plain", []byte("x")); err != nil || status != http.StatusFound {
		t.Errorf("POST does not follow: %d %v", status, err)
	}
	if status, err := c.Post(t.Context(), s.URL+"/500", "text/plain", nil); err != nil || status != http.StatusInternalServerError {
		t.Errorf("POST: %d %v", status, err)
	}
	if _, err := c.Post(t.Context(), s.URL, "text/plain", make([]byte, maxBody+1)); !errors.Is(err, ErrFetch) {
		t.Errorf("a body beyond the bound: %v", err)
	}
}

// TestNoProxy: the environment of the process names no way out.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s, c, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, "127.0.0.1")
	if _, err := c.Get(t.Context(), s.URL); err != nil {
		t.Error(err)
	}
	if c.http.Jar != nil || c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("cookies or a proxy")
	}
}

// TestCache: good answers and failures are kept, for a bounded time, and a new
// look is had only so often.
func TestCache(t *testing.T) {
	var hits, broken atomic.Int64
	s, c, at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if broken.Load() == 1 {
			http.Error(w, "x", http.StatusBadGateway)
			return
		}
		if cc := r.URL.Query().Get("cc"); cc != "" {
			w.Header().Set("Cache-Control", cc)
		}
	}, "127.0.0.1")
	count := func(want int64, what string, f func() error) {
		t.Helper()
		before := hits.Load()
		_ = f()
		if got := hits.Load() - before; got != want {
			t.Errorf("%s: %d requests, want %d", what, got, want)
		}
	}
	address := s.URL + "/jwks"
	var doc Document
	get := func() (err error) { doc, err = c.Get(t.Context(), address); return err }
	newer := func() (err error) { doc, err = c.Newer(t.Context(), address, doc); return err }
	count(1, "first", get)
	count(0, "kept", get)
	at.move(9 * time.Second)
	count(0, "newer too soon", newer)
	at.move(time.Second)
	count(1, "newer", newer)
	count(0, "newer again", newer)
	at.move(usualAge)
	count(1, "after its age", get)
	broken.Store(1)
	at.move(usualAge)
	count(1, "failing", get)
	if doc.FetchedAt.IsZero() || get() != nil {
		t.Error("a document is not given while its server fails")
	}
	at.move(failedAge - time.Second)
	count(0, "failure kept", get)
	at.move(time.Second)
	count(1, "failure tried again", get)
	at.move(time.Hour)
	if err := get(); !errors.Is(err, ErrFetch) {
		t.Errorf("a document of an hour ago: %v", err)
	}
	broken.Store(0)
	count(0, "failure kept", get)
	at.move(failedAge)
	count(1, "well again", get)
	for cc, fresh := range map[string]time.Duration{"max-age=600": 10 * time.Minute, "no-store": leastAge, "max-age=1": leastAge, "max-age=999999999": mostAge, "public, max-age=\"120\"": 2 * time.Minute, "max-age=x": usualAge} {
		address = s.URL + "/jwks?cc=" + url.QueryEscape(cc)
		count(1, cc, get)
		at.move(fresh - time.Second)
		count(0, cc, get)
		at.move(time.Second)
		count(1, cc, get)
	}
}

// TestShared: callers that ask together share one request; a caller that gives
// up fails alone; the number of requests is bounded, per host.
func TestShared(t *testing.T) {
	var hits, most atomic.Int64
	gate := make(chan struct{})
	s, c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		n := hits.Add(1)
		defer hits.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-gate
	}, "127.0.0.1")
	hasty, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), s.URL+"/same"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() { _, _ = c.Get(hasty, s.URL+"/same") })
	cancel()
	for i := range 20 {
		wg.Go(func() {
			if _, err := c.Post(t.Context(), s.URL+"/post", "text/plain", []byte{byte(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for most.Load() < hostSlots {
		time.Sleep(time.Millisecond) // until the host's places are taken
	}
	close(gate)
	wg.Wait()
	if most.Load() > hostSlots {
		t.Errorf("%d requests at once to one host", most.Load())
	}
	if len(c.hosts) != 0 || len(c.calls) != 0 || len(c.slots) != 0 {
		t.Error("something is held after the last request")
	}
}

// FuzzAddress: no address gets past the guard to a listener on this machine, and
// none makes it panic (O1).
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://127.0.0.1/", "https://0x7f.1/", "https://[::1]/", "https://a@b/", "https://localhost:1/", "http://x", "https://127.0.0.1%2f/", "https://①②⑦.0.0.1/"} {
		f.Add(s)
	}
	c, err := New(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	c.limit = time.Millisecond
	f.Fuzz(func(t *testing.T, address string) {
		if keystone.OutboundURLProblem(address) == "" && !strings.HasPrefix(strings.ToLower(address), "https://") {
			t.Errorf("%q is not https", address)
		}
		if _, err := c.Get(t.Context(), address); err == nil {
			t.Errorf("%q was fetched", address)
		}
	})
}
