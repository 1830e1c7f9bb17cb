package main

import (
	"context"
	"net"
	"net/url"
	"time"
)

// redis checks that something takes connections where REDIS_URL points. It is a
// warning only: without Redis, limits are counted by each node alone.
func (d *doctor) redis(ctx context.Context) {
	if !d.cfg.RedisURL.IsSet() {
		return
	}
	u, err := url.Parse(d.cfg.RedisURL.Reveal())
	if err != nil {
		d.fail("redis", "REDIS_URL cannot be read: write redis://host:6379/0")
		return
	}
	network, addr := "tcp", u.Host
	switch {
	case u.Scheme == "unix":
		network, addr = "unix", u.Path
	case u.Port() == "":
		addr = net.JoinHostPort(u.Hostname(), "6379")
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		d.warn("redis", "Nothing answers at %s: %v. Until it does, each node counts its rate limits alone.", addr, err)
		return
	}
	_ = conn.Close()
	d.ok("redis", "%s takes connections.", addr)
}
