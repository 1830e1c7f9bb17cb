package token

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

// IDToken is what an ID token says of a sign-in besides who it was (OpenID
// Connect Core section 2).
type IDToken struct {
	Nonce  string
	SignIn keystone.SignIn
	Code   string         // the authorization code, for c_hash; empty: none
	Claims map[string]any // of the user, by what was consented to
}

// idTokenLife is how long an ID token is good as a proof that somebody has just
// signed in.
const idTokenLife = time.Hour

// mintID makes an ID token for the client, signed with the algorithm that it
// registered, else with that of its profile.
func (i *Issuer) mintID(ctx context.Context, id *IDToken, r *Request, d *Decision, w Written, accessToken string) (string, error) {
	claims := map[string]any{}
	for name, v := range id.Claims {
		claims[name] = v
	}
	claims["iss"] = i.Options.Issuer
	claims["sub"] = i.ring.Subject(r.Client, r.UserID)
	claims["aud"] = r.Client.ID
	claims["exp"] = d.Now.Add(idTokenLife).Unix()
	claims["iat"] = d.Now.Unix()
	claims["auth_time"] = id.SignIn.At.Unix()
	claims["sid"] = i.ring.SessionName(r.Client, w.SessionID)
	alg := cmp.Or(r.Client.IDTokenAlg, r.Client.Rules().Alg())
	claims["at_hash"] = halfHash(alg, accessToken)
	if id.Nonce != "" {
		claims["nonce"] = id.Nonce
	}
	if len(id.SignIn.AMR) > 0 {
		claims["amr"] = id.SignIn.AMR
	}
	if id.SignIn.ACR != "" {
		claims["acr"] = id.SignIn.ACR
	}
	if id.Code != "" {
		claims["c_hash"] = halfHash(alg, id.Code)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	s, err := i.ring.idSigner(ctx, alg)
	if err != nil {
		return "", err
	}
	return i.sign(ctx, s, payload)
}

var errSigning = keystone.Fail(keystone.Unavailable, "More is to be signed than this server can sign. Start again in a moment.")

// sign signs everything but access tokens: ID tokens, logout tokens and signed
// answers. A signature with RSA takes as long as dozens of other requests, so these
// take all processors but one, and what waits is not signed when nobody waits for it.
func (i *Issuer) sign(ctx context.Context, s *signer, payload []byte) (string, error) {
	if _, slow := s.key.(*rsa.PrivateKey); !slow {
		return s.sign(payload)
	}
	select {
	case i.slowSigners <- struct{}{}:
		defer func() { <-i.slowSigners }()
		return s.sign(payload)
	case <-ctx.Done():
		return "", errSigning.Because(ctx.Err())
	}
}

// halfHash is at_hash and c_hash: half of the hash that the algorithm uses itself
// (OpenID Connect Core section 3.1.3.6), of Ed25519 SHA-512 (RFC 8032).
func halfHash(alg, value string) string {
	if alg == keystone.EdDSA {
		sum := sha512.Sum512([]byte(value))
		return b64.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(value))
	return b64.EncodeToString(sum[:16])
}

// Hint is what an id_token_hint says: whom the client means. It is no proof of
// anything, so an expired one will do, under an expired key too (OpenID Connect Core
// section 3.1.2.1, RP-Initiated Logout section 4).
type Hint struct {
	Subject   string // the user's id
	ClientID  string
	SessionID string // empty: none that is known here
}

var errHint = keystone.Fail(keystone.Invalid, "The id_token_hint is not an ID token of this server.")

// IDTokenHint checks that an ID token was signed here, whenever that was.
func (v *Verifier) IDTokenHint(ctx context.Context, raw string) (Hint, error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(raw) > maxToken || len(parts) != 3 {
		return Hint{}, errHint
	}
	var header struct{ Alg, Typ, Kid string }
	rawHeader, err := b64.DecodeString(parts[0])
	if err != nil || json.Unmarshal(rawHeader, &header) != nil || header.Typ != typeID || header.Kid == "" {
		return Hint{}, errHint
	}
	alg, key, valid, err := v.ring.hintKey(ctx, header.Kid)
	if err != nil {
		return Hint{}, err
	}
	sig, errSig := b64.DecodeString(parts[2])
	payload, errPayload := b64.DecodeString(parts[1])
	if !valid || alg != header.Alg || errSig != nil || errPayload != nil ||
		!verifySignature(alg, key, raw[:len(parts[0])+1+len(parts[1])], sig) {
		return Hint{}, errHint
	}
	var c struct {
		Issuer    string   `json:"iss"`
		Subject   string   `json:"sub"`
		Audience  audience `json:"aud"`
		SessionID string   `json:"sid"`
		AuthTime  int64    `json:"auth_time"` // only ID tokens have it, of all that is signed here with their typ
	}
	if json.Unmarshal(payload, &c) != nil || c.Issuer != v.issuer || c.Subject == "" || c.AuthTime == 0 || len(c.Audience) != 1 {
		return Hint{}, errHint
	}
	client, err := v.store.CachedClient(ctx, c.Audience[0])
	if keystone.KindOf(err) == keystone.NotFound {
		return Hint{}, errHint
	}
	if err != nil {
		return Hint{}, err
	}
	user := v.ring.UserOf(client, c.Subject)
	if user == "" { // of before the client's identifiers were pairwise: it names nobody, and nobody is not anybody
		return Hint{}, errHint
	}
	return Hint{Subject: user, ClientID: client.ID, SessionID: v.ring.SessionOf(client, c.SessionID)}, nil
}
