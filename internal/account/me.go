package account

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
)

// Match is the condition under which the account may be changed.
type Match struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the account as you read it. 412 where it was changed since; left out, it is changed in any case."`
}

// empty is the answer of an operation that has nothing to say: 204.
type empty struct{}

func (s *Slice) readMe(ctx context.Context, _ *struct{}) (*accountAnswer, error) {
	st, err := s.Store.UserState(ctx, httpio.Actor(ctx).ID) // read often, and a second old at most
	return answerAccount(st.User, err)
}

type updateMeRequest struct {
	Match
	Body struct {
		Username        *string             `json:"username,omitempty" maxLength:"50"`
		Email           *string             `json:"email,omitempty" maxLength:"254" doc:"A new address is unverified, and needs current_password: whoever has the address can get at the account."`
		FirstName       patch.Field[string] `json:"first_name,omitempty" maxLength:"50"`
		LastName        patch.Field[string] `json:"last_name,omitempty" maxLength:"50"`
		CurrentPassword *string             `json:"current_password,omitempty" maxLength:"1024" doc:"Needed for a new address only."`
	}
}

func (s *Slice) updateMe(ctx context.Context, in *updateMeRequest) (*accountAnswer, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	by, b := httpio.Actor(ctx), &in.Body
	if b.Email != nil || b.Username != nil {
		if err := s.mayRename(ctx, by, b.Username, b.Email, b.CurrentPassword); err != nil {
			return nil, err
		}
	}
	return answerAccount(s.Store.UpdateUser(ctx, by, by.ID, version, keystone.UserPatch{
		Username: b.Username, Email: b.Email, FirstName: b.FirstName.Change(), LastName: b.LastName.Change(),
	}))
}

// mayRename limits how many names and addresses somebody tries, for the answer
// tells whether another account has them, and asks for the password where the
// address is a new one.
func (s *Slice) mayRename(ctx context.Context, by keystone.Actor, username, email, current *string) error {
	u, err := s.Store.User(ctx, by.ID)
	if err != nil {
		return err
	}
	newEmail := email != nil && *email != u.Email
	if newEmail || username != nil && *username != u.Username {
		if err := s.RenameLimit(ctx); err != nil {
			return err
		}
	}
	if !newEmail {
		return nil
	}
	if _, err := keystone.FoldEmail(*email); err != nil {
		return err
	}
	if current == nil {
		return keystone.FailField("current_password", "Send your password, too: it is needed for a new address.")
	}
	if err := s.ConfirmLimit(ctx); err != nil {
		return err
	}
	_, err = s.confirm(ctx, by, *current)
	return err
}

type deleteMeRequest struct {
	Match
	Body struct {
		CurrentPassword string `json:"current_password" maxLength:"1024"`
	}
}

func (s *Slice) deleteMe(ctx context.Context, in *deleteMeRequest) (*empty, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	if _, err := s.confirm(ctx, by, in.Body.CurrentPassword); err != nil {
		return nil, err
	}
	return nil, s.Store.DeleteUser(ctx, by, by.ID, version)
}
