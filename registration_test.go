package keystone_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestRegistrationPolicy: what a policy leaves of a client, and what it refuses.
func TestRegistrationPolicy(t *testing.T) {
	policy := keystone.RegistrationPolicy{
		Scopes: []string{"openid", "orders:read"}, Audiences: []string{"https://orders.example"}, RedirectHosts: []string{"app.example", "127.0.0.1"},
	}.WithDefaults()
	code := []string{keystone.GrantAuthorizationCode}
	for name, c := range map[string]struct {
		client keystone.Client
		scopes []string
		field  string
	}{
		"nothing asked":            {keystone.Client{Grants: code}, []string{"openid", "orders:read"}, ""},
		"some asked":               {keystone.Client{Scopes: []string{"orders:write", "openid"}, Grants: code}, []string{"openid"}, ""},
		"nothing left":             {keystone.Client{Scopes: []string{"users:write"}, Grants: code}, nil, "scopes"},
		"grant not allowed":        {keystone.Client{Grants: []string{keystone.GrantClientCredentials}}, nil, "grants"},
		"other host":               {keystone.Client{RedirectURIs: []string{"https://evil.example/cb"}}, nil, "redirect_uris"},
		"host as a prefix":         {keystone.Client{RedirectURIs: []string{"https://app.example.evil.example/cb"}}, nil, "redirect_uris"},
		"host as user":             {keystone.Client{RedirectURIs: []string{"https://app.example@evil.example/cb"}}, nil, "redirect_uris"},
		"other host at logout":     {keystone.Client{PostLogoutURIs: []string{"https://evil.example/"}}, nil, "redirect_uris"},
		"sign-ins begun elsewhere": {keystone.Client{ClientSettings: keystone.ClientSettings{InitiateLoginURI: "https://evil.example/begin"}}, nil, "initiate_login_uri"},
		"sign-ins begun there":     {keystone.Client{Grants: code, ClientSettings: keystone.ClientSettings{InitiateLoginURI: "https://APP.example/begin"}}, []string{"openid", "orders:read"}, ""},
		"a frame from elsewhere":   {keystone.Client{ClientSettings: keystone.ClientSettings{FrontchannelLogoutURI: "https://evil.example/frame"}}, nil, "frontchannel_logout_uri"},
		"private scheme":           {keystone.Client{RedirectURIs: []string{"com.example.app:/cb"}}, nil, "redirect_uris"},
		"loopback, any port":       {keystone.Client{RedirectURIs: []string{"http://127.0.0.1:51004/cb"}}, []string{"openid", "orders:read"}, ""},
	} {
		c.client.FirstParty, c.client.PKCEOptional = true, true
		got, err := policy.Apply(c.client)
		if c.field != "" {
			var e *keystone.Error
			if e, _ = err.(*keystone.Error); e == nil || e.Fields[c.field] == "" { //nolint:errorlint // what callers see
				t.Errorf("%s: %v, want %s", name, err, c.field)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Scopes, c.scopes) || got.FirstParty || got.PKCEOptional || !slices.Equal(got.Audiences, policy.Audiences) {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

// TestRegisteredClients: what nobody can lift for a client that registered itself.
func TestRegisteredClients(t *testing.T) {
	good := keystone.Client{Name: "App", Kind: keystone.ClientWeb, Registration: keystone.RegistrationDynamic, RedirectURIs: []string{"https://app.example/cb"}}.WithDefaults()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*keystone.Client){
		"first_party":   func(c *keystone.Client) { c.Kind, c.FirstParty = keystone.ClientSPA, true },
		"redirect_uris": func(c *keystone.Client) { c.RedirectURIs = nil },
		"scopes": func(c *keystone.Client) {
			c.Grants, c.Scopes = []string{keystone.GrantClientCredentials}, []string{keystone.UsersRead}
		},
		"client_uri":  func(c *keystone.Client) { c.ClientURI = "javascript:alert(1)" },
		"logo_uri":    func(c *keystone.Client) { c.LogoURI = "data:image/svg+xml,x" },
		"policy_uri":  func(c *keystone.Client) { c.PolicyURI = "http://app.example/policy" },
		"tos_uri":     func(c *keystone.Client) { c.TOSURI = "https://user@app.example/tos" },
		"contacts":    func(c *keystone.Client) { c.Contacts = []string{"a\nb"} },
		"software_id": func(c *keystone.Client) { c.SoftwareID = "a\x00" },
	} {
		c := good
		change(&c)
		err := c.Validate()
		e, _ := err.(*keystone.Error) //nolint:errorlint // what callers see
		if e == nil || e.Fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
		c.Registration = ""
		if lifted := c.Validate() == nil; lifted != slices.Contains([]string{"first_party", "redirect_uris", "scopes"}, field) {
			t.Errorf("%s, made by an administrator: good %t", field, lifted)
		}
	}
}

// TestRegistrationTokenRules: what an administrator can make.
func TestRegistrationTokenRules(t *testing.T) {
	now := time.Now()
	good := keystone.RegistrationToken{Name: "partners", Uses: 5, ExpiresAt: now.Add(time.Hour), Policy: keystone.RegistrationPolicy{Scopes: []string{"openid"}}.WithDefaults()}
	if err := good.Validate(now); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*keystone.RegistrationToken){
		"name":               func(t *keystone.RegistrationToken) { t.Name = "" },
		"uses":               func(t *keystone.RegistrationToken) { t.Uses = 0 },
		"expires_in_seconds": func(t *keystone.RegistrationToken) { t.ExpiresAt = now.Add(400 * 24 * time.Hour) },
		"grants":             func(t *keystone.RegistrationToken) { t.Policy.Grants = []string{keystone.GrantTokenExchange} },
		"redirect_hosts":     func(t *keystone.RegistrationToken) { t.Policy.RedirectHosts = []string{"*.example"} },
		"audiences":          func(t *keystone.RegistrationToken) { t.Policy.Audiences = []string{"a b"} },
	} {
		bad := good
		change(&bad)
		err := bad.Validate(now)
		e, _ := err.(*keystone.Error) //nolint:errorlint // what callers see
		if e == nil || e.Fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
