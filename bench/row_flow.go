package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// What a code flow of the bench sends. The verifier is that of the challenge (RFC
// 7636 section 4).
const (
	flowCallback = "https://app.example/cb"
	flowVerifier = "a-verifier-of-forty-three-characters-or-more-0123456789"
)

// flows are people with live sessions who are signed in to an application over and
// over: a request to authorize, which answers with a code, then one for the tokens.
// A flow is two requests.
type flows struct {
	clientID string
	each     []flow
	redeem   string // path of the token endpoint
}

type flow struct {
	cookie string
	code   []byte // empty: the next request asks for one
	form   []byte
}

// startFlows signs one person in for each connection, in the pages.
func (in *installation) startFlows(ctx context.Context, c credentials, n int) (*flows, error) {
	f := &flows{clientID: c.id, each: make([]flow, n), redeem: "/oauth2/token"}
	for i := range f.each {
		cookie, err := in.browserCookie(ctx, f.authorize(), in.people[i%len(in.people)].Username)
		if err != nil {
			return nil, fmt.Errorf("sign in in the browser: %w", err)
		}
		f.each[i].cookie = cookie
	}
	return f, nil
}

func (f *flows) authorize() string {
	return "/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {f.clientID}, "redirect_uri": {flowCallback}, "scope": {"openid profile"}, "state": {"state"}, "nonce": {"nonce"},
		"code_challenge": {challenge(flowVerifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

func (f *flows) plan() load.Plan { return f.planAt(f.authorize()) }

func (f *flows) planAt(path string) load.Plan {
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {f.clientID}, "redirect_uri": {flowCallback}, "code_verifier": {flowVerifier}}.Encode() + "&code="
	return load.Plan{
		Next: func(conn int, b []byte) ([]byte, bool) {
			one := &f.each[conn]
			if len(one.code) == 0 {
				return appendBrowserGet(b, path, one.cookie), true
			}
			one.form = append(append(one.form[:0], form...), one.code...)
			return appendForm(b, f.redeem, "", one.form), true
		},
		Check: func(conn, status int, body []byte) error {
			one := &f.each[conn]
			if len(one.code) > 0 {
				one.code = one.code[:0]
				return has(`"id_token":"eyJ`)(conn, status, body)
			}
			_, code, found := bytes.Cut(body, []byte("code="))
			if status != http.StatusSeeOther || !found {
				return fmt.Errorf("authorize: status %d: %.300s", status, body)
			}
			code, _, _ = bytes.Cut(code, []byte("&"))
			one.code = append(one.code[:0], code...)
			return nil
		},
	}
}

// codeFlow measures complete flows. Its table row counts requests; the fact beside
// it counts flows.
func codeFlow(app func(*fixture) credentials) func(context.Context, *bench, row) error {
	return func(ctx context.Context, b *bench, r row) error {
		in, err := b.on(ctx, r)
		if err != nil {
			return err
		}
		f, err := in.startFlows(ctx, app(in.fixture), r.conns)
		if err != nil {
			return err
		}
		if err := in.settleFlows(ctx, f, b.mode.scale(counts)); err != nil {
			return err
		}
		if err := b.rate(ctx, r, in.server, func(int) (load.Plan, error) { return f.plan(), nil }); err != nil {
			return err
		}
		return b.besideEmpty(ctx, r, b.lines[len(b.lines)-1].Rate())
	}
}

// bareFlow measures what no server of code flows can leave out (limits/flow.go).
func bareFlow(ctx context.Context, b *bench, r row) error {
	f := &flows{clientID: limits.ClientID, each: make([]flow, r.conns), redeem: r.bare}
	plan := f.planAt("/flow?redirect_uri=" + url.QueryEscape(flowCallback))
	plan.Addr, plan.Conns, plan.Warm, plan.For = b.limits.addr, r.conns, warm, b.mode.scale(2*counts)
	s, err := b.shoot(ctx, b.limits.pid, plan)
	if err == nil {
		err = s.failed()
	}
	if err != nil {
		return err
	}
	r.bare = ""
	b.add(lineOf(r, turn{shot: s}))
	return b.besideEmpty(ctx, r, s.Rate())
}

// besideEmpty says which part of an empty handler's requests the requests of flows
// are. A flow is two requests, so a quarter of the empty handler's rate divided by
// two is a quarter of it in requests.
func (b *bench) besideEmpty(ctx context.Context, r row, requests float64) error {
	s, err := b.shoot(ctx, b.limits.pid, load.Plan{Addr: b.limits.addr, Conns: r.conns, Warm: warm, For: b.mode.scale(time.Second), Next: constant(appendGet(nil, "/empty", ""))})
	if err == nil {
		err = s.failed()
	}
	if err != nil {
		return err
	}
	share := requests / s.Rate()
	fa := fact{name: r.name + ", beside an empty handler", target: "≥ 25 %", held: "–",
		measured: fmt.Sprintf("%s flows/s, %.1f %% of the empty handler's %s/s divided by two", thousands(requests/2), 100*share, thousands(s.Rate()))}
	if strings.HasPrefix(r.name, "bare") {
		fa.target = "–"
	} else {
		fa.judge(share >= 0.25)
	}
	b.facts = append(b.facts, fa)
	return nil
}

// settleFlows runs flows for a while, and then lets the planner know the tables
// that they fill: until autovacuum has been there, it takes them for empty.
func (in *installation) settleFlows(ctx context.Context, f *flows, d time.Duration) error {
	plan := f.plan()
	plan.Addr, plan.Conns, plan.For = in.server.addr, len(f.each), d
	r, err := load.Run(ctx, plan)
	if err != nil {
		return err
	}
	if r.Errors > 0 {
		return fmt.Errorf("flows: %d errors, the first: %w", r.Errors, r.First)
	}
	db, err := openBulk(ctx, in.fixture)
	if err != nil {
		return err
	}
	defer db.close(ctx)
	return db.settle(ctx)
}

// flood measures a cheap endpoint alone, then while 32 connections run code flows
// whose ID tokens are signed with RS256: its p99 stays within three times.
func flood(ctx context.Context, b *bench, r row) error {
	in, err := b.pg(ctx)
	if err != nil {
		return err
	}
	f, err := in.startFlows(ctx, in.app, 32)
	if err != nil {
		return err
	}
	other := f.plan()
	other.Addr, other.Conns = in.server.addr, 32
	cheap := func(d time.Duration) load.Plan {
		return load.Plan{Addr: in.server.addr, Conns: r.conns, Warm: 3 * warm, For: d, Next: constant(serviceRequest(in.service)), Check: has("access_token")}
	}
	turns := make([]turn, 0, b.mode.runs)
	quiet := make([]time.Duration, 0, b.mode.runs)
	for range b.mode.runs {
		alone, s, err := b.beside(ctx, in.server.pid, cheap, other)
		if err != nil {
			return err
		}
		turns, quiet = append(turns, turn{shot: s, limit: alone.Rate()}), append(quiet, alone.Quantile(0.99))
	}
	t := median(turns, turn.ratio)
	b.add(lineOf(r, t))
	calm := median(quiet, func(d time.Duration) float64 { return float64(d) })
	fa := fact{name: r.name, target: "p99 within 3 × of its quiet value"}
	fa.measured = fmt.Sprintf("p99 %s alone, %s during it", calm.Round(10*time.Microsecond), t.Quantile(0.99).Round(10*time.Microsecond))
	fa.judge(t.Quantile(0.99) <= 3*calm)
	b.facts = append(b.facts, fa)
	return nil
}

var flowInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// browserCookie signs a person in as their browser would, and returns its Cookie
// header.
func (in *installation) browserCookie(ctx context.Context, authorize, username string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	base := &url.URL{Scheme: "http", Host: in.server.addr, Path: "/"}
	c := &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != base.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, at, err := in.visit(ctx, c, http.MethodGet, base.String()+strings.TrimPrefix(authorize, "/"), nil)
	if err != nil {
		return "", err
	}
	form := url.Values{"login": {username}, "password": {passphrase}}
	for _, hidden := range flowInput.FindAllStringSubmatch(page, -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	at.RawQuery = ""
	if _, at, err = in.visit(ctx, c, http.MethodPost, at.String(), form); err != nil {
		return "", err
	}
	if !strings.HasPrefix(at.String(), flowCallback) {
		return "", fmt.Errorf("the browser is at %s", at)
	}
	var cookies []string
	for _, cookie := range jar.Cookies(base) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	if len(cookies) == 0 {
		return "", errors.New("there is no cookie")
	}
	return strings.Join(cookies, "; "), nil
}

// visit sends a request and returns the page and where it is.
func (in *installation) visit(ctx context.Context, c *http.Client, method, address string, form url.Values) (string, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode >= 400 {
		return "", nil, fmt.Errorf("status %d: %.300s", resp.StatusCode, body)
	}
	at := resp.Request.URL
	if to, err := resp.Location(); err == nil {
		at = to
	}
	return string(body), at, nil
}
