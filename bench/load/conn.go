package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is one kept-alive HTTP/1.1 connection. It is not safe for concurrent
// use.
type Conn struct {
	addr string
	net  net.Conn
	read *bufio.Reader
	body []byte
	to   []byte // Location
}

// maxBody is the longest response body that is read.
const maxBody = 4 << 20

var (
	contentLength = []byte("content-length")
	encoding      = []byte("transfer-encoding")
	connection    = []byte("connection")
	location      = []byte("location")
)

// Dial connects to a loopback address. Everything on the connection must be
// done by the deadline.
func Dial(ctx context.Context, hostPort string, deadline time.Time) (*Conn, error) {
	addr, err := Loopback(hostPort)
	if err != nil {
		return nil, err
	}
	c := &Conn{addr: addr, read: bufio.NewReaderSize(nil, 16<<10)}
	return c, c.dial(ctx, deadline)
}

func (c *Conn) dial(ctx context.Context, deadline time.Time) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		_ = conn.Close()
		return fmt.Errorf("load: %w", err)
	}
	c.net = conn
	c.read.Reset(conn)
	return nil
}

// Close closes the connection.
func (c *Conn) Close() { _ = c.net.Close() }

// Do sends one whole request and reads the response. The body, of a redirect
// where it leads to, is valid until the next call. Where the server ends the connection after it, closed is true
// and the next call needs a new one.
func (c *Conn) Do(request []byte) (status int, body []byte, closed bool, err error) {
	if _, err := c.net.Write(request); err != nil {
		return 0, nil, true, err
	}
	for { // 100 Continue and other interim responses come before the final one
		if status, body, closed, err = c.response(); err != nil || status >= 200 {
			return status, body, closed, err
		}
	}
}

func (c *Conn) response() (status int, body []byte, closed bool, err error) {
	line, err := c.read.ReadSlice('\n')
	if err != nil {
		return 0, nil, true, err
	}
	// HTTP/1.1 200 OK
	if len(line) < 13 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return 0, nil, true, errors.New("load: not an HTTP/1.1 status line")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, true, errors.New("load: not an HTTP status")
	}
	c.to = c.to[:0]
	length, chunked, closed, err := c.header()
	if err != nil {
		return status, nil, true, err
	}
	c.body = c.body[:0]
	switch {
	case status < 200 || status == 204 || status == 304:
	case chunked:
		err = c.chunks()
	case length >= 0:
		err = c.readBody(length)
	default: // until the connection ends
		closed = true
		c.body, err = io.ReadAll(io.LimitReader(c.read, maxBody))
	}
	if len(c.to) > 0 {
		return status, c.to, closed || err != nil, err
	}
	return status, c.body, closed || err != nil, err
}

// header reads the header section. Only four fields matter here.
func (c *Conn) header() (length int, chunked, closed bool, err error) {
	length = -1
	for {
		line, err := c.read.ReadSlice('\n')
		if err != nil {
			return 0, false, true, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, closed, nil
		}
		switch line[0] | 0x20 {
		case 'c':
			if value, ok := field(line, contentLength); ok {
				if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxBody {
					return 0, false, true, errors.New("load: Content-Length out of bounds")
				}
			} else if value, ok := field(line, connection); ok {
				closed = bytes.EqualFold(value, []byte("close"))
			}
		case 'l':
			if value, ok := field(line, location); ok {
				c.to = append(c.to, value...)
			}
		case 't':
			if value, ok := field(line, encoding); ok {
				chunked = bytes.EqualFold(value, []byte("chunked"))
			}
		}
	}
}

// field returns the value where the line is the named header field.
func field(line, name []byte) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

func (c *Conn) readBody(n int) error {
	if len(c.body)+n > maxBody {
		return errors.New("load: response body too long")
	}
	at := len(c.body)
	if need := at + n; need > cap(c.body) {
		grown := make([]byte, at, need*2)
		copy(grown, c.body)
		c.body = grown
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.read, c.body[at:])
	return err
}

// chunks reads a body in chunks (RFC 9112 section 7.1).
func (c *Conn) chunks() error {
	for {
		line, err := c.read.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseUint(string(size), 16, 31)
		if err != nil {
			return errors.New("load: not a chunk")
		}
		if n == 0 {
			break
		}
		if err := c.readBody(int(n)); err != nil {
			return err
		}
		if _, err := c.read.Discard(2); err != nil {
			return err
		}
	}
	for { // trailers
		line, err := c.read.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
	}
}
