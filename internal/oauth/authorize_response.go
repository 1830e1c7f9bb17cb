package oauth

import (
	"context"
	"net/http"
	"net/url"
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
	return s.redirectError(w, r, req, err)
}

// redirectError sends an error to the client (RFC 6749 section 4.1.2.1).
func (s *Slice) redirectError(w http.ResponseWriter, r *http.Request, req keystone.AuthRequest, err error) error {
	httpio.ExchangeOf(r.Context()).Err = err
	return s.respond(w, r, req, httpio.ErrorValues(err))
}

// respond sends values to the client in the mode that it asked for, with state
// and iss (RFC 9207).
func (s *Slice) respond(w http.ResponseWriter, r *http.Request, req keystone.AuthRequest, values url.Values) error {
	values.Set("iss", s.Issuer.Options.Issuer)
	if req.State != "" {
		values.Set("state", req.State)
	}
	mode, signed := strings.CutSuffix(req.ResponseMode, "jwt")
	if signed {
		var err error
		if values, err = s.signed(r.Context(), req.ClientID, values); err != nil {
			return err
		}
	}
	switch strings.TrimSuffix(mode, ".") {
	case "form_post":
		hidden := make(map[string]string, len(values))
		for name := range values {
			hidden[name] = values.Get(name)
		}
		return s.Pages.RenderTo(w, r, http.StatusOK, "form_post", web.Page{Locales: req.UILocales, Data: web.Form{Action: req.RedirectURI, Hidden: hidden, Submit: "form.continue"}})
	case "fragment":
		return redirect(w, req.RedirectURI+"#"+values.Encode())
	}
	return redirect(w, withQuery(req.RedirectURI, values))
}

// signed puts values into a JWT that only the client takes (JARM section 2.1).
func (s *Slice) signed(ctx context.Context, clientID string, values url.Values) (url.Values, error) {
	c, err := s.Store.CachedClient(ctx, clientID)
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
