package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/web"
)

// codeLife is how long a code can be redeemed (RFC 9700 section 2.1.1: short).
const codeLife = 60 * time.Second

// refuse answers a request that cannot be served: to the client where client and
// redirect URI are certain, else on a page (RFC 6749 section 4.1.2.1).
func (s *Slice) refuse(w http.ResponseWriter, r *http.Request, req keystone.AuthRequest, err error) error {
	switch keystone.KindOf(err) {
	case keystone.Unknown, keystone.Unavailable:
		return err
	}
	if req.RedirectURI == "" {
		return s.page(w, r, err)
	}
	c, errClient := s.clientOf(r.Context(), req.ClientID, true)
	if errClient != nil {
		return errClient
	}
	if c.Stranger() {
		facts, errFacts := s.Store.Facts(r.Context(), s.Cookies.Browser(r), &keystone.Flow{Request: req}, c)
		if errFacts != nil {
			return errFacts
		}
		if len(facts.Allowed) == 0 || facts.Anew {
			return s.leavePage(w, r, c, req, err)
		}
	}
	return s.redirectError(w, r, req, err)
}

// refuseStep answers where the sign-in policy refuses. With prompt=none there is no
// page, by the word of the application, and RFC 9700 section 4.11.2 lets it be so.
func (s *Slice) refuseStep(w http.ResponseWriter, r *http.Request, f keystone.Flow, c *keystone.Client, step keystone.Step, facts keystone.Facts) error {
	err := keystone.Fail(keystone.Forbidden, refusals[step.Code]).WithCode(step.Code)
	if c.Stranger() && (len(facts.Allowed) == 0 || facts.Anew) && !f.Denied && !slices.Contains(f.Request.Prompt, keystone.PromptNone) {
		return s.leavePage(w, r, c, f.Request, err)
	}
	return s.redirectError(w, r, f.Request, err)
}

// leaveView is the page that says what went wrong and where the browser would go.
type leaveView struct {
	web.Form // where the answer is posted; without Action: To
	Problem  web.Text
	Client   string
	Host     string
	To       string
}

// leavePage leaves it to the person whether the browser goes on to an application that
// nobody here has looked at, and whom they have allowed nothing: whoever registers one
// could else send people from here to any address (RFC 9700 section 4.11.2).
func (s *Slice) leavePage(w http.ResponseWriter, r *http.Request, c *keystone.Client, req keystone.AuthRequest, err error) error {
	var e *keystone.Error
	if !errors.As(err, &e) {
		return err
	}
	httpio.ExchangeOf(r.Context()).Err = err
	to, hidden, errTo := s.answerTo(r.Context(), req, httpio.ErrorValues(err))
	if errTo != nil {
		return errTo
	}
	view := leaveView{Problem: web.Say(e.Msg), Client: c.NameIn(s.Pages.Language(r, req.UILocales)), Host: keystone.DisplayHost(req.RedirectURI), To: to}
	if hidden != nil {
		view.Form = web.Form{Action: to, Hidden: hidden, Submit: "logged_out.continue", SubmitID: "continue"}
	}
	return s.Pages.RenderFlow(w, r, httpio.StatusOf(r, err), "leave", web.Page{Failed: true, Locales: req.UILocales, Data: view})
}

// redirectError sends an error to the client (RFC 6749 section 4.1.2.1).
func (s *Slice) redirectError(w http.ResponseWriter, r *http.Request, req keystone.AuthRequest, err error) error {
	httpio.ExchangeOf(r.Context()).Err = err
	return s.respond(w, r, req, httpio.ErrorValues(err))
}

// respond sends values to the client in the mode that it asked for.
func (s *Slice) respond(w http.ResponseWriter, r *http.Request, req keystone.AuthRequest, values url.Values) error {
	to, hidden, err := s.answerTo(r.Context(), req, values)
	if err != nil {
		return err
	}
	if hidden != nil {
		return s.Pages.RenderTo(w, r, http.StatusOK, "form_post", web.Page{Locales: req.UILocales, Data: web.Form{Action: to, Hidden: hidden, Submit: "form.continue"}})
	}
	return redirect(w, to)
}

// answerTo is where an answer goes, with state and iss (RFC 9207): to an address, or as
// a form with hidden fields to one.
func (s *Slice) answerTo(ctx context.Context, req keystone.AuthRequest, values url.Values) (to string, hidden map[string]string, err error) {
	values.Set("iss", s.Issuer.Options.Issuer)
	if req.State != "" {
		values.Set("state", req.State)
	}
	mode, signed := strings.CutSuffix(req.ResponseMode, "jwt")
	if signed {
		if values, err = s.signed(ctx, req.ClientID, values); err != nil {
			return "", nil, err
		}
	}
	switch strings.TrimSuffix(mode, ".") {
	case "form_post":
		hidden = make(map[string]string, len(values))
		for name := range values {
			hidden[name] = values.Get(name)
		}
		return req.RedirectURI, hidden, nil
	case "fragment":
		return req.RedirectURI + "#" + values.Encode(), nil, nil
	}
	return withQuery(req.RedirectURI, values), nil, nil
}

// signed puts values into a JWT that only the client takes (JARM section 2.1).
func (s *Slice) signed(ctx context.Context, clientID string, values url.Values) (url.Values, error) {
	c, err := s.clientOf(ctx, clientID, true)
	if err != nil {
		return nil, err
	}
	params := make(map[string]any, len(values))
	for name := range values {
		params[name] = values.Get(name)
	}
	response, err := s.Issuer.AuthorizationResponse(ctx, c, params)
	return url.Values{"response": {response}}, err
}

// redirect answers with 303, which never repeats a POST (RFC 9700 section 4.12).
func redirect(w http.ResponseWriter, to string) error {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// page shows an error to the person at the browser, who can do something about
// it or at least say what it was.
func (s *Slice) page(w http.ResponseWriter, r *http.Request, err error) error {
	switch keystone.KindOf(err) {
	case keystone.Unknown, keystone.Unavailable, keystone.Limited:
		return err // the edge's own page says when to come again
	}
	httpio.ExchangeOf(r.Context()).Err = err
	return s.Pages.Problem(w, r, httpio.StatusOf(r, err), httpio.Actor(r.Context()).RequestID, err)
}
