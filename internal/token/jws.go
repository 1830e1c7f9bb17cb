package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/thread"
)

var b64 = base64.RawURLEncoding.Strict()

// signer signs compact JWS (RFC 7515 section 3.1) of one type with one key. The
// protected header is encoded once: signing costs the signature and little else.
type signer struct {
	alg    string
	key    any    // *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey or []byte
	header string // base64url of the protected header, with the dot behind it

	threads *thread.Pool // that sign, where that takes as long as dozens of requests; nil: the caller does
}

// What signs with RSA. What is no access token waits for a slot before (Issuer.sign), and
// not again behind all access tokens.
var (
	accessThreads = thread.Pool{Most: runtime.GOMAXPROCS(0)}
	otherThreads  thread.Pool
)

// newSigner prepares a signer; kid may be empty (HS256 has no published key).
func newSigner(alg, kid, typ string, key any) *signer {
	header := `{"alg":"` + alg + `","typ":"` + typ + `"`
	if kid != "" {
		header += `,"kid":"` + kid + `"`
	}
	s := &signer{alg: alg, key: key, header: b64.EncodeToString([]byte(header+"}")) + "."}
	if _, slow := key.(*rsa.PrivateKey); slow {
		s.threads = &otherThreads
		if typ == typeAccess {
			s.threads = &accessThreads
		}
	}
	return s
}

// sign returns the compact serialization over the payload.
func (s *signer) sign(payload []byte) (string, error) {
	var part [1024]byte // most payloads fit
	var out strings.Builder
	out.Grow(len(s.header) + b64.EncodedLen(len(payload)) + 1 + b64.EncodedLen(256))
	out.WriteString(s.header)
	out.Write(b64.AppendEncode(part[:0], payload))
	var sig []byte
	var err error
	if s.threads == nil {
		sig, err = signature(s.alg, s.key, out.String())
	} else {
		sig, err = s.onThread(out.String())
	}
	if err != nil {
		return "", fmt.Errorf("token: sign with %s: %w", s.alg, err)
	}
	out.WriteByte('.')
	out.Write(b64.AppendEncode(part[:0], sig))
	return out.String(), nil
}

// onThread is a function of its own so that what quick keys sign stays on the stack.
func (s *signer) onThread(input string) (sig []byte, err error) {
	s.threads.Run(func() { sig, err = signature(s.alg, s.key, input) })
	return sig, err
}

// signature signs per RFC 7518 section 3 and RFC 8037 section 3.1. ECDSA takes its secret
// number from key and message (RFC 6979), which asks nothing of the machine's randomness and
// is a fifth cheaper than mixing that in. What mixing would help against, faults in one of
// two signatures of the same message, has nothing to work with: tokens have ids.
func signature(alg string, key any, input string) ([]byte, error) {
	digest := secret.Digest(input)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		der, err := k.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return numbersOf(der)
	case ed25519.PrivateKey:
		return ed25519.Sign(k, []byte(input)), nil
	case *rsa.PrivateKey:
		if alg == keystone.PS256 {
			return rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
	case []byte:
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(input))
		return mac.Sum(nil), nil
	}
	return nil, errors.New("no such key type")
}

// verifySignature checks a signature under the algorithm that belongs to the
// key. The token's own header has no say in it.
func verifySignature(alg string, key any, input string, sig []byte) bool {
	digest := secret.Digest(input)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if len(sig) != 64 {
			return false
		}
		var b [72]byte
		return ecdsa.VerifyASN1(k, digest[:], appendSignature(b[:0], sig[:32], sig[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(k, []byte(input), sig)
	case *rsa.PublicKey:
		if alg == keystone.PS256 {
			return rsa.VerifyPSS(k, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig) == nil
	case []byte:
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(input))
		return hmac.Equal(mac.Sum(nil), sig)
	}
	return false
}

// appendSignature writes the two numbers of an ECDSA signature in DER (RFC 3279 section
// 2.2.3), as package ecdsa takes them; its other form goes through math/big.
func appendSignature(b, r, s []byte) []byte {
	b = append(b, 0x30, 0)
	for _, n := range [...][]byte{r, s} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0]&0x80 != 0 { // it would be negative
			b = append(b, 2, byte(len(n)+1), 0)
		} else {
			b = append(b, 2, byte(len(n)))
		}
		b = append(b, n...)
	}
	b[1] = byte(len(b) - 2)
	return b
}

// numbersOf is the reverse of appendSignature: 32 bytes each, as RFC 7518 section 3.4 has
// them.
func numbersOf(der []byte) ([]byte, error) {
	var both cryptobyte.String
	var r, s []byte
	if in := cryptobyte.String(der); !in.ReadASN1(&both, asn1.SEQUENCE) || !both.ReadASN1Integer(&r) || !both.ReadASN1Integer(&s) || len(r) > 32 || len(s) > 32 {
		return nil, errors.New("package ecdsa has written something else than a signature")
	}
	out := make([]byte, 64)
	copy(out[32-len(r):], r)
	copy(out[64-len(s):], s)
	return out, nil
}

const rsaBits = 2048

// generate makes a private key for the algorithm.
func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case keystone.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case keystone.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case keystone.RS256, keystone.PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("token: no keys for algorithm %q", alg)
}
