package server

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/oauth"
)

// clientCertificates finds the TLS client certificate of a request (RFC 8705). One
// rule keeps apart who holds it: a proxy of TRUSTED_PROXIES speaks for others, so
// its header counts and its own connection says nothing; everybody else speaks for
// themselves, so their connection counts and a header is never read.
type clientCertificates struct {
	sources sources
	tls     bool   // the connection is asked for one
	header  string // in its canonical form; empty: none is read
	chain   string // the header with what was between (RFC 9440 section 2.3); empty: none
}

func newClientCertificates(c *config.Config, trusted sources) clientCertificates {
	certs := clientCertificates{sources: trusted, tls: c.TLSClientCerts, header: http.CanonicalHeaderKey(c.ClientCertHeader)}
	if certs.header == "Client-Cert" {
		certs.chain = "Client-Cert-Chain"
	}
	return certs
}

// of returns what reads the request's certificates, or nil where it has none.
func (c clientCertificates) of(r *http.Request) func() []*x509.Certificate {
	if c.header != "" && c.sources.proxied(r) {
		if lines := r.Header[c.header]; len(lines) == 1 && lines[0] != "" { // of two one is not the proxy's
			return sync.OnceValue(func() []*x509.Certificate { return forwarded(lines[0], r.Header[c.chain]) })
		}
		return nil
	}
	if c.tls && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && !c.sources.proxied(r) {
		shown := r.TLS.PeerCertificates
		return func() []*x509.Certificate { return shown }
	}
	return nil
}

// maxChain bounds the certificates that are read beside a client's.
const maxChain = 8

// forwarded reads a certificate as proxies pass it on: as a structured field (RFC
// 9440 section 2.2), or as PEM, escaped for an address ($ssl_client_escaped_cert of
// nginx). What cannot be read is none.
func forwarded(value string, chain []string) []*x509.Certificate {
	first, err := certificateOf(value)
	if err != nil {
		return nil
	}
	list := []*x509.Certificate{first}
	for one := range strings.SplitSeq(strings.Join(chain, ","), ",") {
		if len(list) > maxChain {
			break
		}
		if c, err := fieldCertificate(strings.Trim(one, " \t")); err == nil {
			list = append(list, c)
		}
	}
	return list
}

var errForwarded = errors.New("not a certificate")

func certificateOf(value string) (*x509.Certificate, error) {
	if strings.HasPrefix(value, ":") {
		return fieldCertificate(value)
	}
	text, err := url.PathUnescape(value) // a plus sign is one: base64 has them
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errForwarded
	}
	return x509.ParseCertificate(block.Bytes)
}

// fieldCertificate reads a byte sequence of RFC 9651 section 3.3.5.
func fieldCertificate(value string) (*x509.Certificate, error) {
	inner, opened := strings.CutPrefix(value, ":")
	inner, closed := strings.CutSuffix(inner, ":")
	if !opened || !closed {
		return nil, errForwarded
	}
	der, err := base64.StdEncoding.DecodeString(inner)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// tlsClients is what the settings say of clients with certificates, and the
// authorities that prove them (nil: none do).
func tlsClients(c *config.Config) (t oauth.TLSClients, a *authorities, err error) {
	t = oauth.TLSClients{Served: c.TLSClientCerts || c.ClientCertHeader != "", URL: c.MTLSURL}
	if c.ClientCAFile == "" {
		return t, nil, nil
	}
	a, err = loadAuthorities(c.ClientCAFile)
	t.Roots = a.roots
	return t, a, err
}
