package server

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// lateBoth returns both ends of a connection, the first with late deadlines.
func lateBoth(t *testing.T) (*lateConn, net.Conn) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return &lateConn{Conn: ours}, theirs
}

// Deadlines hold as net.Conn has them, whichever way they are moved.
func TestLateDeadlines(t *testing.T) {
	const short, long = 20 * time.Millisecond, 80 * time.Millisecond
	for name, test := range map[string]struct {
		first, then time.Duration // 0: none
		least, most time.Duration // 0: it does not end by itself
	}{
		"as set":       {first: short, then: short, least: short, most: long},
		"further away": {first: short, then: long, least: long, most: time.Minute},
		"nearer":       {first: time.Hour, then: short, least: short, most: time.Minute},
		"passed":       {first: time.Hour, then: -time.Hour, most: time.Minute},
		"taken away":   {first: short, then: 0},
		"from none":    {first: 0, then: short, least: short, most: time.Minute},
	} {
		for way, act := range map[string]func(*lateConn) error{
			"read":  func(c *lateConn) error { _, err := c.Read(make([]byte, 1)); return err },
			"write": func(c *lateConn) error { _, err := c.Write([]byte("x")); return err },
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				c, other := lateBoth(t)
				began := time.Now()
				for _, d := range []time.Duration{test.first, test.then} {
					at := time.Time{}
					if d != 0 {
						at = began.Add(d)
					}
					if err := c.SetDeadline(at); err != nil {
						t.Fatal(err)
					}
				}
				if test.most == 0 { // the other end ends it
					time.AfterFunc(long, func() { _ = other.Close() })
					if err := act(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) < long {
						t.Errorf("%v after %v", err, time.Since(began))
					}
					return
				}
				err := act(c)
				if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < test.least || took > test.most {
					t.Errorf("%v after %v, want a timeout after %v", err, took, test.least)
				}
			})
		}
	}
}

// What waits already is told of a deadline too: net/http ends its watching read so
// before it answers, and would else wait for ever.
func TestLateDeadlineEndsRead(t *testing.T) {
	for range 2000 {
		c, _ := lateBoth(t)
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Microsecond)); err != nil { // passes at about the same time
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the read goes on")
		}
	}
}

// A write that was cut by a deadline that is no longer wanted goes on where it was.
func TestLateWriteGoesOn(t *testing.T) {
	c, other := lateBoth(t)
	now := time.Now()
	if err := errors.Join(c.SetWriteDeadline(now.Add(20*time.Millisecond)), c.SetWriteDeadline(now.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		first := make([]byte, 3)
		_, _ = io.ReadFull(other, first)
		time.Sleep(60 * time.Millisecond) // the first deadline passes while the rest waits
		rest, _ := io.ReadAll(other)
		got <- string(first) + string(rest)
	}()
	n, err := c.Write([]byte("abcdefgh"))
	_ = c.Close()
	if text := <-got; n != 8 || err != nil || text != "abcdefgh" {
		t.Errorf("%d written, %v; %q read", n, err, text)
	}
}
