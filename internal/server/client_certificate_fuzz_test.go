package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
)

// FuzzForwarded: of a certificate header nothing is read but the certificate that
// stands in it, once and alone, and its chain is bounded (RFC 9440 section 2).
func FuzzForwarded(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	field := ":" + base64.StdEncoding.EncodeToString(der) + ":"
	escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	for _, value := range []string{field, escaped, field + field, escaped + escaped, ":" + field, "", ":", "::", "%", "-----BEGIN CERTIFICATE-----", field[:40], strings.ToUpper(field)} {
		f.Add(value, field)
		f.Add(value, strings.Repeat(field+", ", 20))
	}
	f.Fuzz(func(t *testing.T, value, chain string) {
		list := forwarded(value, []string{chain})
		if len(list) > maxChain+1 {
			t.Errorf("%d certificates", len(list))
		}
		if len(list) == 0 {
			return
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			text = value
		}
		if !strings.Contains(value, base64.StdEncoding.EncodeToString(list[0].Raw)) {
			block, rest := pem.Decode([]byte(text))
			if block == nil || !bytes.Equal(block.Bytes, list[0].Raw) || strings.TrimSpace(string(rest)) != "" {
				t.Errorf("%q is read as a certificate that does not stand there alone", value)
			}
		}
	})
}
