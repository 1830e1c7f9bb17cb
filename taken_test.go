package keystone_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keystone-auth/keystone"
)

// TestTaken: whatever an administrator takes or tightens stays so when the client says its
// old word again; what they give again is the client's again.
func TestTaken(t *testing.T) {
	whole := func() keystone.Client {
		return keystone.Client{Name: "Your Bank", Kind: keystone.ClientWeb, Registration: keystone.RegistrationDynamic, Scopes: []string{"openid", "pay"}, Audiences: []string{"https://pay.example"},
			Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantClientCredentials}, RedirectURIs: []string{"https://b.example/cb", "https://a.example/cb"}, PostLogoutURIs: []string{"https://b.example/"}, PKCEOptional: true,
			ClientSettings: keystone.ClientSettings{AuthMethod: keystone.AuthSecretBasic, RequestURIs: []string{"https://b.example/r"}, InitiateLoginURI: "https://b.example/begin", BackchannelLogoutURI: "https://b.example/out",
				JWKS: json.RawMessage(`{"keys":[{"kid":"old"}]}`), ClientAbout: keystone.ClientAbout{LogoURI: "https://b.example/logo", Names: map[string]string{"de": "Deine Bank"}}}}.WithDefaults()
	}
	for what, change := range map[string]func(c *keystone.Client){
		"scope":                   func(c *keystone.Client) { c.Scopes = []string{"openid"} },
		"audience":                func(c *keystone.Client) { c.Audiences = []string{} },
		"grant":                   func(c *keystone.Client) { c.Grants = []string{keystone.GrantAuthorizationCode} },
		"redirect URI":            func(c *keystone.Client) { c.RedirectURIs = []string{"https://a.example/cb"} },
		"address after logout":    func(c *keystone.Client) { c.PostLogoutURIs = nil },
		"address of requests":     func(c *keystone.Client) { c.RequestURIs = nil },
		"address where it begins": func(c *keystone.Client) { c.InitiateLoginURI = "" },
		"back channel":            func(c *keystone.Client) { c.BackchannelLogoutURI = "https://a.example/out" },
		"keys":                    func(c *keystone.Client) { c.JWKS = json.RawMessage(`{"keys":[{"kid":"new"}]}`) },
		"name":                    func(c *keystone.Client) { c.Name = "App" },
		"names":                   func(c *keystone.Client) { c.Names = nil },
		"logo":                    func(c *keystone.Client) { c.LogoURI = "" },
		"PKCE":                    func(c *keystone.Client) { c.PKCEOptional = false },
		"PAR":                     func(c *keystone.Client) { c.RequirePAR = true },
		"DPoP":                    func(c *keystone.Client) { c.DPoPBound = true },
		"certificates":            func(c *keystone.Client) { c.TLSBound = true },
		"signed requests":         func(c *keystone.Client) { c.RequireSignedRequest = true },
		"algorithm of requests":   func(c *keystone.Client) { c.RequestObjectAlg = keystone.PS256 },
		"algorithm of assertions": func(c *keystone.Client) { c.AuthSigningAlg = keystone.PS256 },
		"algorithm of CIBA":       func(c *keystone.Client) { c.BackchannelAlg = keystone.PS256 },
		"encrypted ID tokens":     func(c *keystone.Client) { c.IDTokenEncAlg, c.IDTokenEnc = "RSA-OAEP-256", "A256GCM" },
		"encrypted userinfo":      func(c *keystone.Client) { c.UserinfoEncAlg, c.UserinfoEnc = "RSA-OAEP-256", "A256GCM" },
		"pairwise": func(c *keystone.Client) {
			c.SubjectType, c.AccessTokenFormat = keystone.SubjectPairwise, keystone.FormatOpaque
		},
		"a key instead of secrets": func(c *keystone.Client) { c.AuthMethod = keystone.AuthPrivateKeyJWT },
		"another key instead of secrets": func(c *keystone.Client) {
			c.AuthMethod, c.JWKS, c.AuthSigningAlg = keystone.AuthPrivateKeyJWT, json.RawMessage(`{"keys":[{"kid":"new"}]}`), keystone.ES256
		},
	} {
		before, after := whole(), whole()
		change(&after)
		taken, err := keystone.Taken{}.Note(before, after)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(taken) // as it is kept
		if err == nil {
			taken = keystone.Taken{}
			err = json.Unmarshal(text, &taken)
		}
		if err != nil {
			t.Fatal(err)
		}
		word := whole() // its old word, as the metadata makes it of what there is
		word.AccessTokenFormat = after.AccessTokenFormat
		got, err := taken.Hold(after, word)
		if diff := cmp.Diff(after, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s came back: %v %s", what, err, diff)
		}
		// Another change, which has nothing to do with it, leaves it taken.
		next := after
		next.AccessTokenTTL = 60e9
		if taken, err = taken.Note(after, next); err != nil {
			t.Fatal(err)
		}
		if kept, _ := json.Marshal(taken); string(kept) != string(text) {
			t.Errorf("%s: %s, then %s", what, text, kept)
		}
		if taken, err = taken.Note(after, before); err != nil {
			t.Fatal(err)
		}
		if got, err = taken.Hold(before, word); err != nil || got.Name != word.Name || len(taken.Held) > 0 {
			t.Errorf("%s, given again: %v %v", what, err, taken)
		}
		word.AccessTokenFormat = before.AccessTokenFormat
		if diff := cmp.Diff(word, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(keystone.Client{}, "AccessTokenFormat")); diff != "" {
			t.Errorf("%s, given again: %s", what, diff)
		}
	}
	// What is left of a word counts, and where nothing is, what there is.
	before, after := whole(), whole()
	after.Grants, after.Scopes = []string{keystone.GrantAuthorizationCode}, []string{"openid"}
	taken, _ := keystone.Taken{}.Note(before, after)
	word := after
	word.Grants, word.Scopes = []string{keystone.GrantClientCredentials}, []string{"email", "pay"}
	got, err := taken.Hold(after, word)
	if err != nil || cmp.Diff(after.Grants, got.Grants) != "" || cmp.Diff([]string{"email"}, got.Scopes) != "" {
		t.Errorf("%v %v %v", err, got.Grants, got.Scopes)
	}
}
