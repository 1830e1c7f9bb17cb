package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/ephemeral"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Limits counts requests: those of routes here, passwords in limits_password.go, clients in
// limits_client.go, polls in limits_poll.go. What is counted may be lost: lockouts that must not
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

// sourceKey names the bucket that a source has for a limit.
func sourceKey(l httpio.Limit, a keystone.Actor) string {
	return string(l) + ":source:" + keystone.Network(a.Source)
}

// actorKey names the bucket that an actor has for a limit.
func actorKey(l httpio.Limit, a keystone.Actor) string { return string(l) + ":actor:" + a.ID }

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
	return l.count(rec, r, limit, sourceKey)
}

// atActor takes from the bucket of the actor.
func (l *Limits) atActor(rec *recorder, r *http.Request, limit httpio.Limit) error {
	if limit != httpio.LimitAPI {
		return nil
	}
	return l.count(rec, r, limit, actorKey)
}

// badToken takes from the bucket of the source for a token that was refused:
// who has no valid token has no actor to be counted as.
func (l *Limits) badToken(rec *recorder, r *http.Request, limit httpio.Limit) error {
	if limit != httpio.LimitAPI {
		return nil
	}
	return l.count(rec, r, limit, sourceKey)
}

// count takes one and puts the state of the bucket into the answer.
func (l *Limits) count(rec *recorder, r *http.Request, limit httpio.Limit, key func(httpio.Limit, keystone.Actor) string) error {
	rate := l.rates[limit]
	if rate.Off() {
		return nil
	}
	v := l.counter.Take(r.Context(), key(limit, rec.x.Actor), rate, 1)
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
	values := []string{strconv.Itoa(remaining), strconv.FormatInt(httpio.Seconds(reset), 10)}
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

// Asked takes from the bucket of the actor, or of the source where there is none.
func (l *Limits) Asked(ctx context.Context) error {
	rate, key := l.rates[httpio.LimitAPI], actorKey
	if rate.Off() {
		return nil
	}
	if httpio.Actor(ctx).ID == "" {
		key = sourceKey
	}
	v := l.counter.Take(ctx, key(httpio.LimitAPI, httpio.Actor(ctx)), rate, 1)
	if !v.Allowed {
		return l.refuse(ctx, httpio.LimitAPI, v.RetryAfter, v.ResetAfter)
	}
	l.tell(httpio.ExchangeOf(ctx).Header, httpio.LimitAPI, v.Remaining, v.ResetAfter)
	return nil
}

// Rename takes from the bucket of the actor for a name or address that they try
// to take: as at registration, the answer tells whether somebody has it.
func (l *Limits) Rename(ctx context.Context) error {
	return l.takeInHandler(ctx, httpio.LimitRegister, actorKey(httpio.LimitRegister, httpio.Actor(ctx)), l.rates[httpio.LimitRegister], 1)
}

// takeInHandler takes from a bucket inside of a handler; a cost of 0 asks whether one is
// left.
func (l *Limits) takeInHandler(ctx context.Context, limit httpio.Limit, key string, rate ephemeral.Rate, cost int) error {
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
