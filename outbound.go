package keystone

import (
	"net/netip"
	"net/url"
	"strings"
)

// OutboundURLProblem says why an address cannot be one that Keystone fetches or
// posts to (jwks_uri, request_uri and the like), or "" where it can: absolute
// https with a host, in one spelling. Whether the host may be reached is decided
// when it is (internal/fetch): names can point anywhere, and that changes.
func OutboundURLProblem(s string) string {
	if len(s) > maxURI {
		return "The address has at most 2,000 characters."
	}
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c > 0x7e || c == '\\' || c == '"' || c == '<' || c == '>' {
			return "The address is printable ASCII without spaces, backslashes, quotes and angle brackets."
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" || u.Opaque != "":
		return "Give an absolute https address, such as https://app.example.com/jwks.json."
	case u.User != nil || strings.Contains(u.Host, "@"):
		return "The address has no user name in it."
	case u.Hostname() == "" || !plainHost(u.Hostname()):
		return "The address names a host by its name or by an address in its usual form."
	}
	return ""
}

// hostLetters are what names of hosts are made of; underscores are in use.
const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// plainHost refuses what is no host but a pattern for one (O3), and hosts that
// resolvers read in more than one way: numbers that are no address in its one usual form (0x7f.1, 2130706433, 0177.0.0.1), zones,
// and IPv6 spellings of IPv4 addresses.
func plainHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == "" && !a.Is4In6()
	}
	if strings.ContainsAny(host, ":%[]") {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, hostLetters) != "" {
			return false
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	return !strings.HasPrefix(last, "0x") && strings.Trim(last, "0123456789") != ""
}
