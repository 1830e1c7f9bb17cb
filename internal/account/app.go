package account

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// App is an application that a user allowed something.
type App struct {
	ID        string    `json:"id" doc:"The client_id."`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes" doc:"All that it was allowed, for whomever."`
	Audiences []string  `json:"audiences" doc:"The resources for which it was allowed something, besides Keystone itself (RFC 8707)."`
	Allowed   []AppUse  `json:"allowed" doc:"What it was allowed for whom."`
	CreatedAt time.Time `json:"created_at" doc:"When it was first allowed something."`
	UpdatedAt time.Time `json:"updated_at"`
}

// AppUse is what an application was allowed for one audience.
type AppUse struct {
	Audience string   `json:"audience" doc:"A resource, or the issuer: Keystone itself, and what OpenID Connect tells of the user."`
	Scopes   []string `json:"scopes"`
}

func (s *Slice) viewApp(c store.Consent) App {
	app := App{ID: keystone.PathOfClientID(c.ClientID), Name: c.ClientName, Scopes: append([]string{}, c.Allowed.Scopes()...), Audiences: append([]string{}, c.Allowed.Audiences()...),
		Allowed: []AppUse{}, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	for _, audience := range slices.Sorted(maps.Keys(c.Allowed)) {
		app.Allowed = append(app.Allowed, AppUse{cmp.Or(audience, s.Issuer), append([]string{}, c.Allowed[audience]...)})
	}
	return app
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
	return &listAppsAnswer{httpio.Collect(list, s.viewApp)}, nil
}

type appRequest struct {
	ID string `path:"id" maxLength:"500"`
}

type appAnswer struct{ Body App }

// readApp serves GET /api/v1/users/me/apps/{id}.
func (s *Slice) readApp(ctx context.Context, in *appRequest) (*appAnswer, error) {
	c, err := s.Store.Consent(ctx, httpio.Actor(ctx).ID, keystone.ClientIDOfPath(in.ID))
	return &appAnswer{s.viewApp(c)}, err
}

// revokeApp serves DELETE /api/v1/users/me/apps/{id}.
func (s *Slice) revokeApp(ctx context.Context, in *appRequest) (*struct{}, error) {
	by := httpio.Actor(ctx)
	return nil, s.Store.RevokeConsent(ctx, by, by.ID, keystone.ClientIDOfPath(in.ID))
}
