package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/jose"
)

// TLSClients is what the settings say of clients that show a TLS certificate (RFC
// 8705).
type TLSClients struct {
	Served bool                  // certificates reach this server
	Roots  func() *x509.CertPool // the authorities of tls_client_auth; nil: the method is not served
	URL    string                // where requests with a certificate go; empty: to the issuer
}

func (t TLSClients) any() bool    { return t.Served }
func (t TLSClients) issued() bool { return t.Served && t.Roots != nil }

// aliases are the endpoints that take a certificate, where they have an address of
// their own: RFC 8705 section 5.
func (t TLSClients) aliases() map[string]string {
	if t.URL == "" {
		return nil
	}
	return map[string]string{
		"token_endpoint":                        t.URL + "/oauth2/token",
		"revocation_endpoint":                   t.URL + "/oauth2/revoke",
		"introspection_endpoint":                t.URL + "/oauth2/introspect",
		"pushed_authorization_request_endpoint": t.URL + "/oauth2/par",
		"device_authorization_endpoint":         t.URL + "/oauth2/device_authorization",
		"backchannel_authentication_endpoint":   t.URL + backchannelPath,
		"userinfo_endpoint":                     t.URL + "/oauth2/userinfo",
	}
}

// provesCertificate lets a client in by a certificate with its name from one of
// the trusted authorities, for clients, in its time (RFC 8705 section 2.1). The
// name alone is worth nothing: any authority can write it.
func (s *Slice) provesCertificate(ctx context.Context, c *keystone.Client, _ credentials) (bool, error) {
	shown := httpio.Certificates(ctx)
	if !s.TLS.issued() || len(shown) == 0 || !c.NamedIn(shown[0]) {
		return false, nil
	}
	between := x509.NewCertPool()
	for _, one := range shown[1:] {
		between.AddCert(one)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: s.TLS.Roots(), Intermediates: between, CurrentTime: s.Store.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		keystone.Fact(ctx, "certificate", err.Error())
	}
	return err == nil, nil
}

// provesCertifiedKey lets a client in by a certificate of one of its keys (RFC 8705
// section 2.2). Who signed it says nothing; its dates do.
func (s *Slice) provesCertifiedKey(ctx context.Context, c *keystone.Client, _ credentials) (bool, error) {
	shown, now := httpio.Certificates(ctx), s.Store.Now()
	if !s.TLS.any() || len(shown) == 0 || now.Before(shown[0].NotBefore) || now.After(shown[0].NotAfter) {
		return false, nil
	}
	return s.Keys.Has(ctx, c, func(keys jose.Keys) bool { return keys.Has(shown[0].PublicKey) })
}

// whyNotCertificate says what an operator looks for when a certificate does not
// let its client in.
func (s *Slice) whyNotCertificate(ctx context.Context) string {
	shown := httpio.Certificates(ctx)
	switch {
	case !s.TLS.any():
		return "this server takes none (TLS_CLIENT_CERTS, CLIENT_CERT_HEADER)"
	case len(shown) == 0:
		return "none came"
	}
	keystone.Fact(ctx, "subject", shown[0].Subject.String())
	keystone.Fact(ctx, "issuer", shown[0].Issuer.String())
	keystone.Fact(ctx, "valid until", shown[0].NotAfter.UTC().Format("2006-01-02 15:04:05"))
	return "this one is not the client's: another name or key, another authority than those of CLIENT_CA_FILE, or not its time"
}

// thumbprint is x5t#S256 of the request's certificate (RFC 8705 section 3.1), or
// "".
func thumbprint(ctx context.Context) string {
	shown := httpio.Certificates(ctx)
	if len(shown) == 0 {
		return ""
	}
	sum := sha256.Sum256(shown[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
