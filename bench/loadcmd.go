package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/bench/load"
)

// loadCommand loads a server that runs already. What is secret comes from the
// environment, so that it does not stand in the list of processes.
func loadCommand(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("bench load", flag.ContinueOnError)
	var (
		base   = f.String("url", "http://127.0.0.1:8000", "the server, on loopback")
		op     = f.String("op", "client_credentials", "client_credentials, login, refresh, introspect, users/me")
		conns  = f.Int("c", 16, "connections; refresh and login use the one user of -username for all")
		d      = f.Duration("t", 10*time.Second, "how long, at most 10 minutes")
		most   = f.Int("n", 0, "most requests; 0: as many as the time allows")
		client = f.String("client-id", "", "client_credentials, introspect; its secret is in BENCH_CLIENT_SECRET")
		scope  = f.String("scope", "", "client_credentials: the scopes to ask for")
		user   = f.String("username", "", "login, refresh, users/me; the password is in BENCH_PASSWORD")
	)
	if err := f.Parse(args); err != nil {
		return err
	}
	u, err := url.Parse(*base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return errors.New("-url is http://127.0.0.1:PORT")
	}
	addr, err := load.Loopback(u.Host)
	if err != nil {
		return err
	}
	l := loader{addr: addr, conns: *conns, client: credentials{*client, os.Getenv("BENCH_CLIENT_SECRET")}, scope: *scope, user: *user, password: os.Getenv("BENCH_PASSWORD")}
	plan, err := l.plan(ctx, *op)
	if err != nil {
		return err
	}
	plan.Addr, plan.Conns, plan.For, plan.Most = addr, *conns, *d, *most
	r, err := load.Run(ctx, plan)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d requests in %.1f s, %.0f/s, p50 %.2f ms, p99 %.2f ms, longest %.2f ms, %d errors\n",
		*op, r.Count(), r.Elapsed.Seconds(), r.Rate(), milliseconds(r.Quantile(0.5)), milliseconds(r.Quantile(0.99)), milliseconds(r.Max()), r.Errors)
	if r.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %w", r.Errors, r.First)
	}
	return err
}

// loader makes the plan of one operation from credentials.
type loader struct {
	addr           string
	conns          int
	client         credentials
	scope          string
	user, password string
}

func (l loader) plan(ctx context.Context, op string) (load.Plan, error) {
	service := url.Values{"grant_type": {"client_credentials"}}
	if l.scope != "" {
		service.Set("scope", l.scope)
	}
	token := appendForm(nil, "/oauth2/token", l.client.basic(), []byte(service.Encode()))
	b := &bench{}
	switch op {
	case "client_credentials":
		return load.Plan{Next: constant(token), Check: has("access_token")}, nil
	case "introspect":
		body, err := b.ask(ctx, l.addr, token)
		return load.Plan{Next: constant(appendForm(nil, "/oauth2/introspect", l.client.basic(), append([]byte("token="), value(body, "access_token")...))), Check: has(`"active":true`)}, err
	case "login":
		request, err := l.login()
		return load.Plan{Next: constant(request), Check: has("access_token")}, err
	case "users/me":
		request, err := l.login()
		if err != nil {
			return load.Plan{}, err
		}
		body, err := b.ask(ctx, l.addr, request)
		return load.Plan{Next: constant(appendGet(nil, "/api/v1/users/me", "Bearer "+string(value(body, "access_token")))), Check: has(`"username"`)}, err
	case "refresh":
		request, err := l.login()
		if err != nil {
			return load.Plan{}, err
		}
		c := newChains(l.conns, "/oauth2/token", "", "grant_type=refresh_token&client_id="+keystone.FirstPartyClientID)
		for i := range c.each {
			body, err := b.ask(ctx, l.addr, request)
			if err == nil {
				err = c.take(&c.each[i], value(body, "refresh_token"))
			}
			if err != nil {
				return load.Plan{}, err
			}
		}
		return c.plan(), nil
	}
	return load.Plan{}, fmt.Errorf("there is no operation %q", op)
}

func (l loader) login() ([]byte, error) {
	doc, err := json.Marshal(map[string]string{"username": l.user, "password": l.password})
	return appendJSON(nil, "/api/v1/auth/login", doc), err
}
