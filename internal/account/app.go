package account

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// App is an application that a user allowed something.
type App struct {
	ID        string    `json:"id" doc:"The client_id."`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes" doc:"What it was allowed."`
	Audiences []string  `json:"audiences" doc:"The resources for which it was allowed this, besides Keystone itself (RFC 8707)."`
	CreatedAt time.Time `json:"created_at" doc:"When it was first allowed something."`
	UpdatedAt time.Time `json:"updated_at"`
}

func viewApp(c store.Consent) App {
	return App{ID: keystone.PathOfClientID(c.ClientID), Name: c.ClientName, Scopes: c.Scopes, Audiences: append([]string{}, c.Audiences...), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
}

type listAppsAnswer struct{ Body httpio.Collection[App] }

// listApps serves GET /api/v1/users/me/apps.
func (s *Slice) listApps(ctx context.Context, in *httpio.PageQuery) (*listAppsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Consents(ctx, httpio.Actor(ctx).ID, p)
	if err != nil {
		return nil, err
	}
	return &listAppsAnswer{httpio.Collect(list, viewApp)}, nil
}

type appRequest struct {
	ID string `path:"id" maxLength:"500"`
}

// revokeApp serves DELETE /api/v1/users/me/apps/{id}.
func (s *Slice) revokeApp(ctx context.Context, in *appRequest) (*struct{}, error) {
	by := httpio.Actor(ctx)
	return nil, s.Store.RevokeConsent(ctx, by, by.ID, keystone.ClientIDOfPath(in.ID))
}
