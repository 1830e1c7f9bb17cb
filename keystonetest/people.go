package keystonetest

import (
	"net/http"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
)

// User is a person who can sign in.
type User struct {
	ID       string
	Username string
	Email    string // USERNAME@example.com
	Password string
}

// operator is who makes things in tests; the audit trail shows it.
func operator() keystone.Actor { return keystone.Operator("keystonetest") }

// CreateUser makes a user with these roles, or with the role "user" where none
// are given. The password is a good one.
func (s *Server) CreateUser(username string, roles ...string) User {
	s.t.Helper()
	if len(roles) == 0 {
		roles = []string{keystone.RoleUser}
	}
	u := User{Username: username, Email: username + "@example.com", Password: "a good password for tests"}
	hash, err := s.server.Parts().Hasher.Hash(s.t.Context(), u.Password)
	if err != nil {
		s.t.Fatal("keystonetest: hash password:", err)
	}
	made, err := s.server.Parts().Store.CreateUser(s.t.Context(), operator(),
		keystone.User{Username: u.Username, Email: u.Email, EmailVerified: true, Enabled: true, Roles: roles}, hash)
	if err != nil {
		s.t.Fatalf("keystonetest: create user %s: %v", username, err)
	}
	u.ID = made.ID
	return u
}

// CreateScope makes scopes.
func (s *Server) CreateScope(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if _, err := s.server.Parts().Store.CreateScope(s.t.Context(), operator(), keystone.Scope{Name: name}); err != nil {
			s.t.Fatalf("keystonetest: create scope %s: %v", name, err)
		}
	}
}

// CreateRole makes a role that carries these scopes, which must exist.
func (s *Server) CreateRole(name string, scopes ...string) {
	s.t.Helper()
	if _, err := s.server.Parts().Store.CreateRole(s.t.Context(), operator(), keystone.Role{Name: name, Scopes: scopes}); err != nil {
		s.t.Fatalf("keystonetest: create role %s: %v", name, err)
	}
}

// Tokens is what a sign-in gives.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Scope        string `json:"scope"`
	JTI          string `json:"jti"`
}

// SignIn signs a user in through the JSON API and returns the tokens, with every
// scope that the user holds or with those given.
func (s *Server) SignIn(u User, scopes ...string) Tokens {
	s.t.Helper()
	var tokens Tokens
	request := map[string]any{"username": u.Username, "password": u.Password}
	if len(scopes) > 0 {
		request["scope"] = keystone.FormatScope(scopes)
	}
	s.must(http.StatusOK, http.MethodPost, "/api/v1/auth/login", "", request, &tokens)
	return tokens
}

// administrator is the one that Admin makes, once for all nodes.
type administrator struct {
	mu    sync.Mutex
	user  User
	token string
	until time.Time
}

// Admin returns an access token of an administrator, who is made at the first
// call. It is good for a while at the server's clock; ask again rather than keep
// it.
func (s *Server) Admin() string {
	s.t.Helper()
	a := s.admin
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.user.ID == "" {
		a.user = s.CreateUser("keystonetest-admin", keystone.RoleAdmin, keystone.RoleUser)
	}
	if now := s.Clock.Now(); !now.Before(a.until) {
		tokens := s.SignIn(a.user)
		a.token, a.until = tokens.AccessToken, now.Add(time.Duration(tokens.ExpiresIn)*time.Second/2)
	}
	return a.token
}
