package oauth

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/token"
)

var errPublic = keystone.Fail(keystone.Invalid, "A public client cannot use client_credentials: it cannot authenticate.").WithCode("unauthorized_client")

// clientCredentials is a client asking for itself (RFC 6749 section 4.4).
func (s *Slice) clientCredentials(ctx context.Context, r grantRequest) (token.Response, error) {
	c := r.client
	if !c.Confidential() {
		return token.Response{}, errPublic
	}
	scopes, err := keystone.ParseScope(r.form.Get("scope"))
	if err != nil {
		return token.Response{}, err
	}
	return s.Issuer.Issue(ctx, asClient(ctx, c), token.Request{
		GrantType: keystone.GrantClientCredentials, Client: c, Scopes: scopes, Audiences: r.audiences(),
	})
}
