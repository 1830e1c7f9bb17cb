package server

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/ephemeral"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Limits counts requests. What is counted may be lost: lockouts that must not
// be are rows in the store (see proof).
type Limits struct {
	counter *ephemeral.Limiter
	rates   map[httpio.Limit]ephemeral.Rate
	headers map[httpio.Limit][]string // RateLimit-Limit of each
	pending struct{ each, all int }
	blocked blocks // who may not authenticate as a client for now
	metrics *metrics
	now     func() time.Time
}

var errLimited = keystone.Fail(keystone.Limited, "Too many requests. Wait, then try again.")

func newLimits(c *config.Config, counter *ephemeral.Limiter, m *metrics, now func() time.Time) *Limits {
	l := &Limits{counter: counter, metrics: m, now: now, headers: map[httpio.Limit][]string{}, rates: map[httpio.Limit]ephemeral.Rate{
		httpio.LimitLogin:    ephemeral.Rate(c.RateLimitLogin),
		httpio.LimitRegister: ephemeral.Rate(c.RateLimitRegister),
		httpio.LimitClients:  ephemeral.Rate(c.RateLimitClients),
		httpio.LimitAPI:      ephemeral.Rate(c.RateLimitAPI),
		httpio.LimitPage:     ephemeral.Rate(c.RateLimitPage),
		httpio.LimitToken:    ephemeral.Rate(c.RateLimitToken),
		httpio.LimitGuesses:  ephemeral.Rate(c.RateLimitGuesses),
	}}
	l.pending.each, l.pending.all = c.PendingPerSource, c.PendingTotal
	for name, rate := range l.rates {
		l.headers[name] = []string{strconv.Itoa(rate.Count)}
	}
	return l
}

// atSource takes from the bucket of the source before anything else is done:
// sign-in, its pages, registration, and the API where nobody signs in. Token endpoints are
// limited by their failures only.
func (l *Limits) atSource(rec *recorder, r *http.Request, limit httpio.Limit, open bool) error {
	switch limit {
	case httpio.LimitLogin, httpio.LimitRegister, httpio.LimitClients, httpio.LimitPage:
	case httpio.LimitAPI:
		if !open {
			return nil // by actor, once it is known
		}
	default:
		return nil
	}
	return l.count(rec, r, limit, ":source:", limitKey(rec.x.Actor.Source))
}

// atActor takes from the bucket of the actor.
func (l *Limits) atActor(rec *recorder, r *http.Request, limit httpio.Limit) error {
	if limit != httpio.LimitAPI {
		return nil
	}
	return l.count(rec, r, limit, ":actor:", rec.x.Actor.ID)
}

// badToken takes from the bucket of the source for a token that was refused:
// who has no valid token has no actor to be counted as.
func (l *Limits) badToken(rec *recorder, r *http.Request, limit httpio.Limit) error {
	if limit != httpio.LimitAPI {
		return nil
	}
	return l.count(rec, r, limit, ":source:", limitKey(rec.x.Actor.Source))
}

// count takes one and puts the state of the bucket into the answer.
func (l *Limits) count(rec *recorder, r *http.Request, limit httpio.Limit, kind, who string) error {
	rate := l.rates[limit]
	if rate.Off() {
		return nil
	}
	v := l.counter.Take(r.Context(), string(limit)+kind+who, rate, 1)
	l.tell(rec.Header(), limit, v.Remaining, v.ResetAfter)
	if v.Allowed {
		return nil
	}
	l.metrics.limited[limit].Inc()
	return errLimited.After(v.RetryAfter)
}

// tell puts the state of a bucket into the answer.
func (l *Limits) tell(h http.Header, limit httpio.Limit, remaining int, reset time.Duration) {
	if h == nil {
		return
	}
	values := []string{strconv.Itoa(remaining), strconv.FormatInt(seconds(reset), 10)}
	h["Ratelimit-Limit"] = l.headers[limit]
	h["Ratelimit-Remaining"] = values[:1:1]
	h["Ratelimit-Reset"] = values[1:]
}

// refuse is the answer of a limit that is asked inside of a handler.
func (l *Limits) refuse(ctx context.Context, limit httpio.Limit, retry, reset time.Duration) error {
	l.tell(httpio.ExchangeOf(ctx).Header, limit, 0, reset)
	l.metrics.limited[limit].Inc()
	return errLimited.After(retry)
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Account takes from the bucket of an account for a sign-in, whoever asks (see
// proof.Brakes). The source that asks has paid at the route already. The
// account's bucket is larger than that of one source: were they alike, one
// stranger could use up the sign-ins of an account by trying it.
func (l *Limits) Account(ctx context.Context, name string) error {
	rate := l.rates[httpio.LimitLogin]
	rate.Count *= wideFactor
	return l.inside(ctx, httpio.LimitLogin, "login:account:"+name, rate, 1)
}

// Guesses refuses while the passwords that were wrong, of all accounts and from
// everywhere, are more than RATE_LIMIT_GUESSES.
func (l *Limits) Guesses(ctx context.Context) error {
	return l.inside(ctx, httpio.LimitGuesses, "guesses", l.rates[httpio.LimitGuesses], 0)
}

// Guessed counts a password that was wrong.
func (l *Limits) Guessed(ctx context.Context) {
	if rate := l.rates[httpio.LimitGuesses]; !rate.Off() {
		l.counter.Take(ctx, "guesses", rate, 1)
	}
}

// Confirm takes from the bucket of the source for a password that is asked for
// once more, where the route has another limit.
func (l *Limits) Confirm(ctx context.Context) error {
	return l.inside(ctx, httpio.LimitLogin, "login:source:"+limitKey(httpio.Actor(ctx).Source), l.rates[httpio.LimitLogin], 1)
}

// Asked takes from the bucket of the actor, or of the source where there is none.
func (l *Limits) Asked(ctx context.Context) error {
	actor := httpio.Actor(ctx)
	who := ":actor:" + actor.ID
	if actor.ID == "" {
		who = ":source:" + limitKey(actor.Source)
	}
	rate := l.rates[httpio.LimitAPI]
	if rate.Off() {
		return nil
	}
	v := l.counter.Take(ctx, string(httpio.LimitAPI)+who, rate, 1)
	if !v.Allowed {
		return l.refuse(ctx, httpio.LimitAPI, v.RetryAfter, v.ResetAfter)
	}
	l.tell(httpio.ExchangeOf(ctx).Header, httpio.LimitAPI, v.Remaining, v.ResetAfter)
	return nil
}

// Rename takes from the bucket of the actor for a name or address that they try
// to take: as at registration, the answer tells whether somebody has it.
func (l *Limits) Rename(ctx context.Context) error {
	return l.inside(ctx, httpio.LimitRegister, "register:actor:"+httpio.Actor(ctx).ID, l.rates[httpio.LimitRegister], 1)
}

// inside takes from a bucket inside of a handler; a cost of 0 asks whether one is
// left.
func (l *Limits) inside(ctx context.Context, limit httpio.Limit, key string, rate ephemeral.Rate, cost int) error {
	if rate.Off() {
		return nil
	}
	v := l.counter.Take(ctx, key, rate, cost)
	if cost == 0 && v.Remaining == 0 {
		return l.refuse(ctx, limit, rate.Per/time.Duration(rate.Count), v.ResetAfter)
	}
	if !v.Allowed {
		return l.refuse(ctx, limit, v.RetryAfter, v.ResetAfter)
	}
	return nil
}

// AllowClient refuses a client authentication where too many have failed for
// this client from this source, or from this source at all. It costs a look into
// memory, because it stands before every token: that a bucket is empty is
// learned by the failure that emptied it (ClientFailed). Another node learns it
// by the next failure there.
func (l *Limits) AllowClient(ctx context.Context, clientID, source string) error {
	if l.blocked.empty() {
		return nil
	}
	source = limitKey(source)
	now := l.now()
	wait := max(l.blocked.left(source, now), l.blocked.left(pairKey(clientID, source), now))
	if wait <= 0 {
		return nil
	}
	return l.refuse(ctx, httpio.LimitToken, wait, wait)
}

// ClientFailed counts one failed client authentication: for the client at this
// source, for the source (several services may share an address), and for the
// client from everywhere. The last one slows down guesses that are spread over
// many addresses, and leaves addresses alone that have not failed.
func (l *Limits) ClientFailed(ctx context.Context, clientID, source string) {
	rate := l.rates[httpio.LimitToken]
	if rate.Off() {
		return
	}
	source = limitKey(source)
	now := l.now()
	pair := pairKey(clientID, source)
	if v := l.counter.Take(ctx, "token:pair:"+pair, rate, 1); spent(v) {
		l.blocked.add(pair, now, max(v.RetryAfter, rate.Per/time.Duration(rate.Count)))
	}
	wide := ephemeral.Rate{Count: rate.Count * wideFactor, Per: rate.Per}
	if v := l.counter.Take(ctx, "token:source:"+source, wide, 1); spent(v) {
		l.blocked.add(source, now, max(v.RetryAfter, wide.Per/time.Duration(wide.Count)))
	}
	if v := l.counter.Take(ctx, "token:client:"+pairKey(clientID, ""), wide, 1); spent(v) {
		l.blocked.add(pair, now, rate.Per) // one guess for each address, then a pause; the client's own address has not failed
	}
}

// Stranger takes from the bucket of the source for a client that was not known
// before, where it is met inside of a handler.
func (l *Limits) Stranger(ctx context.Context) error {
	return l.inside(ctx, httpio.LimitClients, "clients:source:"+limitKey(httpio.Actor(ctx).Source), l.rates[httpio.LimitClients], 1)
}

// Start takes from the buckets of something that will lie in the database, waiting
// for a person, for as long as life: of the client that has proved itself (empty:
// none has), else of the source, and of all together. So what is stored is bounded
// for each and in all; what is past its life is swept.
func (l *Limits) Start(ctx context.Context, kind string, life time.Duration, clientID string) error {
	one, who := ephemeral.Rate{Count: l.pending.each, Per: life}, ":source:"+limitKey(httpio.Actor(ctx).Source)
	if clientID != "" {
		one.Count, who = one.Count*wideFactor, ":client:"+clientID
	}
	v := l.counter.Take(ctx, "pending:"+kind+who, one, 1)
	if v.Allowed {
		v = l.counter.Take(ctx, "pending:"+kind, ephemeral.Rate{Count: l.pending.all, Per: life}, 1)
	}
	if !v.Allowed {
		return l.refuse(ctx, httpio.LimitPage, v.RetryAfter, v.ResetAfter)
	}
	return nil
}

// Named takes from the bucket of a client for naming a person (1), and gives back
// where there is such a person (-1): what is counted is how often it guessed wrong,
// from everywhere. It is the limit of failed client authentications.
func (l *Limits) Named(ctx context.Context, clientID string, n int) error {
	return l.inside(ctx, httpio.LimitToken, "named:client:"+clientID, l.rates[httpio.LimitToken], n)
}

// Poll counts a poll for a code and reports whether it came no earlier than
// interval after the one before. Each that came too early makes the interval five
// seconds longer, up to a minute more (RFC 8628 section 3.5). It costs a look into
// memory, and into Redis where there is one; losing either forgives.
func (l *Limits) Poll(ctx context.Context, code string, interval time.Duration) bool {
	early := ephemeral.Rate{Count: 12, Per: 12 * time.Hour}
	seen := l.counter.Take(ctx, "poll:early:"+code, early, 0)
	interval += 5 * time.Second * time.Duration(early.Count-seen.Remaining)
	if l.counter.Take(ctx, "poll:"+code, ephemeral.Rate{Count: 1, Per: interval}, 1).Allowed {
		return true
	}
	l.counter.Take(ctx, "poll:early:"+code, early, 1)
	return false
}

// wideFactor is how many times the limit of one source an account may be tried
// from all; and how many times the limit of one client at one source a source may
// fail for all clients, and a client from all sources.
const wideFactor = 10

func spent(d ephemeral.Decision) bool { return !d.Allowed || d.Remaining == 0 }

// pairKey names a client at a source. Names that no client can have share one
// key: they come from the caller.
func pairKey(clientID, source string) string {
	if !keystone.IsID(clientID) && clientID != keystone.FirstPartyClientID {
		clientID = "?"
	}
	return clientID + "|" + source
}

// blocks is who is refused until when, bounded.
type blocks struct {
	n     atomic.Int64
	mu    sync.RWMutex
	until map[string]time.Time
}

const maxBlocks = 50_000

func (b *blocks) empty() bool { return b.n.Load() == 0 }

func (b *blocks) left(key string, now time.Time) time.Duration {
	b.mu.RLock()
	defer b.mu.RUnlock()
	until, ok := b.until[key]
	if !ok {
		return 0
	}
	return until.Sub(now)
}

func (b *blocks) add(key string, now time.Time, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = map[string]time.Time{}
	}
	if len(b.until) >= maxBlocks {
		b.sweep(now)
	}
	if len(b.until) < maxBlocks { // so many sources at once: one more or less is not what matters
		b.until[key] = now.Add(wait)
	}
	b.n.Store(int64(len(b.until)))
}

// forget drops what has ended, so that the hot path is free again.
func (b *blocks) forget(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	b.n.Store(int64(len(b.until)))
}

func (b *blocks) sweep(now time.Time) {
	for key, until := range b.until {
		if !until.After(now) {
			delete(b.until, key)
		}
	}
}
