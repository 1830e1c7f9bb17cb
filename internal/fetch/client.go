package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
)

// Bounds of what is fetched.
const (
	maxTime   = 5 * time.Second // from the first byte out to the last byte in, waiting for a slot included
	maxBody   = 1 << 20
	maxHeader = 64 << 10
	slots     = 32 // requests at the same time
	hostSlots = 4  // of them to one host: one that is slow must not hold all
)

// Options are what a Client needs.
type Options struct {
	// Allow lists host names, addresses and networks (CIDR) that may be reached
	// though they are not public.
	Allow []string
	// CAFile is a PEM file of certificate authorities that are trusted besides
	// those of the system; empty: none.
	CAFile string
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog's default
	// Observe is told the result of every request that was made or refused: "ok",
	// "failed" or "blocked". nil: nobody is.
	Observe func(result string)
}

// Client makes guarded requests. It is safe for concurrent use.
type Client struct {
	o     Options
	allow allowed
	http  http.Client
	limit time.Duration // maxTime, but in tests

	slots chan struct{}
	mu    sync.Mutex
	hosts map[string]*hostSlot
	calls map[string]*call // GETs in flight, by address
	docs  cache.Cache[string, kept]
	fails cache.Cache[string, time.Time]
}

// New returns a client. It fails where the allow-list or the CA file cannot be
// read.
func New(o Options) (*Client, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Observe == nil {
		o.Observe = func(string) {}
	}
	c := &Client{o: o, limit: maxTime, slots: make(chan struct{}, slots), hosts: map[string]*hostSlot{}, calls: map[string]*call{}}
	var err error
	if c.allow, err = parseAllowed(o.Allow); err != nil {
		return nil, err
	}
	roots, err := authorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	c.http = http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.docs, c.fails = newCaches()
	return c, nil
}

// authorities are those of the system and of the file.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("fetch: OUTBOUND_CA_FILE: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("fetch: OUTBOUND_CA_FILE %s holds no certificate in PEM", file)
	}
	return pool, nil
}

// ErrFetch is the whole of what whoever asked may learn about a failed request:
// a text that told refused from closed from slow would be a port scanner.
var ErrFetch = keystone.Fail(keystone.Invalid, "The address could not be fetched: it must be https on a public host, answer 200 within 5 seconds, and stay below 1 MiB.")

// Post sends a body and returns the status of the answer, whatever it is. The
// answer's body is not read. The error is ErrFetch or that of ctx.
func (c *Client) Post(ctx context.Context, address, contentType string, body []byte) (status int, err error) {
	return c.PostBearer(ctx, address, contentType, "", body)
}

// PostBearer is Post with a bearer value (RFC 6750 section 2.1) by which the
// receiver knows who sends; empty: none.
func (c *Client) PostBearer(ctx context.Context, address, contentType, bearer string, body []byte) (status int, err error) {
	if len(body) > maxBody {
		return 0, ErrFetch
	}
	header := http.Header{"Content-Type": {contentType}}
	if bearer != "" {
		header.Set("Authorization", "Bearer "+bearer)
	}
	_, status, err = c.request(ctx, http.MethodPost, address, header, body)
	return status, err
}

// request makes one request, with header or, where that is nil, with none of its
// own. For GET it reads the answer.
func (c *Client) request(ctx context.Context, method, address string, header http.Header, body []byte) (d Document, status int, err error) {
	if problem := keystone.OutboundURLProblem(address); problem != "" {
		c.o.Observe("blocked")
		return d, 0, ErrFetch
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return d, 0, ErrFetch
	}
	req.URL.Fragment = ""
	if header != nil {
		req.Header = header
	}
	req.Header.Set("User-Agent", "Keystone")
	release, err := c.slot(ctx, folded(req.URL.Host))
	if err != nil {
		return d, 0, c.failed(ctx, req.URL, "failed", err)
	}
	defer release()
	resp, err := c.http.Do(req)
	if errors.Is(err, errNotPublic) {
		return d, 0, c.failed(ctx, req.URL, "blocked", err)
	}
	if err != nil {
		return d, 0, c.failed(ctx, req.URL, "failed", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if method == http.MethodPost {
		c.o.Observe("ok")
		return d, resp.StatusCode, nil
	}
	if resp.StatusCode != http.StatusOK {
		return d, 0, c.failed(ctx, req.URL, "failed", fmt.Errorf("status %d", resp.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(text) > maxBody {
		err = errors.New("larger than 1 MiB")
	}
	if err != nil {
		return d, 0, c.failed(ctx, req.URL, "failed", err)
	}
	c.o.Observe("ok")
	return Document{Body: text, ContentType: resp.Header.Get("Content-Type"), FetchedAt: c.o.Now(), MaxAge: maxAge(resp.Header)}, resp.StatusCode, nil
}

// failed tells the log why, and the caller that.
func (c *Client) failed(ctx context.Context, u *url.URL, result string, err error) error {
	c.o.Observe(result)
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the address: its path and query may be secret
	}
	c.o.Log.LogAttrs(ctx, slog.LevelWarn, "outbound request failed", slog.String("host", u.Host), slog.String("error", err.Error()))
	return ErrFetch
}

// hostSlot counts the requests to one host, and who waits for them.
type hostSlot struct {
	free  chan struct{}
	users int
}

// slot waits for a place among the requests to the host and among all. release
// gives it back.
func (c *Client) slot(ctx context.Context, host string) (release func(), err error) {
	c.mu.Lock()
	h := c.hosts[host]
	if h == nil {
		h = &hostSlot{free: make(chan struct{}, hostSlots)}
		c.hosts[host] = h
	}
	h.users++
	c.mu.Unlock()
	leave := func() {
		c.mu.Lock()
		if h.users--; h.users == 0 {
			delete(c.hosts, host)
		}
		c.mu.Unlock()
	}
	for i, queue := range []chan struct{}{h.free, c.slots} {
		select {
		case queue <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-h.free
			}
			leave()
			return nil, ctx.Err()
		}
	}
	return func() { <-c.slots; <-h.free; leave() }, nil
}
