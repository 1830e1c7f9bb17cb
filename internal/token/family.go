package token

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// errRefresh answers every refresh token that is not good (RFC 6749 section 5.2).
var errRefresh = keystone.Fail(keystone.Invalid, "The refresh token is not valid any more. Sign in again.").WithCode("invalid_grant")

// ErrDetails answers a request for more than the person allowed (RFC 9396 section
// 6).
var ErrDetails = keystone.Fail(keystone.Invalid, "authorization_details can only be some of those that were granted, to the letter. Ask the person for others.").WithCode("invalid_authorization_details")

// errTarget answers a request for a resource that was not granted (RFC 8707 section
// 2).
var errTarget = keystone.Fail(keystone.Invalid, "A token can only be for resources that were granted: some of those of the authorization request, or this server where it named none. Ask the person for others.").WithCode("invalid_target")

// Narrowed returns whom a token is for under a grant that is for granted: those who
// are asked for, or all (RFC 8707 section 2.2). The grant itself stays as it is.
func Narrowed(ctx context.Context, granted, asked []string) ([]string, error) {
	for _, a := range asked {
		if !slices.Contains(granted, a) {
			keystone.Fact(ctx, "audience asked for", strings.Join(asked, " "))
			keystone.Fact(ctx, "audiences that were granted", strings.Join(granted, " "))
			return nil, errTarget
		}
	}
	if len(asked) == 0 {
		return granted, nil
	}
	return asked, nil
}

// NewFamily returns a refresh token family for a session that begins at d.Now,
// and its first refresh token. The caller stores it with the session.
func (i *Issuer) NewFamily(d Decision, userID, clientID, sessionID string) (keystone.Grant, string) {
	ends := d.Now.Add(i.MaxSession)
	g := keystone.Grant{
		ID: keystone.NewID(d.Now), UserID: userID, ClientID: clientID, SessionID: sessionID, Scopes: d.Scopes, Audiences: d.Audiences,
		Generation: 1, RotatedAt: d.Now, CreatedAt: d.Now, ExpiresAt: earlier(d.Now.Add(i.RefreshTTL), ends), EndsAt: ends, Bound: d.Family,
	}
	return g, i.refreshToken(g.ID, 1)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (i *Issuer) refreshToken(family string, generation uint32) string {
	id, _ := keystone.IDBytes(family)
	return i.refresh.Format(id, generation)
}

// Family returns the grant that a refresh token belongs to and the token's
// generation, where the token is one of ours. It says nothing of whether the
// token is still good: only using it does.
func (i *Issuer) Family(ctx context.Context, raw string) (g keystone.Grant, generation uint32, err error) {
	id, generation, ok := i.refresh.Parse(raw)
	if !ok {
		keystone.Fact(ctx, "why", "it is no refresh token of this server, or not all of one")
		return g, 0, errRefresh
	}
	g, err = i.store.GrantFacts(ctx, keystone.IDFromBytes(id))
	if keystone.KindOf(err) == keystone.NotFound {
		keystone.Fact(ctx, "why", "there is no such family any more")
		return g, 0, errRefresh
	}
	return g, generation, err
}

// Refreshing is what a refresh asks for. Scopes, audiences and authorization details
// (none: all of them, RFC 9396 section 6) may only narrow what was granted.
type Refreshing struct {
	Token             string
	Scopes, Audiences []string
	Details           []json.RawMessage
	// ID says what an ID token that comes of the grant says (OpenID Connect Core section
	// 12.2), as in Request; nil: no ID token.
	ID func(context.Context, keystone.Grant) (IDToken, error)
	// Allow refuses where the family is used too often; nil: never.
	Allow func(ctx context.Context, family string) error
}

// Refresh uses a refresh token for the client that presents it (RFC 6749 section
// 6).
func (i *Issuer) Refresh(ctx context.Context, by keystone.Actor, c *keystone.Client, r Refreshing) (Response, error) {
	keystone.Checking(ctx, "refresh token")
	g, generation, err := i.Family(ctx, r.Token)
	if err != nil {
		return Response{}, err
	}
	if g.ClientID != c.ID {
		keystone.Fact(ctx, "why", "it was issued to another client")
		return Response{}, errRefresh
	}
	keystone.Checking(ctx, "key of the refresh token")
	if !mayRefresh(c, g, SenderOf(ctx)) {
		keystone.Fact(ctx, "why", "it is bound to another key than the one that was shown")
		return Response{}, errRefresh
	}
	keystone.Checking(ctx, "scope and audience of the grant")
	if len(r.Scopes) > 0 && !keystone.Subset(r.Scopes, g.Scopes) {
		keystone.Fact(ctx, "scope asked for", keystone.FormatScope(r.Scopes))
		keystone.Fact(ctx, "scope that was granted", keystone.FormatScope(g.Scopes))
		return Response{}, keystone.Fail(keystone.Invalid, "A refresh can only narrow the granted scopes. Sign in again for more.").WithCode("invalid_scope")
	}
	audiences, err := Narrowed(ctx, g.Audiences, r.Audiences)
	if err != nil {
		return Response{}, err
	}
	details := r.Details
	if !g.Details.Cover(details) {
		keystone.Fact(ctx, "why", "the authorization_details are not among those that the person allowed")
		return Response{}, ErrDetails
	}
	if len(details) == 0 {
		details = g.Details
	}
	keystone.Checking(ctx, "rate limit of the refresh token's family")
	if err := i.mayUse(ctx, r, g.ID, generation); err != nil {
		return Response{}, err
	}
	u, err := i.store.UserState(ctx, g.UserID) // for the trail; whether they may is decided by the door
	if err != nil && keystone.KindOf(err) != keystone.NotFound {
		return Response{}, err
	}
	by = by.AsUser(g.UserID, u.Username, c.ID, g.SessionID)
	within := g.Scopes
	if within == nil {
		within = []string{}
	}
	var id func(context.Context) (IDToken, error)
	if r.ID != nil && !g.SignIn.At.IsZero() {
		id = func(ctx context.Context) (IDToken, error) { return r.ID(ctx, g) }
	}
	return i.Issue(ctx, by, Request{
		GrantType: keystone.GrantRefreshToken, Client: c, UserID: g.UserID, Within: within, Scopes: r.Scopes, Audiences: audiences, Details: details, ID: id,
		Ahead: Written{SessionID: g.SessionID, GrantID: g.ID},
		Write: func(ctx context.Context, d Decision) (Written, error) {
			next, err := i.store.Rotate(ctx, by, g.ID, generation, store.Rotation{
				TTL: i.RefreshTTL, Grace: i.Grace, Rotate: c.Rotates(), Meanwhile: d.Meanwhile,
			})
			if err != nil {
				return Written{}, err
			}
			return Written{SessionID: g.SessionID, GrantID: g.ID, Refresh: i.refreshToken(g.ID, next)}, nil
		},
	})
}

// mayUse asks the limit of the family. It holds up nobody who shows a token that was used
// before: that ends the family, and nothing may put it off for longer than the second that
// what is asked here may be old. Once it has ended there is nothing to put off.
func (i *Issuer) mayUse(ctx context.Context, r Refreshing, family string, generation uint32) error {
	if r.Allow == nil {
		return nil
	}
	limited := r.Allow(ctx, family)
	if limited == nil {
		return nil
	}
	g, err := i.store.GrantOfLate(ctx, family)
	if err != nil {
		return err
	}
	if g.RevokedAt.IsZero() && (generation+1 < g.Generation || generation+1 == g.Generation && i.store.Now().Sub(g.RotatedAt) > i.Grace) {
		return nil
	}
	return limited
}
