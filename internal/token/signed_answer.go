package token

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/keystone-auth/keystone"
)

// responseLife is how long an authorization response in a JWT may be taken (JARM
// section 2.1: ten minutes at most).
const responseLife = 2 * time.Minute

// AuthorizationResponse makes the JWT that carries an authorization response (JWT
// Secured Authorization Response Mode section 2.1), signed as the client has
// registered.
func (i *Issuer) AuthorizationResponse(ctx context.Context, c *keystone.Client, params map[string]any) (string, error) {
	return i.answerTo(ctx, c, c.ResponseAlg, typeID, params, map[string]any{"exp": i.store.Now().Add(responseLife).Unix()})
}

// Userinfo makes the JWT of a userinfo answer (OpenID Connect Core section 5.3.2).
func (i *Issuer) Userinfo(ctx context.Context, c *keystone.Client, claims map[string]any) (string, error) {
	return i.answerTo(ctx, c, c.UserinfoAlg, typeID, claims, nil)
}

// typeIntrospection is the JWT type of introspection answers (RFC 9701 section 5).
const typeIntrospection = "token-introspection+jwt"

// Introspection makes the JWT of an introspection answer (RFC 9701 section 5).
func (i *Issuer) Introspection(ctx context.Context, c *keystone.Client, answer json.RawMessage) (string, error) {
	return i.answerTo(ctx, c, c.IntrospectionAlg, typeIntrospection, map[string]any{"token_introspection": answer}, map[string]any{"iat": i.store.Now().Unix()})
}

// answerTo signs an answer to one client: from us, to it alone. What is in claims
// cannot say otherwise.
func (i *Issuer) answerTo(ctx context.Context, c *keystone.Client, alg, typ string, claims, fixed map[string]any) (string, error) {
	all := maps.Clone(claims)
	maps.Copy(all, fixed)
	all["iss"], all["aud"] = i.Options.Issuer, c.ID
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	return i.signAs(ctx, c, alg, typ, payload)
}

// signAs signs for a client with the algorithm's current key: the one it registered,
// else that of its profile.
func (i *Issuer) signAs(ctx context.Context, c *keystone.Client, alg, typ string, payload []byte) (string, error) {
	alg = cmp.Or(alg, c.Rules().Alg())
	s, kid, err := i.ring.signing(ctx, alg)
	if err != nil {
		return "", err
	}
	return i.sign(ctx, newSigner(alg, kid, typ, s.private[kid]), payload)
}
