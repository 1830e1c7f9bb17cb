package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// authorize serves GET and POST /oauth2/authorize (RFC 6749 section 3.1, OpenID
// Connect Core section 3.1.2). Where the browser's session answers everything,
// the code is issued at once; else a flow begins and the sign-in pages take over.
func (s *Slice) authorize(w http.ResponseWriter, r *http.Request) error {
	keystone.Checking(r.Context(), "parameters")
	params, err := authorizeParams(r)
	if err != nil {
		return s.page(w, r, err)
	}
	if r.Method == http.MethodPost {
		return s.pushThenGet(w, r, params)
	}
	c, req, _, err := s.readRequest(r.Context(), params)
	if err != nil {
		return s.refuse(w, r, req, err)
	}
	browser := s.Cookies.Browser(r)
	f := s.Store.NewFlow(req)
	facts, err := s.Store.Facts(r.Context(), browser, &f, c)
	if err != nil {
		return err
	}
	keystone.Checking(r.Context(), "sign-in policy")
	switch step := f.Next(facts); step.Kind {
	case keystone.StepDone:
		value := secret.New(secret.AuthCode)
		if err := s.issueCode(r.Context(), s.Store, f, facts, value); err != nil {
			return s.page(w, r, err)
		}
		return s.sendCode(w, r, f, value)
	case keystone.StepRefuse:
		return s.refuseStep(w, r, f, c, step, facts)
	}
	if err := s.begins(r.Context()); err != nil {
		return err
	}
	if _, err := s.keep(r.Context(), c); err != nil {
		return err
	}
	if err := s.begin(w, r, browser, facts.Accounts, f); err != nil {
		return s.refuse(w, r, req, err)
	}
	return redirect(w, "../login?flow="+f.ID)
}

// begins refuses where too many flows are in progress.
func (s *Slice) begins(ctx context.Context) error { return s.Start(ctx, "flow", store.FlowLife, "") }

// begin writes a flow and binds it to the browser.
func (s *Slice) begin(w http.ResponseWriter, r *http.Request, browser string, sessions int, f keystone.Flow) error {
	value, err := s.Store.BeginFlow(r.Context(), browser, sessions, f)
	if value != browser {
		s.Cookies.SetBrowser(w, value)
	}
	return err
}

// resume serves GET /oauth2/resume: the sign-in pages send the browser here when
// they are done. That they did proves nothing: the policy is asked again.
func (s *Slice) resume(w http.ResponseWriter, r *http.Request) error {
	keystone.Checking(r.Context(), "flow of this browser")
	browser := s.Cookies.Browser(r)
	f, err := s.Store.Flow(r.Context(), browser, r.URL.Query().Get("flow"))
	if err != nil {
		return s.page(w, r, gone(err))
	}
	c, err := s.Store.CachedClient(r.Context(), f.Request.ClientID)
	stays := f.Request.Pending != "" || f.Request.Page != ""
	if err != nil || !c.Enabled || !stays && !c.AllowsRedirect(f.Request.RedirectURI) {
		return s.page(w, r, gone(err))
	}
	facts, err := s.Store.Facts(r.Context(), browser, &f, c)
	if err != nil {
		return err
	}
	if f.Answer != "" {
		return s.answerAgain(w, r, f, c, facts)
	}
	keystone.Checking(r.Context(), "sign-in policy")
	step := f.Next(facts)
	if step.Kind != keystone.StepDone && step.Kind != keystone.StepRefuse {
		return redirect(w, "../login?flow="+f.ID)
	}
	code := step.Kind == keystone.StepDone && !stays
	answered, err := s.Store.AnswerFlow(r.Context(), f.ID, cmp.Or(step.Code, keystone.AnswerCode), func(tx *store.Store) error {
		if !code {
			return nil
		}
		return s.issueCode(r.Context(), tx, f, facts, s.Store.FlowCode(f.ID))
	})
	if err != nil {
		return s.page(w, r, err)
	}
	if !answered { // at the same moment, elsewhere
		if f, err = s.Store.Flow(r.Context(), browser, f.ID); err != nil {
			return s.page(w, r, gone(err))
		}
		return s.answerAgain(w, r, f, c, facts)
	}
	switch {
	case f.Request.Page != "":
		return redirect(w, "../"+f.Request.Page)
	case f.Request.Pending != "":
		return s.answerPending(w, r, f, c, step, facts)
	case code:
		return s.sendCode(w, r, f, s.Store.FlowCode(f.ID))
	}
	return s.refuseStep(w, r, f, c, step, facts)
}

// answerAgain gives the browser of a flow its answer once more, for some seconds: its form
// was sent twice, and the browser shows what the second one brings. The code is the same
// one, and only while nobody has redeemed it.
func (s *Slice) answerAgain(w http.ResponseWriter, r *http.Request, f keystone.Flow, c *keystone.Client, facts keystone.Facts) error {
	switch {
	case f.Request.Page != "":
		return redirect(w, "../"+f.Request.Page)
	case f.Request.Pending != "":
	case f.Answer != keystone.AnswerCode:
		return s.refuseStep(w, r, f, c, keystone.Step{Kind: keystone.StepRefuse, Code: f.Answer}, facts)
	default:
		value := s.Store.FlowCode(f.ID)
		if _, used, err := s.Store.ReadCode(r.Context(), value); err == nil && !used {
			return s.sendCode(w, r, f, value)
		} else if err != nil && keystone.KindOf(err) != keystone.NotFound {
			return err
		}
	}
	return s.Pages.Render(w, r, http.StatusOK, "message", web.Page{Locales: f.Request.UILocales, Data: web.Message{Title: "flow.completed_title", Lines: []web.Text{web.Say("flow.completed")}}})
}

func gone(err error) error {
	if err == nil || keystone.KindOf(err) == keystone.NotFound {
		return keystone.ErrNoFlow
	}
	return err
}

// refusals say what a refused flow means (OpenID Connect Core section 3.1.2.6).
var refusals = map[string]string{
	"access_denied":                     "Access was refused by the person who signed in.",
	"login_required":                    "Nobody is signed in, or not recently enough, and the request allows no page.",
	"consent_required":                  "Consent is missing, and the request allows no page.",
	"account_selection_required":        "An account must be chosen, and the request allows no page.",
	"unmet_authentication_requirements": "The authentication that was asked for cannot be reached.",
}

// issueCode writes the code that answers a flow (RFC 6749 section 4.1.2), and uses up the
// request where it was pushed.
func (s *Slice) issueCode(ctx context.Context, in *store.Store, f keystone.Flow, facts keystone.Facts, value string) error {
	if f.Request.PushedAs != "" {
		if ok, err := in.UseUp(ctx, store.SingleUsePAR, f.Request.PushedAs); err != nil {
			return err
		} else if !ok {
			return errRequestURI
		}
	}
	return in.AddCode(ctx, value, s.given(f, facts), s.Store.Now().Add(codeLife), facts.Session.LastSeen)
}

// sendCode sends the browser to the client with a code.
func (s *Slice) sendCode(w http.ResponseWriter, r *http.Request, f keystone.Flow, value string) error {
	values := url.Values{"code": {value}}
	if state := s.sessionState(w, r, f.Request.ClientID, f.Request.RedirectURI); state != "" {
		values.Set("session_state", state)
	}
	return s.respond(w, r, f.Request, values)
}

// maxQuery is more than any request needs that is not meant to be pushed.
const maxQuery = 32 << 10

// authorizeParams reads the parameters of an authorization request, each once, and one
// without a value as if it had not been sent (RFC 6749 section 3.1; resource and
// audience may repeat, RFC 8707).
func authorizeParams(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return httpio.Form(r, httpio.MaxForm)
	}
	if len(r.URL.RawQuery) > maxQuery {
		return nil, errRequest
	}
	params, err := httpio.Query(r)
	if err != nil {
		return nil, errRequest
	}
	return params, nil
}

// pushThenGet keeps a request that came by POST and sends the browser around to
// fetch it: a page of another site can POST here, but only the GET that follows
// brings this site's cookies (SameSite=Lax).
func (s *Slice) pushThenGet(w http.ResponseWriter, r *http.Request, params url.Values) error {
	if params.Get("request_uri") != "" {
		return redirect(w, "authorize?"+params.Encode())
	}
	_, req, params, err := s.readRequest(r.Context(), params)
	if err != nil {
		return s.refuse(w, r, req, err)
	}
	uri, err := s.push(r.Context(), params, "")
	if err != nil {
		return err
	}
	return redirect(w, "authorize?"+url.Values{"client_id": {req.ClientID}, "request_uri": {uri}}.Encode())
}

// readRequest checks an authorization request. Where it fails before client and
// redirect URI are certain, the request that it returns has no redirect URI, and
// the error may only be shown on a page (RFC 9700 section 4.11). Besides, it
// returns the parameters without what they came wrapped in.
func (s *Slice) readRequest(ctx context.Context, params url.Values) (*keystone.Client, keystone.AuthRequest, url.Values, error) {
	pushed := params.Get("request_uri")
	if strings.HasPrefix(pushed, requestURIPrefix) && params.Get("request") == "" {
		keystone.Checking(ctx, "request_uri")
		kept, err := s.pushed(ctx, pushed, params.Get("client_id"))
		if err != nil {
			return &keystone.Client{}, keystone.AuthRequest{}, params, err
		}
		c, err := s.requestClient(ctx, kept)
		if err != nil {
			return c, keystone.AuthRequest{}, kept, err
		}
		req, err := s.checkRequest(ctx, c, kept)
		req.PushedAs = pushed
		return c, req, kept, err
	}
	c, err := s.requestClient(ctx, params)
	if err != nil {
		return c, keystone.AuthRequest{}, params, err
	}
	params, errObject := s.unfold(ctx, c, params)
	req, err := s.checkRequest(ctx, c, params)
	if errors.Is(errObject, errRequestURI) {
		return c, keystone.AuthRequest{}, params, errObject
	}
	if errObject != nil { // it goes to the address beside the object, where that is a registered one
		return c, req, params, errObject
	}
	if err == nil && c.RequirePAR {
		keystone.Checking(ctx, "request must be pushed")
		err = errNotPushed
	}
	return c, req, params, err
}

// requestClient returns the client that a request names.
func (s *Slice) requestClient(ctx context.Context, params url.Values) (*keystone.Client, error) {
	keystone.Checking(ctx, "client")
	c, err := s.clientOf(ctx, params.Get("client_id"), true)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && !c.Enabled {
		keystone.Fact(ctx, "client_id sent", params.Get("client_id"))
		return c, errUnknownClient
	}
	if err == nil {
		httpio.SetClient(ctx, c.ID)
	}
	return c, err
}

// checkRequest checks plain parameters. The request that it returns has a redirect
// URI once that is certain.
func (s *Slice) checkRequest(ctx context.Context, c *keystone.Client, params url.Values) (keystone.AuthRequest, error) {
	keystone.Checking(ctx, "redirect_uri")
	if uri := params.Get("redirect_uri"); uri == "" || !c.AllowsRedirect(uri) {
		keystone.Fact(ctx, "redirect_uri sent", uri)
		keystone.Fact(ctx, "redirect_uris registered", strings.Join(c.RedirectURIs, " "))
		return keystone.AuthRequest{}, errRedirectURI
	}
	req := keystone.AuthRequest{ClientID: c.ID, RedirectURI: params.Get("redirect_uri"), State: params.Get("state")}
	keystone.Checking(ctx, "response_mode")
	mode := params.Get("response_mode")
	posted := strings.HasPrefix(mode, "form_post") && !strings.HasPrefix(req.RedirectURI, "http")
	if mode != "" && (posted || !slices.Contains(responseModes, mode)) {
		keystone.Fact(ctx, "response_mode sent", mode)
		return req, errResponseMode
	}
	req.ResponseMode = mode
	return req, s.fillRequest(ctx, c, &req, params)
}
