package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/bench/load"
)

// chains is one refresh token chain for each connection: every answer's token is
// the next request's.
type chains struct {
	path, authorization, form string
	each                      []chain
	seed                      maphash.Seed
}

type chain struct {
	older, old, now []byte // the newest three tokens
	seen            map[uint64]struct{}
	request         []byte
}

func newChains(n int, path, authorization, form string) *chains {
	c := &chains{path: path, authorization: authorization, form: form, each: make([]chain, n), seed: maphash.MakeSeed()}
	for i := range c.each {
		c.each[i].seen = map[uint64]struct{}{}
	}
	return c
}

var errTwice = errors.New("an answer carries a refresh token that was handed out before")

func (c *chains) plan() load.Plan {
	return load.Plan{
		Next: func(conn int, b []byte) ([]byte, bool) {
			return c.ask(b, &c.each[conn], c.each[conn].now), true
		},
		Check: func(conn, status int, body []byte) error {
			if status != 200 {
				return fmt.Errorf("status %d: %.300s", status, body)
			}
			return c.take(&c.each[conn], value(body, "refresh_token"))
		},
	}
}

// ask appends the request that uses token.
func (c *chains) ask(b []byte, ch *chain, token []byte) []byte {
	ch.request = append(append(append(ch.request[:0], c.form...), "&refresh_token="...), token...)
	return appendForm(b, c.path, c.authorization, ch.request)
}

// take makes token the chain's newest.
func (c *chains) take(ch *chain, token []byte) error {
	if len(token) == 0 {
		return errors.New("an answer carries no refresh token")
	}
	sum := maphash.Bytes(c.seed, token)
	if _, twice := ch.seen[sum]; twice {
		return errTwice
	}
	ch.seen[sum] = struct{}{}
	ch.older, ch.old, ch.now = ch.old, ch.now, append(ch.older[:0], token...)
	return nil
}

// startChains signs one person in for each connection.
func (b *bench) startChains(ctx context.Context, in *installation, n int) (*chains, error) {
	signIn := func(i int, out []byte) []byte {
		return appendJSON(out, "/api/v1/auth/login", in.loginBody(i%len(in.people)))
	}
	return b.begin(ctx, newChains(n, "/oauth2/token", "", "grant_type=refresh_token&client_id="+keystone.FirstPartyClientID), in.server.addr, signIn)
}

// startBareChains does the same on the server of bare limits.
func (b *bench) startBareChains(ctx context.Context, c *chains) error {
	_, err := b.begin(ctx, c, b.limits.addr, func(_ int, out []byte) []byte {
		return appendForm(out, "/refresh-start", c.authorization, []byte("grant_type=start"))
	})
	return err
}

// begin asks once for each chain and takes the refresh tokens of the answers.
func (b *bench) begin(ctx context.Context, c *chains, addr string, first func(i int, out []byte) []byte) (*chains, error) {
	n := len(c.each)
	var next atomic.Int64
	tokens := make(chan []byte, n)
	r, err := load.Run(ctx, load.Plan{Addr: addr, Conns: min(n, 2*b.slots), For: time.Minute, Most: n,
		Next: func(_ int, out []byte) ([]byte, bool) { return first(int(next.Add(1)-1), out), true },
		Check: func(_, status int, body []byte) error {
			token := bytes.Clone(value(body, "refresh_token"))
			if status != 200 || token == nil {
				return fmt.Errorf("start a chain: status %d: %.300s", status, body)
			}
			tokens <- token
			return nil
		},
	})
	if err == nil && r.Errors > 0 {
		err = r.First
	}
	if err != nil {
		return nil, err
	}
	close(tokens)
	i := 0
	for token := range tokens {
		if err := c.take(&c.each[i], token); err != nil {
			return nil, err
		}
		i++
	}
	if i != n {
		return nil, fmt.Errorf("%d of %d chains could be started", i, n)
	}
	return c, nil
}

// reuse uses an old token of every chain, then its newest one, and returns how
// many of each still gave tokens: of an old one that must be none, and since its
// use ends the family (RFC 9700 section 4.14.2), none of the newest either.
func (b *bench) reuse(ctx context.Context, addr string, c *chains) (twice, survived int, err error) {
	conn, err := load.Dial(ctx, addr, time.Now().Add(time.Minute))
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	for i := range c.each {
		ch := &c.each[i]
		if ch.older == nil {
			return 0, 0, errors.New("a chain is too short to reuse a token")
		}
		for _, use := range []struct {
			token []byte
			good  *int
		}{{ch.older, &twice}, {ch.now, &survived}} {
			status, body, _, err := conn.Do(c.ask(nil, ch, use.token))
			switch {
			case err != nil:
				return twice, survived, err
			case status == 200:
				*use.good++
			case status != 400:
				return twice, survived, fmt.Errorf("an old refresh token is answered with status %d: %.300s", status, body)
			}
		}
	}
	return twice, survived, nil
}
