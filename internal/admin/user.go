package admin

import (
	"context"
	"errors"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
)

// User is a user in an answer.
type User struct {
	ID            string     `json:"id" format:"uuid"`
	Username      string     `json:"username"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	FirstName     string     `json:"first_name"`
	LastName      string     `json:"last_name"`
	Enabled       bool       `json:"enabled"`
	Roles         []string   `json:"roles"`
	LastLogin     *time.Time `json:"last_login" nullable:"true"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

func viewUser(u keystone.User) User {
	return User{
		ID: u.ID, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, FirstName: u.FirstName, LastName: u.LastName,
		Enabled: u.Enabled, Roles: u.Roles, LastLogin: when(u.LastLogin), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

type userAnswer struct {
	ETag string `header:"ETag"`
	Body User
}

func answerUser(u keystone.User, err error) (*userAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &userAnswer{httpio.ETag(u.Version, u.LastLogin, u.Roles), viewUser(u)}, nil
}

type listUsersRequest struct {
	httpio.PageQuery
	Q string `query:"q" maxLength:"100" doc:"What username, e-mail address, first or last name starts with. Upper and lower case are the same."`
}

type listUsersAnswer struct{ Body httpio.Collection[User] }

func (s *Slice) listUsers(ctx context.Context, in *listUsersRequest) (*listUsersAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Users(ctx, in.Q, p)
	if err != nil {
		return nil, err
	}
	return &listUsersAnswer{httpio.Collect(list, viewUser)}, nil
}

type createUserRequest struct {
	Body struct {
		Username  string   `json:"username" maxLength:"50"`
		Email     string   `json:"email" maxLength:"254"`
		Password  string   `json:"password,omitempty" maxLength:"1024" doc:"Left out: nobody can sign in until a password reset was done."`
		FirstName string   `json:"first_name,omitempty" maxLength:"50"`
		LastName  string   `json:"last_name,omitempty" maxLength:"50"`
		Enabled   *bool    `json:"enabled,omitempty" doc:"true where it is left out."`
		Roles     []string `json:"roles,omitempty" maxItems:"100" doc:"Names of roles; the role user where it is left out."`
	}
}

func (s *Slice) createUser(ctx context.Context, in *createUserRequest) (*userAnswer, error) {
	u := keystone.User{
		Username: in.Body.Username, Email: in.Body.Email, FirstName: in.Body.FirstName, LastName: in.Body.LastName,
		Enabled: in.Body.Enabled == nil || *in.Body.Enabled, Roles: in.Body.Roles,
	}
	if u.Roles == nil {
		u.Roles = []string{keystone.RoleUser}
	}
	err := u.Validate()
	if in.Body.Password != "" {
		err = both(err, s.Policy.Check(in.Body.Password, u))
	}
	if err != nil {
		return nil, err
	}
	var hash string
	if in.Body.Password != "" {
		if hash, err = s.Hasher.Hash(ctx, in.Body.Password); err != nil {
			return nil, err
		}
	}
	return answerUser(s.Store.CreateUser(ctx, httpio.Actor(ctx), u, hash))
}

// both is the refusal of two checks in one answer, so that people correct
// everything at once.
func both(a, b error) error {
	var ea, eb *keystone.Error
	if !errors.As(a, &ea) || !errors.As(b, &eb) {
		return errors.Join(a, b) // at most one of them, or none
	}
	return ea.WithFields(eb.Fields)
}

func (s *Slice) readUser(ctx context.Context, in *ByID) (*userAnswer, error) {
	return answerUser(s.Store.User(ctx, in.ID))
}

type updateUserRequest struct {
	ByID
	Match
	Body struct {
		Username  *string             `json:"username,omitempty" maxLength:"50"`
		Email     *string             `json:"email,omitempty" maxLength:"254" doc:"A new address is unverified."`
		FirstName patch.Field[string] `json:"first_name,omitempty" maxLength:"50"`
		LastName  patch.Field[string] `json:"last_name,omitempty" maxLength:"50"`
		Enabled   *bool               `json:"enabled,omitempty" doc:"false ends every session."`
	}
}

func (s *Slice) updateUser(ctx context.Context, in *updateUserRequest) (*userAnswer, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	if in.Body.Email != nil && own(by, in.ID) {
		return nil, errOwn
	}
	return answerUser(s.Store.UpdateUser(ctx, by, in.ID, version, keystone.UserPatch{
		Username: in.Body.Username, Email: in.Body.Email, FirstName: in.Body.FirstName.Change(), LastName: in.Body.LastName.Change(), Enabled: in.Body.Enabled,
	}))
}

// errOwn refuses what would let whoever found an administrator's access token
// take over that administrator's account: on the way through users/me the
// password is asked for, and there is no way around it here.
var errOwn = keystone.Fail(keystone.Forbidden, "This is your own account. Do this under /api/v1/users/me, where your password is asked for.")

func own(by keystone.Actor, id string) bool { return by.Kind == keystone.ActorUser && by.ID == id }

type deleteRequest struct {
	ByID
	Match
}

func (s *Slice) deleteUser(ctx context.Context, in *deleteRequest) (*empty, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	if own(by, in.ID) {
		return nil, errOwn
	}
	return nil, s.Store.DeleteUser(ctx, by, in.ID, version)
}
