package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
)

// Scope is a scope in an answer.
type Scope struct {
	ID          string    `json:"id" format:"uuid"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	BuiltIn     bool      `json:"built_in" doc:"Keystone's own: cannot be changed or deleted."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func viewScope(sc keystone.Scope) Scope {
	return Scope{ID: sc.ID, Name: sc.Name, Description: sc.Description, BuiltIn: sc.BuiltIn, CreatedAt: sc.CreatedAt, UpdatedAt: sc.UpdatedAt}
}

type scopeAnswer struct {
	ETag string `header:"ETag"`
	Body Scope
}

func answerScope(sc keystone.Scope, err error) (*scopeAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &scopeAnswer{httpio.ETag(sc.Version, time.Time{}, nil), viewScope(sc)}, nil
}

type listScopesRequest struct {
	httpio.PageQuery
	Q string `query:"q" maxLength:"100" doc:"What the name starts with, to the letter."`
}

type listScopesAnswer struct{ Body httpio.Collection[Scope] }

func (s *Slice) listScopes(ctx context.Context, in *listScopesRequest) (*listScopesAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Scopes(ctx, in.Q, p)
	if err != nil {
		return nil, err
	}
	return &listScopesAnswer{httpio.Collect(list, viewScope)}, nil
}

type createScopeRequest struct {
	Body struct {
		Name        string `json:"name" maxLength:"100"`
		Description string `json:"description,omitempty" maxLength:"500"`
	}
}

func (s *Slice) createScope(ctx context.Context, in *createScopeRequest) (*scopeAnswer, error) {
	return answerScope(s.Store.CreateScope(ctx, httpio.Actor(ctx), keystone.Scope{Name: in.Body.Name, Description: in.Body.Description}))
}

func (s *Slice) readScope(ctx context.Context, in *ByID) (*scopeAnswer, error) {
	name, err := in.name("scope")
	if err != nil {
		return nil, err
	}
	return answerScope(s.Store.Scope(ctx, name))
}

type updateScopeRequest struct {
	ByID
	Match
	Body struct {
		Description patch.Field[string] `json:"description,omitempty" maxLength:"500"`
	}
}

// updateScope changes the description alone: a scope's name stands in tokens and
// in other people's code.
func (s *Slice) updateScope(ctx context.Context, in *updateScopeRequest) (*scopeAnswer, error) {
	name, err := in.name("scope")
	if err != nil {
		return nil, err
	}
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	description := in.Body.Description.Change()
	if description == nil {
		return nil, keystone.FailField("description", "This is required: nothing else of a scope can be changed.")
	}
	return answerScope(s.Store.UpdateScope(ctx, httpio.Actor(ctx), name, version, *description))
}

func (s *Slice) deleteScope(ctx context.Context, in *deleteRequest) (*empty, error) {
	name, err := in.name("scope")
	if err != nil {
		return nil, err
	}
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.DeleteScope(ctx, httpio.Actor(ctx), name, version)
}
