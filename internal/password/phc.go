package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// b64 is the encoding of salt and tag in a PHC string: no padding, and only
// one way to write the same bytes.
var b64 = base64.RawStdEncoding.Strict()

// encode writes an argon2id hash as a PHC string
// (https://github.com/P-H-C/phc-string-format).
func encode(p Params, salt, tag []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2Version, p.Memory, p.Time, p.Lanes,
		b64.EncodeToString(salt), b64.EncodeToString(tag))
}

// parseArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$tag, and argon2i. Version
// 0x10 (no v field) is not supported.
func parseArgon2(fields []string) (stored, error) {
	if len(fields) != 5 || fields[1] != "v=19" {
		return stored{}, errShape
	}
	n, ok := numbers(fields[2], "m", "t", "p")
	salt, tag, ok2 := saltAndTag(fields[3], fields[4])
	if !ok || !ok2 || len(salt) < 8 {
		return stored{}, errShape
	}
	p := Params{Memory: n[0], Time: n[1], Lanes: n[2]}
	if p.check() != nil {
		return stored{}, errCosts
	}
	variant := argon2id
	if fields[0] == "argon2i" {
		variant = argon2i
	}
	return stored{
		argon2id: variant == argon2id, params: p, memory: p.Memory,
		matches: func(mem arena, password string) bool {
			return subtle.ConstantTimeCompare(argon2(mem, variant, p, password, salt, len(tag)), tag) == 1
		},
	}, nil
}

// numbers reads "a=1,b=2" with exactly these names in this order.
func numbers(s string, names ...string) ([]uint32, bool) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	values := make([]uint32, len(names))
	for i, part := range parts {
		digits, ok := strings.CutPrefix(part, names[i]+"=")
		if values[i], ok = number(digits, ok); !ok {
			return nil, false
		}
	}
	return values, true
}

// number reads a decimal number as it would be written: no sign, no leading
// zero.
func number(digits string, ok bool) (uint32, bool) {
	v, err := strconv.ParseUint(digits, 10, 32)
	return uint32(v), ok && err == nil && strconv.FormatUint(v, 10) == digits
}

func saltAndTag(salt, tag string) (s, t []byte, ok bool) {
	s, err := b64.DecodeString(salt)
	t, err2 := b64.DecodeString(tag)
	return s, t, err == nil && err2 == nil && len(s) <= maxSalt && len(t) >= minTag && len(t) <= maxTag
}
