package httpio

import "strings"

// Access says who may use a route. The zero value refuses everybody, so a
// route that forgets to say is closed, not open.
type Access string

// The rules that need no name. Scope makes the rest.
const (
	// Public routes serve anybody.
	Public Access = "public"
	// Bearer routes serve every actor with a valid token.
	Bearer Access = "bearer"
	// Self routes serve a user who acts through a first-party client: they change
	// the account itself, which a third party's token must never do.
	Self Access = "self"
	// ClientAuth routes authenticate an OAuth client themselves (RFC 6749 section
	// 2.3): the server lets everybody through to them.
	ClientAuth Access = "client"
	// CrossSite routes serve anybody, also forms that pages of other sites send:
	// the protocol demands it of them (OpenID Connect Core section 3.1.2.1). They
	// change nothing for whoever has only been sent there.
	CrossSite Access = "cross-site"
)

const scopePrefix = "scope:"

// Scope is the rule that demands an actor who holds the named scope.
func Scope(name string) Access { return scopePrefix + Access(name) }

// Demands returns the scope that a route demands, or "".
func (a Access) Demands() string {
	name, ok := strings.CutPrefix(string(a), scopePrefix)
	if !ok {
		return ""
	}
	return name
}

// Known reports whether the rule is one that the server can hold.
func (a Access) Known() bool {
	switch a {
	case Public, Bearer, Self, ClientAuth, CrossSite:
		return true
	}
	return a.Demands() != ""
}

// Limit names the rate limit of a route. Its rate is a setting; how it is keyed
// is the server's affair.
type Limit string

// The limits.
const (
	LimitNone     Limit = "none"     // health, metadata, keys: cheap and cached
	LimitLogin    Limit = "login"    // password checks: per source here, per account in login
	LimitRegister Limit = "register" // new accounts: per source
	LimitClients  Limit = "clients"  // clients that register themselves: per source
	LimitAPI      Limit = "api"      // per actor, else per source
	LimitPage     Limit = "page"     // steps of a sign-in in the browser: per source, and generous, because many people share one
	LimitGuesses  Limit = "guesses"  // wrong passwords of the whole server; no route's own
	LimitToken    Limit = "token"    // OAuth endpoints: only failures count, per client and source
)

// Known reports whether the limit is one of the above.
func (l Limit) Known() bool {
	switch l {
	case LimitNone, LimitLogin, LimitRegister, LimitClients, LimitAPI, LimitPage, LimitToken:
		return true
	}
	return false
}
