package password

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/keystone-auth/keystone"
)

// shortestWord is the length from which a context word counts: shorter ones
// are in every other password by chance.
const shortestWord = 3

// isAbout reports whether a password is made of what is known about its
// account: of its letters and digits, half or more belong to the words, or what
// is left beside them is a common password or nearly nothing.
func isAbout(password string, u keystone.User, appName string) bool {
	rest := letters(password)
	length := utf8.RuneCountInString(rest)
	if length == 0 {
		return false
	}
	for _, word := range contextWords(u, appName) {
		rest = strings.ReplaceAll(rest, word, "")
	}
	left := utf8.RuneCountInString(rest)
	return left < length && (left*2 <= length || left < 4 || isCommon(rest))
}

// contextWords returns what is looked for, longest first: each text as a whole
// and in its parts. Of an address that is what stands before the @ (jane.doe: jane,
// doe, janedoe) and all of it; the domain alone is many people's, and no word about one.
func contextWords(u keystone.User, appName string) (words []string) {
	local, _, _ := strings.Cut(u.Email, "@")
	words = append(words, letters(u.Email))
	for _, text := range []string{u.Username, local, u.FirstName, u.LastName, appName} {
		words = append(words, letters(text))
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '@' || unicode.IsSpace(r) }) {
			words = append(words, letters(part))
			for piece := range strings.FieldsFuncSeq(part, isSpecial) {
				words = append(words, letters(piece))
			}
		}
	}
	words = slices.DeleteFunc(words, func(w string) bool { return utf8.RuneCountInString(w) < shortestWord })
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words
}

// letters folds a text to its letters and digits: width, case and punctuation
// make no difference to somebody who guesses.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if isSpecial(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s))
}

// isPattern reports whether a password only repeats a piece of at most four
// characters, or counts up or down all the way (abcdefghijkl, 987654321098).
func isPattern(password string) bool {
	runes := []rune(strings.ToLower(password))
	for size := 1; size <= 4 && 2*size <= len(runes); size++ {
		if repeats(runes, size) {
			return true
		}
	}
	return len(runes) > 2 && (counts(runes, 1) || counts(runes, -1))
}

func repeats(runes []rune, size int) bool {
	for i := size; i < len(runes); i++ {
		if runes[i] != runes[i-size] {
			return false
		}
	}
	return true
}

// counts reports whether each character follows the one before; 0 follows 9,
// and a follows z.
func counts(runes []rune, step rune) bool {
	for i := 1; i < len(runes); i++ {
		was, is := runes[i-1], runes[i]
		if step < 0 {
			was, is = is, was
		}
		if is != was+1 && (was != '9' || is != '0') && (was != 'z' || is != 'a') {
			return false
		}
	}
	return true
}
