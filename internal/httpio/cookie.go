package httpio

import "net/http"

// Cookies reads and writes the one cookie that Keystone has: the bearer value of
// a browser. Behind https it is a __Host- cookie (RFC 6265bis section 4.1.3.2);
// plain http is only served on loopback, where browsers differ about Secure.
type Cookies struct {
	secure bool
	name   string
}

// NewCookies returns the cookie for an issuer that is reached by https or not.
func NewCookies(https bool) Cookies {
	if https {
		return Cookies{true, "__Host-keystone"}
	}
	return Cookies{false, "keystone"}
}

// Browser returns the value of the cookie, or "". Two of them are none.
func (c Cookies) Browser(r *http.Request) string {
	found := r.CookiesNamed(c.name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// SetBrowser gives the browser a value until it is closed. SameSite=Lax lets the
// redirects of other sites arrive with it and their forms without.
func (c Cookies) SetBrowser(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{Name: c.name, Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // Secure wherever it can be: plain http is loopback only
}

// ClearBrowser takes the cookie away.
func (c Cookies) ClearBrowser(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: c.name, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1}) //nolint:gosec // as above
}
