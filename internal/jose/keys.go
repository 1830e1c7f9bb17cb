package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
)

// Bounds of a key set.
const (
	maxKeys    = 20
	minRSA     = 2048 // bits (RFC 7518 section 3.3)
	maxRSA     = 8192 // a verification grows with the square
	maxKeyID   = 256
	maxSetSize = 256 << 10
)

// Keys are public keys of one party.
type Keys struct{ list []gojose.JSONWebKey }

var (
	errSet     = keystone.FailField("jwks", "It is not a JSON Web Key Set (RFC 7517 section 5): an object with a list of keys.")
	errMany    = keystone.FailField("jwks", "Register at most 20 keys.")
	errNoKey   = keystone.FailField("jwks", "The set has no key.")
	errKind    = keystone.FailField("jwks", "A key is RSA, EC or OKP (Ed25519), and well formed: an EC point lies on its curve.")
	errPrivate = keystone.FailField("jwks", "A key has private or symmetric members. Send public keys only, and replace this one: it has been shown.")
	errRSA     = keystone.FailField("jwks", "An RSA key has 2048 to 8192 bits.")
	errFit     = keystone.FailField("jwks", "A key's alg does not fit its kty and crv.")
	errKid     = keystone.FailField("jwks", "Each kid occurs once and has at most 256 characters.")
)

// ParseKeys reads a key set that a client registers. Anything that is wrong with
// any key is an error that says so (RFC 7517, RFC 7518 section 6).
func ParseKeys(raw []byte) (Keys, error) {
	list, err := split(raw)
	if err != nil {
		return Keys{}, err
	}
	if len(list) == 0 {
		return Keys{}, errNoKey
	}
	var keys Keys
	seen := map[string]bool{}
	for _, one := range list {
		k, err := parseKey(one)
		if err != nil {
			return Keys{}, err
		}
		if k.KeyID != "" && seen[k.KeyID] || len(k.KeyID) > maxKeyID {
			return Keys{}, errKid
		}
		seen[k.KeyID] = true
		keys.list = append(keys.list, k)
	}
	return keys, nil
}

// FetchedKeys reads a key set that was fetched: keys that cannot be used here are
// somebody else's matter and left out.
func FetchedKeys(raw []byte) (keys Keys, err error) {
	list, err := split(raw)
	if err != nil {
		return keys, err
	}
	for _, one := range list {
		if k, err := parseKey(one); err == nil && len(k.KeyID) <= maxKeyID && len(k.Use) <= maxKeyID {
			keys.list = append(keys.list, k)
		}
	}
	return keys, nil
}

func split(raw []byte) ([]json.RawMessage, error) {
	var set map[string]json.RawMessage
	var list []json.RawMessage
	if len(raw) > maxSetSize || json.Unmarshal(raw, &set) != nil || json.Unmarshal(set["keys"], &list) != nil || list == nil {
		return nil, errSet
	}
	if len(list) > maxKeys {
		return nil, errMany
	}
	return list, nil
}

// parseKey reads one JWK.
func parseKey(raw []byte) (k gojose.JSONWebKey, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return k, errKind
	}
	for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, has := members[secret]; has {
			return k, errPrivate
		}
	}
	// A certificate says nothing about a key here; unread, it costs nothing.
	for _, name := range []string{"x5c", "x5u", "x5t", "x5t#S256"} {
		delete(members, name)
	}
	bare, err := json.Marshal(members)
	if err != nil || k.UnmarshalJSON(bare) != nil || !k.Valid() || !k.IsPublic() {
		return k, errKind
	}
	if pub, ok := k.Key.(*rsa.PublicKey); ok && (pub.N.BitLen() < minRSA || pub.N.BitLen() > maxRSA || pub.E < 3 || pub.E%2 == 0) {
		return k, errRSA
	}
	if k.Algorithm != "" && !fits(k.Algorithm, k.Key) {
		return k, errFit
	}
	return k, nil
}

// fits reports whether a key may be used with an algorithm. Those of encryption
// belong to clients that receive encrypted tokens (RFC 7518 section 4.1).
func fits(alg string, key crypto.PublicKey) bool {
	switch pub := key.(type) {
	case *rsa.PublicKey:
		switch alg {
		case keystone.RS256, keystone.PS256, "RS384", "RS512", "PS384", "PS512", "RSA-OAEP", "RSA-OAEP-256":
			return true
		}
	case *ecdsa.PublicKey:
		switch alg {
		case keystone.ES256:
			return pub.Curve == elliptic.P256()
		case "ES384":
			return pub.Curve == elliptic.P384()
		case "ES512":
			return pub.Curve == elliptic.P521()
		case "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW":
			return true
		}
	case ed25519.PublicKey:
		return alg == keystone.EdDSA || alg == "Ed25519"
	}
	return false
}

// signing returns the keys that may have made a signature: by kid where the token
// names one, of the algorithm, not meant for encryption.
func (k Keys) signing(alg, kid string) (found []gojose.JSONWebKey) {
	for _, one := range k.list {
		named := kid == "" || one.KeyID == kid
		said := one.Algorithm == "" || one.Algorithm == alg || one.Algorithm == "Ed25519" && alg == keystone.EdDSA
		if named && said && one.Use != "enc" && fits(alg, one.Key) {
			found = append(found, one)
		}
	}
	return found
}

// Has reports whether the set holds the public key.
func (k Keys) Has(key crypto.PublicKey) bool {
	type equal interface{ Equal(crypto.PublicKey) bool }
	for _, one := range k.list {
		if pub, ok := one.Key.(equal); ok && one.Use != "enc" && pub.Equal(key) {
			return true
		}
	}
	return false
}
