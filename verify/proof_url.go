package verify

import (
	"net/url"
	"strings"
)

// normalURL returns an address without query and fragment in the one spelling
// that RFC 3986 sections 6.2.2 and 6.2.3 give it. ok is false for one that no
// request can have; dot segments are refused, not removed.
func normalURL(s string) (normal string, ok bool) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Hostname() == "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme != "https" && scheme != "http":
		return "", false
	case scheme == "https" && u.Port() == "443", scheme == "http" && u.Port() == "80", strings.HasSuffix(host, ":"):
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	path, ok = normalPath(path)
	return scheme + "://" + host + path, ok
}

// normalPath writes percent escapes in upper case, and none where none is needed.
func normalPath(path string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		plain, err := url.PathUnescape(path[i : i+3])
		if err != nil {
			return "", false
		}
		if unreserved(plain[0]) {
			b.WriteString(plain)
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	for segment := range strings.SplitSeq(b.String(), "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return b.String(), true
}

// unreserved reports whether c needs no escape anywhere (RFC 3986 section 2.3).
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
