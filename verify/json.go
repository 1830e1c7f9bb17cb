package verify

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// members calls member with each name and raw value of a JSON object, and
// refuses what encoding/json lets pass: names that appear twice, names that
// differ only in case from those asked for (they are simply other names), and
// text that is not UTF-8. member returns false where a value has the wrong
// type.
func members(text []byte, member func(name string, value []byte) bool) error {
	malformed := refuse("it is not a well-formed JWT")
	text = bytes.TrimSpace(text)
	if !json.Valid(text) || !utf8.Valid(text) || text[0] != '{' {
		return malformed
	}
	// The text is valid from here on, so only structure has to be followed.
	names := make([]string, 0, 16)
	i := skipSpace(text, 1)
	for text[i] != '}' {
		end := skipValue(text, i)
		name, ok := asString(text[i:end])
		if !ok {
			return malformed
		}
		for _, earlier := range names {
			if earlier == name {
				return refuse("a name appears twice in it")
			}
		}
		if len(names) == 128 {
			return refuse("it has too many members")
		}
		names = append(names, name)
		i = skipSpace(text, skipSpace(text, end)+1) // behind the colon
		end = skipValue(text, i)
		if !member(name, text[i:end]) {
			return refuse("a member of it has the wrong type")
		}
		if i = skipSpace(text, end); text[i] == ',' {
			i = skipSpace(text, i+1)
		}
	}
	return nil
}

func skipSpace(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns the index behind the value that starts at i.
func skipValue(text []byte, i int) int {
	depth := 0
	for {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':', ' ', '\t', '\n', '\r':
			// Inside something larger: go on.
		default: // a number or a word
			for i+1 < len(text) && !bytes.ContainsRune([]byte(",:]} \t\r\n"), rune(text[i+1])) {
				i++
			}
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

func asString(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// asStrings reads an audience (RFC 7519 section 4.1.3): one string, or an
// array of strings that is not empty.
func asStrings(value []byte) ([]string, bool) {
	if one, ok := asString(value); ok {
		return []string{one}, true
	}
	var raw []json.RawMessage
	if json.Unmarshal(value, &raw) != nil || len(raw) == 0 {
		return nil, false
	}
	all := make([]string, len(raw))
	for i := range raw {
		var ok bool
		if all[i], ok = asString(raw[i]); !ok {
			return nil, false
		}
	}
	return all, true
}

// asTime reads a NumericDate (RFC 7519 section 2): seconds since 1970, a
// fraction allowed, up to the year 9999.
func asTime(value []byte) (time.Time, bool) {
	const last = 253402300799
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return time.Unix(n, 0).UTC(), n > 0 && n <= last
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(f > 0 && f <= last) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true
}
