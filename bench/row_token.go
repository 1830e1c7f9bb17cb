package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/bench/load"
)

// serviceForm asks for a token with two scopes.
var serviceForm = []byte("grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite")

func serviceRequest(c credentials) []byte {
	return appendForm(nil, "/oauth2/token", c.basic(), serviceForm)
}

func servicePlan(c credentials, startsWith string) func(int) (load.Plan, error) {
	return func(int) (load.Plan, error) {
		return load.Plan{Next: constant(serviceRequest(c)), Check: has(`"access_token":"` + startsWith)}, nil
	}
}

func serviceToken(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, servicePlan(in.service, "eyJ"))
}

// serviceTokenRS256 runs a second server with another algorithm on the same
// database.
func serviceTokenRS256(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	s, err := b.start(ctx, in.fixture, map[string]string{"JWT_ALGORITHM": keystone.RS256})
	if err != nil {
		return err
	}
	defer s.stop()
	return b.rate(ctx, r, s, servicePlan(in.service, "eyJ"))
}

func opaqueToken(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, servicePlan(in.opaque, "ks_at_"))
}

// refresh rotates; each turn follows chains of its own.
func refresh(ctx context.Context, b *bench, r row) error {
	in, err := b.on(ctx, r)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, func(int) (load.Plan, error) {
		c, err := b.startChains(ctx, in, r.conns)
		if err != nil {
			return load.Plan{}, err
		}
		return c.plan(), nil
	})
}

// chainsHold follows chains for longer and then tries to use their tokens again.
func chainsHold(ctx context.Context, b *bench, r row) error {
	in, err := b.on(ctx, r)
	if err != nil {
		return err
	}
	c, err := b.startChains(ctx, in, r.conns)
	if err != nil {
		return err
	}
	p := c.plan()
	p.Addr, p.Conns, p.For = in.server.addr, r.conns, b.mode.chains
	s, err := load.Run(ctx, p)
	if err != nil {
		return err
	}
	twice, survived, err := b.reuse(ctx, in.server.addr, c)
	if err != nil {
		return err
	}
	f := fact{name: r.name, target: "0 errors, no token usable twice"}
	f.measured = fmt.Sprintf("%s rotations in %.0f s, %d errors, %d old tokens usable, %d families outlived their reuse", thousands(float64(s.Count())), s.Elapsed.Seconds(), s.Errors, twice, survived)
	f.judge(s.Errors == 0 && twice == 0 && survived == 0)
	b.facts = append(b.facts, f)
	if s.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %w", s.Errors, s.First)
	}
	return nil
}

// introspectOnce asks about many tokens, each once.
func introspectOnce(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	return b.once(ctx, r, in, 60_000, in.opaque.basic(), "/oauth2/introspect", `"active":true`)
}

// introspectSeen asks about one token for each connection, over and over.
func introspectSeen(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	tokens, err := in.addOpaque(ctx, r.conns)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, func(int) (load.Plan, error) {
		requests := make([][]byte, r.conns)
		for i := range requests {
			requests[i] = appendForm(nil, "/oauth2/introspect", in.opaque.basic(), []byte("token="+tokens[i]))
		}
		return load.Plan{Next: ownOf(requests), Check: has(`"active":true`)}, nil
	})
}

// ownOf is a plan's Next that asks each connection's own request.
func ownOf(requests [][]byte) func(int, []byte) ([]byte, bool) {
	return func(conn int, b []byte) ([]byte, bool) { return append(b, requests[conn]...), true }
}

func revokeAccess(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	return b.once(ctx, r, in, 50_000, in.opaque.basic(), "/oauth2/revoke", "")
}

// once posts each of many opaque tokens once; each turn has its own.
func (b *bench) once(ctx context.Context, r row, in *installation, n int, authorization, path, want string) error {
	n = int(float64(n) * b.mode.pace)
	tokens, err := in.addOpaque(ctx, n*b.mode.runs)
	if err != nil {
		return err
	}
	return b.rate(ctx, r, in.server, func(turn int) (load.Plan, error) {
		return load.Plan{Next: b.eachOnce(r.conns, tokens[turn*n:(turn+1)*n], func(out []byte, token string) []byte {
			return appendForm(out, path, authorization, append([]byte("token="), token...))
		}), Check: has(want)}, nil
	})
}

// eachOnce is a plan's Next that deals tokens out to the connections.
func (b *bench) eachOnce(conns int, tokens []string, ask func(out []byte, token string) []byte) func(int, []byte) ([]byte, bool) {
	at := make([]int, conns)
	return func(conn int, out []byte) ([]byte, bool) {
		i := at[conn]*conns + conn
		if i >= len(tokens) {
			return out, false
		}
		at[conn]++
		return ask(out, tokens[i]), true
	}
}

// revokeRefresh ends families, each once.
func revokeRefresh(ctx context.Context, b *bench, r row) error {
	in, err := b.peopled(ctx, r)
	if err != nil {
		return err
	}
	tokens, err := in.addRefreshTokens(ctx, in.crowd, b.crowdTokens(in))
	if err != nil {
		return err
	}
	n := len(tokens) / b.mode.runs
	return b.rate(ctx, r, in.server, func(turn int) (load.Plan, error) {
		return load.Plan{Next: b.eachOnce(r.conns, tokens[turn*n:(turn+1)*n], func(out []byte, token string) []byte {
			return appendForm(out, "/oauth2/revoke", "", append([]byte("client_id="+keystone.FirstPartyClientID+"&token="), token...))
		})}, nil
	})
}

// crowdTokens is how many users of the crowd get a token: enough for a machine
// that answers 15,000 a second in each turn, as far as the crowd reaches.
func (b *bench) crowdTokens(in *installation) int {
	return min(int(33_000*b.mode.pace)*b.mode.runs, len(in.crowd.ids))
}

// meOnce reads each of many users once, with a token that was never seen.
func meOnce(ctx context.Context, b *bench, r row) error {
	in, err := b.peopled(ctx, r)
	if err != nil {
		return err
	}
	tokens, err := in.addUserTokens(ctx, in.crowd, b.crowdTokens(in))
	if err != nil {
		return err
	}
	n := len(tokens) / b.mode.runs
	return b.rate(ctx, r, in.server, func(turn int) (load.Plan, error) {
		return load.Plan{Next: b.eachOnce(r.conns, tokens[turn*n:(turn+1)*n], func(out []byte, token string) []byte {
			return appendGet(out, "/api/v1/users/me", "Bearer "+token)
		}), Check: has(`"username"`)}, nil
	})
}

// meSeen reads one user for each connection, over and over.
func meSeen(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	requests := make([][]byte, r.conns)
	for i := range requests {
		body, err := b.ask(ctx, in.server.addr, appendJSON(nil, "/api/v1/auth/login", in.loginBody(i)))
		if err != nil {
			return fmt.Errorf("sign-in: %w", err)
		}
		requests[i] = appendGet(nil, "/api/v1/users/me", "Bearer "+string(bytes.Clone(value(body, "access_token"))))
	}
	return b.rate(ctx, r, in.server, func(int) (load.Plan, error) {
		return load.Plan{Next: ownOf(requests), Check: has(`"username"`)}, nil
	})
}
