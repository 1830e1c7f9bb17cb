package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/keystone-auth/keystone"
)

// MaxBytes is the longest password that is looked at. Every character up to
// it counts: nothing is cut off.
const MaxBytes = 1024

// prepare returns the form in which a password is hashed, the only one: NFC,
// and every space character is the ASCII space (RFC 8265 section 4.2,
// OpaqueString). Code points newer than our Unicode tables are let through,
// or a password would depend on the age of the library.
func prepare(password string) (string, error) {
	switch {
	case len(password) > MaxBytes:
		return "", keystone.FailField("password", "A password has at most 1024 bytes.")
	case !utf8.ValidString(password):
		return "", keystone.FailField("password", "Send the password as valid UTF-8.")
	case strings.IndexByte(password, 0) >= 0:
		return "", keystone.FailField("password", "A password cannot contain the NUL character.")
	}
	for i := range len(password) {
		if password[i] >= utf8.RuneSelf {
			return norm.NFC.String(strings.Map(plainSpace, password)), nil
		}
	}
	return password, nil
}

func plainSpace(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}
