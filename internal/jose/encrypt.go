package jose

import (
	gojose "github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
)

// Encrypt makes a JWE in compact form of a JWT, for the first of the keys that is
// meant for it (RFC 7516, RFC 7519 section 5.2). ok is false where there is none.
func (k Keys) Encrypt(alg, enc, jwt string) (raw string, ok bool) {
	key, ok := k.encrypting(alg)
	if !ok {
		return "", false
	}
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc), gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: key.Key, KeyID: key.KeyID},
		(&gojose.EncrypterOptions{}).WithContentType("JWT").WithType("JWT"))
	if err != nil {
		return "", false
	}
	object, err := e.Encrypt([]byte(jwt))
	if err != nil {
		return "", false
	}
	raw, err = object.CompactSerialize()
	return raw, err == nil
}

// Encrypts reports whether one of the keys is meant for the algorithm.
func (k Keys) Encrypts(alg string) bool {
	_, ok := k.encrypting(alg)
	return ok
}

// encrypting returns the key to encrypt with: one that says it is for encryption
// before one that says nothing, never one for signatures.
func (k Keys) encrypting(alg string) (key gojose.JSONWebKey, ok bool) {
	for _, one := range k.list {
		said := one.Use == "enc" || one.Use == "" && (one.Algorithm == alg || one.Algorithm == "")
		if !said || one.Algorithm != "" && one.Algorithm != alg || !fits(alg, one.Key) {
			continue
		}
		if !ok || one.Use == "enc" && key.Use != "enc" {
			key, ok = one, true
		}
	}
	return key, ok && (alg == keystone.RSAOAEP256 || alg == keystone.ECDHES || alg == keystone.ECDHESA256KW)
}
