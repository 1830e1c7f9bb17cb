package oauth

import (
	"net/http"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// requestsName is the page that lists what waits for the people of a browser.
const requestsName = "requests"

// requestsView is that page.
type requestsView struct {
	Accounts string // who is signed in here
	Requests []waitingView
}

type waitingView struct{ ID, Client, Username, Message, Asked, Until string }

// requestsPage serves GET /requests: what clients that are somewhere else ask the
// people who are signed in to this browser (OpenID Connect CIBA section 9).
func (s *Slice) requestsPage(w http.ResponseWriter, r *http.Request) error {
	ctx, browser := r.Context(), s.Cookies.Browser(r)
	sessions, err := s.Store.BrowserSessions(ctx, browser)
	if err != nil {
		return err
	}
	other := r.URL.Query().Get("account") == "other"
	if len(sessions) == 0 || other {
		req := keystone.AuthRequest{ClientID: keystone.FirstPartyClientID, Page: requestsName}
		if other {
			req.Prompt = []string{keystone.PromptSelect}
		}
		return s.beginOwn(w, r, browser, len(sessions), req)
	}
	var view requestsView
	var accounts []string
	for _, b := range sessions {
		accounts = append(accounts, b.Username)
		list, err := s.Store.WaitingFor(ctx, b.UserID)
		if err != nil {
			return err
		}
		for _, p := range list {
			c, err := s.Store.CachedClient(ctx, p.ClientID)
			if keystone.KindOf(err) == keystone.NotFound || err == nil && !c.Enabled {
				continue
			}
			if err != nil {
				return err
			}
			view.Requests = append(view.Requests, waitingView{p.ID, c.NameIn(s.RootPages.Language(r, "")), b.Username, p.Message, clock(p.CreatedAt), clock(p.ExpiresAt)})
		}
	}
	view.Accounts = strings.Join(accounts, ", ")
	return s.RootPages.Render(w, r, http.StatusOK, requestsName, web.Page{Data: view})
}

// requestsForm serves POST /requests: it begins the flow in which one of them is
// answered. It decides nothing: the person is asked there, by every rule of the
// sign-in.
func (s *Slice) requestsForm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return err
	}
	ctx, browser := r.Context(), s.Cookies.Browser(r)
	p, err := s.Store.Pending(ctx, form.Get("request"))
	if err != nil {
		return s.noRequest(w, r, err)
	}
	sessions, err := s.Store.BrowserSessions(ctx, browser)
	if err != nil {
		return err
	}
	for _, b := range sessions {
		if p.Kind == store.PendingBackchannel && b.UserID == p.UserID {
			p.Request.Pending, p.Request.Subject = p.ID, p.UserID
			return s.beginOwn(w, r, browser, len(sessions), p.Request)
		}
	}
	return s.noRequest(w, r, nil)
}

// noRequest is one answer for requests that are not there any more and for those
// of people who are not here.
func (s *Slice) noRequest(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil && keystone.KindOf(err) != keystone.NotFound {
		return err
	}
	httpio.ExchangeOf(r.Context()).Err = errAnswered
	return s.RootPages.Problem(w, r, httpio.StatusOf(r, errAnswered), httpio.Actor(r.Context()).RequestID, errAnswered)
}

// beginOwn begins a flow that Keystone itself wants.
func (s *Slice) beginOwn(w http.ResponseWriter, r *http.Request, browser string, sessions int, req keystone.AuthRequest) error {
	if err := s.begins(r.Context()); err != nil {
		return err
	}
	f := s.Store.NewFlow(req)
	if err := s.begin(w, r, browser, sessions, f); err != nil {
		return err
	}
	return redirect(w, strings.Repeat("../", strings.Count(req.Page, "/"))+"login?flow="+f.ID)
}

// clock is a time of day as pages say it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }
