package proof

import (
	"context"
	"errors"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/store"
)

// Checker checks passwords. It is safe for concurrent use.
type Checker struct {
	Store  *store.Store
	Hasher *password.Hasher
	Brakes Brakes
	// Denied records that somebody was refused who may be anybody, bounded. nil:
	// nothing does.
	Denied func(ctx context.Context, by keystone.Actor, reason string)
}

// Proof is a password that was right.
type Proof struct {
	Login  store.Login // as it was when the password was checked
	Clear  []string    // failure counters that end now; see store.SignIn and Done
	Rehash bool        // the stored hash is weaker than new ones are

	counted []store.Attempt
}

// Refused is the answer to every password that is not right, whatever the
// reason.
var Refused = keystone.Fail(keystone.Unauthenticated, "The name or password is not right. After several failures, wait a few minutes before the next attempt.")

// Password checks the password of whoever has the name, a username or e-mail
// address. browser is the value of the browser's cookie, where one asks. Errors:
// Refused; Limited with the time to wait; Unavailable where hashing is
// overloaded; Invalid for a password that nobody can have.
func (c *Checker) Password(ctx context.Context, by keystone.Actor, name, browser, password string) (Proof, error) {
	keystone.Checking(ctx, "failed attempts")
	login, err := c.Store.LoginByName(ctx, name)
	if err != nil {
		return Proof{}, err
	}
	n := countersOf(login, name, by.Source)
	counted, err := c.count(ctx, store.AttemptKey{Key: n.perName(name), Free: freeNamed})
	if err != nil {
		return Proof{}, limited(ctx, err, hereTooMany)
	}
	crowd, err := c.countCrowd(ctx, by, n, digest(name), browser)
	if err != nil {
		return Proof{}, limited(ctx, c.notMade(ctx, err, counted), crowdTooMany)
	}
	silent, err := c.Store.CountAttempt(ctx, store.AttemptKey{Key: n.perSource(), Free: freeSource})
	if err != nil {
		return Proof{}, c.notMade(ctx, err, counted, crowd, silent)
	}
	return c.verify(ctx, by, attempt{login: login, counters: n, counted: []store.Attempt{counted, crowd, silent}, blocked: silent.Wait > 0, purpose: "sign_in"}, password)
}

// PasswordOf checks the password of a user who is signed in already and is asked
// for it again. The counters are those of Password.
func (c *Checker) PasswordOf(ctx context.Context, by keystone.Actor, userID, password string) (Proof, error) {
	keystone.Checking(ctx, "failed attempts")
	login, err := c.Store.LoginByID(ctx, userID)
	if err != nil {
		return Proof{}, err
	}
	n := countersOf(login, userID, by.Source)
	counted, err := c.count(ctx, store.AttemptKey{Key: n.perSource(), Free: freeNamed})
	if err != nil {
		return Proof{}, limited(ctx, err, hereTooMany)
	}
	crowd, err := c.countCrowd(ctx, by, n, digest(login.Username), "")
	if err != nil {
		return Proof{}, limited(ctx, c.notMade(ctx, err, counted), crowdTooMany)
	}
	return c.verify(ctx, by, attempt{login: login, counters: n, counted: []store.Attempt{counted, crowd}, purpose: "confirmation"}, password)
}

// Done ends the failure counters of a proof that starts no session.
func (c *Checker) Done(ctx context.Context, p Proof) error {
	return c.Kept(ctx, p, c.Store.ClearAttempts(ctx, p.Clear...))
}

// Kept is told what became of what a right password was shown for, and returns it.
// Where it could not be written down the attempt is taken back: a database without
// room would lock people out who do as they are told and try again.
func (c *Checker) Kept(ctx context.Context, p Proof, err error) error {
	if err == nil {
		return nil
	}
	return c.notMade(ctx, err, p.counted...)
}

// count counts the attempt before the password is looked at: attempts that run
// at the same time have all been counted when the first of them is answered.
func (c *Checker) count(ctx context.Context, keys ...store.AttemptKey) (store.Attempt, error) {
	a, err := c.Store.CountAttempt(ctx, keys...)
	if err != nil {
		return a, c.notMade(ctx, err, a)
	}
	if a.Wait > 0 {
		// Whole seconds, rounded up: whoever waits as told is not too early.
		return a, errWait.After((a.Wait + time.Second - 1).Truncate(time.Second))
	}
	return a, nil
}

// uncountWithin bounds the taking back of an attempt, whose request may be gone.
const uncountWithin = 5 * time.Second

// notMade takes attempts back that failed before any password was compared, or with
// the right one: because the server is overloaded, or because whoever asked went
// away. Only such may be taken back, or guesses would be free; and they must be, or
// an overloaded server would lock out people whose passwords are right. It returns
// err, which is what happened.
func (c *Checker) notMade(ctx context.Context, err error, counted ...store.Attempt) error {
	if keystone.KindOf(err) != keystone.Unavailable && !errors.Is(err, context.Canceled) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), uncountWithin)
	defer cancel()
	for _, a := range counted {
		if failed := c.Store.Uncount(ctx, a); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return err
}

// errWait is true of attempts that failed and of right ones that run at the same time:
// which they are is not known while they run.
var errWait = keystone.Fail(keystone.Limited, "Too many failed or simultaneous attempts on this account. Wait, then try again.")

// What is counted, for whoever explains a refusal.
const (
	hereTooMany  = "attempts on this name from this network that failed, or still run: each counts before its password is looked at, and a right one ends the count"
	crowdTooMany = "attempts on this account, or wrong passwords of the whole server, from everywhere: they refuse only where the account was not signed in before"
)

// limited notes what was too many, where that is why.
func limited(ctx context.Context, err error, what string) error {
	if keystone.KindOf(err) == keystone.Limited {
		keystone.Fact(ctx, "why", what)
	}
	return err
}

// attempt is one password under examination.
type attempt struct {
	login    store.Login
	counters counters
	counted  []store.Attempt
	blocked  bool // refused without saying so
	purpose  string
}

// verify does the same work for every attempt and only then looks at what else
// could be wrong. An account without a hash is verified against none, which
// costs as much.
func (c *Checker) verify(ctx context.Context, by keystone.Actor, a attempt, password string) (Proof, error) {
	keystone.Checking(ctx, "password")
	ok, rehash, err := c.Hasher.Verify(ctx, a.login.Hash, password) // its errors come before it compares
	if err != nil {
		return Proof{}, c.notMade(ctx, err, a.counted...)
	}
	var reason string
	switch {
	case a.login.UserID == "":
		reason = "unknown_account"
	case a.blocked:
		reason = "too_many_failures"
	case a.login.Hash == "":
		reason = "no_password"
	case !ok:
		reason = "wrong_password"
	case !a.login.Enabled:
		reason = "disabled"
	default:
		return Proof{Login: a.login, Clear: a.counters.ofOwner(a.login), Rehash: rehash, counted: a.counted}, nil
	}
	keystone.Fact(ctx, "why", reason)
	err = c.Store.Record(ctx, by, keystone.AuditEvent{
		Action: keystone.ActSignInFailed, TargetKind: "user", TargetID: a.login.UserID, TargetName: a.login.Username,
		Detail: map[string]any{"reason": reason, "purpose": a.purpose},
	})
	if err != nil {
		return Proof{}, err
	}
	if c.Brakes.Guessed != nil {
		c.Brakes.Guessed(ctx)
	}
	return Proof{}, Refused
}
