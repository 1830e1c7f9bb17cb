package oauth

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// authMethod is one way in which clients prove themselves.
type authMethod struct {
	name   string
	shown  func(credentials) bool // whether this is what the request shows, and nothing besides
	proves func(*Slice, context.Context, *keystone.Client, credentials) (bool, error)
	algs   []string              // of its assertions
	served func(TLSClients) bool // whether the settings allow for it; nil: always
}

// authMethods are the methods that are served, at every endpoint that
// authenticates clients. Metadata follows from it.
var authMethods = []authMethod{
	{keystone.AuthSecretBasic, func(c credentials) bool { return c.hasSecret && c.inHeader && c.assertion == "" }, (*Slice).provesSecret, nil, nil},
	{keystone.AuthSecretPost, func(c credentials) bool { return c.hasSecret && !c.inHeader && c.assertion == "" }, (*Slice).provesSecret, nil, nil},
	{keystone.AuthSecretJWT, onlyAssertion, (*Slice).provesSecretJWT, []string{keystone.HS256}, nil},
	{keystone.AuthPrivateKeyJWT, onlyAssertion, (*Slice).provesKeyJWT, keystone.AssertionAlgs(), nil},
	{keystone.AuthTLS, onlyName, (*Slice).provesCertificate, nil, TLSClients.issued},
	{keystone.AuthSelfSignedTLS, onlyName, (*Slice).provesCertifiedKey, nil, TLSClients.any},
	{keystone.AuthNone, onlyName, provesNothing, nil, nil},
}

func onlyAssertion(c credentials) bool { return c.assertion != "" && !c.hasSecret }

// onlyName is a request that says its client's name and nothing to prove it. What
// the connection shows beside it counts for clients that registered for that.
func onlyName(c credentials) bool { return c.assertion == "" && !c.hasSecret }

// provesNothing lets a public client in by its name.
func provesNothing(_ *Slice, _ context.Context, c *keystone.Client, _ credentials) (bool, error) {
	return !c.Confidential(), nil
}

func (s *Slice) provesSecret(ctx context.Context, c *keystone.Client, cred credentials) (bool, error) {
	_, proved, err := s.Store.ProveClient(ctx, c.ID, cred.secret)
	return proved, err
}

// methodsOf names the methods that a client may use: the one it registered, else
// what clients of its kind have always used.
func methodsOf(c *keystone.Client) []string {
	switch {
	case c.AuthMethod != "":
		return []string{c.AuthMethod}
	case c.Confidential():
		return []string{keystone.AuthSecretBasic, keystone.AuthSecretPost}
	}
	return []string{keystone.AuthNone}
}

// authMethodNames lists the methods for the metadata, with or without none.
func (s *Slice) authMethodNames(withNone bool) (names []string) {
	for _, m := range authMethods {
		if (withNone || m.name != keystone.AuthNone) && (m.served == nil || m.served(s.TLS)) {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

// assertionAlgs lists the algorithms of assertions for the metadata.
func assertionAlgs() (algs []string) {
	for _, m := range authMethods {
		algs = append(algs, m.algs...)
	}
	return keystone.SortedSet(algs)
}

var (
	errClient     = keystone.Fail(keystone.Unauthenticated, "The client is not known, or what it shows does not prove it by the method that it is registered with.").WithCode("invalid_client")
	errTwoMethods = keystone.Fail(keystone.Invalid, "Send the client's credentials one way only: in the Authorization header, as client_secret or as client_assertion (RFC 6749 section 2.3).")
	errNoClient   = keystone.Fail(keystone.Unauthenticated, "Name the client: HTTP Basic, client_id and client_secret in the body, or client_assertion.").WithCode("invalid_client")
	errBasic      = keystone.Fail(keystone.Unauthenticated, "The Authorization header is not HTTP Basic with form-encoded client id and secret (RFC 6749 section 2.3.1).").WithCode("invalid_client")
)

// credentials are what a request says of its client.
type credentials struct {
	id, secret string
	hasSecret  bool
	inHeader   bool   // the secret came in the Authorization header
	assertion  string // client_assertion (RFC 7523 section 2.2)
}

// readCredentials takes the client's credentials from header or form (RFC 6749
// section 2.3.1, RFC 7523 section 2.2). Two at once are refused.
func readCredentials(r *http.Request, form url.Values) (credentials, error) {
	c := credentials{id: form.Get("client_id"), secret: form.Get("client_secret"), assertion: form.Get("client_assertion")}
	_, c.hasSecret = form["client_secret"]
	headers := r.Header["Authorization"]
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if c.hasSecret || len(headers) > 0 {
			return c, errTwoMethods
		}
		return c.withAssertion(form.Get("client_assertion_type"))
	}
	if len(headers) == 0 {
		if c.id == "" {
			return c, errNoClient
		}
		return c, nil
	}
	if len(headers) > 1 || c.hasSecret {
		return c, errTwoMethods
	}
	user, pass, ok := basic(headers[0])
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
	return credentials{id: id, secret: secret, hasSecret: true, inHeader: true}, nil
}

// basic reads the header of HTTP Basic (RFC 7617 section 2).
func basic(header string) (user, pass string, ok bool) {
	scheme, rest := schemeOf(header)
	text, err := base64.StdEncoding.DecodeString(rest)
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

// authenticate proves the client, by the method that it is registered with and by
// no other (a client that registered a key must not be let in by a secret, or by
// nothing). Failures are counted per client and per source, and all answered
// alike.
func (s *Slice) authenticate(ctx context.Context, cred credentials) (*keystone.Client, error) {
	source := httpio.Actor(ctx).Source
	keystone.Checking(ctx, "failed attempts of client and source")
	if err := s.Allow(ctx, cred.id, source); err != nil {
		return nil, err
	}
	keystone.Checking(ctx, "client and what proves it")
	// One that shows a key may push its first request before anybody has seen it.
	c, err := s.clientOf(ctx, cred.id, cred.assertion != "") // an empty one where it is not known
	if err != nil && keystone.KindOf(err) != keystone.NotFound {
		return nil, err
	}
	proved := false
	if c.ID != "" && c.Enabled {
		if proved, err = s.proves(ctx, c, cred); err != nil {
			return nil, err
		}
	}
	if !proved {
		s.whyNot(ctx, c, cred)
		guessed := cred.id
		if c.ID != "" && !c.Confidential() {
			guessed = "" // it has no secret to guess; counted as its own, a stranger would stop it for everybody at this source
		}
		s.Failed(ctx, guessed, source)
		return nil, errClient
	}
	httpio.SetClient(ctx, c.ID)
	return s.keep(ctx, c)
}

// whyNot notes for whoever explains the refusal later what the answer does not
// say: it would tell a stranger which clients there are.
func (s *Slice) whyNot(ctx context.Context, c *keystone.Client, cred credentials) {
	why := "what was shown by the client's method does not prove it"
	switch {
	case c.ID == "":
		why = "there is no such client"
	case !c.Enabled:
		why = "the client is disabled"
	case c.AuthMethod == keystone.AuthTLS || c.AuthMethod == keystone.AuthSelfSignedTLS:
		why = "the client proves itself by a TLS client certificate alone, and " + s.whyNotCertificate(ctx)
	case c.Confidential() && !cred.hasSecret && cred.assertion == "":
		why = "the client proves itself, and neither secret nor assertion came"
	case !c.Confidential():
		why = "the client is public, and a secret or assertion came"
	case !slices.ContainsFunc(authMethods, func(m authMethod) bool { return slices.Contains(methodsOf(c), m.name) && m.shown(cred) }):
		why = "the client is registered for another method (token_endpoint_auth_method)"
	case cred.hasSecret:
		why = "the secret is not one of its living ones"
	}
	keystone.Fact(ctx, "why", why)
	keystone.Fact(ctx, "client_id sent", cred.id)
}

// proves finds the client's method among those that the request may mean.
func (s *Slice) proves(ctx context.Context, c *keystone.Client, cred credentials) (bool, error) {
	may := methodsOf(c)
	if only := c.Rules().AuthMethods; only != nil {
		may = keystone.Intersect(keystone.SortedSet(may), keystone.SortedSet(only))
	}
	for _, m := range authMethods {
		if slices.Contains(may, m.name) && m.shown(cred) {
			return m.proves(s, ctx, c, cred)
		}
	}
	return false, nil
}

// clientForm reads the form of a protocol endpoint and proves the client. The form is
// there also where the client is not proved.
func (s *Slice) clientForm(r *http.Request) (*keystone.Client, url.Values, error) {
	keystone.Checking(r.Context(), "form")
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return nil, nil, err
	}
	keystone.Checking(r.Context(), "one way of client authentication")
	cred, err := readCredentials(r, form)
	if err != nil {
		return nil, form, err
	}
	c, err := s.authenticate(r.Context(), cred)
	return c, form, err
}

// asClient is the actor of a request that a client makes for itself.
func asClient(ctx context.Context, c *keystone.Client) keystone.Actor {
	by := httpio.Actor(ctx)
	by.Kind, by.ID, by.Name = keystone.ActorClient, c.ID, c.Name
	return by
}
