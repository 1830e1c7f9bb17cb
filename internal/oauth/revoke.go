package oauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/token"
)

// revokeForm documents the form of the revocation endpoint.
type revokeForm struct {
	Token         string `json:"token"`
	TokenTypeHint string `json:"token_type_hint,omitempty" doc:"Accepted and not needed."`
	ClientProof
}

// revoke serves POST /oauth2/revoke (RFC 7009).
func (s *Slice) revoke(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	if err != nil {
		return err
	}
	raw := form.Get("token")
	if raw == "" {
		return errNoToken
	}
	if err := s.revokeToken(r.Context(), c, raw); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeToken revokes a token of the client. A refresh token ends its family with
// every access token of it; an access token ends alone. An unknown token, and one of
// somebody else, is answered as if it were revoked (RFC 7009 section 2.2); a database
// that fails is not.
func (s *Slice) revokeToken(ctx context.Context, c *keystone.Client, raw string) error {
	by := httpio.Actor(ctx)
	if strings.HasPrefix(raw, secret.RefreshToken) {
		g, _, err := s.Issuer.Family(ctx, raw)
		if err != nil || g.ClientID != c.ID {
			return unknownIsFine(err)
		}
		by = by.AsUser(g.UserID, "", g.ClientID, g.SessionID)
		return s.Store.RevokeGrant(ctx, by, g.ID, keystone.EndTokenRevoked)
	}
	if id, ok := token.OpaqueID(raw); ok && c.Kind == keystone.ClientService { // most tokens of such a client are its own
		done, err := s.Store.RevokeOwnToken(ctx, ownToken(by, c.ID), secret.Hash(raw), id, c.ID)
		if done || err != nil {
			return err
		} // else it may be a user's, by an exchange, or of an earlier release, whose ids did not follow from the token
	}
	t, err := s.Verifier.Claims(ctx, raw)
	if err != nil || t.ClientID != c.ID {
		return unknownIsFine(err)
	}
	if by = by.AsUser(t.Subject, "", t.ClientID, t.SessionID); t.UserID() == "" {
		by = ownToken(by, t.ClientID)
	}
	return s.Store.RevokeAccessToken(ctx, by, t.JTI, t.ClientID, t.ExpiresAt)
}

// ownToken is the actor where a client revokes a token that it has for itself.
func ownToken(by keystone.Actor, clientID string) keystone.Actor {
	by = by.AsUser(clientID, "", clientID, "")
	by.Kind = keystone.ActorClient
	return by
}

func unknownIsFine(err error) error {
	switch keystone.KindOf(err) {
	case keystone.Unauthenticated, keystone.NotFound, keystone.Invalid:
		return nil
	}
	return err
}
