package jose

import (
	"encoding/json"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
)

// maxToken is the longest JWT that is read.
const maxToken = 16 << 10

// ErrToken is returned for everything that is not a JWT with one of the expected
// algorithms and types, or whose signature is not by one of the keys.
var ErrToken = keystone.Fail(keystone.Invalid, "The JWT is not well formed, not of the expected type or algorithm, or not signed with the registered key.")

// Token is a JWT whose signature is still to be checked. Until Verified says so,
// its claims are only what the sender claims.
type Token struct {
	Alg    string
	Kid    string
	Claims Claims

	parsed *gojose.JSONWebSignature
	input  []byte // the payload that is signed
}

// Parse reads a JWT in compact form (RFC 7519), signed with one of algs. Its typ
// is one of types, compared without case and without "application/" (RFC 7515
// section 4.1.9); "" among them is a JWT without typ. Encrypted tokens, JSON forms
// and critical headers are refused.
func Parse(raw string, algs []string, types ...string) (*Token, error) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, " \t\r\n{") {
		return nil, ErrToken
	}
	accepted := make([]gojose.SignatureAlgorithm, len(algs))
	for i, a := range algs {
		accepted[i] = gojose.SignatureAlgorithm(a)
	}
	jws, err := gojose.ParseSignedCompact(raw, accepted)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrToken
	}
	h := jws.Signatures[0].Protected
	if _, critical := h.ExtraHeaders["crit"]; critical || !slices.Contains(algs, h.Algorithm) {
		return nil, ErrToken
	}
	if typ, ok := typeOf(h); !ok || !slices.Contains(types, typ) {
		return nil, ErrToken
	}
	t := &Token{Alg: h.Algorithm, Kid: h.KeyID, parsed: jws, input: jws.UnsafePayloadWithoutVerification()}
	if json.Unmarshal(t.input, &t.Claims.members) != nil || t.Claims.members == nil {
		return nil, ErrToken
	}
	return t, nil
}

func typeOf(h gojose.Header) (typ string, ok bool) {
	v, has := h.ExtraHeaders[gojose.HeaderType]
	if !has {
		return "", true
	}
	typ, ok = v.(string)
	return strings.TrimPrefix(strings.ToLower(typ), "application/"), ok && typ != ""
}

// Verified reports whether one of the keys made the signature.
func (t *Token) Verified(keys Keys) bool {
	for _, k := range keys.signing(t.Alg, t.Kid) {
		if _, err := t.parsed.Verify(k.Key); err == nil {
			return true
		}
	}
	return false
}

// VerifiedBySecret reports whether the signature is an HMAC under one of the
// secrets (RFC 7518 section 3.2). The token must be of an HMAC algorithm: a public
// key can never end up here as a secret.
func (t *Token) VerifiedBySecret(secrets [][]byte) bool {
	good := false
	for _, s := range secrets {
		if len(s) < 32 || t.Alg != keystone.HS256 {
			continue
		}
		if _, err := t.parsed.Verify(s); err == nil {
			good = true
		}
	}
	return good
}
