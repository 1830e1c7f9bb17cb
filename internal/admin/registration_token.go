package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// RegistrationToken is what may be known about an initial access token after it
// was shown.
type RegistrationToken struct {
	ID        string     `json:"id" format:"uuid"`
	Name      string     `json:"name"`
	Uses      int64      `json:"uses" doc:"How many clients it can still register."`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used" nullable:"true"`
	keystone.RegistrationPolicy
}

func viewRegistrationToken(t keystone.RegistrationToken) RegistrationToken {
	return RegistrationToken{ID: t.ID, Name: t.Name, Uses: t.Uses, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsed: when(t.LastUsed), RegistrationPolicy: t.Policy}
}

type listRegistrationTokensAnswer struct {
	Body httpio.Collection[RegistrationToken]
}

func (s *Slice) listRegistrationTokens(ctx context.Context, in *httpio.PageQuery) (*listRegistrationTokensAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.RegistrationTokens(ctx, p)
	if err != nil {
		return nil, err
	}
	return &listRegistrationTokensAnswer{httpio.Collect(list, viewRegistrationToken)}, nil
}

// tokenLife is how long an initial access token lives where nothing is said.
const tokenLife = 7 * 24 * time.Hour

type createRegistrationTokenRequest struct {
	Body struct {
		Name             string   `json:"name" maxLength:"100" doc:"Whom it is for."`
		Uses             int64    `json:"uses,omitempty" minimum:"1" maximum:"100000" doc:"How many clients it can register; one where it is left out."`
		ExpiresInSeconds int64    `json:"expires_in_seconds,omitempty" minimum:"60" maximum:"31622400" doc:"A week where it is left out."`
		Scopes           []string `json:"scopes,omitempty" maxItems:"200" doc:"What its clients may ask for. Of Keystone's own scopes you may only name those that you hold; scopes:write holds all others."`
		Audiences        []string `json:"audiences,omitempty" maxItems:"50" doc:"Resources for which they may ask tokens."`
		Grants           []string `json:"grants,omitempty" maxItems:"10" doc:"authorization_code and refresh_token where it is left out."`
		RedirectHosts    []string `json:"redirect_hosts,omitempty" maxItems:"50" doc:"Hosts that their redirect URIs may have; any where it is left out."`
		PKCEOptional     bool     `json:"pkce_optional,omitempty" doc:"true lets confidential ones leave PKCE out, which weakens their sign-ins: only for programs that cannot send it."`
	}
}

// NewRegistrationToken is an initial access token that was just made.
type NewRegistrationToken struct {
	Token string `json:"registration_token" doc:"Shown this once: Authorization: Bearer … at /oauth2/register."`
	RegistrationToken
}

type createRegistrationTokenAnswer struct{ Body NewRegistrationToken }

func (s *Slice) createRegistrationToken(ctx context.Context, in *createRegistrationTokenRequest) (*createRegistrationTokenAnswer, error) {
	b := &in.Body
	life := tokenLife
	if b.ExpiresInSeconds > 0 {
		life = time.Duration(b.ExpiresInSeconds) * time.Second
	}
	value, t, err := s.Store.CreateRegistrationToken(ctx, httpio.Actor(ctx), keystone.RegistrationToken{
		Name: b.Name, Uses: max(b.Uses, 1), ExpiresAt: s.Store.Now().Add(life),
		Policy: keystone.RegistrationPolicy{Scopes: b.Scopes, Audiences: b.Audiences, Grants: b.Grants, RedirectHosts: b.RedirectHosts, PKCEOptional: b.PKCEOptional},
	})
	if err != nil {
		return nil, err
	}
	return &createRegistrationTokenAnswer{NewRegistrationToken{value, viewRegistrationToken(t)}}, nil
}

func (s *Slice) revokeRegistrationToken(ctx context.Context, in *ByID) (*empty, error) {
	if !keystone.IsID(in.ID) {
		return nil, notFound("registration token")
	}
	return nil, s.Store.RevokeRegistrationToken(ctx, httpio.Actor(ctx), in.ID)
}
