package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
)

// The frame is where applications ask whether a session has changed (OpenID Connect
// Session Management section 3.2).
const framePath = "/oauth2/check_session"

// checkSession serves the frame. The page is the same for everybody; its script
// answers each application that asks, from the state that the browser shows.
func (s *Slice) checkSession(w http.ResponseWriter, r *http.Request) error {
	return s.Pages.RenderFramed(w, r, "check_session")
}

// sessionState is the session_state of a response that signs somebody in, or ""
// (OpenID Connect Session Management section 2). Only the application's own
// origin can have it compared.
func (s *Slice) sessionState(w http.ResponseWriter, r *http.Request, clientID, redirectURI string) string {
	browser := s.Cookies.Browser(r)
	origin := keystone.Origin(redirectURI)
	if origin == "" || !s.Cookies.ShowState(w, r, browser) {
		return ""
	}
	salt := secret.Salt()
	sum := sha256.Sum256([]byte(strings.Join([]string{clientID, origin, httpio.State(browser), salt}, " ")))
	return base64.RawURLEncoding.EncodeToString(sum[:]) + "." + salt
}
