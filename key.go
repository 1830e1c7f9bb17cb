package keystone

import "time"

// Key is what may be known about a signing key.
//
// Its state follows from its times alone, so every node sees the same one: it
// is published from the moment it exists, signs from ActiveAt until a later
// key of its algorithm is active, and is dropped from the JWKS at ExpiresAt,
// when the last token that it signed has expired.
type Key struct {
	ID        string // kid
	Algorithm string // JWS algorithm (RFC 7518)
	Seq       int64  // counts the keys of one algorithm; unique, so two nodes never make the same step
	CreatedAt time.Time
	ActiveAt  time.Time
	ExpiresAt time.Time // zero: not yet retired
	RevokedAt time.Time // zero: not revoked
}

// KeyState is a key's place in its life.
type KeyState string

// The states of a key.
const (
	KeyNext    KeyState = "next"    // published, not yet used
	KeyCurrent KeyState = "current" // signs
	KeyRetired KeyState = "retired" // verifies what it signed
	KeyExpired KeyState = "expired" // gone from the JWKS
	KeyRevoked KeyState = "revoked" // refused from the moment it was revoked
)

// JWS algorithms (RFC 7518 section 3.1, RFC 8037).
const (
	ES256 = "ES256"
	EdDSA = "EdDSA"
	RS256 = "RS256"
	PS256 = "PS256"
	HS256 = "HS256"
)

// JWE algorithms (RFC 7518 sections 4.1 and 5.1). RSA1_5, PBES2 and compression are
// not among them: each has been an attack.
const (
	RSAOAEP256   = "RSA-OAEP-256"
	ECDHES       = "ECDH-ES"
	ECDHESA256KW = "ECDH-ES+A256KW"
	A256GCM      = "A256GCM"
)

// EncryptionAlgs lists the key algorithms that a client can register for answers
// that are encrypted to it.
func EncryptionAlgs() []string { return []string{RSAOAEP256, ECDHES, ECDHESA256KW} }

// EncryptionEncs lists the content encryptions.
func EncryptionEncs() []string { return []string{A256GCM} }

// StateAt returns the key's state at now, given the keys of the same algorithm.
func (k Key) StateAt(now time.Time, all []Key) KeyState {
	switch {
	case !k.RevokedAt.IsZero():
		return KeyRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return KeyExpired
	case now.Before(k.ActiveAt):
		return KeyNext
	}
	if current, ok := CurrentKey(k.Algorithm, all, now); ok && current.ID == k.ID {
		return KeyCurrent
	}
	return KeyRetired
}

// CurrentKey returns the key that signs with the algorithm at now: the active
// one, not revoked, of the highest Seq.
func CurrentKey(algorithm string, all []Key, now time.Time) (current Key, ok bool) {
	for _, k := range all {
		usable := k.Algorithm == algorithm && k.RevokedAt.IsZero() && !now.Before(k.ActiveAt) &&
			(k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
		if usable && (!ok || k.Seq > current.Seq) {
			current, ok = k, true
		}
	}
	return current, ok
}
