package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// pagesFor are the pages for the folder that a request is in: their addresses are
// relative.
func (s *Slice) pagesFor(r *http.Request) *web.Pages {
	if strings.HasPrefix(r.URL.Path, "/oauth2/") {
		return s.Pages
	}
	return s.RootPages
}

func (s *Slice) logoutProblem(w http.ResponseWriter, r *http.Request, err error) error {
	switch keystone.KindOf(err) {
	case keystone.Unknown, keystone.Unavailable, keystone.Limited:
		return err // the edge's own page says when to come again
	}
	httpio.ExchangeOf(r.Context()).Err = err
	return s.pagesFor(r).Problem(w, r, httpio.StatusOf(r, err), httpio.Actor(r.Context()).RequestID, err)
}

// logoutView is the page that asks.
type logoutView struct {
	Hidden   map[string]string
	Accounts []logoutAccount
	All      string
}

type logoutAccount struct{ Session, Username string }

func (s *Slice) logoutPage(w http.ResponseWriter, r *http.Request, v logoutVisit) error {
	view := logoutView{All: allAccounts, Hidden: map[string]string{"confirm": "yes"}}
	for _, name := range []string{"post_logout_redirect_uri", "client_id", "id_token_hint", "state", "ui_locales"} {
		if value := v.params.Get(name); value != "" {
			view.Hidden[name] = value
		}
	}
	for _, b := range v.sessions {
		view.Accounts = append(view.Accounts, logoutAccount{b.ID, b.Username})
	}
	return s.pagesFor(r).RenderFlow(w, r, http.StatusOK, "logout", web.Page{Locales: v.params.Get("ui_locales"), Data: view})
}

// maxFrames bounds the page after logging out.
const maxFrames = 100

// frontChannel is what that page loads: one address for each client that wants it
// in each session that has ended (OpenID Connect Front-Channel Logout section 2).
func (s *Slice) frontChannel(list []store.SessionClient) []string {
	var frames []string
	for _, one := range list {
		uri := one.Client.FrontchannelLogoutURI
		if uri == "" || len(frames) == maxFrames {
			continue
		}
		if one.Client.FrontchannelLogoutSession {
			uri = withQuery(uri, url.Values{"iss": {s.Issuer.Options.Issuer}, "sid": {s.Ring.SessionName(&one.Client, one.SessionID)}})
		}
		frames = append(frames, uri)
	}
	return frames
}

// loggedOutView is the page after logging out.
type loggedOutView struct {
	Lines  []web.Text
	Back   string // where the person goes on; empty: nowhere
	Host   string // of that, where it is a stranger's; empty: it is not
	Frames []string
}

// loggedOut sends the browser back to the application: at once, or, where
// applications are told through the browser, after the page that tells them. Where
// ask is set, that page asks whether the person wants to go to a stranger's address (RFC
// 9700 section 4.11.2).
func (s *Slice) loggedOut(w http.ResponseWriter, r *http.Request, v logoutVisit, ended []store.BrowserSession, frames []string, ask bool) error {
	if v.back != "" && len(frames) == 0 && !ask {
		return redirect(w, v.back)
	}
	next := v.back
	view := loggedOutView{Back: v.back, Frames: frames, Lines: []web.Text{web.Say("logged_out.close")}}
	if left := without(v.sessions, ended); len(left) > 0 {
		view.Lines = []web.Text{web.Say("logged_out.still", "users", strings.Join(left, ", "))}
	}
	if ask {
		next, view.Host = "", keystone.DisplayHost(v.back)
	}
	origins := make([]string, len(frames))
	for i, uri := range frames {
		origins[i] = keystone.Origin(uri)
	}
	return s.pagesFor(r).RenderFrames(w, r, "logged_out", web.Page{Locales: v.params.Get("ui_locales"), Data: view}, keystone.SortedSet(origins), next)
}

// without names who is in sessions and not in ended.
func without(sessions, ended []store.BrowserSession) (names []string) {
	gone := map[string]bool{}
	for _, b := range ended {
		gone[b.ID] = true
	}
	for _, b := range sessions {
		if !gone[b.ID] {
			names = append(names, b.Username)
		}
	}
	return names
}
