package oauth

import (
	"context"
	"errors"

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
	t, err := s.Issuer.Refresh(ctx, httpio.Actor(ctx), r.client, token.Refreshing{
		Token: presented, Scopes: scopes, Audiences: r.audiences(), Details: details, Allow: s.Refreshes,
		ID: func(ctx context.Context, g keystone.Grant) (token.IDToken, error) {
			return s.idToken(ctx, r.client, g.UserID, g.SignIn)
		},
	})
	return s.encryptedID(ctx, r.client)(t, ofGrant(ctx, r.audiences(), err))
}

// errOutlived answers a grant for an audience that has ceased to be one.
var errOutlived = keystone.Fail(keystone.Invalid, "This was allowed for a resource that the client may not ask for any more, or for this server under another ISSUER. Sign in again.").WithCode("invalid_grant")

// ofGrant returns how a request for tokens came out. An audience that is refused though
// nobody asked for one now stands in the grant itself: it is neither the client's nor
// this server any more. That is a grant that is not valid any more (RFC 6749 section
// 5.2), upon which clients sign people in again, and no wrong request.
func ofGrant(ctx context.Context, asked []string, err error) error {
	var e *keystone.Error
	if len(asked) > 0 || !errors.As(err, &e) || e.Code != "invalid_target" {
		return err
	}
	keystone.Fact(ctx, "why", "the grant is for an audience that is neither the client's nor this server (ISSUER) any more")
	return errOutlived
}
