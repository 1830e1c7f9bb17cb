package keystone

import (
	"net/netip"
	"net/url"
	"strings"
)

// Origin is the origin of an http or https address as browsers send it (RFC 6454
// section 6.2), or "".
func Origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	host := bracketed(strings.ToLower(u.Hostname()))
	if port := u.Port(); port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

func hostWithPort(host, port string) string { return bracketed(host) + ":" + port }

// bracketed is a host name as it stands in an address (RFC 3986 section 3.2.2).
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// Hostname is the host of an address without its port, or "".
func Hostname(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// DisplayHost is the part of an address that people recognise; where it has none, as that of
// a program on their device, the whole of it.
func DisplayHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" { // a private scheme can have any name behind it
		return uri
	}
	return u.Host
}

// RedirectURIProblem says why a redirect URI cannot be registered, or "" where
// it can (RFC 9700 section 4.1, RFC 8252 sections 7 and 8): an exact absolute
// URI without wildcard, fragment or user info; https, or http on loopback; a
// native client may use a private scheme with a dot in it.
func RedirectURIProblem(s string, kind ClientKind) string {
	if len(s) > maxURI {
		return "A redirect URI has at most 2,000 characters."
	}
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c > 0x7e || c == '*' || c == '\\' || c == '"' || c == '<' || c == '>' {
			return "A redirect URI is printable ASCII without spaces, wildcards, backslashes, quotes and angle brackets."
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return "Register an absolute redirect URI such as https://app.example.com/callback."
	}
	if strings.Contains(s, "#") {
		return "A redirect URI has no fragment (RFC 6749 section 3.1.2)."
	}
	if u.User != nil || strings.Contains(u.Host, "@") {
		return "A redirect URI has no user name in it."
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return "A redirect URI names a host."
		}
	case "http":
		if !IsLoopbackHost(u.Hostname()) {
			return "Plain http is only for loopback (127.0.0.1, [::1], localhost); use https."
		}
	default:
		if kind != ClientNative || !strings.Contains(u.Scheme, ".") || u.Host == "" && u.Opaque == "" && u.Path == "" {
			return "Use https. Only a native client may use a private scheme, and it has a dot in it, such as com.example.app:/callback (RFC 8252 section 7.1)."
		}
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return "A redirect URI has no . or .. in its path."
		}
	}
	return ""
}

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

// plainHost refuses what is no host but a pattern for one, and hosts that
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

// httpsProblem says why an address cannot be one of the client's https addresses,
// or "" where it can or is empty. people: whether anybody signs in to the client.
func httpsProblem(uri string, people bool) string {
	if uri == "" {
		return ""
	}
	if !people {
		return errNobody
	}
	if why := RedirectURIProblem(uri, ClientWeb); why != "" {
		return "Give an absolute https address of printable ASCII without user name, fragment, wildcards and dot segments."
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" {
		return "Give an https address."
	}
	if strings.ContainsFunc(u.Host, notInHost) { // hosts go into Content-Security-Policy
		return "The host is letters, digits, dots and hyphens, or an IP address."
	}
	return ""
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-:[]", r)
}

// IsLoopbackHost reports whether a host name without port is loopback.
func IsLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
