package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// sources finds out where a request comes from.
type sources struct{ trusted []netip.Prefix }

// maxForwarded bounds how much of X-Forwarded-For is read, from its right end.
const maxForwarded = 32

// peer is the other end of a connection; the zero peer is one that has no address, as
// on a Unix socket.
type peer struct {
	addr netip.Addr
	text string
}

func newPeer(addr netip.Addr) peer {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return peer{}
	}
	return peer{addr, addr.String()}
}

type peerKey struct{}

// withPeer lets all requests of a connection know whose it is: the address is read once.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	var p peer
	if a := c.RemoteAddr(); a != nil {
		p = parsePeer(a.String())
	}
	return context.WithValue(ctx, peerKey{}, &p)
}

func parsePeer(address string) peer {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return peer{}
	}
	return newPeer(ap.Addr())
}

func peerOf(r *http.Request) peer {
	if p, ok := r.Context().Value(peerKey{}).(*peer); ok {
		return *p
	}
	return parsePeer(r.RemoteAddr)
}

// of returns the address a request comes from: the peer, or, where the peer is
// one of TRUSTED_PROXIES, the right-most address in X-Forwarded-For that is not.
// Everything left of it is what the caller claims, and is never read. It is empty
// where the peer has none.
func (s sources) of(r *http.Request) string {
	p := peerOf(r)
	if len(s.trusted) == 0 || !s.trusts(p.addr) {
		return p.text
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
				return p.text // nobody we trust writes such a line
			}
			if p = newPeer(addr); !s.trusts(p.addr) {
				return p.text
			}
		}
	}
	return p.text
}

// proxied reports whether the peer itself is one of TRUSTED_PROXIES.
func (s sources) proxied(r *http.Request) bool { return s.trusts(peerOf(r).addr) }

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
