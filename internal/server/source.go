package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// sources finds out where a request comes from.
type sources struct{ trusted []netip.Prefix }

// maxForwarded bounds how much of X-Forwarded-For is read, from its right end.
const maxForwarded = 32

// of returns the address a request comes from: the peer, or, where the peer is
// one of TRUSTED_PROXIES, the right-most address in X-Forwarded-For that is not.
// Everything left of it is what the caller claims, and is never read. The zero
// address is an unknown peer, such as a Unix socket.
func (s sources) of(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	peer := ap.Addr().Unmap().WithZone("")
	if len(s.trusted) == 0 || !s.trusts(peer) {
		return peer
	}
	lines := r.Header["X-Forwarded-For"]
	read := 0
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for rest != "" {
			var hop string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, hop = rest[:cut], rest[cut+1:]
			} else {
				rest, hop = "", rest
			}
			addr, ok := parseHop(hop)
			if read++; !ok || read > maxForwarded {
				return peer // nobody we trust writes such a line
			}
			peer = addr
			if !s.trusts(peer) {
				return peer
			}
		}
	}
	return peer
}

// proxied reports whether the peer itself is one of TRUSTED_PROXIES.
func (s sources) proxied(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && s.trusts(ap.Addr().Unmap().WithZone(""))
}

func (s sources) trusts(a netip.Addr) bool {
	for _, p := range s.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads one address as proxies write it: bare, with a port, or in
// brackets.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			return a.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
