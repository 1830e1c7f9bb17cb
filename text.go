package keystone

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// validText checks a free text of one line that people read: valid UTF-8, at most max
// characters, of which one at least can be seen, and none that only governs how others
// are shown: names could look empty, or like somebody else's.
func validText(field, s string, max int) error {
	if !utf8.ValidString(s) {
		return FailField(field, "Send valid UTF-8.")
	}
	if utf8.RuneCountInString(s) > max {
		return FailField(field, "This text is too long.")
	}
	text, seen := []rune(s), s == ""
	for i, r := range text {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && !joins(text, i) {
			return FailField(field, "Leave out control characters and others that cannot be seen.")
		}
		seen = seen || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !strings.ContainsRune(blanks, r)
	}
	if !seen {
		return FailField(field, "Write something that can be seen.")
	}
	return nil
}

// blanks are letters and a symbol that look like a space: the fillers of Hangul, and
// braille without a dot.
const blanks = "\u115f\u1160\u3164\uffa0\u2800"

// joins reports whether text[i] is a joiner between what it joins or keeps apart (ZWJ,
// ZWNJ): letters of Persian and of Indian scripts need them, and some emoji.
func joins(text []rune, i int) bool {
	if text[i] != '\u200c' && text[i] != '\u200d' || i == 0 || i == len(text)-1 {
		return false
	}
	return unicode.In(text[i-1], unicode.L, unicode.M, unicode.So, unicode.Sk) && unicode.In(text[i+1], unicode.L, unicode.So)
}

// FoldUsername returns the unique key of a username: RFC 8265
// UsernameCaseMapped (width and case mapped, NFC). Two names with one key are
// the same name.
func FoldUsername(s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", FailField("username", "Send valid UTF-8.")
	}
	if n := utf8.RuneCountInString(s); n < 1 || n > maxUsername {
		return "", FailField("username", "A username has 1 to 50 characters.")
	}
	key, err := precis.UsernameCaseMapped.String(s)
	if err != nil || key == "" {
		return "", FailField("username", "A username is one word of letters and digits; it may contain . - _ + between them.")
	}
	named := false // a name of punctuation alone names nobody
	for _, r := range key {
		named = named || unicode.IsLetter(r) || unicode.IsDigit(r)
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("._-+", r) {
			return "", FailField("username", "A username is one word of letters and digits; it may contain . - _ + between them.")
		}
	}
	if !named {
		return "", FailField("username", "A username is one word of letters and digits; it may contain . - _ + between them.")
	}
	if IsID(key) {
		return "", FailField("username", "A username cannot have the form of an id: it would be taken for the user with that id.")
	}
	if mixesScripts(key) {
		return "", FailField("username", "Use the letters of one script only: names that mix scripts can look like somebody else's.")
	}
	return key, nil
}

// scriptGroups are scripts that one language writes together (UTS 39 section
// 5.1, highly restrictive: Japanese, Chinese with Bopomofo, Korean).
var scriptGroups = [][]*unicode.RangeTable{
	{unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Han, unicode.Bopomofo},
	{unicode.Han, unicode.Hangul},
}

// mixesScripts reports whether the letters of s come from scripts that no one
// language writes together.
func mixesScripts(s string) bool {
	var first *unicode.RangeTable
	for _, r := range s {
		if r < utf8.RuneSelf {
			if unicode.IsLetter(r) {
				if first != nil && first != unicode.Latin {
					return true
				}
				first = unicode.Latin
			}
			continue
		}
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		if first != nil && unicode.Is(first, r) {
			continue
		}
		table := scriptOf(r)
		if table == nil {
			return true
		}
		if first == nil {
			first = table
			continue
		}
		return !oneGroup(s)
	}
	return false
}

func oneGroup(s string) bool {
	for _, group := range scriptGroups {
		all := true
		for _, r := range s {
			if !unicode.In(r, group...) && !unicode.In(r, unicode.Common, unicode.Inherited) {
				all = false
				break
			}
		}
		if all {
			return true
		}
	}
	return false
}

func scriptOf(r rune) *unicode.RangeTable {
	for _, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return table
		}
	}
	return nil
}

// FoldEmail checks an address (RFC 5321: ASCII, dot-atom local part, a domain
// of letters, digits and hyphens) and returns its unique key: all lower case.
// Plus tags and dots stay: only the mail provider knows what they mean.
func FoldEmail(s string) (string, error) {
	const say = "Give an e-mail address such as jane@example.com; write an international domain in its xn-- form."
	at := strings.LastIndexByte(s, '@')
	if len(s) > maxEmail || at < 1 || at > 64 {
		return "", FailField("email", say)
	}
	local, domain := s[:at], s[at+1:]
	for i := range len(local) {
		c := local[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
		if !ok {
			return "", FailField("email", say)
		}
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") || !validDomain(domain) {
		return "", FailField("email", say)
	}
	return strings.ToLower(s), nil
}

func validDomain(d string) bool {
	if len(d) > 253 || !strings.Contains(d, ".") && d != "localhost" {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// FoldTerm returns the form in which names are compared when people search:
// NFKC, lower case, spaces trimmed.
func FoldTerm(s string) string {
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(s)))
}
