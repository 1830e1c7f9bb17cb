package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
)

// authorities are the certificates of CLIENT_CA_FILE, which prove clients of
// tls_client_auth. They are read again when the file changes: an authority that
// comes or goes needs no restart.
type authorities struct {
	file    string
	log     *slog.Logger
	current atomic.Pointer[x509.CertPool]
	stamp   fileStamp
}

// loadAuthorities reads the file, and fails where it holds no certificate.
func loadAuthorities(file string) (*authorities, error) {
	a := &authorities{file: file}
	_, err := a.read()
	return a, err
}

// read reads the file where it has changed, and reports whether it had.
func (a *authorities) read() (bool, error) {
	info, err := os.Stat(a.file)
	if err != nil {
		return false, fmt.Errorf("server: CLIENT_CA_FILE: %w", err)
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if stamp == a.stamp {
		return false, nil
	}
	text, err := os.ReadFile(a.file)
	if err != nil {
		return false, fmt.Errorf("server: CLIENT_CA_FILE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return false, fmt.Errorf("server: CLIENT_CA_FILE %s holds no certificate in PEM", a.file)
	}
	a.stamp = stamp
	a.current.Store(pool)
	return true, nil
}

// reload is the job. What cannot be read leaves in use what was there.
func (a *authorities) reload(ctx context.Context) error {
	changed, err := a.read()
	if changed {
		a.log.InfoContext(ctx, "authorities of clients reloaded", "file", a.file)
	}
	return err
}

// roots are those of now.
func (a *authorities) roots() *x509.CertPool { return a.current.Load() }
