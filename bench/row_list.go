package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone/bench/load"
)

const lastPage = 10_000

// bearer gets an access token that may read users.
func (b *bench) bearer(ctx context.Context, in *installation) (string, error) {
	body, err := b.ask(ctx, in.server.addr, appendForm(nil, "/oauth2/token", in.reader.basic(), []byte("grant_type=client_credentials")))
	return "Bearer " + string(value(body, "access_token")), err
}

// listPages walks to page 10,000 as a client would, then compares it with page
// 1, in turns.
func listPages(ctx context.Context, b *bench, r row) error {
	in, err := b.peopled(ctx, r)
	if err != nil {
		return err
	}
	auth, err := b.bearer(ctx, in)
	if err != nil {
		return err
	}
	size := strconv.Itoa(min(b.mode.users/lastPage, 200))
	path := "/api/v1/users?limit=" + size
	conn, err := load.Dial(ctx, in.server.addr, time.Now().Add(5*time.Minute))
	if err != nil {
		return err
	}
	defer conn.Close()
	cursor := ""
	for page := 1; page < lastPage; page++ {
		status, body, _, err := conn.Do(appendGet(nil, path+cursor, auth))
		next := value(body, "next_cursor")
		if err != nil || status != 200 || next == nil {
			return fmt.Errorf("page %d of the users: status %d: %.300s (%w)", page, status, body, err)
		}
		cursor = "&cursor=" + string(next)
	}
	var first, last []time.Duration
	for range 3 * b.mode.runs { // in turns, so that both meet the same minute
		for _, page := range []struct {
			path string
			to   *[]time.Duration
		}{{path, &first}, {path + cursor, &last}} {
			s, err := b.shoot(ctx, in.server.pid, load.Plan{Addr: in.server.addr, Conns: 1, Warm: 50 * time.Millisecond, For: 300 * time.Millisecond,
				Next: constant(appendGet(nil, page.path, auth)), Check: has(`"items"`)})
			if err == nil {
				err = s.failed()
			}
			if err != nil {
				return err
			}
			*page.to = append(*page.to, s.Quantile(0.5))
		}
	}
	same := func(d time.Duration) time.Duration { return d }
	one, far := median(first, same), median(last, same)
	f := fact{name: r.name, target: "within 2 × of each other"}
	f.measured = fmt.Sprintf("%.2f ms and %.2f ms (%s users, %s a page)", milliseconds(one), milliseconds(far), thousands(float64(b.mode.users)), size)
	f.judge(far <= 2*one && one <= 2*far)
	b.facts = append(b.facts, f)
	return nil
}

// search looks for users by prefixes of one to eight letters of names and
// addresses that are there.
func search(ctx context.Context, b *bench, r row) error {
	in, err := b.peopled(ctx, r)
	if err != nil {
		return err
	}
	auth, err := b.bearer(ctx, in)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, func(int) (load.Plan, error) {
		asked := make([]int, r.conns)
		return load.Plan{Check: has(`"id"`), Next: func(conn int, out []byte) ([]byte, bool) {
			i := asked[conn]*r.conns + conn
			asked[conn]++
			name := in.crowd.names[i*7919%len(in.crowd.names)]
			return appendGet(out, "/api/v1/users?limit=50&q="+name[:1+i%8], auth), true
		}}, nil
	})
}
