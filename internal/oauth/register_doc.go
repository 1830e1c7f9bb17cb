package oauth

import "encoding/json"

// RegistrationBody documents the metadata that a client registers (RFC 7591 section
// 2); it is read by its names. It is exported because the API document leaves out
// what is embedded otherwise.
type RegistrationBody struct {
	RedirectURIs      []string        `json:"redirect_uris,omitempty" doc:"Required with authorization_code."`
	Name              string          `json:"client_name,omitempty" doc:"Also as client_name#TAG, for a language."`
	GrantTypes        []string        `json:"grant_types,omitempty" doc:"authorization_code where it is left out."`
	ResponseTypes     []string        `json:"response_types,omitempty" doc:"code, or none without authorization_code."`
	Scope             string          `json:"scope,omitempty" doc:"What may be registered is kept of it; everything where it is left out."`
	ApplicationType   string          `json:"application_type,omitempty" enum:"web,native"`
	AuthMethod        string          `json:"token_endpoint_auth_method,omitempty" doc:"client_secret_basic where it is left out; none for programs that cannot keep a secret."`
	AuthSigningAlg    string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	JWKS              json.RawMessage `json:"jwks,omitempty"`
	JWKSURI           string          `json:"jwks_uri,omitempty"`
	ClientURI         string          `json:"client_uri,omitempty"`
	LogoURI           string          `json:"logo_uri,omitempty"`
	PolicyURI         string          `json:"policy_uri,omitempty"`
	TOSURI            string          `json:"tos_uri,omitempty"`
	Contacts          []string        `json:"contacts,omitempty"`
	SoftwareID        string          `json:"software_id,omitempty"`
	SoftwareVersion   string          `json:"software_version,omitempty"`
	SoftwareStatement string          `json:"software_statement,omitempty" doc:"A JWT of an issuer that is trusted here; what it says goes over the rest."`
	SubjectType       string          `json:"subject_type,omitempty" enum:"public,pairwise"`
	SectorURI         string          `json:"sector_identifier_uri,omitempty" doc:"With pairwise: a list of redirect URIs, fetched and compared."`
	RequestURIs       []string        `json:"request_uris,omitempty" doc:"With an initial access token."`
	InitiateLoginURI  string          `json:"initiate_login_uri,omitempty" doc:"With an initial access token."`
	PostLogoutURIs    []string        `json:"post_logout_redirect_uris,omitempty"`
	RequirePAR        bool            `json:"require_pushed_authorization_requests,omitempty"`
	DPoPBound         bool            `json:"dpop_bound_access_tokens,omitempty"`
}

// registrationAnswer documents the answer of RFC 7591 section 3.2.1.
type registrationAnswer struct {
	ClientID        string `json:"client_id"`
	IssuedAt        int64  `json:"client_id_issued_at"`
	ClientSecret    string `json:"client_secret,omitempty" doc:"Shown when it is made and never again."`
	SecretExpiresAt int64  `json:"client_secret_expires_at,omitempty" doc:"0: never. With client_secret."`
	Token           string `json:"registration_access_token" doc:"Reads, replaces and removes this registration."`
	URI             string `json:"registration_client_uri"`
	RegistrationBody
}
