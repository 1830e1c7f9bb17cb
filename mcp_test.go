package keystone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
	"github.com/keystone-auth/keystone/verify"
)

// toolServer is a little MCP server: one protected endpoint, and the metadata that
// says who issues its tokens. docs/MCP.md shows the same.
type toolServer struct {
	*httptest.Server
	handler http.Handler
}

func newToolServer(t *testing.T) *toolServer {
	tools := &toolServer{}
	tools.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tools.handler.ServeHTTP(w, r) }))
	t.Cleanup(tools.Close)
	return tools
}

func (s *toolServer) endpoint() string { return s.URL + "/mcp" }

func (s *toolServer) protect(t *testing.T, k *keystonetest.Server) {
	const metadata = "/.well-known/oauth-protected-resource/mcp"
	v, err := verify.New(verify.Config{Issuer: k.Issuer, Audience: s.endpoint(), ResourceMetadata: s.URL + metadata, HTTPClient: k.Client(), Now: k.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metadata, v.ResourceMetadata("tools:call"))
	mux.Handle("POST /mcp", v.Require("tools:call")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verify.ClaimsFrom(r.Context())
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": claims.Subject})
	})))
	s.handler = mux
}

// mcpClient does what a program does that knows nothing but the address of an MCP
// server (MCP Authorization; RFC 9728, RFC 8414, RFC 7591, RFC 8707).
type mcpClient struct {
	t        *testing.T
	http     *http.Client
	document string // its client_id where the issuer reads documents; empty: it registers itself
	redirect string
}

func (c mcpClient) get(address string, into any) {
	c.t.Helper()
	resp, err := c.http.Get(address)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %v", address, resp.StatusCode, err)
	}
}

func (c mcpClient) call(address, token string) (int, string, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, resp.Header.Get("WWW-Authenticate"), answer
}

var resourceMetadata = regexp.MustCompile(`resource_metadata="([^"]+)"`)

// token goes from the address of the server to a token for it.
func (c mcpClient) token(server string, b *browser, u keystonetest.User) map[string]any {
	c.t.Helper()
	status, told, _ := c.call(server, "")
	where := resourceMetadata.FindStringSubmatch(told)
	if status != http.StatusUnauthorized || where == nil {
		c.t.Fatalf("%d %s", status, told)
	}
	var resource struct {
		Resource string
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	if c.get(where[1], &resource); resource.Resource != server || len(resource.Servers) != 1 {
		c.t.Fatalf("%+v", resource)
	}
	var as struct {
		Issuer               string
		Authorize            string   `json:"authorization_endpoint"`
		Token                string   `json:"token_endpoint"`
		RegistrationEndpoint string   `json:"registration_endpoint"`
		Methods              []string `json:"code_challenge_methods_supported"`
		Documents            bool     `json:"client_id_metadata_document_supported"`
	}
	c.get(resource.Servers[0]+"/.well-known/oauth-authorization-server", &as)
	if as.Issuer != resource.Servers[0] || !slices.Contains(as.Methods, "S256") {
		c.t.Fatalf("%+v", as)
	}
	id := c.document
	if id == "" {
		id = c.register(as.RegistrationEndpoint)
	} else if !as.Documents {
		c.t.Fatal("documents are not read")
	}
	redirect := strings.Replace(c.redirect, "localhost", "localhost:51004", 1) // the port is free at each start (RFC 8252 section 7.3)
	b.open(as.Authorize + "?" + url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {"st"},
		"scope": {strings.Join(append(resource.Scopes, "offline_access"), " ")}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "resource": {server}}.Encode())
	b.signIn(u)
	b.at("loopback")
	b.submit(map[string]string{"decision": "allow"})
	q := b.page.url.Query()
	if !strings.HasPrefix(b.page.url.String(), redirect+"?") || q.Get("state") != "st" || q.Get("iss") != as.Issuer {
		c.t.Fatalf("%s\n%s", b.page.url, b.page.body)
	}
	resp, err := c.http.PostForm(as.Token, url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "client_id": {id}, "redirect_uri": {redirect},
		"code_verifier": {verifier}, "resource": {server}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var tokens map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%d %v", resp.StatusCode, tokens)
	}
	tokens["client_id"] = id
	return tokens
}

func (c mcpClient) register(endpoint string) string {
	c.t.Helper()
	body := fmt.Sprintf(`{"client_name":"Desk","redirect_uris":[%q],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`, c.redirect)
	resp, err := c.http.Post(endpoint, "application/json", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("register: %d %v", resp.StatusCode, answer)
	}
	return answer["client_id"].(string)
}

// TestMCP: from nothing but the address of an MCP server to a call of it, by a
// client that registers itself and by one whose client_id is a document; and the
// token is good for nothing else (docs/MCP.md).
func TestMCP(t *testing.T) {
	site := newDocumentSite(t)
	for _, way := range []string{"registration", "document"} {
		t.Run(way, func(t *testing.T) {
			eachMCP(t, way, site)
		})
	}
}

func eachMCP(t *testing.T, way string, site *documentSite) {
	tools, other := newToolServer(t), newToolServer(t)
	settings := map[string]string{"CLIENT_REGISTRATION_SCOPES": "openid,offline_access,tools:call", "CLIENT_REGISTRATION_AUDIENCES": tools.endpoint()}
	client := mcpClient{t: t, redirect: "http://localhost/callback"}
	if way == "document" {
		client.document = site.put("/mcp.json", "redirect_uris", []string{client.redirect}).ID
	} else {
		settings["CLIENT_REGISTRATION"] = "open"
	}
	mode := map[string]string{"registration": "off", "document": "consent"}[way]
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		client.t, client.http = t, s.Client()
		tools.protect(t, s)
		other.protect(t, s)
		s.CreateScope("tools:call")
		s.CreateRole("toolsmith", "tools:call")
		jane := s.CreateUser("jane", "toolsmith")
		tokens := client.token(tools.endpoint(), newBrowser(t, s), jane)
		access := tokens["access_token"].(string)
		if status, challenge, answer := client.call(tools.endpoint(), access); status != http.StatusOK || answer["result"] != jane.ID {
			t.Fatalf("%d %s %v", status, challenge, answer)
		}
		if status, challenge, _ := client.call(other.endpoint(), access); status != http.StatusUnauthorized || !strings.Contains(challenge, `error="invalid_token"`) || !resourceMetadata.MatchString(challenge) {
			t.Errorf("another server takes the token: %d %s", status, challenge)
		}
		for _, path := range []string{"/oauth2/userinfo", "/api/v1/users/me", "/api/v1/admin/clients"} {
			if status := s.Call(http.MethodGet, path, access, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("%s takes the token: %d", path, status)
			}
		}
		// A token for a resource that is not registered is not to be had.
		id := tokens["client_id"].(string)
		b := newBrowser(t, s)
		b.open(authorizeURL(s, keystonetest.Client{ID: id}, "redirect_uri", "http://localhost:51004/callback", "resource", other.endpoint(), "scope", "tools:call"))
		if !strings.Contains(b.page.body, "error=invalid_target") { // nobody is signed in there: a page with the way back
			t.Errorf("another resource: %s\n%s", b.page.url, b.page.body)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {id}, "resource": {tools.endpoint()}}
		status, answer := postForm(t, s, "/oauth2/token", refresh)
		if status != http.StatusOK {
			t.Fatalf("refresh: %d %v", status, answer)
		}
		if status, _, _ := client.call(tools.endpoint(), answer["access_token"].(string)); status != http.StatusOK {
			t.Errorf("after a refresh: %d", status)
		}
	}, site.settings(mode, settings))
}
