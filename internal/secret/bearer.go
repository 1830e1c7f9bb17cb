package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"
)

// The prefixes say what a bearer value is, to people and to secret scanners:
//
//	ks_(cs|at|ot|ac|bs|dc|ar|ia|ra)_[A-Za-z0-9_-]{49}    ks_rt_[A-Za-z0-9_-]{76}
//
// The last six characters are the CRC-32 (IEEE, big endian, base64url) of all
// characters before them, so that a scanner can tell a leaked value from
// something that only looks like one without asking anybody.
const (
	ClientSecret = "ks_cs_" // client authentication, RFC 6749 section 2.3.1
	AccessToken  = "ks_at_" // opaque access token, RFC 6749 section 1.4
	RefreshToken = "ks_rt_" // made by RefreshTokens, never by New
	OneTime      = "ks_ot_" // setup and other single-use links
	AuthCode     = "ks_ac_" // authorization code, RFC 6749 section 1.3.1
	Browser      = "ks_bs_" // cookie of a browser with its sessions
	DeviceCode   = "ks_dc_" // device code, RFC 8628 section 3.2
	AuthReqID    = "ks_ar_" // auth_req_id, OpenID Connect CIBA section 7.3

	InitialAccess      = "ks_ia_" // initial access token, RFC 7591 section 3
	RegistrationAccess = "ks_ra_" // registration access token, RFC 7592 section 3
)

const (
	randomLen   = 32 // bytes: 256 bits
	timeLen     = 6  // bytes of NewAt's time
	checksumLen = 6  // characters: 32 bits in base64url
)

// Strict, so that each value has exactly one spelling: without it the unused
// bits of the last character could be changed at will.
var encoding = base64.RawURLEncoding.Strict()

// New returns a fresh bearer value: prefix, 256 random bits, checksum.
func New(prefix string) string {
	if prefix == RefreshToken {
		panic("secret: a refresh token is derived, use RefreshTokens.Format")
	}
	var b [randomLen]byte
	random(b[:])
	return seal(prefix, b[:])
}

// NewAt returns a fresh bearer value that knows when it was made: 208 random bits and,
// before them, the time in milliseconds, masked by their hash, so that no part of the
// value stands still.
func NewAt(prefix string, at time.Time) string {
	var b [randomLen]byte
	random(b[timeLen:])
	mask := sha256.Sum256(b[timeLen:])
	ms := at.UnixMilli()
	for i := range timeLen {
		b[i] = byte(ms>>(40-8*i)) ^ mask[i]
	}
	return seal(prefix, b[:])
}

// TimeOf returns when a value of NewAt was made, and false where s cannot be one. It says
// nothing about whether the value was issued, and of a value of New it says any time.
func TimeOf(prefix, s string) (time.Time, bool) {
	var b [randomLen]byte
	if !unseal(prefix, s, b[:]) {
		return time.Time{}, false
	}
	mask := sha256.Sum256(b[timeLen:])
	var ms int64
	for i := range timeLen {
		ms = ms<<8 | int64(b[i]^mask[i])
	}
	return time.UnixMilli(ms), true
}

// Derived returns the bearer value that a MAC makes, the same one each time: for an
// answer that may have to be given again and must not be kept.
func Derived(prefix string, sum [sha256.Size]byte) string { return seal(prefix, sum[:]) }

// WellFormed reports whether s can be a value made with this prefix: length,
// alphabet and checksum. A value that was cut, extended or mistyped is refused
// here, before any query. It says nothing about whether the value was issued.
func WellFormed(prefix, s string) bool {
	var b [refreshLen]byte
	n := randomLen
	if prefix == RefreshToken {
		n = refreshLen
	}
	return unseal(prefix, s, b[:n])
}

// Hash returns the SHA-256 of a bearer value, 32 bytes: what is stored in its
// place. No salt and no stretching, because the value has 208 random bits and more. A
// secret that a person chose belongs into package password instead.
func Hash(s string) []byte {
	sum := Digest(s)
	return sum[:]
}

// Digest is Hash as an array, for keys in memory.
func Digest(s string) [sha256.Size]byte {
	var b [1024]byte // most values fit: nothing is allocated for them
	if len(s) > len(b) {
		return sha256.Sum256([]byte(s))
	}
	return sha256.Sum256(b[:copy(b[:], s)])
}

// Equal compares two hashes or MACs in constant time.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Salt returns 128 random bits as text, for what is public.
func Salt() string {
	var b [16]byte
	random(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// random fills b. Since Go 1.24 crypto/rand ends the process rather than
// return an error; the check stays for readers.
func random(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic("secret: no randomness from the operating system: " + err.Error())
	}
}

// seal writes prefix, body and checksum.
func seal(prefix string, body []byte) string {
	s := make([]byte, 0, len(prefix)+encoding.EncodedLen(len(body))+checksumLen)
	s = append(s, prefix...)
	s = encoding.AppendEncode(s, body)
	return string(encoding.AppendEncode(s, checksum(s)))
}

// unseal is the reverse of seal. It fills body, whose length says how long the
// value has to be.
func unseal(prefix, s string, body []byte) bool {
	if len(s) != len(prefix)+encoding.EncodedLen(len(body))+checksumLen || !strings.HasPrefix(s, prefix) {
		return false
	}
	if strings.ContainsAny(s, "\r\n") { // which encoding/base64 would skip
		return false
	}
	end := len(s) - checksumLen
	var sum [4]byte
	if n, err := encoding.Decode(sum[:], []byte(s[end:])); err != nil || n != len(sum) {
		return false
	}
	if string(sum[:]) != string(checksum([]byte(s[:end]))) {
		return false
	}
	n, err := encoding.Decode(body, []byte(s[len(prefix):end]))
	return err == nil && n == len(body)
}

func checksum(s []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(s))
}
