package keystone_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/keystone-auth/keystone/keystonetest"
)

// h2 is a client that may break every rule of HTTP/2.
type h2 struct {
	*http2.Framer
	conn net.Conn
	next uint32
}

func dialH2(t *testing.T, s *keystonetest.Server) *h2 {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // #nosec G402: the test's own server
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c := &h2{Framer: http2.NewFramer(conn, conn), conn: conn, next: 1}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *h2) block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// open begins a request and returns its stream.
func (c *h2) open(end bool, more ...string) (uint32, error) {
	id := c.next
	c.next += 2
	fields := append([]string{":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/oauth2/token"}, more...)
	return id, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block(fields...), EndHeaders: true, EndStream: end})
}

// ended reads until the server has closed the connection, or said that it will,
// or refused as many streams, and counts those.
func (c *h2) ended(enough int) (refused int, goaway, closed bool) {
	for refused < enough {
		frame, err := c.ReadFrame()
		if err != nil { // at the end of our own patience the server has not closed it
			return refused, goaway, !errors.Is(err, os.ErrDeadlineExceeded)
		}
		switch f := frame.(type) {
		case *http2.GoAwayFrame:
			return refused, true, false
		case *http2.RSTStreamFrame:
			if f.ErrCode == http2.ErrCodeRefusedStream {
				refused++
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.WriteSettingsAck()
			}
		}
	}
	return refused, goaway, closed
}

// Q5: what HTTP/2 lets one connection do is bounded, and the others are served
// meanwhile: streams at once, streams that are reset at once (rapid reset), headers
// without end (CONTINUATION), large headers, floods of settings and pings.
func TestAttackQ5_HTTP2(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS())
	healthy := func(when string) {
		t.Helper()
		as(s, "").json(t, "GET", "/health", nil).wants(t, 200, "%s", when)
	}
	healthy("before")
	before := runtime.NumGoroutine()
	var opened []*h2
	dial := func() *h2 {
		c := dialH2(t, s)
		opened = append(opened, c)
		return c
	}

	c := dial()
	for range 1000 {
		if _, err := c.open(false, "content-type", "application/x-www-form-urlencoded", "content-length", "5"); err != nil {
			break
		}
	}
	if n := runtime.NumGoroutine() - before; n > 300 {
		t.Errorf("a thousand streams of one connection: %d goroutines", n)
	}
	healthy("with a thousand streams")
	if refused, goaway, closed := c.ended(700); refused < 700 && !goaway && !closed {
		t.Errorf("a thousand streams: %d refused", refused)
	}

	c = dial()
	for range 5000 {
		id, err := c.open(true)
		if err == nil {
			err = c.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			break // the server has had enough
		}
	}
	healthy("with streams that are reset at once")

	c = dial()
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(":method", "GET", ":scheme", "https", ":authority", "x", ":path", "/health"), EndStream: true}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for range 10_000 { // 120 MB of headers that never end
		if err := c.WriteContinuation(1, false, c.block("x-filler", strings.Repeat("~", 12000))); err != nil {
			break
		}
		sent += 12000
	}
	if sent > 32<<20 {
		t.Errorf("%d bytes of headers were taken", sent)
	}
	healthy("with headers without end")

	c = dial()
	if _, err := c.open(true, "x-large", strings.Repeat("y", 15000), "x-large-2", strings.Repeat("z", 900)); err != nil {
		t.Fatal(err)
	}
	for range 50_000 {
		if c.WriteSettings() != nil || c.WritePing(false, [8]byte{}) != nil {
			break
		}
	}
	healthy("with settings and pings")

	for _, c := range opened {
		_ = c.conn.Close()
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+100 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if n := runtime.NumGoroutine() - before; n > 100 {
		t.Errorf("%d goroutines are left", n)
	}
}
