package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
)

// The refusals of a signed request have the code that OpenID Connect CIBA section 13
// has for them: invalid_request.
var (
	errBackchannelUnsigned = keystone.Fail(keystone.Invalid, "This client must sign its requests: send them as request (OpenID Connect CIBA section 7.1.1).")
	errBackchannelBeside   = keystone.Fail(keystone.Invalid, "Beside request there are only the client's credentials: everything else goes into it (OpenID Connect CIBA section 7.1.1).")
	errBackchannelClaims   = keystone.Fail(keystone.Invalid, "A signed request has iss (the client's id), aud (this issuer), exp (at most 60 minutes away), iat, nbf and jti (OpenID Connect CIBA section 7.1.1). Compare the clocks.")
)

// credentialParams are the parameters that may stand beside a signed request.
var credentialParams = []string{"request", "client_id", "client_secret", "client_assertion", "client_assertion_type"}

// unfoldBackchannel is unfold for requests of the backchannel: the parameters are in
// the object or outside, never in both.
func (s *Slice) unfoldBackchannel(ctx context.Context, c *keystone.Client, form url.Values) (url.Values, error) {
	keystone.Checking(ctx, "signed request")
	raw := form.Get("request")
	if raw == "" {
		if c.BackchannelAlg != "" || c.RequireSignedRequest {
			return nil, errBackchannelUnsigned
		}
		return form, nil
	}
	for name := range form {
		if !slices.Contains(credentialParams, name) {
			return nil, errBackchannelBeside
		}
	}
	inside, err := s.signedObject(ctx, c, raw, c.BackchannelAlg, s.readBackchannelObject)
	var refused *keystone.Error
	if errors.As(err, &refused) && refused.Kind == keystone.Invalid {
		err = refused.WithCode("")
	}
	return inside, err
}

// readBackchannelObject checks the claims of a signed request and returns the
// parameters among them. Whoever shows it has proved to be the client, so that it
// may be shown again harms nobody.
func (s *Slice) readBackchannelObject(c *keystone.Client, claims jose.Claims) (url.Values, error) {
	now := s.Store.Now()
	aud, _ := claims.Texts("aud")
	exp, timely := inTime(claims, now, objectLife)
	good, _ := began(claims, now, exp)
	timely = timely && good
	if claims.Text("iss") != c.ID || !slices.Contains(aud, s.Issuer.Options.Issuer) || !timely || !claims.Has("iat") || claims.Text("jti") == "" {
		return nil, errBackchannelClaims
	}
	return objectParams(claims)
}
