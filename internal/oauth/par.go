package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

const (
	// requestURIPrefix is that of RFC 9126 section 2.2.
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	requestLife      = 90 * time.Second
)

// authorizeParameters are those of an authorization request that are read. Others are
// ignored (RFC 6749 section 3.1), and so not kept either.
var authorizeParameters = []string{
	"client_id", "response_type", "redirect_uri", "response_mode", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "dpop_jkt",
	"prompt", "max_age", "login_hint", "id_token_hint", "ui_locales", "acr_values", "claims", "resource", "audience", "authorization_details",
}

var (
	errRequestURI  = keystone.Fail(keystone.Invalid, "This request_uri was used, has expired, or is not this client's. Push the request again.").WithCode("invalid_request_uri")
	errNestedURI   = keystone.Fail(keystone.Invalid, "A pushed request cannot itself carry request_uri (RFC 9126 section 2.1).")
	errPublicPush  = keystone.Fail(keystone.Unauthenticated, "Only clients with a secret can push requests: a request that anybody may push fills the server. Send it through the browser.").WithCode("invalid_client")
	errNotPushed   = keystone.Fail(keystone.Invalid, "This client must push its authorization requests (RFC 9126): send them to /oauth2/par first.")
	errOtherKey    = keystone.Fail(keystone.Invalid, "dpop_jkt and the DPoP proof name two keys (RFC 9449 section 10.1).").WithCode("invalid_dpop_proof")
	errOtherClient = keystone.Fail(keystone.Invalid, "The pushed request names another client than the one that pushes it.")
)

// pushForm documents the form of the pushed authorization request endpoint.
type pushForm struct {
	ClientProof
	AuthorizeFields
}

// pushAnswer is the answer of RFC 9126 section 2.2.
type pushAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// par serves POST /oauth2/par (RFC 9126): the client, authenticated, says what it
// will ask for; the browser then carries only a reference.
func (s *Slice) par(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	if err != nil {
		return err
	}
	if !c.Confidential() {
		return errPublicPush
	}
	if form.Has("request_uri") {
		return errNestedURI
	}
	if id := form.Get("client_id"); id != "" && id != c.ID {
		return errOtherClient
	}
	form.Set("client_id", c.ID)
	if form, err = s.unfold(r.Context(), c, form); err != nil {
		return err
	}
	sender, err := s.Proofs.Sender(Shown(w, r), "", c.DPoPNonce)
	if err != nil {
		return err
	}
	if err := bindRequest(form, sender); err != nil {
		return err
	}
	if _, err := s.checkRequest(r.Context(), c, form); err != nil {
		return err
	}
	if err := s.Proofs.Spend(r.Context(), sender); err != nil {
		return err
	}
	uri, err := s.push(r.Context(), form, c.ID)
	if err != nil {
		return err
	}
	return httpio.WriteJSON(w, http.StatusCreated, pushAnswer{uri, int64(requestLife / time.Second)})
}

// bindRequest makes the key of a proof that comes with a pushed request the one
// that must redeem the code (RFC 9449 section 10.1).
func bindRequest(form url.Values, sender token.Sender) error {
	if sender.JKT == "" {
		return nil
	}
	if form.Has("dpop_jkt") && form.Get("dpop_jkt") != sender.JKT {
		return errOtherKey
	}
	form.Set("dpop_jkt", sender.JKT)
	return nil
}

// push keeps checked parameters and returns their request_uri. proved is the client
// that has proved itself; empty: none has.
func (s *Slice) push(ctx context.Context, params url.Values, proved string) (string, error) {
	kept := url.Values{}
	for _, name := range authorizeParameters {
		if params.Has(name) {
			kept[name] = params[name]
		}
	}
	payload, err := json.Marshal(kept)
	if err != nil {
		return "", err
	}
	if len(payload) > store.MaxRequest {
		return "", store.ErrRequestSize
	}
	if err := s.Start(ctx, "request", requestLife, proved); err != nil {
		return "", err
	}
	uri := requestURIPrefix + secret.New(secret.OneTime)
	return uri, s.Store.AddSingleUse(ctx, store.SingleUsePAR, uri, string(payload), s.Store.Now().Add(requestLife))
}

// pushed returns the parameters behind a request_uri of the client. It is used
// up when the code is issued, so that a page can be loaded again (RFC 9126
// section 4).
func (s *Slice) pushed(ctx context.Context, uri, clientID string) (url.Values, error) {
	payload, ok, err := s.Store.ReadOnce(ctx, store.SingleUsePAR, uri)
	if err != nil {
		return nil, err
	}
	var params url.Values
	if !ok || json.Unmarshal([]byte(payload), &params) != nil || params.Get("client_id") != clientID {
		return nil, errRequestURI
	}
	return params, nil
}
