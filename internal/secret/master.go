package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MasterKey is the one key that is not in the database: everything sealed or
// derived hangs on it. It is 32 random bytes. Printing it in any way, also
// from inside another struct, shows "[redacted]" or an address, never bytes.
//
// The zero MasterKey is no key: using it panics, [MasterKey.IsZero] asks.
type MasterKey struct {
	// A function, because fmt prints unexported fields of a surrounding struct
	// by reflection, without asking Format. It follows a pointer (for a wrong
	// verb), but of a function it can show the address only.
	key func() []byte
}

const redacted = "[redacted]"

// NewMasterKey returns a fresh random key.
func NewMasterKey() MasterKey {
	b := make([]byte, 32)
	random(b)
	return MasterKey{key: func() []byte { return b }}
}

// ParseMasterKey reads a key from base64, standard or URL alphabet, padded or
// not, spaces around it allowed. It refuses whatever is not exactly 32 bytes or
// cannot have come from a random source. The error never repeats the text.
func ParseMasterKey(text string) (MasterKey, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	switch {
	case text == "":
		return MasterKey{}, errors.New("The master key is empty: make one with `openssl rand -base64 32`.")
	case err != nil:
		return MasterKey{}, errors.New("The master key is not base64: make one with `openssl rand -base64 32`.")
	case len(b) != 32:
		return MasterKey{}, fmt.Errorf("The master key must be 32 bytes in base64, this is %d bytes: make one with `openssl rand -base64 32`.", len(b))
	case weak(b):
		return MasterKey{}, errors.New("The master key is not random (a pattern, a phrase or an example): make one with `openssl rand -base64 32`.")
	}
	return MasterKey{key: func() []byte { return b }}, nil
}

// weak reports keys that no random source gives: few different bytes, a
// constant step, two equal halves, or nothing but printable text. The chance
// that a random key is refused is below one in 10^12.
func weak(b []byte) bool {
	var seen [256]bool
	different, printable, step := 0, true, true
	for i, c := range b {
		if !seen[c] {
			seen[c] = true
			different++
		}
		printable = printable && (c >= ' ' && c <= '~' || c == '\n' || c == '\t' || c == '\r')
		step = step && (i < 2 || c-b[i-1] == b[1]-b[0])
	}
	return different < len(b)/2 || printable || step || bytes.Equal(b[:len(b)/2], b[len(b)/2:])
}

// IsZero reports whether there is no key.
func (k MasterKey) IsZero() bool { return k.key == nil }

// Encode returns the key in standard base64, for the key file. It is the only
// way to get at the bytes.
func (k MasterKey) Encode() string { return base64.StdEncoding.EncodeToString(k.bytes()) }

// ID returns 16 hexadecimal digits that name the key without telling anything
// about it, so that a database can say that it belongs to another master key.
func (k MasterKey) ID() string { return hex.EncodeToString(k.derive("id", "", 8)) }

// String returns "[redacted]".
func (k MasterKey) String() string { return redacted }

// Format writes "[redacted]" for every verb.
func (k MasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]".
func (k MasterKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (k MasterKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue returns "[redacted]".
func (k MasterKey) LogValue() slog.Value { return slog.StringValue(redacted) }

func (k MasterKey) bytes() []byte {
	if k.key == nil {
		panic("secret: there is no master key")
	}
	return k.key()
}

// derive returns a subkey (HKDF-SHA256, RFC 5869). use separates what the
// package does with keys, purpose what the caller does with them. No salt: the
// master key is uniformly random already (RFC 5869 section 3.1).
func (k MasterKey) derive(use, purpose string, length int) []byte {
	b, err := hkdf.Key(sha256.New, k.bytes(), nil, "keystone/v1/"+use+"/"+purpose, length)
	if err != nil {
		panic("secret: " + err.Error()) // only for absurd lengths
	}
	return b
}
