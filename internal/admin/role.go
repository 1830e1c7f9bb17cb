package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
	"github.com/keystone-auth/keystone/internal/store"
)

// Role is a role in an answer.
type Role struct {
	ID          string    `json:"id" format:"uuid"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Scopes      []string  `json:"scopes"`
	BuiltIn     bool      `json:"built_in" doc:"Keystone's own: cannot be renamed or deleted."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func viewRole(r keystone.Role) Role {
	return Role{ID: r.ID, Name: r.Name, Description: r.Description, Scopes: r.Scopes, BuiltIn: r.BuiltIn, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

type roleAnswer struct {
	ETag string `header:"ETag"`
	Body Role
}

func answerRole(r keystone.Role, err error) (*roleAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &roleAnswer{httpio.ETag(r.Version, time.Time{}, r.Scopes), viewRole(r)}, nil
}

type listRolesRequest struct {
	httpio.PageQuery
	Q string `query:"q" maxLength:"100" doc:"What the name starts with."`
}

type listRolesAnswer struct{ Body httpio.Collection[Role] }

func (s *Slice) listRoles(ctx context.Context, in *listRolesRequest) (*listRolesAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Roles(ctx, in.Q, p)
	if err != nil {
		return nil, err
	}
	return &listRolesAnswer{httpio.Collect(list, viewRole)}, nil
}

type createRoleRequest struct {
	Body struct {
		Name        string   `json:"name" maxLength:"64"`
		Description string   `json:"description,omitempty" maxLength:"500"`
		Scopes      []string `json:"scopes,omitempty" maxItems:"200" doc:"Of Keystone's own scopes you may only name those that you hold; scopes:write holds all others."`
	}
}

func (s *Slice) createRole(ctx context.Context, in *createRoleRequest) (*roleAnswer, error) {
	return answerRole(s.Store.CreateRole(ctx, httpio.Actor(ctx), keystone.Role{Name: in.Body.Name, Description: in.Body.Description, Scopes: in.Body.Scopes}))
}

func (s *Slice) readRole(ctx context.Context, in *ByID) (*roleAnswer, error) {
	name, err := in.name("role")
	if err != nil {
		return nil, err
	}
	return answerRole(s.Store.Role(ctx, name))
}

type updateRoleRequest struct {
	ByID
	Match
	Body struct {
		Name        *string             `json:"name,omitempty" maxLength:"64"`
		Description patch.Field[string] `json:"description,omitempty" maxLength:"500"`
		Scopes      []string            `json:"scopes,omitempty" maxItems:"200" doc:"All scopes that the role carries from now on."`
	}
}

func (s *Slice) updateRole(ctx context.Context, in *updateRoleRequest) (*roleAnswer, error) {
	name, err := in.name("role")
	if err != nil {
		return nil, err
	}
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	change := store.RolePatch{Name: in.Body.Name, Description: in.Body.Description.Change()}
	if in.Body.Scopes != nil {
		change.Scopes = &in.Body.Scopes
	}
	return answerRole(s.Store.UpdateRole(ctx, httpio.Actor(ctx), name, version, change))
}

func (s *Slice) deleteRole(ctx context.Context, in *deleteRequest) (*empty, error) {
	name, err := in.name("role")
	if err != nil {
		return nil, err
	}
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.DeleteRole(ctx, httpio.Actor(ctx), name, version)
}
