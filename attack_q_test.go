package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// Q7: sign-ins that are started, requests that are pushed, device codes: what waits
// in the database is bounded for each source and in all, goes when its time is over,
// and a client that has proved itself is not held to what strangers may.
func TestAttackQ7_WhatWaitsIsBounded(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		app := webClient(s)
		public := s.CreateClient(keystone.Client{Kind: keystone.ClientNative, RedirectURIs: []string{callback}, Scopes: []string{"openid"}, Grants: []string{keystone.GrantDeviceCode, keystone.GrantAuthorizationCode}})
		request, err := url.Parse(authorizeURL(s, app))
		if err != nil {
			t.Fatal(err)
		}
		var pairs []string
		for name, values := range request.Query() {
			pairs = append(pairs, name, values[0])
		}
		from := func(source int) ask { return as(s, "").with("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", source)) }
		code, codeAt := "", time.Time{}
		for kind, c := range map[string]struct {
			table string
			life  time.Duration
			start func(source int) int
		}{
			"sign-ins": {"flows", 30 * time.Minute, func(source int) int {
				return from(source).json(t, "GET", "/oauth2/authorize?"+request.RawQuery, nil).status
			}},
			"sign-ins to our own page":       {"flows", 30 * time.Minute, func(source int) int { return from(source).json(t, "GET", "/requests", nil).status }},
			"sign-ins that nobody asked for": {"flows", 30 * time.Minute, func(source int) int { return from(source).json(t, "GET", "/login", nil).status }},
			"registrations likewise":         {"flows", 30 * time.Minute, func(source int) int { return from(source).json(t, "GET", "/register", nil).status }},
			"sign-ins for a device": {"flows", 30 * time.Minute, func(source int) int {
				if s.Clock.Now().Sub(codeAt) > 9*time.Minute {
					code, codeAt = from(77).form(t, "/oauth2/device_authorization", "client_id", public.ID).text("user_code"), s.Clock.Now()
				}
				return from(source).with("Sec-Fetch-Site", "same-origin").form(t, "/device", "user-code", code).status
			}},
			"requests by form": {"single_use", 90 * time.Second, func(source int) int { return from(source).form(t, "/oauth2/authorize", pairs...).status }},
			"device codes": {"pending_authorizations", 10 * time.Minute, func(source int) int {
				return from(source).form(t, "/oauth2/device_authorization", "client_id", public.ID).status
			}},
		} {
			stored := 0
			for source := range 5 {
				here := 0
				for range 8 {
					if c.start(source+10) != http.StatusTooManyRequests {
						here++
					}
				}
				if stored += here; source < 2 && here < 5 || here > 7 { // buckets refill while the test runs
					t.Errorf("%s: source %d started %d, want 5", kind, source, here)
				}
			}
			if stored < 12 || stored > 18 {
				t.Errorf("%s: %d in all, want 12", kind, stored)
			}
			s.Clock.Move(c.life + 61*time.Minute)
			if n := s.Sweep()[c.table]; n != int64(stored) {
				t.Errorf("%s: %d rows were swept, %d stored", kind, n, stored)
			}
			if status := c.start(10); status == http.StatusTooManyRequests {
				t.Errorf("%s: no room after the sweep", kind)
			}
			s.Clock.Move(3 * time.Hour)
			s.Sweep()
		}
		// The client's own bucket is the larger one, but the sum holds for it too.
		pushed := 0
		for range 20 {
			got := from(99).form(t, "/oauth2/par", append(pairs, "client_secret", app.Secret)...)
			if got.status == http.StatusCreated {
				pushed++
			} else if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
		if pushed < 12 || pushed > 16 {
			t.Errorf("%d requests were pushed, want 12", pushed)
		}
		desk, asked := bankClient(s), 0
		for range 20 { // whoever is named
			if got := from(98).form(t, "/oauth2/bc-authorize", "client_id", desk.ID, "client_secret", desk.Secret, "scope", "openid", "login_hint", "nobody"); got.status == http.StatusBadRequest {
				asked++
			} else if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
		if asked < 12 || asked > 16 {
			t.Errorf("%d requests to people, want 12", asked)
		}
		// Who is refused in the browser gets a page that says so.
		for range 6 {
			from(50).json(t, "GET", "/oauth2/authorize?"+request.RawQuery, nil)
		}
		if got := from(50).json(t, "GET", "/oauth2/authorize?"+request.RawQuery, nil); got.status != http.StatusTooManyRequests || !strings.Contains(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("%d %s", got.status, got.header.Get("Content-Type"))
		}
	}, keystonetest.WithSettings(map[string]string{"PENDING_PER_SOURCE": "5", "PENDING_TOTAL": "12", "TRUSTED_PROXIES": "127.0.0.1"}))
}

// The backend of an application asks for all its users from one address: userinfo
// is limited for each user, and for an address that has no good token.
func TestAttackQ_UserinfoForManyFromOneAddress(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_API": "5/hour"}))
	userinfo := func(token string) answer { return as(s, token).json(t, "GET", "/oauth2/userinfo", nil) }
	app := webClient(s)
	tokenOf := func(name string) string {
		_, tokens := redeem(t, s, app, signedIn(t, s, s.CreateUser(name), app).code(app))
		return tokens["access_token"].(string)
	}
	var last string
	for i := range 12 {
		last = tokenOf(fmt.Sprintf("person%d", i))
		a := userinfo(last)
		a.wants(t, 200, "person %d", i)
		if a.header.Get("RateLimit-Limit") != "5" || a.header.Get("RateLimit-Remaining") != "4" {
			t.Errorf("limits told: %v", a.header)
		}
	}
	for range 4 {
		userinfo(last).wants(t, 200, "one of them, several times")
	}
	userinfo(last).wants(t, 429, "one of them, too often")
	as(s, last).json(t, "GET", "/api/v1/users", nil).wants(t, 429, "the API shares the bucket")
	for range 5 {
		userinfo("no-token").wants(t, 401, "no token of ours")
	}
	userinfo("no-token").wants(t, 429, "no token of ours, too often")
	userinfo(tokenOf("another")).wants(t, 200, "good tokens from the same address")
}
