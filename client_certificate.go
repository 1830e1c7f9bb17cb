package keystone

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// certificateName is one of the names of RFC 8705 section 2.1.2: by one of them a
// client with tls_client_auth is known in its certificate.
type certificateName struct {
	member, value string
	problem       func(value string) string
	in            func(value string, c *x509.Certificate) bool
}

func (s *ClientSettings) certificateNames() []certificateName {
	return []certificateName{
		{"tls_client_auth_subject_dn", s.TLSSubjectDN, problemUnless(isDN, "It is a distinguished name as RFC 4514 writes it, such as CN=billing,O=Example."), hasSubject},
		{"tls_client_auth_san_dns", s.TLSSANDNS, problemUnless(isPlainName, "It is a host name, as it stands in the certificate."), hasDNS},
		{"tls_client_auth_san_uri", s.TLSSANURI, problemUnless(isURI, "It is an absolute URI, such as spiffe://example.com/billing."), hasURI},
		{"tls_client_auth_san_ip", s.TLSSANIP, problemUnless(isIP, "It is an IP address."), hasIP},
		{"tls_client_auth_san_email", s.TLSSANEmail, problemUnless(isMailbox, "It is an e-mail address, as it stands in the certificate."), hasEmail},
	}
}

const errOneName = "Register exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email for tls_client_auth, and none for other methods (RFC 8705 section 2.1.2)."

// validateCertificate checks the name that the client's certificate must have.
func (s *ClientSettings) validateCertificate(f fields) {
	given := 0
	for _, n := range s.certificateNames() {
		if n.value == "" {
			continue
		}
		given++
		if why := n.problem(n.value); why != "" {
			f[n.member] = why
		}
		if s.AuthMethod != AuthTLS || given > 1 {
			f[n.member] = errOneName
		}
	}
	if s.AuthMethod == AuthTLS && given == 0 {
		f["tls_client_auth_subject_dn"] = errOneName
	}
}

// NamedIn reports whether the certificate has the name that the client registered.
// Whose signature makes the name true is not asked here.
func (s *ClientSettings) NamedIn(c *x509.Certificate) bool {
	for _, n := range s.certificateNames() {
		if n.value != "" {
			return n.in(n.value, c)
		}
	}
	return false
}

func problemUnless(good func(string) bool, why string) func(string) string {
	return func(s string) string {
		if len(s) > maxURI || !good(s) {
			return why
		}
		return ""
	}
}

func isDN(s string) bool { _, ok := parseDN(s); return ok }

func isPlainName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '*' || r == '/' || r == ':' })
}

func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "" || u.Path != "")
}

func isIP(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

func isMailbox(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r > 0x7e })
}

func hasSubject(s string, c *x509.Certificate) bool {
	registered, ok := parseDN(s)
	shown, readable := subjectDN(c)
	return ok && readable && slices.Equal(registered, shown)
}

// hasDNS compares whole names: a wildcard in a certificate is not the hosts that it
// stands for.
func hasDNS(s string, c *x509.Certificate) bool {
	return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, s) })
}

func hasURI(s string, c *x509.Certificate) bool {
	return slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == s })
}

func hasIP(s string, c *x509.Certificate) bool {
	ip := net.ParseIP(s)
	return ip != nil && slices.ContainsFunc(c.IPAddresses, ip.Equal)
}

func hasEmail(s string, c *x509.Certificate) bool { return slices.Contains(c.EmailAddresses, s) }
