package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// lateListener accepts connections whose deadlines are late ones.
type lateListener struct{ net.Listener }

func (l lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lateConn{Conn: c}, nil
}

// lateConn sets the deadlines of a connection only where it must. net/http moves
// them eight times in a request, nearly always further away, which costs as much as
// all limits and checks of a request. What is further away is remembered, and set when
// the nearer one has passed.
type lateConn struct {
	net.Conn
	read, write lateDeadline
}

// lateDeadline is a deadline as it is wanted, and as it is set: never later.
// The zero time is none.
type lateDeadline struct {
	mu          sync.Mutex
	wanted, set time.Time
}

// want remembers a deadline, and sets it where it comes before the one that is set.
func (d *lateDeadline) want(t time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if t.IsZero() || !d.set.IsZero() && !t.Before(d.set) {
		return nil
	}
	d.set = t
	return set(t)
}

// passed reports whether a timeout is one that is wanted; else it sets what is.
func (d *lateDeadline) passed(err error, set func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.set.Equal(d.wanted) || !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return true
	}
	d.set = d.wanted
	return set(d.set) != nil
}

// Read goes on where the deadline that passed is no longer wanted.
func (c *lateConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err == nil || n > 0 || c.read.passed(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// Write goes on where the deadline that passed is no longer wanted.
func (c *lateConn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if err == nil || c.write.passed(err, c.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}

// SetReadDeadline is that of net.Conn.
func (c *lateConn) SetReadDeadline(t time.Time) error {
	return c.read.want(t, c.Conn.SetReadDeadline)
}

// SetWriteDeadline is that of net.Conn.
func (c *lateConn) SetWriteDeadline(t time.Time) error {
	return c.write.want(t, c.Conn.SetWriteDeadline)
}

// SetDeadline is that of net.Conn.
func (c *lateConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite is that of a TCP connection: net/http ends one so where the caller still
// sends, that its answer is not lost.
func (c *lateConn) CloseWrite() error {
	if tcp, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return tcp.CloseWrite()
	}
	return nil
}
