package config

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// certHeader is a field name without the underscore: programs on the way may take
// that for a hyphen, and two headers for one.
var certHeader = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// otherHeaders mean something else.
var otherHeaders = []string{"Authorization", "Connection", "Content-Length", "Content-Type", "Cookie", "Dpop", "Forwarded", "Host", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Client-Cert-Chain"}

// checkClientCertificates holds the settings of RFC 8705 together: a certificate
// comes by the own listener or by a proxy that is known, or not at all.
func (l *loading) checkClientCertificates() {
	if l.TLSClientCerts && !l.TLS() && !l.bad["TLS_CERT_FILE"] {
		l.refuse("TLS_CLIENT_CERTS", "needs TLS_CERT_FILE: behind a proxy that ends TLS, set CLIENT_CERT_HEADER")
	}
	switch name := l.ClientCertHeader; {
	case name == "" || l.bad["CLIENT_CERT_HEADER"]:
	case len(name) > 100 || !certHeader.MatchString(name):
		l.refuse("CLIENT_CERT_HEADER", "is not the name of a header, of letters, digits and hyphens")
	case slices.Contains(otherHeaders, http.CanonicalHeaderKey(name)) || strings.HasPrefix(http.CanonicalHeaderKey(name), "Sec-"):
		l.refuse("CLIENT_CERT_HEADER", "is a header that means something else")
	case len(l.TrustedProxies) == 0 && !l.bad["TRUSTED_PROXIES"]:
		l.refuse("CLIENT_CERT_HEADER", "needs TRUSTED_PROXIES: from nobody else is the header believed")
	}
	served := l.TLSClientCerts || l.ClientCertHeader != "" || l.bad["TLS_CLIENT_CERTS"] || l.bad["CLIENT_CERT_HEADER"]
	if l.ClientCAFile != "" && !served {
		l.refuse("CLIENT_CA_FILE", "is not used without TLS_CLIENT_CERTS or CLIENT_CERT_HEADER")
	}
	if l.MTLSURL == "" || l.bad["MTLS_URL"] {
		return
	}
	problem := baseProblem(l.MTLSURL)
	switch {
	case problem != "":
	case !strings.HasPrefix(l.MTLSURL, "https:"):
		problem = "must be https"
	case !served:
		problem = "is not used without TLS_CLIENT_CERTS or CLIENT_CERT_HEADER"
	case l.MTLSURL == l.Issuer:
		problem = "is the ISSUER: leave it away"
	}
	if problem != "" {
		l.refuse("MTLS_URL", problem)
	}
}
