package server

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/ephemeral"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// AllowClient refuses a client authentication where too many have failed for
// this client from this source, or from this source at all. It costs a look into
// memory, because it stands before every token: that a bucket is empty is
// learned by the failure that emptied it (ClientFailed). Another node learns it
// by the next failure there.
func (l *Limits) AllowClient(ctx context.Context, clientID, source string) error {
	if l.blocked.empty() {
		return nil
	}
	source = keystone.Network(source)
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
	source = keystone.Network(source)
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

func spent(d ephemeral.Decision) bool { return !d.Allowed || d.Remaining == 0 }

// pairKey names a client at a source. Names that no client can have share one
// key: they come from the caller.
func pairKey(clientID, source string) string {
	if !keystone.IsClientID(clientID) {
		clientID = "?"
	}
	return clientID + "|" + source
}

// Stranger takes from the bucket of the source for a client that was not known
// before, where it is met inside of a handler.
func (l *Limits) Stranger(ctx context.Context) error {
	return l.takeInHandler(ctx, httpio.LimitClients, sourceKey(httpio.LimitClients, httpio.Actor(ctx)), l.rates[httpio.LimitClients], 1)
}

// Named takes from the bucket of a client for naming a person (1), and gives back
// where there is such a person (-1): what is counted is how often it guessed wrong,
// from everywhere. It is the limit of failed client authentications.
func (l *Limits) Named(ctx context.Context, clientID string, n int) error {
	return l.takeInHandler(ctx, httpio.LimitToken, "named:client:"+clientID, l.rates[httpio.LimitToken], n)
}

// Refreshes takes from the bucket of a refresh token family, which is as large as that
// of an actor at the API: each use is a row in the trail. A client that goes on, one
// use after the other, a little too fast is slowed down and not refused.
func (l *Limits) Refreshes(ctx context.Context, family string) error {
	rate, key := l.rates[httpio.LimitAPI], "refresh:family:"+family
	if rate.Off() {
		return nil
	}
	v := l.counter.Take(ctx, key, rate, 1)
	if !v.Allowed && v.RetryAfter <= refreshPatience {
		select {
		case <-ctx.Done():
		case <-time.After(v.RetryAfter):
			v = l.counter.Take(ctx, key, rate, 1)
		}
	}
	if !v.Allowed {
		return l.refuse(ctx, httpio.LimitAPI, v.RetryAfter, v.ResetAfter)
	}
	return nil
}

// refreshPatience is for how long a use of a refresh token may be held back.
const refreshPatience = time.Second

// Start takes from the buckets of something that will lie in the database, waiting
// for a person, for as long as life: of the client that has proved itself (empty:
// none has), else of the source, and of all together. So what is stored is bounded
// for each and in all; what is past its life is swept.
func (l *Limits) Start(ctx context.Context, kind string, life time.Duration, clientID string) error {
	one, who := ephemeral.Rate{Count: l.pending.each, Per: life}, ":source:"+keystone.Network(httpio.Actor(ctx).Source)
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
