package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
)

// maxKeys bounds a key set. Keystone publishes a handful, and never more than 256.
const maxKeys = 512

// publicKey is one usable key of the issuer; exactly one of its fields is set.
type publicKey struct {
	ec      *ecdsa.PublicKey // P-256
	ed25519 ed25519.PublicKey
	rsa     *rsa.PublicKey
}

// keyName finds a key: a key is good for the algorithms it is listed under and
// for no other, whatever a token's header says.
type keyName struct{ kid, alg string }

// jwk is a public key as published (RFC 7517, RFC 7518 section 6, RFC 8037).
type jwk struct {
	Kty string   `json:"kty"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Alg string   `json:"alg"`
	Kid string   `json:"kid"`
	Crv string   `json:"crv"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
	N   string   `json:"n"`
	E   string   `json:"e"`
}

// decodeKeySet reads a JWK Set. Keys that cannot be used here are passed over
// (RFC 7517 section 5); a set without a usable one is an error, so that it
// never replaces one that worked.
func decodeKeySet(text []byte) (map[keyName]*publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("it is not a JWK Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("it has too many keys")
	}
	keys := make(map[keyName]*publicKey, len(set.Keys))
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || k.Kid == "" ||
			k.Use != "" && k.Use != "sig" || k.Ops != nil && !slices.Contains(k.Ops, "verify") {
			continue
		}
		public, algorithms := k.decode()
		for _, alg := range algorithms {
			name := keyName{k.Kid, alg}
			if _, taken := keys[name]; !taken && (k.Alg == "" || k.Alg == alg) {
				keys[name] = public
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no usable key")
	}
	return keys, nil
}

// decode returns the key and the algorithms its type is good for, or nothing.
func (k *jwk) decode() (*publicKey, []string) {
	switch {
	case k.Kty == "EC" && k.Crv == "P-256":
		x, y := fromBase64(k.X), fromBase64(k.Y)
		if len(x) != 32 || len(y) != 32 {
			return nil, nil
		}
		point := append(append([]byte{4}, x...), y...)
		ec, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point) // refuses points off the curve
		if err != nil {
			return nil, nil
		}
		return &publicKey{ec: ec}, []string{ES256}
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		x := fromBase64(k.X)
		if len(x) != ed25519.PublicKeySize {
			return nil, nil
		}
		return &publicKey{ed25519: x}, []string{EdDSA}
	case k.Kty == "RSA":
		n, e := new(big.Int).SetBytes(fromBase64(k.N)), new(big.Int).SetBytes(fromBase64(k.E))
		// Above 8192 bits one verification costs so much that it is an attack.
		if n.BitLen() < 2048 || n.BitLen() > 8192 || n.Bit(0) == 0 || e.BitLen() > 31 || e.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0 {
			return nil, nil
		}
		return &publicKey{rsa: &rsa.PublicKey{N: n, E: int(e.Int64())}}, []string{RS256, PS256}
	}
	return nil, nil
}

// verify reports whether the signature is right. alg is one the key was listed
// under.
func (k *publicKey) verify(alg string, signed, signature []byte) bool {
	if alg == EdDSA {
		return ed25519.Verify(k.ed25519, signed, signature)
	}
	digest := sha256.Sum256(signed)
	switch alg {
	case ES256:
		// r and s, 32 bytes each (RFC 7518 section 3.4).
		if len(signature) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(k.ec, digest[:], r, s)
	case RS256:
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], signature) == nil
	case PS256:
		return rsa.VerifyPSS(k.rsa, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}

// thumbprint is jkt (RFC 7638 section 3).
func (k *publicKey) thumbprint() string {
	switch {
	case k.ec != nil:
		b, err := k.ec.Bytes()
		if err != nil {
			return ""
		}
		return hashed(`{"crv":"P-256","kty":"EC","x":"` + strict.EncodeToString(b[1:33]) + `","y":"` + strict.EncodeToString(b[33:]) + `"}`)
	case k.ed25519 != nil:
		return hashed(`{"crv":"Ed25519","kty":"OKP","x":"` + strict.EncodeToString(k.ed25519) + `"}`)
	}
	e := big.NewInt(int64(k.rsa.E))
	return hashed(`{"e":"` + strict.EncodeToString(e.Bytes()) + `","kty":"RSA","n":"` + strict.EncodeToString(k.rsa.N.Bytes()) + `"}`)
}

// fromBase64 returns nothing where the text is not base64url.
func fromBase64(s string) []byte {
	b, err := strict.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
