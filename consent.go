package keystone

import (
	"maps"
	"slices"
)

// Allowed is what a person allows a client: for each audience (RFC 8707) the scopes,
// sorted. Keystone itself is the audience "", for which tokens are without resource.
// Two things that were never on one page are not allowed together. The scopes of OpenID
// Connect are about Keystone itself, whatever resource is named beside them: they are
// kept there, and hold for the client's every request.
type Allowed map[string][]string

// Reach is whom a request is for as consent counts it, sorted: "" is Keystone itself,
// which is meant where nobody is named.
func (c *Client) Reach(audiences []string) []string {
	reach := make([]string, 0, max(1, len(audiences)))
	for _, a := range audiences {
		if !slices.Contains(c.Audiences, a) { // Audience lets a request name nobody else but Keystone itself
			a = ""
		}
		reach = append(reach, a)
	}
	if len(reach) == 0 {
		reach = append(reach, "")
	}
	return SortedSet(reach)
}

// With is a and besides it these scopes for these audiences.
func (a Allowed) With(scopes, audiences []string) Allowed {
	all := maps.Clone(a)
	if all == nil {
		all = Allowed{}
	}
	add := func(audience string, scopes []string) {
		all[audience] = SortedSet(slices.Concat(all[audience], scopes))
	}
	ours := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !IsOpenIDScope(s) })
	if len(ours) > 0 {
		add("", ours)
	}
	for _, audience := range audiences {
		add(audience, WithoutOpenID(scopes))
	}
	return all
}

// Held returns those of the scopes (sorted) that are allowed for every one of the
// audiences, and whether each of these is allowed something, if no more than to know of
// the account.
func (a Allowed) Held(scopes, audiences []string) (held []string, reached bool) {
	held = slices.Clone(scopes)
	for _, audience := range audiences {
		here, found := a[audience]
		if !found {
			return []string{}, false
		}
		held = slices.DeleteFunc(held, func(s string) bool {
			if IsOpenIDScope(s) {
				return !slices.Contains(a[""], s)
			}
			return !slices.Contains(here, s)
		})
	}
	return held, true
}

// Covers reports whether all of it was allowed.
func (a Allowed) Covers(scopes, audiences []string) bool {
	held, reached := a.Held(scopes, audiences)
	return reached && len(held) == len(scopes)
}

// Scopes returns what is allowed for anybody, sorted.
func (a Allowed) Scopes() []string {
	return SortedSet(slices.Concat(slices.Collect(maps.Values(a))...))
}

// Audiences returns who is named, besides Keystone itself, sorted.
func (a Allowed) Audiences() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a)), func(s string) bool { return s == "" })
}
