package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"math/big"

	"github.com/keystone-auth/keystone"
)

// jwk is the public key in a proof's header.
type jwk struct {
	public    any    // *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey
	canonical string // the members that make its thumbprint (RFC 7638 section 3.2)
}

// thumbprint is jkt (RFC 7638 section 3).
func (k jwk) thumbprint() string {
	sum := sha256.Sum256([]byte(k.canonical))
	return b64.EncodeToString(sum[:])
}

// maxProofBits bounds what checking a signature may cost us: anybody may send a
// key of their choice.
const maxProofBits = 4096

// parseJWK reads a public key for the algorithm (RFC 7517, RFC 7518 section 6,
// RFC 8037). A private or symmetric one is refused: it is not a secret any more
// (RFC 9449 section 4.3, check 7).
func parseJWK(text []byte, alg string) (jwk, error) {
	var m struct {
		Kty, Crv, X, Y, N, E string
		D, K                 json.RawMessage
		P, Q, DP, DQ, QI     json.RawMessage
		Oth                  json.RawMessage
	}
	if json.Unmarshal(text, &m) != nil {
		return jwk{}, errProofKey
	}
	for _, private := range []json.RawMessage{m.D, m.K, m.P, m.Q, m.DP, m.DQ, m.QI, m.Oth} {
		if private != nil {
			return jwk{}, errProofKey
		}
	}
	switch {
	case alg == keystone.ES256 && m.Kty == "EC" && m.Crv == "P-256":
		return ecKey(m.X, m.Y)
	case alg == keystone.EdDSA && m.Kty == "OKP" && m.Crv == "Ed25519":
		x, err := b64.DecodeString(m.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return jwk{}, errProofKey
		}
		return jwk{ed25519.PublicKey(x), `{"crv":"Ed25519","kty":"OKP","x":"` + b64.EncodeToString(x) + `"}`}, nil
	case (alg == keystone.RS256 || alg == keystone.PS256) && m.Kty == "RSA":
		return rsaKey(m.N, m.E)
	}
	return jwk{}, errProofKey
}

func ecKey(xText, yText string) (jwk, error) {
	x, errX := b64.DecodeString(xText)
	y, errY := b64.DecodeString(yText)
	if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return jwk{}, errProofKey
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...)) // refuses points off the curve
	if err != nil {
		return jwk{}, errProofKey
	}
	return jwk{public, `{"crv":"P-256","kty":"EC","x":"` + b64.EncodeToString(x) + `","y":"` + b64.EncodeToString(y) + `"}`}, nil
}

func rsaKey(nText, eText string) (jwk, error) {
	nBytes, errN := b64.DecodeString(nText)
	eBytes, errE := b64.DecodeString(eText)
	n, e := new(big.Int).SetBytes(nBytes), new(big.Int).SetBytes(eBytes)
	if errN != nil || errE != nil || n.BitLen() < rsaBits || n.BitLen() > maxProofBits || n.Bit(0) == 0 ||
		e.BitLen() > 31 || e.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0 {
		return jwk{}, errProofKey
	}
	return jwk{&rsa.PublicKey{N: n, E: int(e.Int64())},
		`{"e":"` + b64.EncodeToString(e.Bytes()) + `","kty":"RSA","n":"` + b64.EncodeToString(n.Bytes()) + `"}`}, nil
}
