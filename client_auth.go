package keystone

import (
	"encoding/json"
	"slices"
)

// Client authentication methods (RFC 7591 section 2, RFC 7523, RFC 8705).
const (
	AuthNone          = "none"                // a public client: it only says its name
	AuthSecretBasic   = "client_secret_basic" // RFC 6749 section 2.3.1
	AuthSecretPost    = "client_secret_post"
	AuthSecretJWT     = "client_secret_jwt" // RFC 7523, signed with the secret
	AuthPrivateKeyJWT = "private_key_jwt"   // RFC 7523, signed with a registered key

	AuthTLS           = "tls_client_auth"             // RFC 8705 section 2.1: a certificate of a trusted authority
	AuthSelfSignedTLS = "self_signed_tls_client_auth" // RFC 8705 section 2.2: a certificate of a registered key
)

// Whom an assertion may be meant for (the setting assertion_audience).
const (
	AudienceIssuer = "issuer" // the issuer alone, as one string (RFC 10070)
	AudienceLegacy = "legacy" // also the token endpoint or the endpoint that is called, also in a list
)

// AuthMethods lists every method that a client can register.
func AuthMethods() []string {
	return []string{AuthNone, AuthSecretBasic, AuthSecretPost, AuthSecretJWT, AuthPrivateKeyJWT, AuthTLS, AuthSelfSignedTLS}
}

// AssertionAlgs lists the algorithms that a client may sign with by its own key, and
// Keystone by its keys.
func AssertionAlgs() []string { return []string{PS256, ES256, EdDSA, RS256} }

// HasSecret reports whether the client proves itself with a secret that Keystone
// gives it. A client with another method has none: what it has not cannot leak.
func (c *Client) HasSecret() bool {
	if !c.Confidential() {
		return false
	}
	switch c.AuthMethod {
	case "", AuthSecretBasic, AuthSecretPost, AuthSecretJWT:
		return true
	}
	return false
}

// HasKeys reports whether the client registered public keys.
func (s *ClientSettings) HasKeys() bool { return len(s.JWKS) > 0 || s.JWKSURI != "" }

// validateAuth checks how the client proves itself, and its keys as far as that
// needs no cryptography; the rest is checked where the client is written.
func (s *ClientSettings) validateAuth(c *Client, f fields) {
	switch {
	case s.AuthMethod == "":
	case !slices.Contains(AuthMethods(), s.AuthMethod):
		f["token_endpoint_auth_method"] = "This authentication method is not served. The metadata lists those that are."
	case c.Confidential() == (s.AuthMethod == AuthNone):
		f["token_endpoint_auth_method"] = "A client of kind service or web proves itself; one of kind spa or native cannot, its method is none."
	}
	if !s.HasKeys() && (s.AuthMethod == AuthSelfSignedTLS || s.AuthMethod == AuthPrivateKeyJWT && len(s.Workloads) == 0) {
		f["jwks"] = "Register the client's public keys, as jwks or jwks_uri: private_key_jwt and self_signed_tls_client_auth are checked with them. Or, for private_key_jwt, workload_identities."
	}
	s.validateWorkloads(f)
	s.validateCertificate(f)
	switch alg := s.AuthSigningAlg; {
	case alg == "":
	case s.AuthMethod == AuthSecretJWT && alg == HS256:
	case s.AuthMethod == AuthPrivateKeyJWT && slices.Contains(AssertionAlgs(), alg):
	default:
		f["token_endpoint_auth_signing_alg"] = "With private_key_jwt it is PS256, ES256, EdDSA or RS256; with client_secret_jwt HS256; with other methods there is none."
	}
	if s.AssertionAudience != "" && s.AssertionAudience != AudienceIssuer && s.AssertionAudience != AudienceLegacy {
		f["assertion_audience"] = "It is issuer or legacy."
	}
	if len(s.JWKS) > 0 && s.JWKSURI != "" {
		f["jwks_uri"] = "Register jwks or jwks_uri, not both (RFC 7591 section 2)."
	} else if s.JWKSURI != "" {
		if why := OutboundURLProblem(s.JWKSURI); why != "" {
			f["jwks_uri"] = why
		}
	}
	if len(s.JWKS) > maxJWKS || len(s.JWKS) > 0 && !json.Valid(s.JWKS) {
		f["jwks"] = "It is a JSON Web Key Set (RFC 7517 section 5) of at most 64 KiB."
	}
}

const maxJWKS = 64 << 10
