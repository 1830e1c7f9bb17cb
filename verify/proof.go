package verify

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// proofAlgorithms are those of DPoP proofs (RFC 9449 section 4.3, check 5).
var proofAlgorithms = []string{ES256, EdDSA, PS256, RS256}

const (
	proofAge = time.Minute // how old a proof may be, besides the leeway
	maxProof = 8 << 10
	maxJTI   = 200
)

func refuseProof(why string) error { return fmt.Errorf("%w: %s", ErrProof, why) }

// proof is a DPoP proof (RFC 9449 section 4.2), with nothing believed yet.
type proof struct {
	*compact
	key *publicKey

	jti, method, url, tokenHash string
	issued, notBefore, expires  time.Time
}

// proved checks the proof beside a token (RFC 9449 section 4.3). The key is
// compared before it is used: a signature by any other costs nothing. That the
// proof is used for the first time is asked last.
func (v *Verifier) proved(r *http.Request, c *Claims, token string) error {
	headers := r.Header.Values("Dpop")
	if len(headers) != 1 {
		return refuseProof("there is not one DPoP header with one proof in it")
	}
	if v.base == "" {
		return refuseProof("it cannot be checked, because the address of this API is not known here")
	}
	p, err := parseProof(headers[0])
	if err != nil {
		return err
	}
	if !same(p.key.thumbprint(), c.KeyThumbprint) {
		return refuse("it is bound to another key than that of the DPoP proof")
	}
	if !p.key.verify(p.header.alg, p.signed, p.signature) {
		return refuseProof("its signature is wrong")
	}
	if err := p.claims(); err != nil {
		return err
	}
	if err := v.matches(r, p, token); err != nil {
		return err
	}
	first, err := v.firstProof(r.Context(), hashed(c.KeyThumbprint+"."+p.jti), p.issued.Add(proofAge+v.leeway))
	if err == nil && !first {
		return refuseProof("it was used before")
	}
	return err
}

// parseProof reads a proof and the key that it brings along.
func parseProof(raw string) (*proof, error) {
	malformed := refuseProof("it is not a JWT of type dpop+jwt with alg and jwk in its header")
	if len(raw) > maxProof {
		return nil, malformed
	}
	c, head, err := split(raw)
	if err != nil {
		return nil, malformed
	}
	p := &proof{compact: c}
	var key []byte
	err = members(head, func(name string, value []byte) (ok bool) {
		switch name {
		case "typ":
			p.header.typ, ok = asString(value)
		case "alg":
			p.header.alg, ok = asString(value)
		case "jwk":
			key, ok = value, true
		case "crit":
		default:
			ok = true
		}
		return ok
	})
	if err != nil || p.header.typ != "dpop+jwt" || !slices.Contains(proofAlgorithms, p.header.alg) || key == nil {
		return nil, malformed
	}
	if p.key = proofKey(key, p.header.alg); p.key == nil {
		return nil, refuseProof("its jwk is not a public key for its alg")
	}
	return p, nil
}

// proofKey reads a public key. A private or symmetric one is refused: it is not a
// secret any more.
func proofKey(text []byte, alg string) *publicKey {
	var k jwk
	err := members(text, func(name string, value []byte) (ok bool) {
		switch name {
		case "kty":
			k.Kty, ok = asString(value)
		case "crv":
			k.Crv, ok = asString(value)
		case "x":
			k.X, ok = asString(value)
		case "y":
			k.Y, ok = asString(value)
		case "n":
			k.N, ok = asString(value)
		case "e":
			k.E, ok = asString(value)
		case "d", "k", "p", "q", "dp", "dq", "qi", "oth":
		default:
			ok = true
		}
		return ok
	})
	public, algorithms := k.decode()
	if err != nil || !slices.Contains(algorithms, alg) {
		return nil
	}
	return public
}

// claims reads the payload of a proof whose signature is right.
func (p *proof) claims() error {
	err := members(p.payload, func(name string, value []byte) (ok bool) {
		switch name {
		case "jti":
			p.jti, ok = asString(value)
		case "htm":
			p.method, ok = asString(value)
		case "htu":
			p.url, ok = asString(value)
		case "ath":
			p.tokenHash, ok = asString(value)
		case "iat":
			p.issued, ok = asTime(value)
		case "nbf":
			p.notBefore, ok = asTime(value)
		case "exp":
			p.expires, ok = asTime(value)
		default:
			ok = true
		}
		return ok
	})
	if err != nil || p.jti == "" || len(p.jti) > maxJTI || p.method == "" || p.url == "" || p.issued.IsZero() || p.tokenHash == "" {
		return refuseProof("it lacks one of jti, htm, htu, iat, ath")
	}
	return nil
}

// matches holds a proof against its request and its token.
func (v *Verifier) matches(r *http.Request, p *proof, token string) error {
	now := v.now()
	sent, ok := normalURL(p.url)
	here, known := normalURL(v.base + r.URL.EscapedPath())
	switch {
	case p.method != r.Method || !ok || !known || sent != here:
		return refuseProof("it is for another request")
	case p.issued.Before(now.Add(-proofAge - v.leeway)), p.issued.After(now.Add(v.leeway)):
		return refuseProof("it is too old or of the future; compare the clocks")
	case p.notBefore.After(now.Add(v.leeway)), !p.expires.IsZero() && !now.Before(p.expires.Add(v.leeway)):
		return refuseProof("it is not in its time")
	case !same(p.tokenHash, hashed(token)):
		return refuseProof("it is for another access token")
	}
	return nil
}
