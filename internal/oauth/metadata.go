package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// Metadata is the authorization server metadata of RFC 8414 section 2. It names
// only what works.
type Metadata struct {
	Issuer                     string   `json:"issuer"`
	TokenEndpoint              string   `json:"token_endpoint"`
	JWKSURI                    string   `json:"jwks_uri"`
	IntrospectionEndpoint      string   `json:"introspection_endpoint"`
	RevocationEndpoint         string   `json:"revocation_endpoint"`
	GrantTypes                 []string `json:"grant_types_supported"`
	ResponseTypes              []string `json:"response_types_supported"`
	TokenAuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuthMethods   []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuthMethods      []string `json:"revocation_endpoint_auth_methods_supported"`
	TokenAuthAlgs              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthAlgs      []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs         []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	ResourceParameterSupported bool     `json:"resource_parameter_supported"`

	RegistrationEndpoint string `json:"registration_endpoint,omitempty"`
	ClientDocuments      bool   `json:"client_id_metadata_document_supported,omitempty"`

	AuthorizationEndpoint  string   `json:"authorization_endpoint"`
	PAREndpoint            string   `json:"pushed_authorization_request_endpoint"`
	DeviceEndpoint         string   `json:"device_authorization_endpoint"`
	UserinfoEndpoint       string   `json:"userinfo_endpoint"`
	EndSessionEndpoint     string   `json:"end_session_endpoint"`
	Scopes                 []string `json:"scopes_supported"`
	ResponseModes          []string `json:"response_modes_supported"`
	ChallengeMethods       []string `json:"code_challenge_methods_supported"`
	IssInResponses         bool     `json:"authorization_response_iss_parameter_supported"`
	SubjectTypes           []string `json:"subject_types_supported"`
	IDTokenAlgs            []string `json:"id_token_signing_alg_values_supported"`
	Claims                 []string `json:"claims_supported"`
	ACRValues              []string `json:"acr_values_supported"`
	Prompts                []string `json:"prompt_values_supported"`
	Locales                []string `json:"ui_locales_supported"`
	Displays               []string `json:"display_values_supported"`
	ClaimsParameter        bool     `json:"claims_parameter_supported"`
	RequestParameter       bool     `json:"request_parameter_supported"`
	RequestURIParameter    bool     `json:"request_uri_parameter_supported"`
	RequestURIRegistration bool     `json:"require_request_uri_registration"`
	RequestObjectAlgs      []string `json:"request_object_signing_alg_values_supported"`
	UserinfoAlgs           []string `json:"userinfo_signing_alg_values_supported"`
	IntrospectionAlgs      []string `json:"introspection_signing_alg_values_supported"`
	IDTokenEncAlgs         []string `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncs            []string `json:"id_token_encryption_enc_values_supported"`
	UserinfoEncAlgs        []string `json:"userinfo_encryption_alg_values_supported"`
	UserinfoEncs           []string `json:"userinfo_encryption_enc_values_supported"`
	ResponseAlgs           []string `json:"authorization_signing_alg_values_supported"`
	ProofAlgs              []string `json:"dpop_signing_alg_values_supported"`

	CheckSessionFrame         string `json:"check_session_iframe,omitempty"`
	BackchannelLogout         bool   `json:"backchannel_logout_supported"`
	BackchannelLogoutSession  bool   `json:"backchannel_logout_session_supported"`
	FrontchannelLogout        bool   `json:"frontchannel_logout_supported"`
	FrontchannelLogoutSession bool   `json:"frontchannel_logout_session_supported"`

	DetailTypes []string `json:"authorization_details_types_supported,omitempty"`

	BackchannelEndpoint string   `json:"backchannel_authentication_endpoint"`
	BackchannelModes    []string `json:"backchannel_token_delivery_modes_supported"`
	BackchannelAlgs     []string `json:"backchannel_authentication_request_signing_alg_values_supported"`
	BackchannelUserCode bool     `json:"backchannel_user_code_parameter_supported"`

	TLSBound   bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	TLSAliases map[string]string `json:"mtls_endpoint_aliases,omitempty" doc:"Where requests with a TLS client certificate go (RFC 8705 section 5)."`
}

func (s *Slice) facts() Metadata {
	issuer := s.Issuer.Options.Issuer
	m := Metadata{
		Issuer:                     issuer,
		TokenEndpoint:              issuer + "/oauth2/token",
		JWKSURI:                    issuer + "/oauth2/jwks",
		IntrospectionEndpoint:      issuer + "/oauth2/introspect",
		RevocationEndpoint:         issuer + "/oauth2/revoke",
		ResponseTypes:              []string{"code"},
		AuthorizationEndpoint:      issuer + "/oauth2/authorize",
		PAREndpoint:                issuer + "/oauth2/par",
		DeviceEndpoint:             issuer + "/oauth2/device_authorization",
		UserinfoEndpoint:           issuer + "/oauth2/userinfo",
		EndSessionEndpoint:         issuer + "/oauth2/logout",
		Scopes:                     keystone.OpenIDScopeNames(),
		ResponseModes:              responseModes,
		ChallengeMethods:           []string{"S256"},
		IssInResponses:             true,
		ClaimsParameter:            true,
		RequestParameter:           true,
		RequestURIParameter:        true,
		RequestURIRegistration:     true,
		RequestObjectAlgs:          keystone.AssertionAlgs(),
		ResponseAlgs:               keystone.AssertionAlgs(),
		SubjectTypes:               []string{keystone.SubjectPublic, keystone.SubjectPairwise},
		IDTokenAlgs:                keystone.AssertionAlgs(),
		UserinfoAlgs:               keystone.AssertionAlgs(),
		IDTokenEncAlgs:             keystone.EncryptionAlgs(),
		IDTokenEncs:                keystone.EncryptionEncs(),
		UserinfoEncAlgs:            keystone.EncryptionAlgs(),
		UserinfoEncs:               keystone.EncryptionEncs(),
		IntrospectionAlgs:          keystone.AssertionAlgs(),
		Claims:                     claimsSupported(),
		ACRValues:                  []string{keystone.ACRPassword},
		Prompts:                    s.prompts(),
		Locales:                    s.Pages.Languages(),
		Displays:                   []string{"page"},
		TokenAuthMethods:           s.authMethodNames(true),
		TokenAuthAlgs:              assertionAlgs(),
		RevocationAuthMethods:      s.authMethodNames(true),
		RevocationAuthAlgs:         assertionAlgs(),
		IntrospectionAuthMethods:   s.authMethodNames(false),
		IntrospectionAuthAlgs:      assertionAlgs(),
		ResourceParameterSupported: true,
		ProofAlgs:                  token.ProofAlgorithms,
		BackchannelLogout:          true,
		BackchannelLogoutSession:   true,
		FrontchannelLogout:         true,
		FrontchannelLogoutSession:  true,
		BackchannelEndpoint:        issuer + backchannelPath,
		BackchannelModes:           []string{keystone.DeliveryPoll, keystone.DeliveryPing},
		BackchannelAlgs:            keystone.AssertionAlgs(),
		TLSBound:                   s.TLS.Served,
		TLSAliases:                 s.TLS.aliases(),
	}
	if s.Registration.On {
		m.RegistrationEndpoint = issuer + registerPath
	}
	m.DetailTypes = slices.Sorted(maps.Keys(s.Issuer.DetailTypes))
	m.ClientDocuments = s.Documents != nil
	if s.SessionFrame {
		m.CheckSessionFrame = issuer + framePath
	}
	m.GrantTypes = slices.Sorted(slices.Values(keystone.GrantNames(nil)))
	return m
}

// prompts lists what a request may ask of the pages.
func (s *Slice) prompts() []string {
	list := []string{keystone.PromptNone, keystone.PromptLogin, keystone.PromptConsent, keystone.PromptSelect}
	if s.RegistrationOpen {
		list = append(list, keystone.PromptCreate)
	}
	return list
}

// claimsSupported names every claim that a client can get.
func claimsSupported() []string {
	names := []string{"acr", "amr", "auth_time", "iss", "sid", "sub"}
	for _, list := range scopeClaims {
		names = append(names, list...)
	}
	return keystone.SortedSet(names)
}

const metadataAge = 5 * time.Minute

// metadata serves GET /.well-known/oauth-authorization-server.
func (s *Slice) metadata(w http.ResponseWriter, r *http.Request) error {
	return writeFacts(w, r, s.facts())
}

// writeFacts answers with a metadata document.
func writeFacts(w http.ResponseWriter, r *http.Request, facts any) error {
	body, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	writeCached(w, r, "application/json", body, `"`+hex.EncodeToString(sum[:16])+`"`, metadataAge)
	return nil
}

// jwks serves GET /oauth2/jwks.
func (s *Slice) jwks(w http.ResponseWriter, r *http.Request) error {
	body, etag, age, err := s.Ring.JWKS(r.Context())
	if err != nil {
		return err
	}
	writeCached(w, r, "application/jwk-set+json", body, etag, age)
	return nil
}

// writeCached answers with something public that caches may keep for age.
func writeCached(w http.ResponseWriter, r *http.Request, contentType string, body []byte, etag string, age time.Duration) {
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(age/time.Second)))
	httpio.WriteTagged(w, r, contentType, body)
}
