package server

import (
	"context"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// Account takes from the bucket of an account for a sign-in, whoever asks (see
// proof.Brakes). The source that asks has paid at the route already. The
// account's bucket is larger than that of one source: were they alike, one
// stranger could use up the sign-ins of an account by trying it.
func (l *Limits) Account(ctx context.Context, name string) error {
	rate := l.rates[httpio.LimitLogin]
	rate.Count *= wideFactor
	return l.takeInHandler(ctx, httpio.LimitLogin, "login:account:"+name, rate, 1)
}

// Guesses refuses while the passwords that were wrong, of all accounts and from
// everywhere, are more than RATE_LIMIT_GUESSES.
func (l *Limits) Guesses(ctx context.Context) error {
	return l.takeInHandler(ctx, httpio.LimitGuesses, "guesses", l.rates[httpio.LimitGuesses], 0)
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
	return l.takeInHandler(ctx, httpio.LimitLogin, sourceKey(httpio.LimitLogin, httpio.Actor(ctx)), l.rates[httpio.LimitLogin], 1)
}

// wideFactor is how many times the limit of one source an account may be tried
// from all; and how many times the limit of one client at one source a source may
// fail for all clients, and a client from all sources.
const wideFactor = 10
