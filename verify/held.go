package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// errBound is wrapped where a token that is bound to a DPoP key came without
// proof.
var errBound = fmt.Errorf("%w: it is bound to a key and came without proof of it", ErrInvalid)

// VerifyRequest returns what the token of a request says, where whoever sends it
// shows that they hold what it is bound to: by the DPoP proof beside it (RFC 9449
// section 7), by the TLS client certificate (RFC 8705 section 3). Errors are those
// of [Verifier.Verify]; one more has no token.
func (v *Verifier) VerifyRequest(r *http.Request) (*Claims, error) {
	token, dpop, err := presented(r)
	if err != nil {
		return nil, err
	}
	c, err := v.claims(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if err := v.held(r, c, token, dpop); err != nil {
		return nil, err
	}
	return c, nil
}

func (v *Verifier) held(r *http.Request, c *Claims, token string, dpop bool) error {
	switch {
	case dpop && c.KeyThumbprint == "":
		return refuse("it is bound to no key, and came as if it were")
	case !dpop && c.KeyThumbprint != "":
		return errBound
	case c.CertificateThumbprint != "" && !same(c.CertificateThumbprint, certificateThumbprint(v.certificate(r))):
		return refuse("it is bound to another TLS client certificate than the one that was shown")
	case !dpop:
		return nil
	}
	return v.proved(r, c, token)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func ofConnection(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// certificateThumbprint is x5t#S256 (RFC 8705 section 3.1).
func certificateThumbprint(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	return hashed(string(c.Raw))
}

// hashed is the SHA-256 of a text in base64url: ath, jkt and x5t#S256.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return strict.EncodeToString(sum[:])
}

// baseOf returns the address that proofs must name, before the path.
func baseOf(c Config) (string, error) {
	base := c.URL
	if base == "" {
		u, err := url.Parse(c.Audience)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", nil
		}
		base = c.Audience
	}
	u, err := fetchable(base)
	if err != nil || u.RawQuery != "" {
		return "", errors.New("verify: URL must be https, or http on a loopback address, and have no query: it is where clients reach your API, e.g. https://api.example.com")
	}
	normal, ok := normalURL(strings.TrimSuffix(base, "/"))
	if !ok {
		return "", errors.New("verify: URL must be an address such as https://api.example.com")
	}
	return strings.TrimSuffix(normal, "/"), nil
}
