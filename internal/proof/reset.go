package proof

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// resetLife is how long a reset link works.
const resetLife = time.Hour

// ErrReset answers every reset link that is not good, whatever the reason.
var ErrReset = keystone.Fail(keystone.Unauthenticated, "This link was used, replaced or has expired. Ask whoever gave it to you for a new one.")

// StartReset takes the user's password away, ends all their sessions and returns
// the bearer value of a link under which they choose a new one. An
// administrator may start a reset, and does not get to know the password (OWASP
// ASVS 6.4.6). Links made before stop working.
func (c *Checker) StartReset(ctx context.Context, by keystone.Actor, userID string) (value string, expires time.Time, err error) {
	value, expires = secret.New(secret.OneTime), c.Store.Now().UTC().Add(resetLife).Truncate(time.Microsecond)
	err = c.Store.InTx(ctx, func(tx *store.Store) error {
		if err := tx.SetPassword(ctx, by, userID, "", ""); err != nil {
			return err
		}
		login, err := tx.LoginByID(ctx, userID)
		if err != nil {
			return err
		}
		if err := tx.AddSingleUse(ctx, store.SingleUseReset, value, resetPayload(login)+makerRights(by), expires); err != nil {
			return err
		}
		return tx.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActPasswordReset, TargetKind: "user", TargetID: userID, TargetName: login.Username,
			Detail: map[string]any{"expires_at": expires.UTC().Format(time.RFC3339)}})
	})
	return value, expires, err
}

// resetPayload binds a link to the password as it was when the link was made:
// once that changes, by this link or otherwise, the link is dead.
func resetPayload(l store.Login) string {
	return l.UserID + " " + strconv.FormatInt(l.ChangedAt.UnixMicro(), 10)
}

// makerRights is what the maker of a link holds, behind what the link is bound
// to. A link must not become the key to more than its maker could have taken:
// the user may be given roles while it is under way.
func makerRights(by keystone.Actor) string {
	if by.Kind == keystone.ActorOperator || by.Kind == keystone.ActorSystem {
		return " " + everything
	}
	return " " + strings.Join(by.Scopes, " ")
}

// everything stands for the rights of whoever runs the server. No scope has a
// space in it.
const everything = "operator of the server"

// coveredBy reports whether the maker of a link held all that the user holds now.
func coveredBy(rights string, held []string) bool {
	maker := keystone.Actor{Kind: keystone.ActorUser, Scopes: strings.Fields(rights)}
	if rights == everything {
		maker.Kind = keystone.ActorOperator
	}
	return maker.MayGrantAll(held) == ""
}

// ResetGood reports whether a reset link could be used now. It uses nothing: mail
// scanners follow links.
func (c *Checker) ResetGood(ctx context.Context, value string) (bool, error) {
	if !secret.WellFormed(secret.OneTime, value) {
		return false, nil
	}
	return c.Store.PeekOnce(ctx, store.SingleUseReset, value)
}

// Reset uses a reset link and sets the password. The link is used up only where
// the password may be chosen. All sessions end and none begins: whoever has the
// link still has to sign in, with a second factor where there is one. It returns whose
// password it was.
func (c *Checker) Reset(ctx context.Context, by keystone.Actor, value, newPassword string, policy password.Policy) (userID string, err error) {
	keystone.Checking(ctx, "reset link")
	good, err := c.ResetGood(ctx, value)
	if err != nil {
		return "", err
	}
	if !good {
		return "", c.refuseReset(ctx, by, value)
	}
	keystone.Checking(ctx, "new password")
	if err := policy.Check(newPassword, keystone.User{}); err != nil {
		return "", err
	}
	hash, err := c.Hasher.Hash(ctx, newPassword)
	if err != nil {
		return "", err
	}
	err = c.Store.InTx(ctx, func(tx *store.Store) error {
		payload, ok, err := tx.UseOnce(ctx, store.SingleUseReset, value)
		if err != nil {
			return err
		}
		userID, _, _ = strings.Cut(payload, " ")
		login, err := tx.LoginByID(ctx, userID)
		if err != nil {
			return err
		}
		rights, bound := strings.CutPrefix(payload, resetPayload(login)+" ")
		if !ok || !login.Enabled || !bound {
			return ErrReset
		}
		state, err := tx.UserState(ctx, login.UserID)
		if err != nil {
			return err
		}
		if !coveredBy(rights, state.Scopes) {
			return ErrReset
		}
		u, err := tx.User(ctx, login.UserID)
		if err != nil {
			return err
		}
		if err := policy.Check(newPassword, u); err != nil {
			return err // and the link is as it was
		}
		owner := by.AsUser(login.UserID, login.Username, "", "")
		owner.FirstParty = true
		return tx.SetPassword(ctx, owner, login.UserID, hash, "")
	})
	if errors.Is(err, error(ErrReset)) {
		return "", c.refuseReset(ctx, by, value)
	}
	return userID, err
}

// refuseReset refuses a link. One that was never ours leaves no trace, or anybody
// could fill the trail.
func (c *Checker) refuseReset(ctx context.Context, by keystone.Actor, value string) error {
	if !secret.WellFormed(secret.OneTime, value) || c.Denied == nil {
		return ErrReset
	}
	switch known, err := c.Store.KnownOnce(ctx, store.SingleUseReset, value); {
	case err != nil:
		return err
	case known:
		c.Denied(ctx, by, "reset_link")
	}
	return ErrReset
}
