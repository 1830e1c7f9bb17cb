package login

import (
	"net/http"
	"net/url"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// A page of a sign-in that is opened by its bare address, where no application sent the
// person, begins a sign-in of its own. One that is named and has ended stays ended.

// flowOf returns the flow that a request names, and whether it names one.
func flowOf(r *http.Request) (flow string, is bool) {
	query := r.URL.Query()
	return query.Get("flow"), query.Has("flow")
}

// ownSignIn serves GET /login without a flow: whoever is signed in has nothing to do here.
func (s *Slice) ownSignIn(w http.ResponseWriter, r *http.Request) error {
	browser := s.Cookies.Browser(r)
	sessions, err := s.Store.BrowserSessions(r.Context(), browser)
	if err != nil {
		return err
	}
	if len(sessions) > 0 {
		return seeOther(w, keystone.AppsPage)
	}
	return s.beginFlow(w, r, browser, 0, ownRequest(), "login")
}

// ownRegistration serves GET /register without a flow. Whoever is signed in may make
// another account, as with prompt=create.
func (s *Slice) ownRegistration(w http.ResponseWriter, r *http.Request) error {
	if !s.RegistrationOpen {
		return seeOther(w, "login")
	}
	browser := s.Cookies.Browser(r)
	sessions, err := s.Store.BrowserSessions(r.Context(), browser)
	if err != nil {
		return err
	}
	return s.beginFlow(w, r, browser, len(sessions), ownRequest(keystone.PromptCreate), "register")
}

// consentAddress serves GET /consent: the question itself is the dispatcher's to show.
func (s *Slice) consentAddress(w http.ResponseWriter, r *http.Request) error {
	if flow, is := flowOf(r); is {
		return seeOther(w, "login?"+url.Values{"flow": {flow}}.Encode())
	}
	return seeOther(w, keystone.AppsPage)
}

// ownRequest is what Keystone asks itself: who it is, and then to its own page.
func ownRequest(prompt ...string) keystone.AuthRequest {
	return keystone.AuthRequest{ClientID: keystone.FirstPartyClientID, Page: keystone.AppsPage, Prompt: prompt}
}

// beginFlow begins a flow in a browser that carries so many sessions, and goes to its first
// page. It is counted among those in progress, whatever begins it.
func (s *Slice) beginFlow(w http.ResponseWriter, r *http.Request, browser string, sessions int, req keystone.AuthRequest, page string) error {
	if err := s.Start(r.Context(), "flow", store.FlowLife, ""); err != nil {
		return err
	}
	f := s.Store.NewFlow(req)
	value, err := s.Store.BeginFlow(r.Context(), browser, sessions, f)
	if value != browser {
		s.Cookies.SetBrowser(w, value)
	}
	if err != nil {
		return err
	}
	return seeOther(w, page+"?flow="+f.ID)
}
