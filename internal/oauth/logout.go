package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// logoutRequest is a checked request to log out (OpenID Connect RP-Initiated
// Logout section 2). Without any parameter it is a person's own wish.
type logoutRequest struct {
	params url.Values
	hint   token.Hint
	hinted bool
	back   string // where the browser goes afterwards; empty: nowhere
	// stranger is the client, where nobody here has looked at whom that address belongs to.
	stranger string
}

// logoutVisit is such a request in a browser, and who is signed in there.
type logoutVisit struct {
	logoutRequest
	browser  string
	sessions []store.BrowserSession
}

var errLogoutURI = keystone.Fail(keystone.Invalid, "The address to return to is not registered for this application, or it is not certain which application asks. Nobody was logged out.")

// logout serves GET and POST /oauth2/logout, where applications send people, and
// /logout, where people log out of Keystone by themselves. Only a page of our own,
// or an ID token of this very session, ends a session without asking.
func (s *Slice) logout(w http.ResponseWriter, r *http.Request) error {
	keystone.Checking(r.Context(), "parameters")
	params, err := authorizeParams(r)
	if err != nil {
		return s.logoutProblem(w, r, err)
	}
	req, err := s.readLogout(r, params)
	if err != nil {
		return s.logoutProblem(w, r, err)
	}
	if r.Method == http.MethodPost && !sameOrigin(r) {
		// Another site's form comes without our cookie (SameSite=Lax); the GET that
		// follows brings it.
		return redirect(w, "logout?"+params.Encode())
	}
	v := logoutVisit{logoutRequest: req, browser: s.Cookies.Browser(r)}
	if v.sessions, err = s.Store.BrowserSessions(r.Context(), v.browser); err != nil {
		return err
	}
	ending, ask := v.ending(r.Method == http.MethodPost)
	if ask {
		return s.logoutPage(w, r, v)
	}
	return s.endAndLeave(w, r, v, ending)
}

// ending says which sessions end, or that the person has to be asked.
func (v logoutVisit) ending(posted bool) (list []store.BrowserSession, ask bool) {
	mine := slices.IndexFunc(v.sessions, func(b store.BrowserSession) bool {
		return v.hinted && b.ID == v.hint.SessionID // another session of the same user is another matter: this token does not speak for it
	})
	switch {
	case len(v.sessions) == 0:
		return nil, false
	case mine >= 0:
		return v.sessions[mine : mine+1], false
	case !posted || v.params.Get("confirm") != "yes":
		return nil, true
	}
	account := v.params.Get("account")
	if account == "" || account == allAccounts {
		return v.sessions, false
	}
	i := slices.IndexFunc(v.sessions, func(b store.BrowserSession) bool { return b.ID == account })
	if i < 0 {
		return nil, true // it ended meanwhile: show what there is
	}
	return v.sessions[i : i+1], false
}

// used reports whether the client that the address belongs to has signed somebody in within
// one of the sessions. If not, anybody may have sent the person here.
func (v logoutVisit) used(ending []store.BrowserSession, clients []store.SessionClient) bool {
	return slices.ContainsFunc(clients, func(one store.SessionClient) bool { return one.Client.ID == v.stranger }) ||
		v.hinted && slices.ContainsFunc(ending, func(b store.BrowserSession) bool { return b.ID == v.hint.SessionID })
}

// allAccounts is the choice of the logout page that ends every session of the
// browser.
const allAccounts = "all"

// endAndLeave ends the sessions, takes the cookie away or renews it, and sends the
// browser on.
func (s *Slice) endAndLeave(w http.ResponseWriter, r *http.Request, v logoutVisit, ending []store.BrowserSession) error {
	ids := make([]string, len(ending))
	for i, b := range ending {
		ids[i] = b.ID
	}
	clients, err := s.Store.SessionClients(r.Context(), ids)
	if err != nil {
		return err
	}
	err = s.Store.InTx(r.Context(), func(tx *store.Store) error {
		for _, b := range ending {
			by := httpio.Actor(r.Context()).AsUser(b.UserID, b.Username, "", b.ID)
			if err := tx.EndSession(r.Context(), by, b.ID, b.UserID, keystone.EndLogout); err != nil && keystone.KindOf(err) != keystone.NotFound {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case v.browser == "":
	case len(ending) == len(v.sessions):
		s.Cookies.ClearBrowser(w) // also where it was dead already
	default:
		renewed, err := s.Store.RenewBrowser(r.Context(), v.browser)
		if err != nil {
			return err
		}
		s.Cookies.SetBrowser(w, renewed)
	}
	return s.loggedOut(w, r, v, ending, s.frontChannel(clients), v.stranger != "" && !v.used(ending, clients))
}

// sameOrigin reports whether a form came from a page of ours. The server refuses
// other origins on every route but those that other sites may post to, of which
// this is one.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "" && (r.Header.Get("Origin") == "" || strings.HasSuffix(r.Header.Get("Origin"), "://"+r.Host))
}

func (s *Slice) readLogout(r *http.Request, params url.Values) (req logoutRequest, err error) {
	req.params = params
	clientID := params.Get("client_id")
	keystone.Checking(r.Context(), "id_token_hint")
	if raw := params.Get("id_token_hint"); raw != "" {
		if req.hint, err = s.Verifier.IDTokenHint(r.Context(), raw); err != nil {
			return req, err
		}
		if clientID != "" && clientID != req.hint.ClientID {
			return req, errHintUser
		}
		req.hinted, clientID = true, req.hint.ClientID
	}
	uri := params.Get("post_logout_redirect_uri")
	if uri == "" && !req.hinted {
		return req, nil
	}
	keystone.Checking(r.Context(), "post_logout_redirect_uri")
	c, err := s.Store.CachedClient(r.Context(), clientID)
	if err != nil && keystone.KindOf(err) != keystone.NotFound {
		return req, err
	}
	// One that is switched off is as good as none: it gets nobody, and ends nothing
	// without asking.
	req.hinted = req.hinted && c.Enabled
	if uri == "" {
		return req, nil
	}
	if !c.Enabled || !slices.Contains(c.PostLogoutURIs, uri) {
		keystone.Fact(r.Context(), "post_logout_redirect_uri sent", uri)
		keystone.Fact(r.Context(), "post_logout_redirect_uris registered", strings.Join(c.PostLogoutURIs, " "))
		return req, errLogoutURI
	}
	if req.back = uri; c.Stranger() {
		req.stranger = c.ID
	}
	if state := params.Get("state"); state != "" {
		req.back = withQuery(uri, url.Values{"state": {state}})
	}
	return req, nil
}

// withQuery adds parameters to a registered address.
func withQuery(uri string, values url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + values.Encode()
}
