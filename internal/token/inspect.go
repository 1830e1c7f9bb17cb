package token

import (
	"cmp"
	"context"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// Inspection is what is true now of an access token that was presented. Those who
// present the same token share it: nobody changes it.
type Inspection struct {
	*Claims
	Scopes     []string // those of the claims that are still held; sorted
	Name       string   // username, or the client's name
	FirstParty bool     // of the client
	DPoPNonce  bool     // of the client: its proofs carry a nonce
}

// Inspect returns the claims of a living access token, JWT or opaque, its scopes
// reduced to those its user or client still holds. A token that is malformed,
// foreign, expired, revoked, or whose user, client or session is gone, is
// refused with one and the same error. What it reads is at most a second old. A
// JWT may have expired by the leeway; see Living.
func (v *Verifier) Inspect(ctx context.Context, raw string) (*Inspection, error) {
	t, ended, err := v.inspect(ctx, raw)
	if ended != nil {
		return nil, v.ended(ctx, ended)
	}
	return t, err
}

// Introspect is Inspect for whoever is only told that a token is not active (RFC 7662
// section 2.2): nothing is read to find out what ended it.
func (v *Verifier) Introspect(ctx context.Context, raw string) (*Inspection, error) {
	t, ended, err := v.inspect(ctx, raw)
	if ended != nil {
		return nil, errToken
	}
	return t, err
}

// inspect returns what is true of a token, or of one that does not hold any more what it
// states. While nothing has changed, a JWT that is used again has only its signature's
// key and its times looked at.
func (v *Verifier) inspect(ctx context.Context, raw string) (t *Inspection, ended *Claims, err error) {
	c, stored, err := v.claims(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	if last := c.last.Load(); last != nil && v.store.StillSo(last.asOf) {
		return &last.Inspection, nil, nil
	}
	state, err := v.store.TokenState(ctx, store.TokenRef{JTI: c.claims.JTI, UserID: c.claims.UserID(), ClientID: c.claims.ClientID, GrantID: c.claims.GrantID, Stored: stored})
	if err != nil {
		return nil, nil, err
	}
	if !state.Active {
		return nil, &c.claims, nil
	}
	now := &found{Inspection{Claims: &c.claims, Scopes: c.claims.Scopes, Name: state.Name, FirstParty: state.Client.FirstParty, DPoPNonce: state.Client.DPoPNonce}, state.AsOf}
	if !keystone.Subset(now.Scopes, state.Scopes) {
		now.Scopes = keystone.Intersect(now.Scopes, state.Scopes)
	}
	c.last.Store(now)
	return &now.Inspection, nil, nil
}

// ended refuses a token that was good, and notes what ended it. It is asked once the
// token is refused, so it costs whoever has a good one nothing; where it cannot be
// told, the refusal stays the same.
func (v *Verifier) ended(ctx context.Context, c *Claims) error {
	about(ctx, c)
	return refuse(ctx, v.whatEnded(ctx, c))
}

// whatEnded asks in the order of store.TokenState.
func (v *Verifier) whatEnded(ctx context.Context, c *Claims) string {
	const unknown = "it has ended"
	if id := c.UserID(); id != "" {
		switch u, err := v.store.UserState(ctx, id); {
		case keystone.KindOf(err) == keystone.NotFound:
			return "there is no such user any more"
		case err != nil:
			return unknown
		case !u.Enabled:
			return "the user is disabled"
		}
		switch g, err := v.store.GrantOfLate(ctx, c.GrantID); {
		case keystone.KindOf(err) == keystone.NotFound:
			return "its family of tokens is not kept any more: its session ended long ago"
		case err != nil:
			return unknown
		case !g.RevokedAt.IsZero():
			return "its family of tokens was revoked: " + g.Reason
		case !v.store.Now().Before(g.EndsAt):
			return "its family of tokens has reached its end, which is that of the session at the latest"
		}
	}
	switch client, err := v.store.CachedClient(ctx, c.ClientID); {
	case keystone.KindOf(err) == keystone.NotFound:
		return "there is no such client any more"
	case err != nil:
		return unknown
	case !client.Enabled:
		return "the client is disabled"
	case client.Ended(c.JTI):
		return "all tokens of the client that were issued until then were revoked"
	}
	return "it was revoked"
}

// Living reports whether the token has not reached its exp: what others are told
// of it (RFC 7662 section 2.2) has no leeway.
func (v *Verifier) Living(c *Claims) bool { return v.store.Now().Before(c.ExpiresAt) }

// Claims returns what an unexpired access token of ours states, JWT or opaque,
// without asking whether it still holds.
func (v *Verifier) Claims(ctx context.Context, raw string) (Claims, error) {
	c, _, err := v.claims(ctx, raw)
	if err != nil {
		return Claims{}, err
	}
	return c.claims, nil
}

// claims is Claims, and of an opaque token what is stored of it.
func (v *Verifier) claims(ctx context.Context, raw string) (*verified, *store.StoredToken, error) {
	if !strings.HasPrefix(raw, secret.AccessToken) {
		c, err := v.parse(ctx, raw)
		return c, nil, err
	}
	if !secret.WellFormed(secret.AccessToken, raw) {
		return nil, nil, refuse(ctx, notAccess(raw))
	}
	t, err := v.store.AccessTokenByHash(ctx, secret.Hash(raw))
	if keystone.KindOf(err) == keystone.NotFound {
		return nil, nil, refuse(ctx, "there is no such token, or not any more: they are kept until they expire")
	}
	if err != nil {
		return nil, nil, err
	}
	if !v.store.Now().Before(t.ExpiresAt) {
		return nil, nil, expired(ctx, &Claims{Subject: cmp.Or(t.UserID, t.ClientID), ClientID: t.ClientID, ExpiresAt: t.ExpiresAt})
	}
	if c, ok := t.Read.Load().(*verified); ok {
		return c, t, nil
	}
	act, err := parseAct(t.Act)
	if err != nil {
		return nil, nil, err
	}
	details, err := keystone.DetailsOf(t.Details)
	if err != nil {
		return nil, nil, err
	}
	c := &verified{claims: Claims{Issuer: v.issuer, Audiences: t.Audiences, Subject: cmp.Or(t.UserID, t.ClientID), ClientID: t.ClientID, Scopes: t.Scopes,
		SessionID: t.SessionID, GrantID: t.GrantID, JTI: t.JTI, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Bound: t.Bound, Act: act, Details: details}}
	t.Read.Store(c)
	return c, t, nil
}
