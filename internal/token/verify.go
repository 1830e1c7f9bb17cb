package token

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// errToken answers every token that is not good, whatever the reason
// (RFC 6750 section 3.1).
var errToken = keystone.Fail(keystone.Unauthenticated, "The access token is not valid (any more). Sign in or refresh to get another.")

// refuse refuses a token and notes the reason for whoever explains the refusal later:
// the answer never says it.
func refuse(ctx context.Context, why string) error {
	keystone.Fact(ctx, "why", why)
	return errToken
}

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
	own    []string                         // the issuer as the only audience
	header atomic.Pointer[header]           // of the last JWT that was one of ours
	known  cache.Cache[[32]byte, *verified] // JWTs whose signature was checked, by hash
}

type verified struct {
	claims Claims
	kid    string
	last   atomic.Pointer[found] // what was true when it was last used
}

// found is what was true of a token, and when.
type found struct {
	Inspection
	asOf store.AsOf
}

// NewVerifier returns a verifier of the issuer's own access tokens.
func NewVerifier(s *store.Store, ring *Ring, issuer string, proofs *Proofs) *Verifier {
	return &Verifier{ring: ring, store: s, issuer: issuer, own: []string{issuer}, proofs: proofs, known: cache.Aged[[32]byte, *verified](knownMost, knownAtAge)}
}

// Tidy gives back the memory of tokens that have not been seen for some minutes.
func (v *Verifier) Tidy() { v.known.Tidy() }

// parse checks a JWT access token and returns what it states. A signature is checked
// once and remembered by the token's hash; key, times and issuer are checked
// every time.
func (v *Verifier) parse(ctx context.Context, raw string) (*verified, error) {
	if len(raw) > maxToken {
		return nil, refuse(ctx, "it is longer than any token of this server")
	}
	hash := secret.Digest(raw)
	t, ok := v.known.GetIfPresent(hash)
	if ok {
		if _, _, valid, err := v.ring.verifyKey(ctx, t.kid); err != nil || !valid {
			return nil, v.badKey(ctx, t.kid, err)
		}
	} else {
		var err error
		if t, err = v.check(ctx, raw); err != nil {
			return nil, err
		}
		v.known.Set(hash, t)
	}
	now := v.store.Now()
	if !now.Before(t.claims.ExpiresAt.Add(leeway)) {
		return nil, expired(ctx, &t.claims)
	}
	if now.Before(t.claims.IssuedAt.Add(-leeway)) {
		return nil, refuse(ctx, "it was issued in the future: the clocks of the nodes differ")
	}
	return t, nil
}

func expired(ctx context.Context, c *Claims) error {
	about(ctx, c)
	keystone.Fact(ctx, "expired at", c.ExpiresAt.Format(time.RFC3339))
	return refuse(ctx, "it has expired")
}

// about notes whose a token is that was ours.
func about(ctx context.Context, c *Claims) {
	keystone.Fact(ctx, "subject of the token", c.Subject)
	keystone.Fact(ctx, "client of the token", c.ClientID)
}

// badKey refuses a token whose key does not verify; err is why that cannot be told.
func (v *Verifier) badKey(ctx context.Context, kid string, err error) error {
	if err != nil {
		return err
	}
	why := "it is signed by no key of this server: it is another issuer's, or made up"
	if _, _, state, err := v.ring.published(ctx, kid); err == nil && state != "" {
		why = "the key that it is signed with is " + string(state)
	}
	return refuse(ctx, why)
}

// check does what parse remembers: form, type, algorithm and signature (RFC 9068
// section 4, RFC 8725). Keys named in the header are never looked at.
func (v *Verifier) check(ctx context.Context, raw string) (*verified, error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(parts) != 3 {
		return nil, refuse(ctx, notAccess(raw))
	}
	header, err := v.headerOf(parts[0])
	if err != nil || header.Crit != nil {
		return nil, refuse(ctx, "it is no JWT, or one that demands what this server does not know (crit)")
	}
	typ := strings.ToLower(header.Typ)
	if strings.TrimPrefix(typ, "application/") != typeAccess {
		return nil, refuse(ctx, "it is a JWT, but no access token (typ at+jwt): an ID token, for one")
	}
	alg, key, valid, err := v.ring.verifyKey(ctx, header.Kid)
	if err != nil || !valid {
		return nil, v.badKey(ctx, header.Kid, err)
	}
	if header.Alg != alg {
		return nil, refuse(ctx, "its alg is not that of the key")
	}
	sig, err := b64.DecodeString(parts[2])
	if err != nil || b64.EncodedLen(len(sig)) != len(parts[2]) { // it skips line breaks: one token has one spelling
		return nil, refuse(ctx, badSignature)
	}
	if !verifySignature(alg, key, raw[:len(parts[0])+1+len(parts[1])], sig) {
		return nil, refuse(ctx, badSignature)
	}
	payload, err := b64.DecodeString(parts[1])
	var c claimsJSON
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return nil, refuse(ctx, badClaims)
	}
	if c.Issuer != v.issuer {
		keystone.Fact(ctx, "issuer of the token", c.Issuer)
		return nil, refuse(ctx, "it is another issuer's: ISSUER was different when it was issued")
	}
	if c.Subject == "" || c.ClientID == "" || c.JTI == "" || len(c.Audiences) == 0 {
		return nil, refuse(ctx, badClaims)
	}
	if c.Issued <= 0 || c.Expires <= c.Issued || c.NotBefore > c.Issued { // ours are good from the moment they are issued
		return nil, refuse(ctx, badClaims)
	}
	var bound keystone.Confirmation
	if c.Bound != nil {
		if bound = (keystone.Confirmation{JKT: c.Bound.JKT, X5T: c.Bound.X5T}); bound.IsZero() {
			return nil, refuse(ctx, "it is bound to something that this server does not know")
		}
	}
	audiences := []string(c.Audiences)
	if slices.Equal(audiences, v.own) { // of most: thousands of tokens are remembered
		audiences = v.own
	}
	v.header.Store(header)
	return &verified{kid: header.Kid, claims: Claims{
		Issuer: v.issuer, Audiences: audiences, Subject: c.Subject, ClientID: c.ClientID, Scopes: keystone.SortedSet(c.Scopes),
		SessionID: c.SessionID, GrantID: c.GrantID, JTI: c.JTI, IssuedAt: time.Unix(c.Issued, 0).UTC(), ExpiresAt: time.Unix(c.Expires, 0).UTC(), Bound: bound, Act: c.Act, Details: c.Details,
	}}, nil
}

// header is the protected header of a JWT (RFC 7515 section 4).
type header struct {
	raw  string
	Alg  string          `json:"alg"`
	Typ  string          `json:"typ"`
	Kid  string          `json:"kid"`
	Crit json.RawMessage `json:"crit"`
}

// headerOf reads a header. All tokens of a key have the same one: the last is remembered.
func (v *Verifier) headerOf(raw string) (*header, error) {
	if last := v.header.Load(); last != nil && last.raw == raw {
		return last, nil
	}
	text, err := b64.DecodeString(raw)
	if err != nil {
		return nil, err
	}
	h := &header{raw: strings.Clone(raw)}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, err
	}
	return h, nil
}

const (
	badSignature = "its signature is not right: it was changed, or is not all there"
	badClaims    = "its claims are not those of an access token of this server"
)

// notAccess says what a token is that has not the form of an access token.
func notAccess(raw string) string {
	if strings.HasPrefix(raw, secret.RefreshToken) {
		return "it is a refresh token: the access token is the other one"
	}
	return "it is no access token of this server, or not all of one"
}
