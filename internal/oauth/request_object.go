package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/fetch"
	"github.com/keystone-auth/keystone/internal/jose"
)

var (
	errNoObjectKeys = keystone.Fail(keystone.Invalid, "This client has no keys registered (jwks or jwks_uri), so its request objects cannot be checked.").WithCode("request_not_supported")
	errNotFetched   = keystone.Fail(keystone.Invalid, "The request object could not be fetched from request_uri (RFC 9101 section 5.2).").WithCode("invalid_request_uri")
	errTwoRequests  = keystone.Fail(keystone.Invalid, "Send request or request_uri, not both (RFC 9101 section 5).").WithCode("invalid_request_object")
	errNotSigned    = keystone.Fail(keystone.Invalid, "This client must sign its authorization requests: send them as a request object (RFC 9101).").WithCode("invalid_request_object")
	errObject       = keystone.Fail(keystone.Invalid, "The request object is not a JWT of type oauth-authz-req+jwt, signed with a registered key of the client by an algorithm that it may use (RFC 9101 section 6.2).").WithCode("invalid_request_object")
	errObjectClient = keystone.Fail(keystone.Invalid, "The request object names another client than client_id, or none: client_id and iss are the client's id (RFC 9101 section 5).").WithCode("invalid_request_object")
	errObjectAud    = keystone.Fail(keystone.Invalid, "The request object is not meant for this server: its aud is the issuer (RFC 9101 section 4).").WithCode("invalid_request_object")
	errObjectTime   = keystone.Fail(keystone.Invalid, "The request object has no exp, has expired, is good for more than 60 minutes, or is not valid yet. Compare the clocks.").WithCode("invalid_request_object")
	errObjectInside = keystone.Fail(keystone.Invalid, "A request object holds the parameters of a request, each as a string, number, boolean or object, resource and audience also as lists, and neither request nor request_uri nor sub (RFC 9101 section 4).").WithCode("invalid_request_object")
)

// objectLife is the furthest exp of a request object, from now and from its nbf, and
// how old its nbf may be (FAPI 2.0 Message Signing section 5.3.1).
const objectLife = time.Hour

// objectTypes are the typ of a request object (RFC 9101 section 4), and what
// programs sent before there was one. Client assertions and tokens name
// themselves, and are none.
var objectTypes = []string{"oauth-authz-req+jwt", "jwt", ""}

// unfold returns the parameters of a request that came as a signed object in place
// of those around it, of which only client_id counts (RFC 9101 section 6.3). It is
// the one place where objects are read, before anything else of a request is
// looked at; what leaves it is never an object again.
func (s *Slice) unfold(ctx context.Context, c *keystone.Client, params url.Values) (url.Values, error) {
	keystone.Checking(ctx, "request object")
	reference := params.Get("request_uri")
	switch {
	case params.Get("request") != "" && reference != "":
		return params, errTwoRequests
	case reference != "":
		return s.unfoldFrom(ctx, c, reference, params)
	case params.Get("request") == "": // without a value it is as if not sent (RFC 6749 section 3.1)
		if c.RequireSignedRequest {
			return params, errNotSigned
		}
		return params, nil
	}
	return s.unfoldObject(ctx, c, params.Get("request"), params)
}

// unfoldFrom is unfold of an object at one of the client's registered addresses
// (RFC 9101 section 5.2). Nothing else is fetched.
func (s *Slice) unfoldFrom(ctx context.Context, c *keystone.Client, reference string, params url.Values) (inside url.Values, err error) {
	if !slices.Contains(c.RequestURIs, reference) {
		return params, errRequestURI
	}
	address, _, _ := strings.Cut(reference, "#")
	inside = params
	err = s.Keys.Object(ctx, address, func(text string) (err error) {
		inside, err = s.unfoldObject(ctx, c, strings.TrimSpace(text), params)
		return err
	})
	if errors.Is(err, fetch.ErrFetch) {
		err = errNotFetched
	}
	return inside, err
}

// unfoldObject checks an object and returns the parameters in it.
func (s *Slice) unfoldObject(ctx context.Context, c *keystone.Client, raw string, params url.Values) (url.Values, error) {
	inside, err := s.signedObject(ctx, c, raw, c.RequestObjectAlg, s.readObject)
	if err != nil {
		return params, err
	}
	return inside, nil
}

// signedObject checks that the client made an object, by the algorithm alg or, where
// that is empty, by any that it may use, and returns what read finds in it.
func (s *Slice) signedObject(ctx context.Context, c *keystone.Client, raw, alg string, read func(*keystone.Client, jose.Claims) (url.Values, error)) (url.Values, error) {
	if !c.HasKeys() {
		return nil, errNoObjectKeys
	}
	algs := keystone.AssertionAlgs()
	if alg != "" {
		algs = []string{alg}
	}
	t, err := jose.Parse(raw, c.Rules().Allows(algs), objectTypes...)
	if err != nil {
		return nil, errObject
	}
	inside, err := read(c, t.Claims)
	if err != nil {
		return nil, err
	}
	if ok, err := s.Keys.Verify(ctx, c, t); err != nil || !ok {
		return nil, orElse(err, errObject)
	}
	return inside, nil
}

func orElse(err, refusal error) error {
	if err != nil {
		return err
	}
	return refusal
}

// readObject checks the claims of a request object and returns the parameters
// among them (RFC 9101 sections 4 and 6.3). It is cheap, and so comes before the
// signature.
func (s *Slice) readObject(c *keystone.Client, claims jose.Claims) (url.Values, error) {
	loose := c.Rules().LooseObjects // OpenID Connect Core section 6.1 has these as recommendations
	is := func(name string) bool { return claims.Text(name) == c.ID || loose && !claims.Has(name) }
	if !is("client_id") || !is("iss") {
		return nil, errObjectClient
	}
	aud, _ := claims.Texts("aud")
	if !slices.Contains(aud, s.Issuer.Options.Issuer) && !(loose && !claims.Has("aud")) {
		return nil, errObjectAud
	}
	now := s.Store.Now()
	exp, ok := inTime(claims, now, objectLife)
	if !ok && !(loose && !claims.Has("exp")) {
		return nil, errObjectTime
	}
	if good, has := began(claims, now, exp); has && !good || !has && c.Rules().Signed {
		return nil, errObjectTime
	}
	params, err := objectParams(claims)
	if err == nil {
		params.Set("client_id", c.ID)
	}
	return params, err
}

// began reports whether an object has an nbf, and whether that is within bounds: an
// hour old at most, and an hour before exp (zero: it has none). inTime has looked
// that it is not ahead.
func began(claims jose.Claims, now, exp time.Time) (good, has bool) {
	nbf, has := claims.Time("nbf")
	return has && !nbf.Before(now.Add(-objectLife-clockLeeway)) && (exp.IsZero() || exp.Sub(nbf) <= objectLife), has
}

// jwtClaims are the claims of a request object that are no parameters (RFC 7519
// section 4.1).
var jwtClaims = []string{"iss", "aud", "exp", "nbf", "iat", "jti"}

// objectParams turns claims into parameters. A client that could name itself in
// sub could use its request object as an assertion (RFC 9101 section 10.8).
func objectParams(claims jose.Claims) (url.Values, error) {
	params := url.Values{}
	for _, name := range claims.Names() {
		switch {
		case slices.Contains(jwtClaims, name):
			continue
		case name == "request" || name == "request_uri" || name == "sub":
			return nil, errObjectInside
		}
		values, err := paramOf(name, claims.Raw(name))
		if err != nil {
			return nil, err
		}
		if len(values) != 1 || values[0] != "" { // without a value it is as if not sent
			params[name] = values
		}
	}
	return params, nil
}

// paramOf returns a claim as it would stand in a form: strings as they are, other
// values as JSON (RFC 9101 section 4).
func paramOf(name string, raw json.RawMessage) ([]string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, errObjectInside
	}
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case float64, bool, map[string]any:
		return []string{string(raw)}, nil
	case []any:
		if name == "authorization_details" { // which is a list as JSON in a form too (RFC 9396 section 2)
			return []string{string(raw)}, nil
		}
		var list []string
		if name != "resource" && name != "audience" || json.Unmarshal(raw, &list) != nil { // what may repeat (RFC 8707)
			return nil, errObjectInside
		}
		return list, nil
	}
	return nil, errObjectInside
}
