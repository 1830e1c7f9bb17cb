package secret

// userCodeLetters has no vowels, so that no words come about, and no two letters
// that people take for one another (RFC 8628 section 6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLen letters of 20 are 34.5 bits: whoever may try 20,000 times finds
// one of a thousand codes that live at the same time with less than one in a
// thousand. How often somebody may try is for the caller to bound.
const userCodeLen = 8

// maxUserCode bounds what people may type around the letters.
const maxUserCode = 64

// UserCode returns a fresh code for a person to type, such as WDJB-MJHT (RFC
// 8628 section 6.1).
func UserCode() string {
	code := make([]byte, 0, userCodeLen+1)
	for len(code) < userCodeLen {
		var b [userCodeLen]byte
		random(b[:])
		for _, c := range b {
			const fair = 256 / len(userCodeLetters) * len(userCodeLetters)
			if int(c) < fair && len(code) < userCodeLen {
				code = append(code, userCodeLetters[int(c)%len(userCodeLetters)])
			}
		}
	}
	return FormatUserCode(string(code))
}

// FormatUserCode writes the letters of a code the way people read them best.
func FormatUserCode(letters string) string {
	return letters[:userCodeLen/2] + "-" + letters[userCodeLen/2:]
}

// ParseUserCode returns the letters of a code that a person typed: in any case,
// with any spaces and dashes. ok is false for what cannot be a code.
func ParseUserCode(typed string) (letters string, ok bool) {
	if len(typed) > maxUserCode {
		return "", false
	}
	code := make([]byte, 0, userCodeLen)
	for i := range len(typed) {
		c := typed[i]
		switch {
		case c == '-' || c == ' ' || c == '_' || c == '.':
			continue
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		if !isUserCodeLetter(c) || len(code) == userCodeLen {
			return "", false
		}
		code = append(code, c)
	}
	return string(code), len(code) == userCodeLen
}

func isUserCodeLetter(c byte) bool {
	for i := range len(userCodeLetters) {
		if userCodeLetters[i] == c {
			return true
		}
	}
	return false
}
