package oauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
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
	if err := s.revokeToken(r.Context(), raw, func(clientID string) bool { return clientID == c.ID }); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeToken revokes a token of a client that owns accepts. A refresh token ends
// its family with every access token of it; an access token ends alone. An
// unknown token, and one of somebody else, is answered as if it were revoked
// (RFC 7009 section 2.2); a database that fails is not.
func (s *Slice) revokeToken(ctx context.Context, raw string, owns func(clientID string) bool) error {
	by := httpio.Actor(ctx)
	if strings.HasPrefix(raw, secret.RefreshToken) {
		g, _, err := s.Issuer.Family(ctx, raw)
		if err != nil || !owns(g.ClientID) {
			return unknownIsFine(err)
		}
		by = by.AsUser(g.UserID, "", g.ClientID, g.SessionID)
		return s.Store.RevokeGrant(ctx, by, g.ID, keystone.EndTokenRevoked)
	}
	t, err := s.Verifier.Claims(ctx, raw)
	if err != nil || !owns(t.ClientID) {
		return unknownIsFine(err)
	}
	by = by.AsUser(t.Subject, "", t.ClientID, t.SessionID)
	if t.UserID() == "" {
		by.Kind = keystone.ActorClient
	}
	return s.Store.RevokeAccessToken(ctx, by, t.JTI, t.ClientID, t.ExpiresAt)
}

func unknownIsFine(err error) error {
	switch keystone.KindOf(err) {
	case keystone.Unauthenticated, keystone.NotFound, keystone.Invalid:
		return nil
	}
	return err
}
