package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a setting that must not be shown: every way of printing it, also
// from inside a struct, gives "[redacted]" or an address.
type Secret struct {
	// A function, because fmt prints unexported fields of a surrounding struct
	// by reflection without asking Format, and of a function it can show the
	// address only.
	reveal func() string
}

// NewSecret returns a secret that holds s; an empty s is the secret not set.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal returns the value. Each call of it is a place to look at.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.reveal != nil }

// String returns "[redacted]", or nothing where nothing is set.
func (s Secret) String() string {
	if s.IsSet() {
		return redacted
	}
	return ""
}

// Format writes String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
