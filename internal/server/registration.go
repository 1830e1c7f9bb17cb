package server

import (
	"fmt"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/store"
)

// registrationOf says how clients register themselves. Nobody looks at those that
// come without a token, so none of Keystone's own scopes is within their reach.
func registrationOf(c *config.Config) (oauth.Registration, error) {
	r := oauth.Registration{On: c.ClientRegistration != "off", Statements: map[string]string{}}
	policy := keystone.RegistrationPolicy{Scopes: c.ClientRegistrationScopes, Audiences: c.ClientRegistrationAudiences}.WithDefaults()
	if err := policy.Validate(); err != nil {
		return r, fmt.Errorf("CLIENT_REGISTRATION_SCOPES, CLIENT_REGISTRATION_AUDIENCES: %w", err)
	}
	for _, name := range policy.Scopes {
		if keystone.IsBuiltInScope(name) {
			return r, fmt.Errorf("CLIENT_REGISTRATION_SCOPES: %s is one of Keystone's own scopes: give it by an initial access token, or to a client that an administrator makes", name)
		}
	}
	for _, item := range c.SoftwareStatementIssuers {
		issuer, keys, _ := strings.Cut(item, "=")
		r.Statements[issuer] = keys
	}
	if c.ClientRegistration == "open" {
		r.Strangers = strangers(c, policy)
	}
	return r, nil
}

func strangers(c *config.Config, policy keystone.RegistrationPolicy) store.Strangers {
	policy.Stranger = true
	return store.Strangers{Policy: policy, Most: c.ClientRegistrationMost, PerPeer: max(5, c.ClientRegistrationMost/20)}
}

// documents says which clients have the address of their metadata as client_id.
func (s *Server) documents() *oauth.Documents {
	c := s.config
	if c.ClientIDMetadata == "off" {
		return nil
	}
	policy := keystone.RegistrationPolicy{Scopes: c.ClientRegistrationScopes, Audiences: c.ClientRegistrationAudiences}.WithDefaults()
	return oauth.NewDocuments(s.parts.Fetch, strangers(c, policy), c.ClientIDMetadataHosts, s.limits.Stranger)
}
