package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/ephemeral"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func TestLimitPerSource(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_LOGIN=2/minute", "RATE_LIMIT_REGISTER=1/hour", "RATE_LIMIT_API=off"},
		httpio.Plain("POST", "/t/login", httpio.Public, httpio.LimitLogin, "x", echo),
		httpio.Plain("POST", "/t/register", httpio.Public, httpio.LimitRegister, "x", echo))
	for i, test := range []struct {
		target, from string
		status       int
	}{
		{"/t/login", "192.0.2.1:1", 200},
		{"/t/login", "192.0.2.1:2", 200},
		{"/t/login", "192.0.2.1:3", 429},
		{"/t/login", "192.0.2.2:1", 200},
		{"/t/register", "192.0.2.1:1", 200}, // another limit, another bucket
		{"/t/register", "192.0.2.1:1", 429},
		{"/t/login", "[2001:db8::1]:1", 200},
		{"/t/login", "[2001:db8::ffff]:1", 200}, // the same /64
		{"/t/login", "[2001:db8::abcd]:1", 429},
		{"/t/login", "[2001:db8:0:1::1]:1", 200},
	} {
		w := send(s, "POST", test.target, "", "RemoteAddr: "+test.from, "X-Forwarded-For: 198.51.100."+strconv.Itoa(i))
		if w.Code != test.status {
			t.Errorf("%d: %s from %s: %d, want %d", i, test.target, test.from, w.Code, test.status)
		}
		for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
			if _, err := strconv.Atoi(w.Header().Get(name)); err != nil {
				t.Errorf("%d: %s: %q", i, name, w.Header().Get(name))
			}
		}
		if wait, _ := strconv.Atoi(w.Header().Get("Retry-After")); (w.Code == 429) != (wait > 0) {
			t.Errorf("%d: Retry-After %q", i, w.Header().Get("Retry-After"))
		}
		if w.Code == 429 {
			wantError(t, w, 429, "rate_limited")
		}
	}
}

func TestLimitPerActor(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_API=2/minute"},
		httpio.Plain("GET", "/t/bearer", httpio.Bearer, httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/open", httpio.Public, httpio.LimitAPI, "x", echo))
	for i, test := range []struct {
		target, token, from string
		status              int
	}{
		{"/t/bearer", "user", "192.0.2.1:1", 200},
		{"/t/bearer", "user", "192.0.2.2:1", 200}, // one actor from two addresses
		{"/t/bearer", "third", "192.0.2.3:1", 429},
		{"/t/bearer", "service", "192.0.2.1:1", 200}, // another actor at the same address
		{"/t/bearer", "wrong", "192.0.2.1:1", 401},   // bad tokens count for the source
		{"/t/bearer", "wronger", "192.0.2.1:1", 401},
		{"/t/bearer", "wrongest", "192.0.2.1:1", 429},
		{"/t/bearer", "service", "192.0.2.1:1", 200}, // and do not stop the good ones
		{"/t/open", "", "192.0.2.9:1", 200},
		{"/t/open", "user", "192.0.2.9:1", 200},
		{"/t/open", "service", "192.0.2.9:1", 429}, // nobody is looked at, so the source counts
	} {
		var headers []string
		if test.token != "" {
			headers = append(headers, "Authorization: Bearer "+test.token)
		}
		if w := send(s, "GET", test.target, "", append(headers, "RemoteAddr: "+test.from)...); w.Code != test.status {
			t.Errorf("%d: %s as %s from %s: %d, want %d", i, test.target, test.token, test.from, w.Code, test.status)
		}
	}
}

// TestRefreshesOfAFamily: a chain that goes too fast is slowed down, a flood is
// refused, and neither is anything to another family.
func TestRefreshesOfAFamily(t *testing.T) {
	counter, err := ephemeral.Open(ephemeral.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l := newLimits(settings(t, "RATE_LIMIT_API=300/minute"), counter, newMetrics("test"), time.Now)
	ctx := httpio.WithExchange(t.Context(), &httpio.Exchange{Header: http.Header{}})
	began := time.Now()
	for i := range 305 {
		if err := l.Refreshes(ctx, "chain"); err != nil {
			t.Fatalf("use %d of a chain: %v", i, err)
		}
	}
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("305 uses took %s: nothing held them back", took)
	}
	var refused atomic.Int32
	var flood sync.WaitGroup
	for range 100 {
		flood.Go(func() {
			if l.Refreshes(httpio.WithExchange(t.Context(), &httpio.Exchange{Header: http.Header{}}), "chain") != nil {
				refused.Add(1)
			}
		})
	}
	flood.Wait()
	if refused.Load() < 40 { // five a second are let through, however slow this machine is
		t.Errorf("%d of 100 at once were refused", refused.Load())
	}
	if err := l.Refreshes(ctx, "other"); err != nil {
		t.Error(err)
	}
}

// TestG9ClientGuessing: failures are counted per client and source, per source,
// and per client from everywhere; who has not failed is not touched.
func TestG9ClientGuessing(t *testing.T) {
	clock := storetest.NewClock()
	counter, err := ephemeral.Open(ephemeral.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	l := newLimits(settings(t, "RATE_LIMIT_TOKEN=3/minute"), counter, newMetrics("test"), clock.Now)
	ctx := context.Background()
	client, other := keystone.NewID(clock.Now()), keystone.NewID(clock.Now())
	allowed := func(id, source string) bool { return l.AllowClient(ctx, id, source) == nil }

	for range 1000 {
		if !allowed(client, "192.0.2.1") {
			t.Fatal("successful authentications are counted")
		}
	}
	for i := range 3 {
		if !allowed(client, "192.0.2.1") {
			t.Fatalf("refused after %d failures", i)
		}
		l.ClientFailed(ctx, client, "192.0.2.1")
	}
	if allowed(client, "192.0.2.1") || !allowed(client, "192.0.2.2") || !allowed(other, "192.0.2.1") {
		t.Error("three failures of one client at one source: only that pair waits")
	}
	if err := l.AllowClient(ctx, client, "192.0.2.1"); keystone.KindOf(err) != keystone.Limited {
		t.Errorf("refused with %v", err)
	}
	clock.Move(21 * time.Second)
	if !allowed(client, "192.0.2.1") {
		t.Error("the pause does not end")
	}
	l.ClientFailed(ctx, client, "192.0.2.1")
	if allowed(client, "192.0.2.1") {
		t.Error("one more failure after the pause: it pauses again")
	}

	// One source tries many clients.
	clock.Move(time.Hour)
	for range 3 * wideFactor {
		l.ClientFailed(ctx, keystone.NewID(clock.Now()), "192.0.2.50")
	}
	if allowed(other, "192.0.2.50") || !allowed(other, "192.0.2.51") {
		t.Error("a source that tries many clients waits, others do not")
	}

	// Many sources try one client.
	clock.Move(time.Hour)
	tries := 0
	for i := range 500 {
		source := fmt.Sprintf("198.51.%d.%d", i/250, i%250)
		for allowed(client, source) && tries < 10_000 {
			l.ClientFailed(ctx, client, source)
			tries++
		}
	}
	if tries > 3*wideFactor+500 {
		t.Errorf("500 addresses had %d guesses at one client", tries)
	}
	if !allowed(client, "203.0.113.1") {
		t.Error("the client's own address cannot get in while others guess")
	}

	// Names that no client can have share a bucket, so that they cost nothing.
	clock.Move(time.Hour)
	for i := range 3 {
		l.ClientFailed(ctx, fmt.Sprint("made up ", i), "192.0.2.60")
	}
	if allowed("made up 99", "192.0.2.60") {
		t.Error("made-up names are counted one by one")
	}
	if !allowed("https://app.example/client.json", "192.0.2.60") {
		t.Error("a client whose id is the address of its document shares the bucket of made-up names")
	}

	clock.Move(time.Hour)
	if l.blocked.empty() {
		t.Error("nothing is remembered")
	}
	if l.blocked.forget(clock.Now()); !l.blocked.empty() {
		t.Error("what has ended is not forgotten")
	}
	for i := range maxBlocks + 10 {
		l.blocked.add(strconv.Itoa(i), clock.Now(), time.Hour)
	}
	if n := l.blocked.n.Load(); n != maxBlocks {
		t.Errorf("%d remembered, the bound is %d", n, maxBlocks)
	}
}

func TestLimitsOff(t *testing.T) {
	s, _ := boot(t, off, httpio.Plain("POST", "/t/login", httpio.Public, httpio.LimitLogin, "x", echo))
	for range 50 {
		if w := send(s, "POST", "/t/login", ""); w.Code != http.StatusOK || w.Header().Get("RateLimit-Limit") != "" {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	}
	for range 50 {
		s.limits.ClientFailed(context.Background(), "x", "192.0.2.1")
	}
	if s.limits.Account(context.Background(), "ada") != nil || s.limits.AllowClient(context.Background(), "x", "192.0.2.1") != nil {
		t.Error("refused")
	}
}

// TestJ7LimitAccount: an account is limited over all sources, and one source
// cannot use that up.
func TestJ7LimitAccount(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_LOGIN=2/minute"})
	for i := range 2*wideFactor + 1 {
		err := s.limits.Account(context.Background(), "ada")
		if (err == nil) != (i < 2*wideFactor) || err != nil && keystone.KindOf(err) != keystone.Limited {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := s.limits.Account(context.Background(), "bob"); err != nil {
		t.Errorf("another account: %v", err)
	}
}

// TestG9Answer: what a client that failed too often is told.
func TestG9Answer(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_TOKEN=2/minute"})
	client := keystone.NewID(time.Now())
	for i, status := range []int{401, 401, 429, 429} {
		w := send(s, "POST", "/oauth2/token", "grant_type=client_credentials&client_id="+client+"&client_secret=wrong", "Content-Type: application/x-www-form-urlencoded")
		if w.Code != status {
			t.Errorf("%d: %d %s", i, w.Code, w.Body)
		}
		h := w.Header()
		if w.Code == 429 && (h.Get("RateLimit-Limit") != "2" || h.Get("RateLimit-Remaining") != "0" || h.Get("RateLimit-Reset") == "" || h.Get("Retry-After") == "") {
			t.Errorf("%d: %v", i, h)
		}
	}
}
