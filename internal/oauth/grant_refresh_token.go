package oauth

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

var errNoRefresh = keystone.Fail(keystone.Invalid, "Send refresh_token.")

// refreshToken is a client using a refresh token (RFC 6749 section 6).
func (s *Slice) refreshToken(ctx context.Context, r grantRequest) (token.Response, error) {
	presented := r.form.Get("refresh_token")
	if presented == "" {
		return token.Response{}, errNoRefresh
	}
	scopes, err := keystone.ParseScope(r.form.Get("scope"))
	if err != nil {
		return token.Response{}, err
	}
	details, err := s.details(ctx, r.client, r.form.Get("authorization_details"))
	if err != nil {
		return token.Response{}, err
	}
	return s.encryptedID(ctx, r.client)(s.Issuer.Refresh(ctx, httpio.Actor(ctx), r.client, token.Refreshing{
		Token: presented, Scopes: scopes, Audiences: r.audiences(), Details: details, Allow: s.Refreshes,
		ID: func(ctx context.Context, g keystone.Grant) (token.IDToken, error) {
			return s.idToken(ctx, r.client, g.UserID, g.SignIn)
		},
	}))
}
