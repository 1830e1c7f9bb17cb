package keystonetest

import (
	"net/http"

	"github.com/keystone-auth/keystone"
)

// Client is a program that can ask for tokens.
type Client struct {
	ID     string // client_id
	Secret string // client_secret; empty for a public client
}

// CreateClient makes a client. What is left out (nil) is filled in: a name, the kind
// service, the grants of its kind. Scopes must exist.
func (s *Server) CreateClient(c keystone.Client) Client {
	s.t.Helper()
	if c.Name == "" {
		c.Name = "test client"
	}
	if c.Kind == "" {
		c.Kind = keystone.ClientService
	}
	c.Enabled, c.RotateRefreshTokens = true, true
	made, secret, err := s.server.Parts().Store.CreateClient(s.t.Context(), operator(), c)
	if err != nil {
		s.t.Fatalf("keystonetest: create client %s: %v", c.Name, err)
	}
	return Client{ID: made.ID, Secret: secret}
}

// ServiceToken returns an access token of a client for itself (RFC 6749 section
// 4.4) that is meant for Keystone, with every scope that the client may have or
// with those given.
func (s *Server) ServiceToken(c Client, scopes ...string) string {
	s.t.Helper()
	return s.ServiceTokenFor(c, s.Issuer, scopes...)
}

// ServiceTokenFor is ServiceToken for another resource (RFC 8707), which is one
// of the client's audiences.
func (s *Server) ServiceTokenFor(c Client, audience string, scopes ...string) string {
	s.t.Helper()
	request := map[string]any{
		"client_id": c.ID, "client_secret": c.Secret, "grant_type": keystone.GrantClientCredentials, "audience": []string{audience},
	}
	if len(scopes) > 0 {
		request["scope"] = keystone.FormatScope(scopes)
	}
	var tokens Tokens
	s.must(http.StatusOK, http.MethodPost, "/api/v1/auth/token", "", request, &tokens)
	return tokens.AccessToken
}
