package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// allowed is what the operator lists besides the public internet.
type allowed struct {
	hosts map[string]bool // lower case, without a trailing dot
	nets  []netip.Prefix
}

// parseAllowed reads host names, addresses and networks.
func parseAllowed(list []string) (a allowed, err error) {
	a.hosts = map[string]bool{}
	for _, item := range list {
		if p, err := netip.ParsePrefix(item); err == nil {
			a.nets = append(a.nets, p.Masked())
		} else if addr, err := netip.ParseAddr(item); err == nil {
			a.nets = append(a.nets, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		} else if item != "" && !strings.ContainsAny(item, "/:*@ ") {
			a.hosts[folded(item)] = true
		} else {
			return a, fmt.Errorf("fetch: an entry of the allow-list is neither a host name nor an address or network")
		}
	}
	return a, nil
}

func folded(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func (a allowed) addr(ip netip.Addr) bool {
	for _, p := range a.nets {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// special are the blocks of IPv4 and of 2000::/3 that are not the public internet
// (IANA special-purpose address registries; RFC 6890 and its updates).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

// globalUnicast is the only part of IPv6 that is given out. Loopback, link-local,
// unique local, multicast, mapped and translated (NAT64) addresses lie outside.
var globalUnicast = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether an address is one of the public internet.
func public(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() || ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

var errNotPublic = errors.New("the address is not public and not listed in OUTBOUND_ALLOW")

// dial connects to an address of the network. The check stands where the address
// is final: between resolving and connecting.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	listed := c.allow.hosts[folded(host)]
	d := net.Dialer{ControlContext: func(_ context.Context, _, to string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(to)
		if err != nil {
			return errNotPublic
		}
		if ip := ap.Addr(); !listed && !public(ip) && !c.allow.addr(ip.Unmap().WithZone("")) {
			return errNotPublic
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}
