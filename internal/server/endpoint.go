package server

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/oauth"
)

// endpoint is a route with the checks that every request passes before its
// handler: origin, limit, authentication, access. There is no other way to a
// handler.
type endpoint struct {
	s       *Server
	route   httpio.Route
	pattern string
	demands string         // scope
	problem httpio.Problem // shows errors to people; nil: they are for programs
	handler http.Handler
	metrics routeMetrics
	signsIn bool // with a name and a password

	lacks []string // the challenge where the scope is missing
}

var (
	errCrossOrigin = keystone.Fail(keystone.Forbidden, "A page of another origin sent this. Send it from this server's own pages, or, where it is for the API, list the origin in ALLOWED_ORIGINS.")
	errNoToken     = keystone.Fail(keystone.Unauthenticated, "Send an access token: Authorization: Bearer ... (RFC 6750 section 2.1).")
	errTwoTokens   = keystone.Fail(keystone.Invalid, "Send one Authorization header.")
	errNotSelf     = keystone.Fail(keystone.Forbidden, "Only the user may do this, signed in through a first-party client. Tokens of other clients may not manage the account.")
	errInside      = keystone.Fail(keystone.Forbidden, "This page must be opened directly; it cannot be loaded by another page.")
	errClosed      = keystone.Fail(keystone.Forbidden, "Nobody may use this.")
)

// ServeHTTP is the one wrapper of every route.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec, ok := w.(*recorder)
	if !ok { // someone serves the mux without the server around it
		httpio.WriteError(w, r, errClosed)
		return
	}
	rec.endpoint = e
	rec.x.Route, rec.x.Problem = e.pattern, e.problem
	if err := e.admit(rec, r); err != nil {
		if e.signsIn && keystone.KindOf(err) == keystone.Limited {
			e.s.metrics.signIn("limited")
		}
		httpio.WriteError(w, r, err)
		return
	}
	keystone.CheckingRest(r.Context(), "what the request asks for") // else whatever refuses behind the route would look like its last check
	e.handler.ServeHTTP(w, r)
	if rec.x.Err != nil {
		e.deniedBehind(rec, r)
	}
}

// deniedBehind records a refusal that was decided behind the route: what the actor wanted is
// more than they hold. A wrong field, the current password for one, is no such refusal.
func (e *endpoint) deniedBehind(rec *recorder, r *http.Request) {
	var refused *keystone.Error
	if errors.As(rec.x.Err, &refused) && refused.Kind == keystone.Forbidden && refused.Fields == nil && rec.x.Actor.Kind != keystone.ActorAnonymous {
		e.s.denied(r.Context(), rec.x.Actor, e.pattern, cmp.Or(rec.x.Demanded, "more than the actor holds"))
	}
}

// admit runs the checks in their order. Limits per source come first, because
// they are the cheapest; the limit per actor comes as soon as the actor is
// known.
func (e *endpoint) admit(rec *recorder, r *http.Request) error {
	if e.problem != nil && !goesThere(r) {
		return errInside
	}
	if e.route.Access != httpio.ClientAuth && e.route.Access != httpio.CrossSite {
		keystone.Checking(r.Context(), "origin of the page that sent it")
		// Token endpoints have no cookies to ride on, and are called by scripts of
		// any client.
		check := e.s.crossOrigin
		if reachOf(r.URL.Path) == reachNone {
			check = e.s.ownOrigin // a page, with the browser's cookies
		}
		if err := check.Check(r); err != nil {
			return errCrossOrigin.Because(err)
		}
	}
	open := e.route.Access == httpio.Public || e.route.Access == httpio.ClientAuth || e.route.Access == httpio.CrossSite
	keystone.Checking(r.Context(), "rate limit of the source")
	if err := e.s.limits.atSource(rec, r, e.route.Limit, open); err != nil {
		return err
	}
	if open {
		return nil
	}
	keystone.Checking(r.Context(), "access token")
	if err := e.authenticate(rec, r); err != nil {
		if limited := e.s.limits.badToken(rec, r, e.route.Limit); limited != nil {
			return limited
		}
		return err
	}
	keystone.Checking(r.Context(), "rate limit of the actor")
	if err := e.s.limits.atActor(rec, r, e.route.Limit); err != nil {
		return err
	}
	keystone.Checking(r.Context(), "scope of the route")
	return e.allow(rec, r)
}

// goesThere reports whether a browser is on its way to show what it asks for (Fetch
// Metadata, W3C). A page that another site's only loads shows nobody anything, but would
// take from the limits of everybody at that address. Programs and old browsers do not say
// what site asks; Node.js sends a mode without a site.
func goesThere(r *http.Request) bool {
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate" || site != "cross-site" && site != "same-site"
}

// authenticate puts the actor of the bearer token into the exchange.
func (e *endpoint) authenticate(rec *recorder, r *http.Request) error {
	headers := r.Header["Authorization"]
	if oauth.TokenInAddress(r) {
		return oauth.ErrTokenInAddress
	}
	switch len(headers) {
	case 0:
		return errNoToken
	case 1:
	default:
		return errTwoTokens
	}
	presented, ok := oauth.Presented(rec, r, headers[0])
	if !ok {
		return errNoToken
	}
	rec.x.TokenSent = true
	actor, err := e.s.authenticate(r.Context(), presented)
	if err != nil {
		oauth.Challenge(r.Context(), rec.Header(), presented, err)
		return err
	}
	actor.RequestID, actor.Source = rec.x.Actor.RequestID, rec.x.Actor.Source
	rec.x.Actor = actor
	return nil
}

// allow is the access check. A rule that is not known refuses.
func (e *endpoint) allow(rec *recorder, r *http.Request) error {
	actor := rec.x.Actor
	switch {
	case e.route.Access == httpio.Bearer:
		return nil
	case e.route.Access == httpio.Self:
		if actor.Kind == keystone.ActorUser && actor.FirstParty {
			return nil
		}
		e.s.denied(r.Context(), actor, e.pattern, "first-party user")
		return errNotSelf
	case e.demands != "":
		if actor.May(e.demands) {
			return nil
		}
		e.s.denied(r.Context(), actor, e.pattern, e.demands)
		keystone.Fact(r.Context(), "demanded", e.demands)
		keystone.Fact(r.Context(), "held", keystone.FormatScope(actor.Scopes))
		httpio.Challenge(rec.Header(), e.lacks)
		return keystone.Fail(keystone.Forbidden, "This needs the scope "+e.demands+", which the token does not have.")
	}
	return errClosed
}
