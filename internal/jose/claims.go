package jose

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"
)

// Claims are the members of a JWT's payload, by their exact names.
type Claims struct{ members map[string]json.RawMessage }

// Names returns the names of all claims, sorted.
func (c Claims) Names() []string { return slices.Sorted(maps.Keys(c.members)) }

// Has reports whether the claim is there, whatever it is.
func (c Claims) Has(name string) bool { _, ok := c.members[name]; return ok }

// Raw returns the claim as JSON.
func (c Claims) Raw(name string) json.RawMessage { return c.members[name] }

// Text returns a claim that is a string, else "".
func (c Claims) Text(name string) string {
	var s *string
	if json.Unmarshal(c.members[name], &s) != nil || s == nil {
		return ""
	}
	return *s
}

// Time returns a claim that is a NumericDate (RFC 7519 section 2). ok is false
// where it is absent, another type, or outside the years 1970 to 9999.
func (c Claims) Time(name string) (t time.Time, ok bool) {
	var n *float64
	if json.Unmarshal(c.members[name], &n) != nil || n == nil || !(*n > 0 && *n < 253402300800) {
		return t, false
	}
	whole, part := math.Modf(*n)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// Texts returns a claim that is a string or a list of strings, and whether it is
// a single string. Anything else gives nothing.
func (c Claims) Texts(name string) (list []string, single bool) {
	if s := c.Text(name); s != "" {
		return []string{s}, true
	}
	var all []*string
	if json.Unmarshal(c.members[name], &all) != nil {
		return nil, false
	}
	for _, s := range all {
		if s == nil {
			return nil, false
		}
		list = append(list, *s)
	}
	return list, false
}
