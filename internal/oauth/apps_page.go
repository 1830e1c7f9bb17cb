package oauth

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// appsView is that page.
type appsView struct {
	Accounts []appsOf
}

type appsOf struct {
	Username, Session string
	Apps              []appView
}

type appView struct {
	ID, Name, Since string
	At              []atView
}

// atView is what was allowed for one audience.
type atView struct {
	Audience string   // empty: Keystone itself
	Scopes   []string // in words
}

// appsPage serves GET /account/apps, for everybody who is signed in to this browser.
func (s *Slice) appsPage(w http.ResponseWriter, r *http.Request) error {
	ctx, browser := r.Context(), s.Cookies.Browser(r)
	sessions, err := s.Store.BrowserSessions(ctx, browser)
	if err != nil {
		return err
	}
	if len(sessions) == 0 {
		return s.beginOwn(w, r, browser, 0, keystone.AuthRequest{ClientID: keystone.FirstPartyClientID, Page: keystone.AppsPage})
	}
	var view appsView
	for _, b := range sessions {
		list, err := s.Store.Consents(ctx, b.UserID, keystone.Page{Limit: keystone.MaxPage})
		if err != nil {
			return err
		}
		of := appsOf{Username: b.Username, Session: b.ID}
		for _, consent := range list.Items {
			app, err := s.viewApp(ctx, consent, s.Pages.Language(r, ""))
			if err != nil {
				return err
			}
			of.Apps = append(of.Apps, app)
		}
		view.Accounts = append(view.Accounts, of)
	}
	return s.Pages.Render(w, r, http.StatusOK, "apps", web.Page{Data: view})
}

func (s *Slice) viewApp(ctx context.Context, consent store.Consent, language string) (appView, error) {
	app := appView{ID: consent.ClientID, Name: consent.ClientName, Since: consent.CreatedAt.UTC().Format(time.DateOnly)}
	if c, err := s.Store.CachedClient(ctx, consent.ClientID); err == nil {
		app.Name = c.NameIn(language)
	} else if keystone.KindOf(err) != keystone.NotFound {
		return app, err
	}
	for _, audience := range slices.Sorted(maps.Keys(consent.Allowed)) {
		at := atView{Audience: audience}
		for _, name := range consent.Allowed[audience] {
			sc, err := s.Store.Scope(ctx, name)
			if err != nil && keystone.KindOf(err) != keystone.NotFound {
				return app, err
			}
			if sc.Description == "" {
				sc.Description = name
			}
			at.Scopes = append(at.Scopes, sc.Description)
		}
		app.At = append(app.At, at)
	}
	return app, nil
}

// appsForm serves POST /account/apps: it takes back what somebody who is signed in to
// this browser allowed. Forms of other sites do not come here.
func (s *Slice) appsForm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return err
	}
	sessions, err := s.Store.BrowserSessions(r.Context(), s.Cookies.Browser(r))
	if err != nil {
		return err
	}
	for _, b := range sessions {
		if b.ID != form.Get("account") {
			continue
		}
		by := httpio.Actor(r.Context()).AsUser(b.UserID, b.Username, "", b.ID)
		if err := s.Store.RevokeConsent(r.Context(), by, b.UserID, form.Get("app")); err != nil && keystone.KindOf(err) != keystone.NotFound {
			return err
		}
	}
	return redirect(w, "apps") // which says how it is now, whoever was quicker
}
