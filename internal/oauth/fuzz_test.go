package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
)

// FuzzRequestObject: whatever a request object holds, nothing that comes out of it
// is nested, empty by mistake or repeated (RFC 9101 section 4).
func FuzzRequestObject(f *testing.F) {
	for _, payload := range []string{
		`{"client_id":"c","iss":"c","aud":"https://id.example","exp":2,"scope":"openid","max_age":3,"claims":{"id_token":{}}}`,
		`{"resource":["a","b"]}`, `{"request":"x"}`, `{"request_uri":"x"}`, `{"sub":"c"}`, `{"scope":["a"]}`, `{"state":null}`, `{"":""}`, `{"exp":1e400}`, `[]`, `null`,
	} {
		f.Add([]byte(payload))
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"oauth-authz-req+jwt"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw := header + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		object, err := jose.Parse(raw, keystone.AssertionAlgs(), objectTypes...)
		if err != nil {
			return
		}
		params, err := objectParams(object.Claims)
		if err != nil {
			return
		}
		for name, values := range params {
			if name == "request" || name == "request_uri" || name == "sub" || name == "exp" || len(values) > 1 && name != "resource" {
				t.Errorf("%s: %q", name, values)
			}
			if name != "resource" && len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
		if !json.Valid(payload) {
			t.Error("not JSON")
		}
	})
}

// FuzzAssertionTimes: an assertion is taken only between its times, and never for
// longer than an hour (RFC 7523 section 3).
func FuzzAssertionTimes(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	for _, payload := range []string{
		`{"exp":1800000060}`, `{"exp":1800000060,"iat":1799999999,"nbf":1800000000}`, `{"exp":"1800000060"}`, `{"exp":1e300}`, `{"exp":-1}`, `{"exp":1800000060.5}`,
		`{"exp":null}`, `{"exp":[1800000060]}`, `{"exp":9223372036854775807}`, `{"exp":1800003700}`, `{"exp":1800000060,"nbf":1800000031}`, `{}`,
	} {
		f.Add([]byte(payload))
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw := header + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		object, err := jose.Parse(raw, keystone.AssertionAlgs(), assertionTypes...)
		if err != nil {
			return
		}
		exp, ok := inTime(object.Claims, now, assertionLife)
		if !ok {
			return
		}
		if left := exp.Sub(now); left <= -clockLeeway || left > assertionLife+clockLeeway {
			t.Errorf("taken with %v left: %s", left, payload)
		}
		var said map[string]any
		if json.Unmarshal(payload, &said) != nil {
			t.Fatal("taken, and not JSON")
		}
		if at, ok := said["nbf"].(float64); ok && at > float64(now.Add(aheadMost).Unix())+1 {
			t.Errorf("taken before its time: %s", payload)
		}
	})
}

// FuzzClaimsParameter: whatever the parameter asks for, no claim is opened whose
// scope is not the client's (OpenID Connect Core section 5.5).
func FuzzClaimsParameter(f *testing.F) {
	for _, text := range []string{
		`{"id_token":{"email":{"essential":true},"acr":{"values":["a","b"]}},"userinfo":{"name":null,"phone_number":{}}}`,
		`{"id_token":{"sub":{"value":"x"}}}`, `{"userinfo":{"sub":{"value":1}}}`, `{"id_token":null}`, `[]`, `{"id_token":{"":{}}}`, `{"ID_TOKEN":{"email":null}}`,
	} {
		f.Add(text, "openid email")
		f.Add(text, "openid")
	}
	f.Fuzz(func(t *testing.T, text, scope string) {
		c := keystone.Client{Scopes: keystone.SortedSet(strings.Fields(scope))}
		req := &keystone.AuthRequest{Scopes: c.Scopes}
		if fillClaims(&c, req, text) != nil {
			return
		}
		for _, name := range slices.Concat(req.IDTokenClaims, req.InfoClaims) {
			if !slices.Contains(c.Scopes, scopeOf(name)) {
				t.Errorf("%q is opened with the scopes %q", name, c.Scopes)
			}
		}
		if !keystone.Subset(req.ClaimScopes, c.Scopes) {
			t.Errorf("scopes %q are asked for, the client has %q", req.ClaimScopes, c.Scopes)
		}
	})
}

// FuzzCodeChallenge: what is kept of a challenge is S256 and has its form, and
// only who may go without one does (RFC 7636).
func FuzzCodeChallenge(f *testing.F) {
	for _, query := range []string{
		"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256", "code_challenge=abc&code_challenge_method=plain",
		"code_challenge_method=S256", "", "code_challenge=&code_challenge_method=", "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
	} {
		f.Add(query, true)
		f.Add(query, false)
	}
	f.Fuzz(func(t *testing.T, query string, optional bool) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		c := keystone.Client{Kind: keystone.ClientWeb, PKCEOptional: optional}
		req := &keystone.AuthRequest{}
		if fillPKCE(&c, req, params) != nil {
			return
		}
		if req.CodeChallenge == "" && (!c.MayOmitPKCE() || params.Get("code_challenge") != "") {
			t.Errorf("%q goes without", query)
		}
		if req.CodeChallenge != "" && (params.Get("code_challenge_method") != "S256" || !regexp.MustCompile(`^[A-Za-z0-9._~-]{43}$`).MatchString(req.CodeChallenge)) {
			t.Errorf("%q is taken as %q", query, req.CodeChallenge)
		}
	})
}
