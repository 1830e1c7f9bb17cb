package proof

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// Brakes count attempts where any number of sources may make them. What they
// count may be lost. Errors are Limited, with the time to wait. The zero value
// holds nobody up.
type Brakes struct {
	Account func(ctx context.Context, name string) error // counts an attempt on a name, which is given as a digest
	Guesses func(ctx context.Context) error              // refuses while too many passwords are wrong on the whole server
	Guessed func(ctx context.Context)                    // counts a password that was wrong
}

// countCrowd counts an attempt where everybody on the internet counts: on the
// name, on the account and on the server. Whoever tries one password on ten
// thousand accounts, or ten thousand passwords on one, from as many addresses,
// meets these. They must not keep an owner out: where the account was signed in
// before, from this network or in this browser, they do not refuse. The counters
// of the account at this source stand before it.
func (c *Checker) countCrowd(ctx context.Context, by keystone.Actor, n counters, name, browser string) (store.Attempt, error) {
	counted, err := c.countAll(ctx, n, name)
	if keystone.KindOf(err) != keystone.Limited {
		return counted, err
	}
	known, failed := c.Store.SignedInBefore(ctx, n.account, n.source, browser)
	if failed != nil {
		return counted, failed
	}
	if !known {
		return counted, err
	}
	return counted, nil
}

func (c *Checker) countAll(ctx context.Context, n counters, name string) (store.Attempt, error) {
	if c.Brakes.Account != nil {
		if err := c.Brakes.Guesses(ctx); err != nil {
			return store.Attempt{}, err
		}
		if err := c.Brakes.Account(ctx, name); err != nil {
			return store.Attempt{}, err
		}
	}
	return c.count(ctx, store.AttemptKey{Key: n.wide(), Free: freeWide})
}
