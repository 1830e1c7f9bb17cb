package oauth

import (
	"net/http"
	"net/url"

	"github.com/keystone-auth/keystone"
)

var errNoInitiate = keystone.Fail(keystone.NotFound, "This application has no address at which it begins a sign-in. Open it directly.")

// initiate serves GET /oauth2/initiate: it sends the browser to the application,
// which then asks for the sign-in by itself (OpenID Connect Core section 4). Where
// the browser goes is registered; the request adds a hint of who it is, and no
// target: an address that the application is to go on to is its own to know.
func (s *Slice) initiate(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizeParams(r)
	if err != nil {
		return s.page(w, r, err)
	}
	c, err := s.requestClient(r.Context(), params)
	if err != nil {
		return s.page(w, r, err)
	}
	if c.InitiateLoginURI == "" {
		return s.page(w, r, errNoInitiate)
	}
	values := url.Values{"iss": {s.Issuer.Options.Issuer}}
	if hint := dropIfLonger(params.Get("login_hint"), 254); hint != "" {
		values.Set("login_hint", hint)
	}
	return redirect(w, withQuery(c.InitiateLoginURI, values))
}
