package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone/bench/load"
	"github.com/keystone-auth/keystone/bench/proc"
)

// signIns signs people in, one for each connection: the count of failures that
// slows guessing down belongs to an account, and sign-ins under way count.
func signIns(in *installation, conns int) load.Plan {
	requests := make([][]byte, conns)
	for i := range requests {
		requests[i] = appendJSON(nil, "/api/v1/auth/login", in.loginBody(i))
	}
	return load.Plan{Next: ownOf(requests), Check: has(`"refresh_token"`)}
}

func signIn(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, func(int) (load.Plan, error) {
		p := signIns(in, r.conns)
		p.For = 2 * counts // a sign-in takes a hundred times as long as the rest
		return p, nil
	})
}

// storm measures a cheap endpoint alone, then while 32 connections sign in.
func storm(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	cheap := func(d time.Duration) load.Plan {
		return load.Plan{Addr: in.server.addr, Conns: r.conns, Warm: 3 * warm, For: d, Next: constant(serviceRequest(in.service)), Check: has("access_token")}
	}
	turns := make([]turn, 0, b.mode.runs)
	for range b.mode.runs {
		p := signIns(in, 32)
		p.Addr, p.Conns = in.server.addr, 32
		quiet, s, err := b.beside(ctx, in.server.pid, cheap, p)
		if err != nil {
			return err
		}
		turns = append(turns, turn{shot: s, limit: quiet.Rate()})
	}
	b.add(lineOf(r, median(turns, turn.ratio)))
	return nil
}

// beside measures a cheap endpoint alone, then while another load runs.
func (b *bench) beside(ctx context.Context, pid int, cheap func(time.Duration) load.Plan, other load.Plan) (quiet, during shot, err error) {
	quiet, err = b.shoot(ctx, pid, cheap(counts))
	if err == nil {
		err = quiet.failed()
	}
	if err != nil {
		return quiet, during, err
	}
	other.Warm, other.For = b.mode.scale(3*warm), b.mode.scale(2*counts)
	ended := make(chan error, 1)
	go func() {
		r, err := load.Run(ctx, other)
		if err == nil && r.Errors > 0 {
			err = fmt.Errorf("the load beside it: %d errors, the first: %w", r.Errors, r.First)
		}
		ended <- err
	}()
	during, err = b.shoot(ctx, pid, cheap(2*counts-warm))
	if otherErr := <-ended; err == nil {
		err = otherErr
	}
	if err == nil {
		err = during.failed()
	}
	return quiet, during, err
}

// memory starts a fresh server, lets it idle, then signs in from 256
// connections at once. More than the queue holds is refused with 503, or 429 for
// an account with too many attempts under way, and must be: that is what bounds
// the memory.
func memory(ctx context.Context, b *bench, r row) error {
	in, err := b.on(ctx, r)
	if err != nil {
		return err
	}
	s, err := b.start(ctx, in.fixture, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	select {
	case <-time.After(b.mode.scale(3 * time.Second)):
	case <-ctx.Done():
		return ctx.Err()
	}
	idle, err := proc.ReadMemory(s.pid)
	if err != nil {
		return err
	}
	p := signIns(in, mostPeople)
	p.Addr, p.Conns, p.For = s.addr, mostPeople, 6*time.Second
	var all, full, limited atomic.Int64
	check := p.Check
	p.Check = func(conn, status int, body []byte) error {
		all.Add(1) // with those of the warm-up, whose refusals are counted too
		switch status {
		case 503:
			full.Add(1)
		case 429:
			limited.Add(1)
		default:
			return check(conn, status, body)
		}
		return nil
	}
	shot, err := b.shoot(ctx, s.pid, p)
	if err == nil {
		err = shot.failed()
	}
	if err != nil {
		return err
	}
	after, err := proc.ReadMemory(s.pid)
	if err != nil {
		return err
	}
	const mib = 1 << 20
	most := idle.Now + int64(b.slots)*19*mib + 48*mib
	where := r.name[len("memory, idle and in a storm of 256 sign-ins, "):]
	f := fact{name: "memory, idle, " + where, measured: mebibytes(idle.Now), target: "≤ 40 MiB"}
	f.judge(idle.Now <= 40*mib)
	g := fact{name: "memory, most in a storm of 256 sign-ins, " + where, measured: fmt.Sprintf("%s (of %d attempts %d refused with 503, %d with 429)", mebibytes(after.Peak), all.Load(), full.Load(), limited.Load()), target: fmt.Sprintf("≤ %s (idle + %d slots × 19 MiB + 48 MiB)", mebibytes(most), b.slots)}
	g.judge(after.Peak <= most)
	b.facts = append(b.facts, f, g)
	return nil
}
