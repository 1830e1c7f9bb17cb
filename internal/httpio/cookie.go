package httpio

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// Cookies reads and writes the one cookie that Keystone has: the bearer value of
// a browser. Behind https it is a __Host- cookie (RFC 6265bis section 4.1.3.2);
// plain http is only served on loopback, where browsers differ about Secure.
//
// Beside it there may be a second one, which says nothing but that the first has
// changed, see ShowState.
type Cookies struct {
	secure bool
	name   string
	states bool
}

// stateSuffix makes the name of the state's cookie from that of the browser's.
// static/check_session.js knows both names.
const stateSuffix = "-state"

// NewCookies returns the cookie for an issuer that is reached by https or not.
// With states, scripts of the issuer can read the browser's state.
func NewCookies(https, states bool) Cookies {
	if https {
		return Cookies{true, "__Host-keystone", states}
	}
	return Cookies{false, "keystone", states}
}

// Browser returns the value of the cookie, or "". Two of them are none.
func (c Cookies) Browser(r *http.Request) string { return only(r, c.name) }

func only(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// SetBrowser gives the browser a value until it is closed. SameSite=Lax lets the
// redirects of other sites arrive with it and their forms without.
func (c Cookies) SetBrowser(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{Name: c.name, Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // Secure wherever it can be: plain http is loopback only
	if c.states {
		http.SetCookie(w, c.state(State(value), 0))
	}
}

// ClearBrowser takes the cookie away.
func (c Cookies) ClearBrowser(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: c.name, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1}) //nolint:gosec // as above
	if c.states {
		http.SetCookie(w, c.state("", -1))
	}
}

// State is the state of a browser that carries value (OpenID Connect Session
// Management section 3.2). The value changes with every sign-in and logout, so
// the state does; nothing can be learned from it about the value.
func State(value string) string {
	sum := sha256.Sum256([]byte("keystone browser state " + value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ShowState sees to it that scripts of the issuer read the state of the browser
// that carries value. It reports whether there are states.
func (c Cookies) ShowState(w http.ResponseWriter, r *http.Request, value string) bool {
	if c.states && only(r, c.name+stateSuffix) != State(value) {
		http.SetCookie(w, c.state(State(value), 0))
	}
	return c.states
}

// state is the cookie that a frame in a page of another site reads with a script.
func (c Cookies) state(value string, age int) *http.Cookie {
	site := http.SameSiteNoneMode
	if !c.secure {
		site = http.SameSiteLaxMode // None without Secure is no cookie at all
	}
	return &http.Cookie{Name: c.name + stateSuffix, Value: value, Path: "/", Secure: c.secure, SameSite: site, MaxAge: age} //nolint:gosec // a script is to read it, and it is worth nothing
}
