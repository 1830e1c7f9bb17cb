package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
)

// visit is one request of a sign-in in the browser: the flow, the client it is
// for, and what is true of both now.
type visit struct {
	browser string
	flow    keystone.Flow
	client  *keystone.Client
	name    string // of the client, in the language of the page
	facts   keystone.Facts
}

// visit loads the flow that a request names, for the browser that it belongs to.
func (s *Slice) visit(r *http.Request, flowID string) (v visit, err error) {
	ctx := r.Context()
	keystone.Checking(ctx, "flow of this browser")
	v.browser = s.Cookies.Browser(r)
	if v.flow, err = s.Store.Flow(ctx, v.browser, flowID); err != nil {
		return v, flowGone(err)
	}
	if v.flow.Answer != "" {
		return v, answeredFlow(flowID)
	}
	if v, err = s.withClient(r, v); err != nil {
		return v, err
	}
	v.facts, err = s.Store.Facts(ctx, v.browser, &v.flow, v.client)
	return v, err
}

// answeredFlow is a flow that has its answer, which the browser is sent to get again.
type answeredFlow string

func (f answeredFlow) Error() string { return "the flow " + string(f) + " is answered" }

// visitProof is visit for forms with a proof. Where another copy of the form was quicker,
// the browser may not have heard of its new cookie value: the flow is found by the old one
// too, for some seconds, and proveAndCarry says what that is worth.
func (s *Slice) visitProof(r *http.Request, flowID string) (visit, error) {
	v, err := s.visit(r, flowID)
	if !errors.Is(err, keystone.ErrNoFlow) {
		return v, err
	}
	if v.flow, _, err = s.Store.MovedFlow(r.Context(), v.browser, flowID); err != nil {
		return v, flowGone(err)
	}
	return s.withClient(r, v)
}

// withClient adds the client.
func (s *Slice) withClient(r *http.Request, v visit) (visit, error) {
	var err error
	if v.client, err = s.Store.CachedClient(r.Context(), v.flow.Request.ClientID); err != nil {
		return v, flowGone(err)
	}
	if !v.client.Enabled {
		return v, keystone.ErrNoFlow
	}
	httpio.SetClient(r.Context(), v.client.ID)
	v.name = v.client.NameIn(s.Pages.Language(r, v.flow.Request.UILocales))
	return v, nil
}

func flowGone(err error) error {
	if keystone.KindOf(err) == keystone.NotFound {
		return keystone.ErrNoFlow
	}
	return err
}

// dispatch serves GET /login: the one place that decides which page comes next.
// Every step writes what it has shown and comes back here.
func (s *Slice) dispatch(w http.ResponseWriter, r *http.Request) error {
	flow, is := flowOf(r)
	if !is {
		return s.ownSignIn(w, r)
	}
	v, err := s.visit(r, flow)
	if err != nil {
		return s.problem(w, r, err)
	}
	step, other := v.flow.Next(v.facts), r.URL.Query().Get("other") != ""
	switch {
	case step.Kind == keystone.StepChoose && !other:
		return s.choosePage(w, r, v)
	case step.Kind == keystone.StepRegister && s.RegistrationOpen && !other:
		return seeOther(w, "register?flow="+v.flow.ID)
	case other && (step.Kind == keystone.StepChoose || step.Kind == keystone.StepRegister):
		return s.signInPage(w, r, v, http.StatusOK, nil, v.flow.Request.LoginHint)
	case step.Kind == keystone.StepSignIn, step.Kind == keystone.StepRegister:
		return s.signInPage(w, r, v, http.StatusOK, nil, v.username())
	case step.Kind == keystone.StepConsent:
		return s.consentPage(w, r, v)
	}
	return seeOther(w, "oauth2/resume?flow="+v.flow.ID)
}

// signInForm serves POST /login: a proof, or the choice of an account.
func (s *Slice) signInForm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return s.problem(w, r, err)
	}
	v, err := s.visitProof(r, form.Get("flow"))
	if err != nil {
		return s.problem(w, r, err)
	}
	if account := form.Get("account"); account != "" {
		return s.choose(w, r, v, account)
	}
	return s.signInAs(w, r, v, form.Get("login"), form.Get("password"))
}

// signInAs goes on with the flow where the password is right, else shows the
// sign-in page again.
func (s *Slice) signInAs(w http.ResponseWriter, r *http.Request, v visit, name, pass string) error {
	err := s.proveAndCarry(w, r, &v, name, pass)
	if refused := refusal(err); refused != nil && refused.Kind != keystone.Unavailable && refused.Kind != keystone.Unknown {
		httpio.ExchangeOf(r.Context()).Err = err
		httpio.RetryAfter(w.Header(), refused)
		return s.signInPage(w, r, v, httpio.StatusOf(r, err), refused, name)
	}
	if err != nil {
		return err
	}
	return seeOther(w, "login?flow="+v.flow.ID)
}

// refusal returns what may be said of err; nil: nothing.
func refusal(err error) *keystone.Error {
	var e *keystone.Error
	errors.As(err, &e)
	return e
}

// proveAndCarry checks the password, begins or renews the browser's session, and
// gives the browser a new cookie value: the old one is worth nothing from here.
func (s *Slice) proveAndCarry(w http.ResponseWriter, r *http.Request, v *visit, name, pass string) error {
	ctx, by := r.Context(), httpio.Actor(r.Context())
	p, err := s.prove(ctx, by, name, v.browser, pass)
	if err != nil {
		return err
	}
	by = by.AsUser(p.Login.UserID, p.Login.Username, "", "")
	renewed, carried, err := s.Store.SignInFlow(ctx, by, v.browser, v.flow, s.newSession(by, p, r.UserAgent()))
	if errors.Is(err, store.ErrAccountChanged) {
		err = proof.Refused
	}
	err = s.Proof.Kept(ctx, p, err)
	if err != nil {
		s.Observe(resultOf(err))
		return err
	}
	httpio.SetUser(ctx, p.Login.UserID)
	if !carried {
		return s.sentTwice(ctx, w, v, p)
	}
	s.Cookies.SetBrowser(w, renewed)
	s.Observe("succeeded")
	s.rehash(ctx, by, p, pass)
	return nil
}

// sentTwice goes on where another copy of the form was quicker. Where it was a proof of
// the same user, this copy brings the same cookie value: a browser that sends a form again
// does not wait for what the first one brings.
func (s *Slice) sentTwice(ctx context.Context, w http.ResponseWriter, v *visit, p proof.Proof) error {
	if err := s.Proof.Done(ctx, p); err != nil {
		return err
	}
	f, renewed, err := s.Store.MovedFlow(ctx, v.browser, v.flow.ID)
	if err == nil && f.UserID == p.Login.UserID {
		s.Cookies.SetBrowser(w, renewed)
	}
	if keystone.KindOf(err) == keystone.NotFound {
		return nil // the next page says so, or finds the flow by the cookie that came meanwhile
	}
	return err
}

// choose takes one of the browser's own accounts.
func (s *Slice) choose(w http.ResponseWriter, r *http.Request, v visit, account string) error {
	sessions, err := s.Store.BrowserSessions(r.Context(), v.browser)
	if err != nil {
		return err
	}
	for _, b := range sessions {
		if b.ID == account {
			httpio.SetUser(r.Context(), b.UserID)
			v.flow.UserID, v.flow.SessionID, v.flow.Chosen = b.UserID, b.ID, true
			if _, err := s.Store.SaveFlow(r.Context(), v.browser, v.flow); err != nil {
				return err
			}
			break
		}
	}
	return seeOther(w, "login?flow="+v.flow.ID)
}

// sameClient reports whether a form is about the client as it is now. A page of the
// release before does not say: an administrator's client does not change by itself.
func sameClient(form url.Values, c *keystone.Client) bool {
	return form.Get("client") == c.Edition() || !form.Has("client") && c.Registration == ""
}

// decide serves POST /consent. What is allowed is what the page showed, and never
// more than there is to give.
func (s *Slice) decide(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return s.problem(w, r, err)
	}
	v, err := s.visit(r, form.Get("flow"))
	if err != nil {
		return s.problem(w, r, err)
	}
	if v.flow.Next(v.facts).Kind != keystone.StepConsent {
		return seeOther(w, "login?flow="+v.flow.ID)
	}
	// The answer counts for what the page showed. Where account, client or offer are others
	// by now, the page is shown again.
	if form.Get("account") != v.facts.Session.ID || !sameClient(form, v.client) || form.Get("scope") != keystone.FormatScope(v.facts.Offered) || form.Get("audience") != strings.Join(s.named(v), " ") {
		return seeOther(w, "login?flow="+v.flow.ID)
	}
	v.flow.UserID, v.flow.SessionID = v.facts.Session.UserID, v.facts.Session.ID
	switch form.Get("decision") {
	case "allow":
		v.flow.DecidedBy, v.flow.Granted = v.facts.Session.UserID, v.facts.Offered
	case "deny":
		v.flow.Denied = true
	default:
		return s.problem(w, r, errDecision)
	}
	httpio.SetUser(r.Context(), v.facts.Session.UserID)
	by := httpio.Actor(r.Context()).AsUser(v.facts.Session.UserID, v.facts.Session.Username, "", v.facts.Session.ID)
	err = s.Store.InTx(r.Context(), func(tx *store.Store) error {
		saved, err := tx.SaveFlow(r.Context(), v.browser, v.flow)
		if err != nil || !saved || v.flow.Denied {
			return err
		}
		return tx.AddConsent(r.Context(), by, v.flow.UserID, *v.client, v.flow.Granted, v.facts.Audiences)
	})
	if err != nil && !errors.Is(err, store.ErrClientChanged) {
		return err
	}
	return seeOther(w, "login?flow="+v.flow.ID)
}

var errDecision = keystone.Fail(keystone.Invalid, "Use one of the two buttons.")

func seeOther(w http.ResponseWriter, to string) error {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (s *Slice) problem(w http.ResponseWriter, r *http.Request, err error) error {
	var done answeredFlow
	if errors.As(err, &done) {
		return seeOther(w, "oauth2/resume?flow="+string(done))
	}
	switch keystone.KindOf(err) {
	case keystone.Unknown, keystone.Unavailable, keystone.Limited:
		return err // the edge's own page says when to come again
	}
	httpio.ExchangeOf(r.Context()).Err = err
	return s.Pages.Problem(w, r, httpio.StatusOf(r, err), httpio.Actor(r.Context()).RequestID, err)
}
