package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// turn is one run of a row: the yardstick, the row and the bare endpoint in
// short slices one after the other, so that all three meet the same seconds.
type turn struct {
	shot
	yard
	limit float64 // of today; 0: none
	bare  shot    // the bare endpoint; empty: none
}

// judge is the rate that a target is a share of: what the bare endpoint gave in
// the same seconds, where the row has one. It is the prototype of the published
// limit run again; the limit that a yardstick carries to today knows nothing of
// a machine whose signatures, sockets and disks have not all changed alike.
func (t turn) judge() float64 {
	if t.bare.Count() > 0 {
		return t.bare.Rate()
	}
	return t.limit
}

func (t turn) ratio() float64 {
	if t.judge() == 0 {
		return t.Rate()
	}
	return t.Rate() / t.judge()
}

// How long one run of a row takes.
const (
	rounds = 4
	warm   = 150 * time.Millisecond  // of each slice of time
	counts = 1500 * time.Millisecond // of all slices together
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
		p.Addr, p.Conns = on.addr, r.conns
		if p.For == 0 {
			p.For = counts
		}
		var t turn
		run := func() error { t, err = b.turn(ctx, r, on, p); return err }
		if i == 0 {
			err = b.profile(ctx, on, r.name, run)
		} else {
			err = run()
		}
		if err != nil {
			return err
		}
		turns = append(turns, t)
	}
	b.add(lineOf(r, median(turns, turn.ratio)))
	return nil
}

func (b *bench) turn(ctx context.Context, r row, on *server, p load.Plan) (t turn, err error) {
	bare := load.Plan{}
	if r.bare != "" {
		if bare, err = b.barePlan(ctx, r); err != nil {
			return t, fmt.Errorf("bare %s: %w", r.bare, err)
		}
		bare.Addr, bare.Conns, bare.Warm, bare.For = b.limits.addr, r.conns, warm, counts/2/rounds
	}
	p.Warm, p.For = warm, p.For/rounds
	for range rounds {
		if r.by != nil {
			y, err := r.by(ctx, b)
			if err != nil {
				return t, err
			}
			t.speed += y.speed / rounds
			t.work += y.work / rounds
		}
		s, err := b.shoot(ctx, on.pid, p)
		if err != nil {
			return t, err
		}
		t.shot.merge(s)
		if r.bare != "" {
			s, err := b.shoot(ctx, b.limits.pid, bare)
			if err == nil {
				err = s.failed()
			}
			if err != nil {
				return t, fmt.Errorf("bare %s: %w", r.bare, err)
			}
			t.bare.merge(s)
		}
	}
	t.limit = r.limit * t.speed
	return t, t.failed()
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
