package token

import (
	"context"
	"errors"
	"slices"

	"github.com/keystone-auth/keystone"
)

// Presented is an access token and how it came.
type Presented struct {
	Token string
	DPoP  bool // under the scheme DPoP (RFC 9449 section 7.1), else under Bearer
	Shown
}

var (
	// ErrBound answers a token that is bound to a DPoP key and came without proof.
	ErrBound    = keystone.Fail(keystone.Unauthenticated, "The access token is bound to a key: send it as Authorization: DPoP, with a proof (RFC 9449 section 7.1).")
	errNotBound = keystone.Fail(keystone.Unauthenticated, "The access token is bound to no key: send it as Authorization: Bearer.")
	errNotHeld  = keystone.Fail(keystone.Unauthenticated, "The access token is bound to another key or certificate than the one that was shown.")
)

// InspectPresented is Inspect of a token that is used here: it is refused unless
// whoever sends it has shown the key that it is bound to.
func (v *Verifier) InspectPresented(ctx context.Context, p Presented) (Inspection, error) {
	t, err := v.Inspect(ctx, p.Token)
	if err != nil {
		return t, err
	}
	if !p.DPoP && t.Bound.IsZero() { // the plain bearer token
		return t, nil
	}
	return t, v.held(ctx, t, p)
}

// held checks the sender of a token (RFC 9449 section 7, RFC 8705 section 3).
func (v *Verifier) held(ctx context.Context, t Inspection, p Presented) error {
	switch {
	case !p.DPoP && t.Bound.JKT != "":
		return ErrBound
	case p.DPoP && t.Bound.JKT == "":
		return errNotBound
	case p.DPoP && len(p.Proofs) == 0:
		return unauthenticated(errProofCount)
	}
	shown := p.Shown
	if !p.DPoP {
		shown.Proofs = nil // nothing here asks for a proof
	}
	s, err := v.proofs.Sender(shown, p.Token, t.Client.DPoPNonce)
	if err != nil {
		return unauthenticated(err)
	}
	if !t.Bound.HeldBy(s.Confirmation) {
		return errNotHeld
	}
	return unauthenticated(v.proofs.Spend(ctx, s))
}

// unauthenticated makes a refusal of a proof one of the token that it came with
// (RFC 9449 section 7.1).
func unauthenticated(err error) error {
	var e *keystone.Error
	if err == nil || keystone.KindOf(err) != keystone.Invalid || !errors.As(err, &e) {
		return err
	}
	refused := *e
	refused.Kind = keystone.Unauthenticated
	return &refused
}

// AuthenticatePresented returns who presents an access token to Keystone's own
// API. The token must be meant for Keystone: one for another resource is refused.
func (v *Verifier) AuthenticatePresented(ctx context.Context, p Presented) (keystone.Actor, error) {
	t, err := v.InspectPresented(ctx, p)
	if err != nil {
		return keystone.Actor{}, err
	}
	if !slices.Contains(t.Audiences, v.issuer) {
		return keystone.Actor{}, errToken
	}
	return t.Actor(), nil
}

// Actor is who acts with the token.
func (t Inspection) Actor() keystone.Actor {
	a := keystone.Actor{Kind: keystone.ActorUser, ID: t.Subject, Name: t.Name, ClientID: t.ClientID, SessionID: t.SessionID, Scopes: t.Scopes, FirstParty: t.Client.FirstParty}
	if t.UserID() == "" {
		a.Kind, a.ClientID, a.FirstParty = keystone.ActorClient, "", false
	}
	return a
}

// Authenticate is AuthenticatePresented of a bearer token that came with nothing
// else: one that is bound to a key is refused.
func (v *Verifier) Authenticate(ctx context.Context, raw string) (keystone.Actor, error) {
	return v.AuthenticatePresented(ctx, Presented{Token: raw})
}
