package httpio

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// Bounds of a JSON body, besides its size.
const (
	maxDepth  = 32 // arrays and objects within one another
	maxNumber = 64 // characters of one number
	maxWrong  = 10 // fields named in one answer
)

// scan checks a whole JSON body before anything is made of it: the grammar of
// RFC 8259, and what encoding/json would let through: names that occur twice,
// names in another case, unknown names, invalid UTF-8, lone surrogates, NUL,
// numbers no float can hold, depth, anything behind the value, and null for what
// cannot be null. s tells which names are known and what can be null; nil takes all.
func scan(body []byte, s *shape) error {
	c := scanner{b: body}
	return c.whole(s)
}

func (c *scanner) whole(s *shape) error {
	c.space()
	if want := s.insteadOfNull(); want != "" && c.null() {
		c.nulls = true
		c.note("", "body", want)
	}
	if err := c.value(s, ""); err != nil {
		return err
	}
	c.space()
	if c.i != len(c.b) {
		return errTrailing
	}
	switch {
	case c.nulls:
		return keystone.FailFields(c.wrong)
	case len(c.wrong) > 0:
		return (&keystone.Error{Kind: keystone.Invalid, Msg: "Leave out the named fields: this call does not take them."}).WithFields(c.wrong)
	}
	return nil
}

// Fixed texts: an error never repeats what was sent.
var (
	errSyntax    = keystone.Fail(keystone.Invalid, "The body is not JSON (RFC 8259). Check its quotes, commas and brackets.")
	errTrailing  = keystone.Fail(keystone.Invalid, "There is something behind the end of the JSON value. Send one value.")
	errDepth     = keystone.Fail(keystone.Invalid, "The JSON value is nested too deeply. 32 levels are read.")
	errDuplicate = keystone.Fail(keystone.Invalid, "A name occurs twice in one JSON object. Send each name once.")
	errNumber    = keystone.Fail(keystone.Invalid, "A number in the body is too large or too long.")
	errUTF8      = keystone.Fail(keystone.Invalid, "A text in the body is not valid Unicode. Send UTF-8, and surrogates in pairs.")
	errNUL       = keystone.Fail(keystone.Invalid, "A text in the body contains the character NUL. Leave it out.")
	errEmpty     = keystone.Fail(keystone.Invalid, "The body is empty. Send a JSON object.")
)

type scanner struct {
	b     []byte
	i     int
	depth int
	wrong map[string]string // unknown fields, and those that are null and cannot be
	nulls bool              // some of them are null
	first int               // where the first of them was noted
}

func (c *scanner) null() bool { return c.i < len(c.b) && c.b[c.i] == 'n' }

func (c *scanner) space() {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

// value reads one value; path names it in an answer.
func (c *scanner) value(s *shape, path string) error {
	if c.i >= len(c.b) {
		return errSyntax
	}
	switch b := c.b[c.i]; {
	case b == '{':
		return c.object(s, path)
	case b == '[':
		return c.array(s, path)
	case b == '"':
		_, err := c.text(false)
		return err
	case b == '-' || b >= '0' && b <= '9':
		return c.number()
	case b == 't':
		return c.literal("true")
	case b == 'f':
		return c.literal("false")
	case b == 'n':
		return c.literal("null")
	}
	return errSyntax
}

func (c *scanner) literal(want string) error {
	if len(c.b)-c.i < len(want) || string(c.b[c.i:c.i+len(want)]) != want {
		return errSyntax
	}
	c.i += len(want)
	return nil
}

func (c *scanner) enter() error {
	if c.depth++; c.depth > maxDepth {
		return errDepth
	}
	c.i++
	c.space()
	return nil
}

func (c *scanner) leave() { c.depth--; c.i++ }

func (c *scanner) object(s *shape, path string) error {
	if err := c.enter(); err != nil {
		return err
	}
	seen := names{}
	for first := true; ; first = false {
		if c.i < len(c.b) && c.b[c.i] == '}' && first {
			c.leave()
			return nil
		}
		if c.i >= len(c.b) || c.b[c.i] != '"' {
			return errSyntax
		}
		name, err := c.text(true)
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return errDuplicate
		}
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != ':' {
			return errSyntax
		}
		c.i++
		c.space()
		inner, known := s.field(name)
		if !known {
			c.note(path, name, "There is no such field.")
		}
		if want := inner.insteadOfNull(); want != "" && c.null() && !slices.Contains(s.optional, name) {
			c.nulls = true
			c.note(path, name, want)
		}
		at := ""
		if inner.inside() {
			at = path + name + "."
		}
		if err := c.value(inner, at); err != nil {
			return err
		}
		if done, err := c.next('}'); done || err != nil {
			return err
		}
	}
}

func (c *scanner) array(s *shape, path string) error {
	if err := c.enter(); err != nil {
		return err
	}
	if c.i < len(c.b) && c.b[c.i] == ']' {
		c.leave()
		return nil
	}
	for {
		if err := c.value(s.items(), path); err != nil {
			return err
		}
		if done, err := c.next(']'); done || err != nil {
			return err
		}
	}
}

// next reads what stands behind an element: a comma, or the end.
func (c *scanner) next(end byte) (done bool, err error) {
	c.space()
	if c.i >= len(c.b) {
		return false, errSyntax
	}
	switch c.b[c.i] {
	case ',':
		c.i++
		c.space()
		return false, nil
	case end:
		c.leave()
		return true, nil
	}
	return false, errSyntax
}

// note remembers a field that is refused, for the answer. A name is only repeated where
// it can be nothing but a name.
func (c *scanner) note(path, name, why string) {
	if len(c.wrong) >= maxWrong {
		return
	}
	if c.wrong == nil {
		c.wrong, c.first = map[string]string{}, c.i
	}
	c.wrong[printable(path+name)] = why
}

// text reads a string and, where the caller wants it, returns it decoded.
func (c *scanner) text(want bool) (string, error) {
	c.i++
	start, plain := c.i, true
	for c.i < len(c.b) {
		switch b := c.b[c.i]; {
		case b == '"':
			raw := c.b[start:c.i]
			c.i++
			switch {
			case !want:
				return "", nil
			case plain:
				return string(raw), nil
			}
			return unquote(raw), nil
		case b == '\\':
			plain = false
			if err := c.escape(); err != nil {
				return "", err
			}
		case b < 0x20:
			if b == 0 {
				return "", errNUL
			}
			return "", errSyntax
		case b < utf8.RuneSelf:
			c.i++
		default:
			r, n := utf8.DecodeRune(c.b[c.i:])
			if r == utf8.RuneError && n == 1 {
				return "", errUTF8
			}
			c.i += n
		}
	}
	return "", errSyntax
}

// escape reads one escape sequence, and the second of a surrogate pair.
func (c *scanner) escape() error {
	if c.i+1 >= len(c.b) {
		return errSyntax
	}
	switch c.b[c.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.i += 2
		return nil
	case 'u':
		r, ok := hex4(c.b[c.i:])
		switch {
		case !ok:
			return errSyntax
		case r == 0:
			return errNUL
		case r >= 0xdc00 && r < 0xe000:
			return errUTF8
		case r >= 0xd800 && r < 0xdc00:
			low, ok := hex4(c.b[c.i+6:])
			if !ok || low < 0xdc00 || low >= 0xe000 {
				return errUTF8
			}
			c.i += 12
			return nil
		}
		c.i += 6
		return nil
	}
	return errSyntax
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, d := range b[2:6] {
		switch {
		case d >= '0' && d <= '9':
			r = r<<4 | rune(d-'0')
		case d >= 'a' && d <= 'f':
			r = r<<4 | rune(d-'a'+10)
		case d >= 'A' && d <= 'F':
			r = r<<4 | rune(d-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads a number that a float64 can hold.
func (c *scanner) number() error {
	start := c.i
	if c.b[c.i] == '-' {
		c.i++
	}
	switch {
	case c.i < len(c.b) && c.b[c.i] == '0':
		c.i++
	case !c.digits():
		return errSyntax
	}
	if c.i < len(c.b) && c.b[c.i] == '.' {
		if c.i++; !c.digits() {
			return errSyntax
		}
	}
	if c.i < len(c.b) && (c.b[c.i] == 'e' || c.b[c.i] == 'E') {
		c.i++
		if c.i < len(c.b) && (c.b[c.i] == '+' || c.b[c.i] == '-') {
			c.i++
		}
		if !c.digits() {
			return errSyntax
		}
	}
	if c.i-start > maxNumber {
		return errNumber
	}
	if _, err := strconv.ParseFloat(string(c.b[start:c.i]), 64); err != nil {
		return errNumber
	}
	return nil
}

func (c *scanner) digits() bool {
	start := c.i
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		c.i++
	}
	return c.i > start
}

// names is the set of names of one object: a short list first, so that the
// usual object costs no map.
type names struct {
	few  [16]string
	n    int
	many map[string]bool
}

func (s *names) add(name string) bool {
	if s.many != nil {
		if s.many[name] {
			return false
		}
		s.many[name] = true
		return true
	}
	for _, known := range s.few[:s.n] {
		if known == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = map[string]bool{name: true}
	for _, known := range s.few {
		s.many[known] = true
	}
	return true
}
