package oauth

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

var errNoRefresh = keystone.Fail(keystone.Invalid, "Send refresh_token.")

// refreshToken is a client using a refresh token (RFC 6749 section 6).
func refreshToken(s *Slice, ctx context.Context, c keystone.Client, p params) (token.Response, error) {
	if p.refresh == "" {
		return token.Response{}, errNoRefresh
	}
	scopes, err := keystone.ParseScope(p.scope)
	if err != nil {
		return token.Response{}, err
	}
	return s.Issuer.Refresh(ctx, httpio.Actor(ctx), c, p.refresh, scopes, p.audiences)
}
