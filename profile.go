package keystone

import (
	"slices"
	"strings"
)

// The profiles of clients.
const (
	ProfileOAuth21      = "oauth21"               // the default
	ProfileFAPI2        = "fapi2"                 // FAPI 2.0 Security Profile
	ProfileFAPI2Signing = "fapi2-message-signing" // and FAPI 2.0 Message Signing
	ProfileLegacy       = "oidc-legacy"           // programs that were made before OAuth 2.1
)

// Profile is what a client is held to beyond what every client is (OAuth 2.1), or
// what it is let off. What is stricter is refused when the client is written and
// again when it comes; what is looser is shown as a warning.
type Profile struct {
	Name  string
	Title string

	// Stricter.
	AuthMethods []string // the ways in which it may prove itself; nil: all of its kind
	Grants      []string // the grant types that it may have; nil: all of its kind
	Algs        []string // of everything that it signs or that is signed for it; the first is its default; nil: all
	Pushed      bool     // its authorization requests are pushed (RFC 9126)
	Bound       bool     // its tokens are bound to a DPoP key or to its certificate
	Signed      bool     // its authorization requests are signed, with nbf
	HTTPS       bool     // its redirect URIs are https
	Strict      bool     // no switch that weakens may be on

	// Looser.
	PKCEOptional   bool // a confidential client may leave PKCE out
	LegacyAudience bool // assertions may name an endpoint as their audience
	LooseObjects   bool // request objects may lack iss, aud and exp
}

// fapiAlgs are those of FAPI 2.0 Security Profile section 5.4.1.
var fapiAlgs = []string{PS256, ES256, EdDSA}

// profiles is every profile and what it changes.
var profiles = []Profile{
	{Name: ProfileOAuth21, Title: "OAuth 2.1 and its best current practice (RFC 9700)"},
	{Name: ProfileFAPI2, Title: "FAPI 2.0 Security Profile",
		AuthMethods: fapiMethods, Grants: fapiGrants, Algs: fapiAlgs, Pushed: true, Bound: true, HTTPS: true, Strict: true},
	{Name: ProfileFAPI2Signing, Title: "FAPI 2.0 Message Signing",
		AuthMethods: fapiMethods, Grants: fapiGrants, Algs: fapiAlgs, Pushed: true, Bound: true, HTTPS: true, Strict: true, Signed: true},
	{Name: ProfileLegacy, Title: "OpenID Connect as it was before OAuth 2.1",
		PKCEOptional: true, LegacyAudience: true, LooseObjects: true},
}

var (
	fapiMethods = []string{AuthPrivateKeyJWT, AuthTLS, AuthSelfSignedTLS}
	fapiGrants  = []string{GrantAuthorizationCode, GrantClientCredentials, GrantRefreshToken, GrantCIBA}
)

// Rules returns the client's profile, which is the same for all.
func (s *ClientSettings) Rules() *Profile {
	for i := range profiles {
		if profiles[i].Name == s.Profile {
			return &profiles[i]
		}
	}
	return &profiles[0]
}

// Changes says what the profile changes, a sentence each.
func (p *Profile) Changes() (list []string) {
	for _, one := range []struct {
		on   bool
		says string
	}{
		{p.AuthMethods != nil, "it proves itself by " + strings.Join(p.AuthMethods, ", ")},
		{p.Grants != nil, "its grant types are among " + strings.Join(p.Grants, ", ")},
		{p.Algs != nil, "signatures, its own and those for it, are " + strings.Join(p.Algs, ", ")},
		{p.Pushed, "its authorization requests are pushed"},
		{p.Signed, "its authorization requests are signed, with nbf"},
		{p.Bound, "its tokens are bound to a DPoP key, or to its certificate where that is set; refresh tokens do not rotate"},
		{p.HTTPS, "its redirect URIs are https"},
		{p.Strict, "PKCE cannot be switched off, and assertions are meant for the issuer"},
		{p.PKCEOptional, "a client that proves itself may leave PKCE out"},
		{p.LegacyAudience, "assertions may be meant for an endpoint"},
		{p.LooseObjects, "request objects may lack iss, aud and exp"},
	} {
		if one.on {
			list = append(list, one.says)
		}
	}
	return list
}

// Alg is the algorithm of what is signed for a client that has registered none: RS256,
// which every client understands (OpenID Connect Core section 15.1), or the profile's.
func (p *Profile) Alg() string {
	if p.Algs == nil {
		return RS256
	}
	return p.Algs[0]
}

// Allows returns those of algs that the profile lets the client use.
func (p *Profile) Allows(algs []string) []string {
	if p.Algs == nil {
		return algs
	}
	return slices.DeleteFunc(slices.Clone(algs), func(alg string) bool { return !slices.Contains(p.Algs, alg) })
}

// MayOmitPKCE reports whether the client may leave PKCE out. A public one never may
// (RFC 9700 section 2.1.1).
func (c *Client) MayOmitPKCE() bool {
	return c.Confidential() && (c.PKCEOptional || c.Rules().PKCEOptional)
}

// TakesLegacyAudience reports whether the client's assertions may be meant for an
// endpoint.
func (s *ClientSettings) TakesLegacyAudience() bool {
	return s.AssertionAudience == AudienceLegacy || s.AssertionAudience == "" && s.Rules().LegacyAudience
}

// Warnings says what makes the client weaker than others.
func (c *Client) Warnings() (list []string) {
	if c.MayOmitPKCE() {
		list = append(list, "this client may sign people in without PKCE; a stolen authorization code can then be used (RFC 9700 section 2.1.1).")
	}
	if c.TakesLegacyAudience() {
		list = append(list, "assertions of this client may name an endpoint as their audience; another server could pass such a one on (RFC 10070).")
	}
	if c.Confidential() && !c.RotateRefreshTokens && !c.SenderConstrained() && c.MayUse(GrantRefreshToken) {
		list = append(list, "refresh tokens of this client stay the same at each use; one that is stolen can be used beside the client, and nobody notices (RFC 9700 section 4.14.2).")
	}
	if c.Rules().LooseObjects {
		list = append(list, "request objects of this client may lack iss, aud and exp; one that is seen elsewhere can be used here, at any time (RFC 9101 section 10.2).")
	}
	return list
}

// withProfile writes what the profile is stricter about into the settings, where
// whoever looks at the client sees it.
func (s ClientSettings) withProfile() ClientSettings {
	p := s.Rules()
	s.RequirePAR = s.RequirePAR || p.Pushed
	s.RequireSignedRequest = s.RequireSignedRequest || p.Signed
	s.DPoPBound = s.DPoPBound || p.Bound && !s.TLSBound
	if p.Algs != nil {
		answers := []*string{&s.IDTokenAlg, &s.ResponseAlg, &s.IntrospectionAlg} // which are RS256 otherwise
		if s.UserinfoEncAlg != "" {                                              // plain userinfo is not signed, encrypted always
			answers = append(answers, &s.UserinfoAlg)
		}
		for _, alg := range answers {
			if *alg == "" {
				*alg = p.Alg()
			}
		}
	}
	return s
}

// validateProfile refuses what the profile does.
func (s *ClientSettings) validateProfile(c *Client, f fields) {
	p := s.Rules()
	if s.Profile != "" && s.Profile != p.Name {
		f["profile"] = "The profile is oauth21, fapi2, fapi2-message-signing or oidc-legacy."
	}
	if p.AuthMethods != nil && !slices.Contains(p.AuthMethods, s.AuthMethod) {
		f["token_endpoint_auth_method"] = "The profile asks for private_key_jwt, or for a TLS client certificate: a client that proves itself by a key of its own."
	}
	if p.Grants != nil && !Subset(c.Grants, SortedSet(p.Grants)) {
		f["grants"] = "The profile has the grant types " + sayAll(p.Grants) + "."
	}
	for field, alg := range map[string]string{
		"token_endpoint_auth_signing_alg": s.AuthSigningAlg, "request_object_signing_alg": s.RequestObjectAlg, "authorization_signed_response_alg": s.ResponseAlg,
		"id_token_signed_response_alg": s.IDTokenAlg, "userinfo_signed_response_alg": s.UserinfoAlg, "introspection_signed_response_alg": s.IntrospectionAlg,
		"backchannel_authentication_request_signing_alg": s.BackchannelAlg,
	} {
		if alg != "" && p.Algs != nil && !slices.Contains(p.Algs, alg) {
			f[field] = "The profile has the algorithms PS256, ES256 and EdDSA."
		}
	}
	if p.HTTPS && slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !strings.HasPrefix(uri, "https://") }) {
		f["redirect_uris"] = "The profile asks for https redirect URIs."
	}
	if p.Strict && c.PKCEOptional {
		f["require_pkce"] = "The profile asks for PKCE."
	}
	if p.Strict && s.AssertionAudience == AudienceLegacy {
		f["assertion_audience"] = "The profile asks for assertions that are meant for the issuer."
	}
}
