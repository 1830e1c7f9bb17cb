package account

import (
	"context"
	"errors"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
)

// Refusals of a password that was asked for again. They are not 401: the access
// token is good, and a client that refreshed it and tried again would only count
// another failure.
var (
	errCurrent = keystone.Fail(keystone.Forbidden, "The current password is not right. After several failures, wait a few minutes before the next attempt.").
			WithFields(map[string]string{"current_password": "This is not your password."})
	errChanged = keystone.Fail(keystone.Conflict, "Your password was changed meanwhile. Sign in again.")
)

// confirm asks the user who is signed in for the password once more.
func (s *Slice) confirm(ctx context.Context, by keystone.Actor, pass string) (proof.Proof, error) {
	p, err := s.Proof.PasswordOf(ctx, by, by.ID, pass)
	var e *keystone.Error
	switch {
	case errors.Is(err, error(proof.Refused)):
		return p, errCurrent
	case errors.As(err, &e) && e.Kind == keystone.Invalid:
		return p, errCurrent.Because(err) // a password that nobody can have
	case err != nil:
		return p, err
	}
	return p, s.Proof.Done(ctx, p)
}

type changePasswordRequest struct {
	Body struct {
		CurrentPassword string `json:"current_password" maxLength:"1024"`
		NewPassword     string `json:"new_password" maxLength:"1024"`
	}
}

// changePassword ends every other session: whoever else knew the old password
// is out (OWASP ASVS 7.4.3).
func (s *Slice) changePassword(ctx context.Context, in *changePasswordRequest) (*empty, error) {
	by := httpio.Actor(ctx)
	u, err := s.Store.User(ctx, by.ID)
	if err != nil {
		return nil, err
	}
	keystone.Checking(ctx, "new password")
	reasons := s.Policy.Reasons(in.Body.NewPassword, u)
	if in.Body.NewPassword == in.Body.CurrentPassword {
		reasons = append(reasons, "Choose one that differs from the current password.")
	}
	if len(reasons) > 0 {
		return nil, keystone.FailField("new_password", strings.Join(reasons, " "))
	}
	p, err := s.confirm(ctx, by, in.Body.CurrentPassword)
	if err != nil {
		return nil, err
	}
	hash, err := s.Hasher.Hash(ctx, in.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.InTx(ctx, func(tx *store.Store) error {
		now, err := tx.LoginByID(ctx, by.ID)
		if err != nil {
			return err
		}
		if !now.ChangedAt.Equal(p.Login.ChangedAt) || !now.Enabled {
			return errChanged
		}
		return tx.SetPassword(ctx, by, by.ID, hash, by.SessionID)
	})
}
