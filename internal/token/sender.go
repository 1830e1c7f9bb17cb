package token

import (
	"context"

	"github.com/keystone-auth/keystone"
)

// The sender of a token request travels in the context and not in Request, so
// that no grant can leave it out: what the request has shown, the door sees.
type senderKey struct{}

// WithSender returns a context in which tokens are asked for by the holder of the
// sender's keys.
func WithSender(ctx context.Context, s Sender) context.Context {
	return context.WithValue(ctx, senderKey{}, s)
}

// SenderOf returns the keys that the sender of a token request holds.
func SenderOf(ctx context.Context) Sender {
	s, _ := ctx.Value(senderKey{}).(Sender)
	return s
}

// A proof that is missing is not a proof that is wrong: invalid_request, as without a
// certificate.
var (
	errNeedsProof = keystone.Fail(keystone.Invalid, "This client gets tokens that are bound to a key only: use /oauth2/token with a DPoP proof (RFC 9449 section 5).")
	errNeedsCert  = keystone.Fail(keystone.Invalid, "This client gets tokens that are bound to its certificate only: use /oauth2/token over TLS with the client certificate (RFC 8705 section 3).")
)

// bind returns what the client's tokens are bound to: the access token to every
// key that was shown, a refresh token only where the client is public. That of
// a confidential client is bound to the client already, which may change its
// keys (RFC 9449 section 5, RFC 8705 section 4).
func bind(c *keystone.Client, s Sender) (access, family keystone.Confirmation, err error) {
	if s.Alg != "" && len(c.Rules().Allows([]string{s.Alg})) == 0 {
		return access, family, errProofAlg
	}
	access.JKT = s.JKT
	if c.TLSBound {
		access.X5T = s.X5T
	}
	if c.DPoPBound && access.JKT == "" {
		return access, family, errNeedsProof
	}
	if c.TLSBound && access.X5T == "" {
		return access, family, errNeedsCert
	}
	if !c.Confidential() {
		family = access
	}
	return access, family, nil
}

// mayRefresh reports whether the sender may use refresh tokens of the family. One
// that was begun before its public client was bound to keys is nobody's any more:
// whoever stole its token could bind the next one to a key of their own.
func mayRefresh(c *keystone.Client, g keystone.Grant, s Sender) bool {
	if !c.Confidential() && (c.DPoPBound && g.Bound.JKT == "" || c.TLSBound && g.Bound.X5T == "") {
		return false
	}
	return g.Bound.HeldBy(s.Confirmation)
}
