package keystone

// Confirmation says which key a token is bound to: whoever presents the token
// must show that they hold it (RFC 7800 section 3.1). The zero value binds to
// nothing: a bearer token.
type Confirmation struct {
	JKT string // thumbprint of a DPoP key (jkt, RFC 9449 section 6.1)
	X5T string // thumbprint of a TLS certificate (x5t#S256, RFC 8705 section 3.1)
}

// IsZero reports whether the token is bound to nothing.
func (c Confirmation) IsZero() bool { return c == Confirmation{} }

// HeldBy reports whether somebody who has shown the given keys may use what is
// bound to c.
func (c Confirmation) HeldBy(shown Confirmation) bool {
	return (c.JKT == "" || c.JKT == shown.JKT) && (c.X5T == "" || c.X5T == shown.X5T)
}

// IsThumbprint reports whether s can be a SHA-256 thumbprint: 32 bytes in
// base64url without padding (RFC 7638 section 3.1, RFC 8705 section 3.1).
func IsThumbprint(s string) bool {
	if len(s) != 43 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
