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
	"github.com/keystone-auth/keystone/web"
)

// logoutRequest is a checked request to log out (OpenID Connect RP-Initiated
// Logout section 2).
type logoutRequest struct {
	hint   token.Hint
	hinted bool
	back   string // where the browser goes afterwards; empty: nowhere
}

var errLogoutURI = keystone.Fail(keystone.Invalid, "The address to return to is not registered for this application, or it is not certain which application asks. Nobody was logged out.")

// logout serves GET and POST /oauth2/logout. Only a page of our own, or an ID
// token of this very session, ends the session without asking.
func (s *Slice) logout(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizeParams(r)
	if err != nil {
		return s.page(w, r, err)
	}
	req, err := s.readLogout(r, params)
	if err != nil {
		return s.page(w, r, err)
	}
	if r.Method == http.MethodPost && !sameOrigin(r) {
		// Another site's form comes without our cookie (SameSite=Lax); the GET that
		// follows brings it.
		return redirect(w, "logout?"+params.Encode())
	}
	browser := s.Cookies.Browser(r)
	sessions, err := s.Store.BrowserSessions(r.Context(), browser, s.Idle)
	if err != nil {
		return err
	}
	signedIn := len(sessions)
	mine := slices.IndexFunc(sessions, func(b store.BrowserSession) bool {
		return req.hinted && (b.ID == req.hint.SessionID || b.UserID == req.hint.Subject)
	})
	confirmed := r.Method == http.MethodPost && params.Get("confirm") == "yes"
	switch {
	case len(sessions) == 0:
	case mine >= 0:
		sessions = sessions[mine : mine+1]
	case confirmed:
	default:
		return s.Pages.RenderFlow(w, http.StatusOK, "logout", web.Page{Data: web.Form{Action: "logout", Submit: "Log out", SubmitID: "logout-confirm",
			Hidden: map[string]string{"confirm": "yes", "post_logout_redirect_uri": params.Get("post_logout_redirect_uri"),
				"client_id": params.Get("client_id"), "id_token_hint": params.Get("id_token_hint"), "state": params.Get("state")}}})
	}
	for _, b := range sessions {
		by := httpio.Actor(r.Context())
		by.Kind, by.ID, by.Name, by.SessionID = keystone.ActorUser, b.UserID, b.Username, b.ID
		if err := s.Store.EndSession(r.Context(), by, b.ID, b.UserID, keystone.EndLogout); err != nil && keystone.KindOf(err) != keystone.NotFound {
			return err
		}
	}
	if len(sessions) == signedIn && browser != "" {
		s.Cookies.ClearBrowser(w)
	}
	if req.back != "" {
		return redirect(w, req.back)
	}
	return s.Pages.Render(w, http.StatusOK, "message", web.Page{Data: web.Message{Title: "You are logged out", Lines: []string{"You can close this page."}}})
}

// sameOrigin reports whether a form came from a page of ours. The server refuses
// other origins on every route but those that other sites may post to, of which
// this is one.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "" && (r.Header.Get("Origin") == "" || strings.HasSuffix(r.Header.Get("Origin"), "://"+r.Host))
}

func (s *Slice) readLogout(r *http.Request, params url.Values) (req logoutRequest, err error) {
	clientID := params.Get("client_id")
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
	if uri == "" {
		return req, nil
	}
	c, err := s.Store.CachedClient(r.Context(), clientID)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && !slices.Contains(c.PostLogoutURIs, uri) {
		return req, errLogoutURI
	}
	if err != nil {
		return req, err
	}
	req.back = uri
	if state := params.Get("state"); state != "" {
		separator := "?"
		if strings.Contains(uri, "?") {
			separator = "&"
		}
		req.back += separator + url.Values{"state": {state}}.Encode()
	}
	return req, nil
}
