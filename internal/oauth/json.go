package oauth

import (
	"context"
	"net/url"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// The JSON faces of the protocol. They prove clients and use grants exactly as
// the forms do, and speak of refusals as the rest of the JSON API does.

type jsonTokenRequest struct {
	Body struct {
		ClientID     string   `json:"client_id" maxLength:"100"`
		ClientSecret string   `json:"client_secret" maxLength:"200"`
		GrantType    string   `json:"grant_type,omitempty" enum:"client_credentials" default:"client_credentials"`
		Scope        string   `json:"scope,omitempty" doc:"Scopes, separated by spaces. Everything that is allowed where it is left out."`
		Audience     []string `json:"audience,omitempty" maxItems:"50" doc:"Whom the token is for; each must be registered for the client. Keystone itself where it is left out."`
	}
}

type jsonTokenAnswer struct{ Body token.TokenResponse }

// jsonToken serves POST /api/v1/auth/token.
func (s *Slice) jsonToken(ctx context.Context, in *jsonTokenRequest) (*jsonTokenAnswer, error) {
	c, err := s.authenticate(ctx, credentials{id: in.Body.ClientID, secret: in.Body.ClientSecret, hasSecret: true})
	var t token.Response
	if err == nil {
		t, err = s.clientCredentials(ctx, grantRequest{c, url.Values{"scope": {in.Body.Scope}, "audience": in.Body.Audience}})
	}
	return s.jsonAnswer(ctx, keystone.GrantClientCredentials, t, err)
}

func (s *Slice) jsonAnswer(ctx context.Context, grantType string, t token.Response, err error) (*jsonTokenAnswer, error) {
	s.Issuer.Observe(grantType, err)
	if err != nil {
		return nil, token.InJSON(err)
	}
	httpio.SetUser(ctx, t.UserID)
	return &jsonTokenAnswer{t.Body()}, nil
}

type jsonRefreshRequest struct {
	Body struct {
		RefreshToken string `json:"refresh_token" maxLength:"300"`
		GrantType    string `json:"grant_type,omitempty" enum:"refresh_token" default:"refresh_token"`
		ClientID     string `json:"client_id,omitempty" maxLength:"100" doc:"The client that the token was issued to. Keystone's own where it is left out."`
	}
}

// jsonRefresh serves POST /api/v1/auth/refresh. It takes no client secret, so
// only public clients get through; others use /oauth2/token.
func (s *Slice) jsonRefresh(ctx context.Context, in *jsonRefreshRequest) (*jsonTokenAnswer, error) {
	id := in.Body.ClientID
	if id == "" {
		id = keystone.FirstPartyClientID
	}
	c, err := s.authenticate(ctx, credentials{id: id})
	var t token.Response
	if err == nil {
		t, err = s.refreshToken(ctx, grantRequest{c, url.Values{"refresh_token": {in.Body.RefreshToken}}})
	}
	return s.jsonAnswer(ctx, keystone.GrantRefreshToken, t, err)
}

type jsonRevokeRequest struct {
	Body struct {
		Token         string `json:"token" maxLength:"16384"`
		TokenTypeHint string `json:"token_type_hint,omitempty" doc:"Accepted and not needed."`
		ClientID      string `json:"client_id,omitempty" maxLength:"100" doc:"The client that the token was issued to. Keystone's own where it is left out."`
		ClientSecret  string `json:"client_secret,omitempty" maxLength:"200" doc:"Where the client has one."`
	}
}

type jsonRevokeAnswer struct{ Body struct{} }

// jsonRevoke serves POST /api/v1/auth/revoke.
func (s *Slice) jsonRevoke(ctx context.Context, in *jsonRevokeRequest) (*jsonRevokeAnswer, error) {
	cred := credentials{id: in.Body.ClientID, secret: in.Body.ClientSecret, hasSecret: in.Body.ClientSecret != ""}
	if cred.id == "" {
		cred.id = keystone.FirstPartyClientID
	}
	c, err := s.authenticate(ctx, cred)
	if err != nil {
		return nil, token.InJSON(err)
	}
	return &jsonRevokeAnswer{}, s.revokeToken(ctx, c, in.Body.Token)
}
