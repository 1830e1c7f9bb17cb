package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// turn is one run of a row: the yardstick, the row, the bare endpoint, within
// seconds.
type turn struct {
	shot
	yard
	limit float64 // of today; 0: none
	bare  float64 // what the bare endpoint gave; 0: none
}

func (t turn) ratio() float64 {
	if t.limit == 0 {
		return t.Rate()
	}
	return t.Rate() / t.limit
}

// How long one run of a row takes.
const (
	warm   = 500 * time.Millisecond
	counts = 2 * time.Second
)

// rate measures a row of requests: three turns, the median counts, and any
// error fails it. plan is called for each turn.
func (b *bench) rate(ctx context.Context, r row, on *server, plan func(turn int) (load.Plan, error)) error {
	turns := make([]turn, 0, b.mode.runs)
	for i := range b.mode.runs {
		p, err := plan(i)
		if err != nil {
			return err
		}
		t, err := b.turn(ctx, r, on, p, i == 0)
		if err != nil {
			return err
		}
		turns = append(turns, t)
	}
	b.add(lineOf(r, median(turns, turn.ratio)))
	return nil
}

func (b *bench) turn(ctx context.Context, r row, on *server, p load.Plan, profiled bool) (t turn, err error) {
	if r.by != nil {
		if t.yard, err = r.by(ctx, b); err != nil {
			return t, err
		}
		t.limit = r.limit * t.speed
	}
	p.Addr, p.Conns = on.addr, r.conns
	if p.For == 0 {
		p.Warm, p.For = warm, counts
	}
	shoot := func() error {
		t.shot, err = b.shoot(ctx, on.pid, p)
		return err
	}
	if profiled {
		err = b.profile(ctx, on, r.name, shoot)
	} else {
		err = shoot()
	}
	if err == nil {
		err = t.failed()
	}
	if err == nil && r.bare != "" {
		t.bare, err = b.bareRate(ctx, r)
	}
	return t, err
}

// bareRate loads the bare endpoint as the row loads Keystone.
func (b *bench) bareRate(ctx context.Context, r row) (float64, error) {
	p, err := b.barePlan(ctx, r)
	if err != nil {
		return 0, err
	}
	p.Addr, p.Conns, p.Warm, p.For = b.limits.addr, r.conns, 200*time.Millisecond, 1200*time.Millisecond
	s, err := b.shoot(ctx, b.limits.pid, p)
	if err == nil {
		err = s.failed()
	}
	if err != nil {
		return 0, fmt.Errorf("bare %s: %w", r.bare, err)
	}
	return s.Rate(), nil
}

func (b *bench) barePlan(ctx context.Context, r row) (load.Plan, error) {
	auth := basic(limits.ClientID, limits.ClientSecret)
	service := []byte("grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite")
	switch r.bare {
	case "/refresh":
		c := newChains(r.conns, r.bare, auth, "grant_type=refresh_token")
		return c.plan(), b.startBareChains(ctx, c)
	case "/introspect", "/introspect-seen", "/revoke":
		return load.Plan{Check: has("{"), Next: func(conn int, out []byte) ([]byte, bool) {
			i := int(b.bareTokens.Add(1)) % limits.Tokens
			if strings.HasSuffix(r.bare, "-seen") {
				i = conn
			}
			return appendForm(out, r.bare, auth, append([]byte("token="), limits.KnownToken(i)...)), true
		}}, nil
	case "/me", "/me-seen":
		body, err := b.ask(ctx, b.limits.addr, appendForm(nil, "/es256", auth, service))
		return load.Plan{Next: constant(appendGet(nil, r.bare, "Bearer "+string(value(body, "access_token"))))}, err
	}
	return load.Plan{Next: constant(appendForm(nil, r.bare, auth, service)), Check: has("access_token")}, nil
}

// ask sends one request and returns the body of a 200.
func (b *bench) ask(ctx context.Context, addr string, request []byte) ([]byte, error) {
	c, err := load.Dial(ctx, addr, time.Now().Add(20*time.Second))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	status, body, _, err := c.Do(request)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %.300s", status, body)
	}
	return body, err
}
