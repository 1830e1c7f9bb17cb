package token

import (
	"context"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// Inspection is what is true now of an access token that was presented.
type Inspection struct {
	Claims
	Name   string // username, or the client's name
	Client keystone.Client
}

// Inspect returns the claims of a living access token, JWT or opaque, its scopes
// reduced to those its user or client still holds. A token that is malformed,
// foreign, expired, revoked, or whose user, client or session is gone, is
// refused with one and the same error. What it reads is at most a second old. A
// JWT may have expired by the leeway; see Living.
func (v *Verifier) Inspect(ctx context.Context, raw string) (Inspection, error) {
	c, stored, err := v.claims(ctx, raw)
	if err != nil {
		return Inspection{}, err
	}
	state, err := v.store.TokenState(ctx, store.TokenRef{JTI: c.JTI, UserID: c.UserID(), ClientID: c.ClientID, GrantID: c.GrantID, Stored: stored})
	if err != nil {
		return Inspection{}, err
	}
	if !state.Active {
		return Inspection{}, errToken
	}
	c.Scopes = keystone.Intersect(c.Scopes, state.Scopes)
	return Inspection{Claims: c, Name: state.Name, Client: state.Client}, nil
}

// Living reports whether the token has not reached its exp: what others are told
// of it (RFC 7662 section 2.2) has no leeway.
func (v *Verifier) Living(c Claims) bool { return v.store.Now().Before(c.ExpiresAt) }

// Claims returns what an unexpired access token of ours states, JWT or opaque,
// without asking whether it still holds.
func (v *Verifier) Claims(ctx context.Context, raw string) (Claims, error) {
	c, _, err := v.claims(ctx, raw)
	return c, err
}

// claims is Claims, and of an opaque token what is stored of it.
func (v *Verifier) claims(ctx context.Context, raw string) (Claims, *store.AccessToken, error) {
	if !strings.HasPrefix(raw, secret.AccessToken) {
		c, err := v.parse(ctx, raw)
		return c, nil, err
	}
	if !secret.WellFormed(secret.AccessToken, raw) {
		return Claims{}, nil, errToken
	}
	t, err := v.store.AccessTokenByHash(ctx, secret.Hash(raw))
	if keystone.KindOf(err) == keystone.NotFound {
		return Claims{}, nil, errToken
	}
	if err != nil {
		return Claims{}, nil, err
	}
	if !v.store.Now().Before(t.ExpiresAt) {
		return Claims{}, nil, errToken
	}
	act, err := parseAct(t.Act)
	if err != nil {
		return Claims{}, nil, err
	}
	details, err := keystone.DetailsOf(t.Details)
	if err != nil {
		return Claims{}, nil, err
	}
	c := Claims{Issuer: v.issuer, Audiences: t.Audiences, Subject: t.UserID, ClientID: t.ClientID, Scopes: t.Scopes,
		SessionID: t.SessionID, GrantID: t.GrantID, JTI: t.JTI, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Bound: t.Bound, Act: act, Details: details}
	if c.Subject == "" {
		c.Subject = c.ClientID
	}
	return c, &t, nil
}
