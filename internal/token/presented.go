package token

import (
	"context"
	"errors"
	"slices"
	"strings"

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
func (v *Verifier) InspectPresented(ctx context.Context, p Presented) (*Inspection, error) {
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
func (v *Verifier) held(ctx context.Context, t *Inspection, p Presented) error {
	switch {
	case !p.DPoP && t.Bound.JKT != "":
		keystone.Fact(ctx, "why", "it is bound to a DPoP key and came as a bearer token")
		return ErrBound
	case p.DPoP && t.Bound.JKT == "":
		keystone.Fact(ctx, "why", "it is bound to no DPoP key and came with a proof of one")
		return errNotBound
	case p.DPoP && len(p.Proofs) == 0:
		return unauthenticated(errProofCount)
	}
	shown := p.Shown
	if !p.DPoP {
		shown.Proofs = nil // nothing here asks for a proof
	}
	s, err := v.proofs.Sender(shown, p.Token, t.DPoPNonce)
	if err != nil {
		return unauthenticated(err)
	}
	if !t.Bound.HeldBy(s.Confirmation) {
		if shown := s.Confirmation; t.Bound.JKT != "" && t.Bound.JKT != shown.JKT {
			differ(ctx, "DPoP key", t.Bound.JKT, shown.JKT)
		} else {
			differ(ctx, "TLS client certificate", t.Bound.X5T, shown.X5T)
		}
		return errNotHeld
	}
	return unauthenticated(v.proofs.Spend(ctx, s))
}

// differ notes that a token is bound to another key than the one that was shown. The
// thumbprints are those of public keys.
func differ(ctx context.Context, what, bound, shown string) {
	why := "it is bound to another " + what + " than the one that was shown"
	if shown == "" {
		why = "it is bound to a " + what + ", and none was shown"
	}
	keystone.Fact(ctx, "why", why)
	keystone.Fact(ctx, "thumbprint that it is bound to", bound)
	keystone.Fact(ctx, "thumbprint that was shown", shown)
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
		about(ctx, t.Claims)
		keystone.Fact(ctx, "audience of the token", strings.Join(t.Audiences, " "))
		return keystone.Actor{}, refuse(ctx, "it is meant for others: this server is not in its audience")
	}
	return t.Actor(), nil
}

// Actor is who acts with the token.
func (t *Inspection) Actor() keystone.Actor {
	a := keystone.Actor{Kind: keystone.ActorUser, ID: t.Subject, Name: t.Name, ClientID: t.ClientID, SessionID: t.SessionID, Scopes: t.Scopes, FirstParty: t.FirstParty}
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
