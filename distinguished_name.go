package keystone

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A distinguished name is compared as a list of its parts, outermost last as its
// string form has them, each part as its attributes by object identifier with
// their values. Nothing is folded: what differs by a letter is another name.

// parseDN reads the string form of RFC 4514. Spaces around separators, which
// people write and the RFC does not, are passed over.
func parseDN(s string) (parts []string, ok bool) {
	var attributes []string
	for {
		name, rest, found := strings.Cut(s, "=")
		oid := attributeOID(strings.Trim(name, " "))
		value, rest, separator, good := dnValue(rest)
		if !found || oid == "" || !good {
			return nil, false
		}
		attributes = append(attributes, oid+"="+strconv.Quote(value))
		if separator != '+' {
			parts = append(parts, dnPart(attributes))
			attributes = nil
		}
		if separator == 0 {
			return parts, true
		}
		s = rest
	}
}

// dnPart is a relative distinguished name: a set.
func dnPart(attributes []string) string {
	slices.Sort(attributes)
	return strings.Join(attributes, "+")
}

// subjectDN is the subject of a certificate in the form of parseDN.
func subjectDN(c *x509.Certificate) (parts []string, ok bool) {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &name); err != nil || len(rest) > 0 {
		return nil, false
	}
	for _, set := range slices.Backward(name) {
		var attributes []string
		for _, a := range set {
			value, text := a.Value.(string)
			if !text {
				return nil, false
			}
			attributes = append(attributes, a.Type.String()+"="+strconv.Quote(value))
		}
		parts = append(parts, dnPart(attributes))
	}
	return parts, true
}

// attributeOIDs are the short names of RFC 4514 section 3, and those that
// programs print besides.
var attributeOIDs = map[string]string{
	"CN": "2.5.4.3", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6", "STREET": "2.5.4.9",
	"DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1",
	"SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "GN": "2.5.4.42", "TITLE": "2.5.4.12", "POSTALCODE": "2.5.4.17",
	"ORGANIZATIONIDENTIFIER": "2.5.4.97", "EMAILADDRESS": "1.2.840.113549.1.9.1", "E": "1.2.840.113549.1.9.1",
}

// attributeOID returns the object identifier of an attribute's name, or "".
func attributeOID(name string) string {
	if oid, ok := attributeOIDs[strings.ToUpper(name)]; ok {
		return oid
	}
	arcs := strings.Split(name, ".")
	for _, arc := range arcs {
		if n, err := strconv.ParseUint(arc, 10, 31); err != nil || strconv.FormatUint(n, 10) != arc {
			return ""
		}
	}
	if len(arcs) < 2 {
		return ""
	}
	return name
}

// dnValue reads an attribute's value up to the separator that ends it: a comma, a
// plus sign, or 0 at the end (RFC 4514 section 2.4).
func dnValue(s string) (value, rest string, separator byte, ok bool) {
	s = strings.TrimLeft(s, " ")
	encoded := strings.HasPrefix(s, "#")
	var b []byte
	keep := 0 // up to here: spaces at the end that are not escaped do not count
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ',' || c == '+':
			separator, rest, s = c, s[i+1:], s[:i]
		case c == '\\':
			plain, n := dnEscape(s[i+1:])
			if n == 0 {
				return "", "", 0, false
			}
			b, i = append(b, plain), i+n
			keep = len(b)
		case strings.IndexByte("\";<>\x00", c) >= 0:
			return "", "", 0, false
		default:
			if b = append(b, c); c != ' ' {
				keep = len(b)
			}
		}
	}
	if b = b[:keep]; encoded {
		return dnEncoded(string(b[1:]), rest, separator)
	}
	return string(b), rest, separator, len(b) > 0 && utf8.Valid(b)
}

// dnEscape reads what stands after a backslash: a special character, or two
// hexadecimal digits. n is how many characters that is; 0: it is neither.
func dnEscape(s string) (plain byte, n int) {
	if s != "" && strings.IndexByte(`\"+,;<> #=`, s[0]) >= 0 {
		return s[0], 1
	}
	if len(s) >= 2 {
		if one, err := hex.DecodeString(s[:2]); err == nil {
			return one[0], 2
		}
	}
	return 0, 0
}

// dnEncoded reads a value that is given as its BER encoding.
func dnEncoded(digits, rest string, separator byte) (string, string, byte, bool) {
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return "", "", 0, false
	}
	var v any
	left, err := asn1.Unmarshal(raw, &v)
	value, text := v.(string)
	return value, rest, separator, err == nil && len(left) == 0 && text && value != ""
}
