package oauth

import (
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/token"
)

// ResourceMetadataPath is where the metadata of Keystone's own API is, below the
// issuer. Every bearer challenge names it.
const ResourceMetadataPath = "/.well-known/oauth-protected-resource"

// serverMetadataPath is where that of the server is (RFC 8414 section 3).
const serverMetadataPath = "/.well-known/oauth-authorization-server"

// ResourceMetadata is the protected resource metadata of RFC 9728 section 2.
type ResourceMetadata struct {
	Resource    string   `json:"resource"`
	Servers     []string `json:"authorization_servers"`
	Name        string   `json:"resource_name"`
	Scopes      []string `json:"scopes_supported"`
	Methods     []string `json:"bearer_methods_supported"`
	ProofAlgs   []string `json:"dpop_signing_alg_values_supported"`
	Description string   `json:"resource_documentation"`
	TLSBound    bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// resourceMetadata serves GET /.well-known/oauth-protected-resource: Keystone's
// API, for which Keystone itself gives the tokens.
func (s *Slice) resourceMetadata(w http.ResponseWriter, r *http.Request) error {
	issuer := s.Issuer.Options.Issuer
	return writeFacts(w, r, ResourceMetadata{
		Resource: issuer, Servers: []string{issuer}, Name: s.AppName,
		Scopes:      keystone.SortedSet(append(keystone.OpenIDScopeNames(), keystone.BuiltInScopeNames()...)),
		Methods:     []string{"header"},
		ProofAlgs:   token.ProofAlgorithms,
		Description: issuer + "/openapi.json",
		TLSBound:    s.TLS.Served,
	})
}
