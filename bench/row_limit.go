package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// bareHTTP measures a bare endpoint by itself.
func bareHTTP(ctx context.Context, b *bench, r row) error {
	request := appendForm(nil, r.bare, basic(limits.ClientID, limits.ClientSecret), serviceForm)
	if r.bare == "/empty" {
		request = appendGet(nil, r.bare, "")
	}
	s, err := b.shoot(ctx, b.limits.pid, load.Plan{Addr: b.limits.addr, Conns: r.conns, Warm: 200 * time.Millisecond, For: time.Second, Next: constant(request)})
	if err == nil {
		err = s.failed()
	}
	if err != nil {
		return err
	}
	r.bare = ""
	b.add(lineOf(r, turn{shot: s}))
	return nil
}

// bareWork measures what is bare and not HTTP, in a process of its own.
func bareWork(name string, args ...string) func(context.Context, *bench, row) error {
	return func(ctx context.Context, b *bench, r row) error {
		switch name {
		case "rotate", "insert":
			args = append(args, "-postgres", b.limitsURL)
		case "lite":
			args = append(args, "-sqlite", filepath.Join(b.dir, "limits.db"))
		case "hash", "own-hash":
			args = append(args, "-workers", strconv.Itoa(b.slots))
		}
		rate, err := b.limit(ctx, name, append(args, "-for", b.mode.scale(time.Second).String())...)
		if err != nil {
			return err
		}
		b.facts = append(b.facts, fact{name: r.name, measured: fmt.Sprintf("%s/s", thousands(rate)), target: "–", held: "–"})
		return nil
	}
}
