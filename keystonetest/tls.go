package keystonetest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
)

// WithTLS serves https with a certificate for 127.0.0.1 that nobody but the
// server's Client trusts: the issuer is then an https address, as it is outside of
// tests.
func WithTLS() Option {
	return func(s *Server) {
		s.t.Helper()
		other := httptest.NewTLSServer(nil) // for its certificate
		defer other.Close()
		pair := other.TLS.Certificates[0]
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			s.t.Fatal("keystonetest:", err)
		}
		s.settings["TLS_CERT_FILE"] = s.pemFile("tls.crt", "CERTIFICATE", pair.Certificate[0])
		s.settings["TLS_KEY_FILE"] = s.pemFile("tls.key", "PRIVATE KEY", key)
		roots := x509.NewCertPool()
		roots.AddCert(other.Certificate())
		s.trust = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
}

// CertificateFile names the file with the certificate of WithTLS, for programs
// that are to trust it.
func (s *Server) CertificateFile() string { return s.settings["TLS_CERT_FILE"] }

func (s *Server) pemFile(name, kind string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		s.t.Fatal("keystonetest:", err)
	}
	return path
}

func (s *Server) scheme() string {
	if s.settings["TLS_CERT_FILE"] != "" {
		return "https"
	}
	return "http"
}
