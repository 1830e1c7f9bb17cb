package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
)

// certificate is the pair of files that TLS is served with. They are read again
// when they change: a renewal needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]
	stamp             [2]fileStamp
}

// fileStamp tells one state of a file from the next. The name may be a link that
// is turned, as Kubernetes does, so it is followed.
type fileStamp struct {
	modified time.Time
	size     int64
}

// loadCertificate reads the pair, and fails where it does not fit.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	stamp, err := c.stat()
	if err != nil {
		return nil, fmt.Errorf("server: TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("server: TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	c.stamp = stamp
	c.current.Store(&pair)
	return c, nil
}

func (c *certificate) stat() (stamp [2]fileStamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamp, nil
}

// reload reads the pair again where a file has changed. What does not fit, such
// as a new certificate whose key is still on its way, leaves the old pair in
// use and is tried again at the next call.
func (c *certificate) reload(ctx context.Context) error {
	stamp, err := c.stat()
	if err != nil {
		return fmt.Errorf("server: certificate files: %w", err)
	}
	if stamp == c.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("server: new certificate is not used: %w", err)
	}
	c.stamp = stamp
	c.current.Store(&pair)
	c.log.InfoContext(ctx, "certificate reloaded", "file", c.certFile)
	return nil
}

// tlsConfig is that of the public listener. Where clients may show certificates it
// asks for one and demands none (RFC 8705 section 5): whose it is decides the
// endpoint. Where they have an address of their own only callers of that host are
// asked, so that browsers ask nobody.
func (s *Server) tlsConfig() *tls.Config {
	plain := s.certificate.config()
	if !s.config.TLSClientCerts {
		return plain
	}
	asking := s.certificate.config() // its own, so that no session is taken over from one to the other
	asking.ClientAuth = tls.RequestClientCert
	host := keystone.Hostname(s.config.MTLSURL)
	if host == "" || host == keystone.Hostname(s.config.Issuer) {
		return asking
	}
	plain.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if strings.EqualFold(hello.ServerName, host) {
			return asking, nil
		}
		return nil, nil
	}
	return plain
}

// config allows TLS 1.3, and of TLS 1.2 the cipher suites that RFC 9325 section 4.2
// recommends alone, as FAPI 2.0 section 5.2.2 asks.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}
