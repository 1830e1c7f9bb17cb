package oauth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Client authentication methods (RFC 7591 section 2) that are served. Metadata
// follows from it.
var authMethods = []string{"client_secret_basic", "client_secret_post", "none"}

var (
	errClient     = keystone.Fail(keystone.Unauthenticated, "The client is not known, or its secret is not right.").WithCode("invalid_client")
	errTwoMethods = keystone.Fail(keystone.Invalid, "Send the client's credentials one way only: in the Authorization header or in the body (RFC 6749 section 2.3).")
	errNoClient   = keystone.Fail(keystone.Unauthenticated, "Name the client: HTTP Basic, or client_id and client_secret in the body.").WithCode("invalid_client")
	errBasic      = keystone.Fail(keystone.Unauthenticated, "The Authorization header is not HTTP Basic with form-encoded client id and secret (RFC 6749 section 2.3.1).").WithCode("invalid_client")
)

// credentials are what a request says of its client.
type credentials struct {
	id, secret string
	hasSecret  bool
}

// readCredentials takes the client's credentials from header or form (RFC 6749
// section 2.3.1). Both at once are refused.
func readCredentials(r *http.Request, form url.Values) (credentials, error) {
	c := credentials{id: form.Get("client_id"), secret: form.Get("client_secret")}
	_, c.hasSecret = form["client_secret"]
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		if c.id == "" {
			return c, errNoClient
		}
		return c, nil
	}
	if len(headers) > 1 || c.hasSecret {
		return c, errTwoMethods
	}
	user, pass, ok := r.BasicAuth()
	if !ok {
		return c, errBasic
	}
	id, errID := url.QueryUnescape(user)
	secret, errSecret := url.QueryUnescape(pass)
	if errID != nil || errSecret != nil {
		return c, errBasic
	}
	if c.id != "" && c.id != id {
		return c, errTwoMethods
	}
	return credentials{id: id, secret: secret, hasSecret: true}, nil
}

// authenticate proves the client. A confidential client shows a living secret, a
// public one only its name; showing a secret where there is none is refused
// too. Failures are counted per client and per source, and all answered alike.
func (s *Slice) authenticate(ctx context.Context, cred credentials) (keystone.Client, error) {
	source := httpio.Actor(ctx).Source
	keystone.Checking(ctx, "failed attempts of client and source")
	if err := s.Allow(ctx, cred.id, source); err != nil {
		return keystone.Client{}, err
	}
	keystone.Checking(ctx, "client and its secret")
	c, proved, err := s.Store.ProveClient(ctx, cred.id, cred.secret)
	if err != nil {
		return keystone.Client{}, err
	}
	if c.ID == "" || c.Confidential() != proved || c.Confidential() != cred.hasSecret || !c.Enabled {
		s.whyNot(ctx, c, cred, proved)
		guessed := cred.id
		if c.ID != "" && !c.Confidential() {
			guessed = "" // it has no secret to guess; counted as its own, a stranger would stop it for everybody at this source
		}
		s.Failed(ctx, guessed, source)
		return keystone.Client{}, errClient
	}
	httpio.SetClient(ctx, c.ID)
	return c, nil
}

// whyNot notes for whoever explains the refusal later what the answer does not
// say: it would tell a stranger which clients there are.
func (s *Slice) whyNot(ctx context.Context, c keystone.Client, cred credentials, proved bool) {
	why := "the client is disabled"
	switch {
	case c.ID == "":
		why = "there is no such client"
	case c.Confidential() && !cred.hasSecret:
		why = "the client has a secret, and none came"
	case !c.Confidential() && cred.hasSecret:
		why = "the client is public, and a secret came"
	case c.Confidential() && !proved:
		why = "the secret is not one of its living ones"
	}
	keystone.Fact(ctx, "why", why)
	keystone.Fact(ctx, "client_id sent", cred.id)
}

// clientForm reads the form of a protocol endpoint and proves the client.
func (s *Slice) clientForm(r *http.Request) (keystone.Client, url.Values, error) {
	keystone.Checking(r.Context(), "form")
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return keystone.Client{}, nil, err
	}
	keystone.Checking(r.Context(), "one way of client authentication")
	cred, err := readCredentials(r, form)
	if err != nil {
		return keystone.Client{}, nil, err
	}
	c, err := s.authenticate(r.Context(), cred)
	return c, form, err
}

// asClient is the actor of a request that a client makes for itself.
func asClient(ctx context.Context, c keystone.Client) keystone.Actor {
	by := httpio.Actor(ctx)
	by.Kind, by.ID, by.Name = keystone.ActorClient, c.ID, c.Name
	return by
}
