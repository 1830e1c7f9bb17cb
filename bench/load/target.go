package load

import (
	"fmt"
	"net"
	"net/netip"
)

// Loopback returns the address to dial for host:port, or says why not: this
// program must never load anybody else's machine, so names are not resolved.
func Loopback(hostPort string) (string, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", fmt.Errorf("load: %q is not host:port", hostPort)
	}
	if host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port), nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return "", fmt.Errorf("load: %q is not a loopback address; the load program measures servers on its own machine only", host)
	}
	return hostPort, nil
}
