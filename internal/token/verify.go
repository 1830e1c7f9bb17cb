package token

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// errToken answers every token that is not good, whatever the reason
// (RFC 6750 section 3.1).
var errToken = keystone.Fail(keystone.Unauthenticated, "The access token is not valid (any more). Sign in or refresh to get another.")

const (
	leeway     = 10 * time.Second // for the clock of the node that issued a token
	maxToken   = 16 << 10
	knownMost  = 20_000 // verified JWTs that are remembered
	knownAtAge = 5 * time.Minute
)

// Verifier says of access tokens what is true of them.
type Verifier struct {
	ring   *Ring
	store  *store.Store
	issuer string
	proofs *Proofs
	known  cache.Cache[string, verified] // JWTs whose signature was checked, by hash
}

type verified struct {
	claims Claims
	kid    string
}

// NewVerifier returns a verifier of the issuer's own access tokens.
func NewVerifier(s *store.Store, ring *Ring, issuer string, proofs *Proofs) *Verifier {
	return &Verifier{ring: ring, store: s, issuer: issuer, proofs: proofs, known: cache.Aged[string, verified](knownMost, knownAtAge)}
}

// parse checks a JWT access token and returns its claims. A signature is checked
// once and remembered by the token's hash; key, times and issuer are checked
// every time.
func (v *Verifier) parse(ctx context.Context, raw string) (Claims, error) {
	if len(raw) > maxToken {
		return Claims{}, errToken
	}
	hash := string(secret.Hash(raw))
	found, ok := v.known.GetIfPresent(hash)
	if ok {
		if _, _, valid, err := v.ring.verifyKey(ctx, found.kid); err != nil || !valid {
			return Claims{}, refused(err)
		}
	} else {
		var err error
		if found, err = v.check(ctx, raw); err != nil {
			return Claims{}, err
		}
		v.known.Set(hash, found)
	}
	now := v.store.Now()
	c := found.claims
	if !now.Before(c.ExpiresAt.Add(leeway)) || now.Before(c.IssuedAt.Add(-leeway)) {
		return Claims{}, errToken
	}
	return c, nil
}

func refused(err error) error {
	if err != nil {
		return err
	}
	return errToken
}

// check does what parse remembers: form, type, algorithm and signature (RFC 9068
// section 4, RFC 8725). Keys named in the header are never looked at.
func (v *Verifier) check(ctx context.Context, raw string) (found verified, err error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(parts) != 3 {
		return found, errToken
	}
	var header struct {
		Alg  string          `json:"alg"`
		Typ  string          `json:"typ"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	rawHeader, err := b64.DecodeString(parts[0])
	if err != nil || json.Unmarshal(rawHeader, &header) != nil || header.Crit != nil {
		return found, errToken
	}
	typ := strings.ToLower(header.Typ)
	if strings.TrimPrefix(typ, "application/") != typeAccess {
		return found, errToken
	}
	alg, key, valid, err := v.ring.verifyKey(ctx, header.Kid)
	if err != nil || !valid || header.Alg != alg {
		return found, refused(err)
	}
	sig, err := b64.DecodeString(parts[2])
	if err != nil || b64.EncodedLen(len(sig)) != len(parts[2]) { // it skips line breaks: one token has one spelling
		return found, errToken
	}
	if !verifySignature(alg, key, []byte(raw[:len(parts[0])+1+len(parts[1])]), sig) {
		return found, errToken
	}
	payload, err := b64.DecodeString(parts[1])
	var c claimsJSON
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return found, errToken
	}
	if c.Issuer != v.issuer || c.Subject == "" || c.ClientID == "" || c.JTI == "" || len(c.Audiences) == 0 {
		return found, errToken
	}
	if c.Issued <= 0 || c.Expires <= c.Issued || c.NotBefore > c.Issued { // ours are good from the moment they are issued
		return found, errToken
	}
	var bound keystone.Confirmation
	if c.Bound != nil {
		if bound = (keystone.Confirmation{JKT: c.Bound.JKT, X5T: c.Bound.X5T}); bound.IsZero() {
			return found, errToken // bound to something that is not known here
		}
	}
	return verified{kid: header.Kid, claims: Claims{
		Issuer: c.Issuer, Audiences: c.Audiences, Subject: c.Subject, ClientID: c.ClientID, Scopes: keystone.SortedSet(c.Scopes),
		SessionID: c.SessionID, GrantID: c.GrantID, JTI: c.JTI, IssuedAt: time.Unix(c.Issued, 0).UTC(), ExpiresAt: time.Unix(c.Expires, 0).UTC(), Bound: bound, Act: c.Act, Details: c.Details,
	}}, nil
}
