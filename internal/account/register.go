package account

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

type registerRequest struct {
	Body struct {
		Username  string `json:"username" maxLength:"50"`
		Email     string `json:"email" maxLength:"254"`
		Password  string `json:"password" maxLength:"1024"`
		FirstName string `json:"first_name,omitempty" maxLength:"50"`
		LastName  string `json:"last_name,omitempty" maxLength:"50"`
	}
}

var errClosed = keystone.Fail(keystone.Forbidden, "Registration is closed here. Ask an administrator for an account.")

// register serves POST /api/v1/auth/register.
func (s *Slice) register(ctx context.Context, in *registerRequest) (*accountAnswer, error) {
	u := keystone.User{Username: in.Body.Username, Email: in.Body.Email, FirstName: in.Body.FirstName, LastName: in.Body.LastName}
	return answerAccount(s.Register(ctx, u, in.Body.Password))
}

// Register makes an account for whoever asks: the one way for the API and the
// page. An open registration has to say that a name is taken; it costs the same
// work whether it is or not, and is limited by source at both routes.
func (s *Slice) Register(ctx context.Context, u keystone.User, pass string) (keystone.User, error) {
	by := httpio.Actor(ctx)
	keystone.Checking(ctx, "registration is open")
	if !s.RegistrationOpen {
		s.Denied(ctx, by, "registration_closed")
		return u, errClosed
	}
	keystone.Checking(ctx, "names, address and password")
	if err := s.checkNew(u, pass); err != nil {
		return u, err
	}
	hash, err := s.Hasher.Hash(ctx, pass)
	if err != nil {
		return u, err
	}
	keystone.Checking(ctx, "name and address not taken")
	u, err = s.Store.RegisterUser(ctx, by, u, hash)
	if err == nil {
		httpio.SetUser(ctx, u.ID)
	}
	return u, err
}
