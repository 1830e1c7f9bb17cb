package keystone

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// NewID returns a UUIDv7 (RFC 9562 section 5.7) for the moment now, in its
// canonical lower-case text form. Ids are ordered by creation time and are not
// secrets: 74 of their bits are random, so they cannot be guessed in bulk, but
// nothing is ever granted for knowing one.
func NewID(now time.Time) string {
	var random [10]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic("keystone: no randomness from the operating system: " + err.Error())
	}
	return IDOf(now, random)
}

// IDOf is NewID with bits of your own in the place of the random ones.
func IDOf(now time.Time, random [10]byte) string {
	var b [16]byte
	copy(b[6:], random[:])
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80

	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// IDTime returns when an id was made, in milliseconds, and false where s is not
// an id that says so.
func IDTime(s string) (time.Time, bool) {
	b, ok := IDBytes(s)
	if !ok || b[6]>>4 != 7 {
		return time.Time{}, false
	}
	var ms int64
	for _, c := range b[:6] {
		ms = ms<<8 | int64(c)
	}
	return time.UnixMilli(ms), true
}

// IsID reports whether s is a UUID in canonical lower-case form. Everything
// else is refused before it reaches a query.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// IDBytes returns the 16 bytes of an id, and false where s is not one.
func IDBytes(s string) (b [16]byte, ok bool) {
	if !IsID(s) {
		return b, false
	}
	packed := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	_, err := hex.Decode(b[:], []byte(packed))
	return b, err == nil
}

// IDFromBytes is the reverse of IDBytes.
func IDFromBytes(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
