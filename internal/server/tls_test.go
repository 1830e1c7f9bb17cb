package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCertificate writes a self-signed pair for 127.0.0.1 and returns where.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(time.Duration(serial) * time.Second) // file systems with coarse times
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestR6TLS: the versions are held, and a new certificate is served without a
// restart; one that does not fit changes nothing.
func TestR6TLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	s, _ := boot(t, with("TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile))
	addr := start(t, s)

	serial := func(config *tls.Config) (int64, error) {
		config.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	for version, fine := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if _, err := serial(&tls.Config{MinVersion: version, MaxVersion: version}); (err == nil) != fine {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	for _, weak := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
		if _, err := serial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{weak}}); err == nil {
			t.Errorf("%s is accepted", tls.CipherSuiteName(weak))
		}
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + addr + "/health")
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, %v", res.Proto, res.Header)
	}

	want := func(n int64) {
		t.Helper()
		if got, err := serial(&tls.Config{}); err != nil || got != n {
			t.Errorf("certificate %d, %v; want %d", got, err, n)
		}
	}
	ctx := context.Background()
	want(1)
	writeCertificate(t, dir, 2)
	if err := s.certificate.reload(ctx); err != nil {
		t.Error(err)
	}
	want(2)
	old, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir, 3)
	third, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.certificate.reload(ctx); err == nil {
		t.Error("a pair that does not fit is taken")
	}
	want(2)
	if err := os.Remove(certFile); err == nil {
		if err := s.certificate.reload(ctx); err == nil {
			t.Error("a missing file is no error")
		}
	}
	want(2)
	writeCertificate(t, dir, 4)
	_ = third
	if err := s.certificate.reload(ctx); err != nil {
		t.Error(err)
	}
	want(4)
}

func TestTLSFilesMustFit(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	_, otherKey := writeCertificate(t, t.TempDir(), 2)
	for _, pair := range [][2]string{{certFile, otherKey}, {certFile, dir + "/none"}, {keyFile, certFile}} {
		if s, err := New(context.Background(), settings(t, "TLS_CERT_FILE="+pair[0], "TLS_KEY_FILE="+pair[1]), Options{}); err == nil {
			s.Close()
			t.Errorf("starts with %v", pair)
		}
	}
}

// TestAuthoritiesReload: an authority that comes into CLIENT_CA_FILE proves clients
// without a restart, one that leaves it no longer does, and a file that cannot be
// read changes nothing.
func TestAuthoritiesReload(t *testing.T) {
	dir := t.TempDir()
	first, _ := writeCertificate(t, dir, 1)
	file := filepath.Join(dir, "authorities.pem")
	put := func(text []byte, at int) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(time.Duration(at) * time.Second)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	one, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	put(one, 0)
	s, _ := boot(t, with("CLIENT_CA_FILE="+file, "CLIENT_CERT_HEADER=Client-Cert", "TRUSTED_PROXIES=192.0.2.0/24"))
	good := func(text []byte) bool {
		t.Helper()
		block, _ := pem.Decode(text)
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Verify(x509.VerifyOptions{Roots: s.tlsClients.Roots(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err == nil
	}
	second, _ := writeCertificate(t, t.TempDir(), 2)
	two, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !good(one) || good(two) {
		t.Fatal("at the start")
	}
	for at, step := range []struct {
		text     []byte
		one, two bool
		fails    bool
	}{
		{append(append([]byte(nil), one...), two...), true, true, false},
		{two, false, true, false},
		{[]byte("half a fi"), false, true, true},
		{one, true, false, false},
	} {
		put(step.text, at+1)
		if err := s.authorities.reload(t.Context()); (err != nil) != step.fails {
			t.Errorf("step %d: %v", at, err)
		}
		if good(one) != step.one || good(two) != step.two {
			t.Errorf("step %d: %v %v", at, good(one), good(two))
		}
	}
}
