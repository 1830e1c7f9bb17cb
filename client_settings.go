package keystone

import (
	"encoding/json"
	"slices"
	"strings"
)

// ClientSettings is what a client registers beyond what every client has. The
// store keeps it as one JSON document, so that a new setting is a field here and
// a check in validate; the names are those of the admin API, and of RFC 7591
// section 2 where it has one. The zero value is safe and is what most clients
// have.
type ClientSettings struct {
	IntrospectionAudiences []string `json:"introspection_audiences" doc:"Resources that it stands for as a resource server: it may introspect tokens that are meant for them, whoever got them (RFC 7662), besides its own and those meant for its client_id."`

	RequirePAR bool `json:"require_par" doc:"Its authorization requests must be pushed (RFC 9126); sent through the browser they are refused."`
	DPoPBound  bool `json:"dpop_bound" doc:"It gets only access tokens that are bound to the key of a DPoP proof (RFC 9449)."`
	DPoPNonce  bool `json:"dpop_nonce" doc:"Its DPoP proofs must carry a nonce of the server (RFC 9449 section 8)."`
	TLSBound   bool `json:"tls_client_certificate_bound_access_tokens" doc:"It gets only access tokens that are bound to its TLS client certificate (RFC 8705 section 3)."`

	BackchannelLogoutURI      string `json:"backchannel_logout_uri" doc:"Where Keystone posts a logout token when a session ends in which the client signed somebody in (OpenID Connect Back-Channel Logout); empty: nowhere."`
	BackchannelLogoutSession  bool   `json:"backchannel_logout_session_required" doc:"The logout token must carry sid. Keystone's always do."`
	FrontchannelLogoutURI     string `json:"frontchannel_logout_uri" doc:"What the page after logging out loads in a frame (OpenID Connect Front-Channel Logout); empty: nothing."`
	FrontchannelLogoutSession bool   `json:"frontchannel_logout_session_required" doc:"iss and sid are added to frontchannel_logout_uri."`

	IDTokenEncAlg        string   `json:"id_token_encrypted_response_alg,omitempty" doc:"Encrypts its ID tokens, after they were signed, to one of its keys: RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW. Left out: not encrypted."`
	IDTokenEnc           string   `json:"id_token_encrypted_response_enc,omitempty" doc:"A256GCM, also where it is left out."`
	UserinfoEncAlg       string   `json:"userinfo_encrypted_response_alg,omitempty" doc:"The same for userinfo answers, which are then signed too."`
	UserinfoEnc          string   `json:"userinfo_encrypted_response_enc,omitempty" doc:"A256GCM, also where it is left out."`
	RequestURIs          []string `json:"request_uris,omitempty" doc:"The addresses from which Keystone fetches its request objects (RFC 9101 section 5.2), to the letter. Left out: none."`
	SubjectType          string   `json:"subject_type,omitempty" doc:"pairwise gives it a sub of its own for each user; public, and left out, the user's id."`
	SectorURI            string   `json:"sector_identifier_uri,omitempty" doc:"The https address whose host stands for all clients of a sector, which share their pairwise sub. Left out: the host of its redirect URIs."`
	InitiateLoginURI     string   `json:"initiate_login_uri,omitempty" doc:"Where it begins a sign-in when somebody comes from elsewhere (OpenID Connect Core section 4); /oauth2/initiate sends people there."`
	Profile              string   `json:"profile,omitempty" doc:"What it is held to beyond OAuth 2.1, or let off: oauth21 (left out), fapi2, fapi2-message-signing or oidc-legacy."`
	RequestObjectAlg     string   `json:"request_object_signing_alg,omitempty" doc:"The only algorithm of its request objects (RFC 9101). Left out: any that is served."`
	RequireSignedRequest bool     `json:"require_signed_request_object" doc:"Its authorization requests must be signed: request objects that are checked with its keys."`
	ResponseAlg          string   `json:"authorization_signed_response_alg,omitempty" doc:"How Keystone signs authorization responses where the client asks for response_mode jwt (JARM). Left out: RS256."`
	IDTokenAlg           string   `json:"id_token_signed_response_alg,omitempty" doc:"How Keystone signs its ID tokens and logout tokens. Left out: RS256."`
	UserinfoAlg          string   `json:"userinfo_signed_response_alg,omitempty" doc:"Makes userinfo answers JWTs that are signed so (OpenID Connect Core section 5.3.2). Left out: plain JSON."`
	IntrospectionAlg     string   `json:"introspection_signed_response_alg,omitempty" doc:"How Keystone signs introspection answers where the client asks for JWTs (RFC 9701). Left out: RS256."`

	DetailTypes []string `json:"authorization_details_types,omitempty" doc:"The types of authorization details that it may ask people for (RFC 9396). Left out: none."`

	BackchannelDelivery string `json:"backchannel_token_delivery_mode,omitempty" doc:"How it learns that a person has answered a request of the CIBA grant: poll, also where it is left out, or ping: Keystone tells it when to poll."`
	BackchannelNotify   string `json:"backchannel_client_notification_endpoint,omitempty" doc:"With ping: the https address where it is told."`
	BackchannelAlg      string `json:"backchannel_authentication_request_signing_alg,omitempty" doc:"The only algorithm of its signed requests of the CIBA grant, which must then be signed. Left out: they need not be."`

	TokenExchange     []ExchangeRule  `json:"token_exchange,omitempty" doc:"Whose tokens it may exchange for tokens of its own (RFC 8693)."`
	AuthMethod        string          `json:"token_endpoint_auth_method,omitempty" doc:"How it proves itself, at every endpoint. Left out: client_secret_basic or client_secret_post for service and web, none for spa and native."`
	AuthSigningAlg    string          `json:"token_endpoint_auth_signing_alg,omitempty" doc:"The only algorithm of its assertions. Left out: any that is served."`
	AssertionAudience string          `json:"assertion_audience,omitempty" doc:"legacy also takes assertions that are meant for an endpoint; issuer, and left out, only those meant for the issuer."`
	JWKS              json.RawMessage `json:"jwks,omitempty" doc:"Its public keys (RFC 7517 section 5)."`
	JWKSURI           string          `json:"jwks_uri,omitempty" doc:"Where its public keys are. Either this or jwks."`
	Workloads         []Workload      `json:"workload_identities,omitempty" doc:"What its platform says it is: by a token of that issuer it proves itself, instead of by its own keys or beside them (private_key_jwt)."`

	JWTBearer []AssertionIssuer `json:"jwt_bearer,omitempty" doc:"Other issuers whose assertions about people it may exchange for tokens (RFC 7523 section 2.1)."`

	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty" doc:"For tls_client_auth: the subject of its certificate (RFC 4514), such as CN=billing,O=Example. This or one of the next four (RFC 8705 section 2.1.2)."`
	TLSSANDNS    string `json:"tls_client_auth_san_dns,omitempty" doc:"The host name in its certificate."`
	TLSSANURI    string `json:"tls_client_auth_san_uri,omitempty" doc:"The URI in its certificate, such as a SPIFFE id."`
	TLSSANIP     string `json:"tls_client_auth_san_ip,omitempty" doc:"The IP address in its certificate."`
	TLSSANEmail  string `json:"tls_client_auth_san_email,omitempty" doc:"The e-mail address in its certificate."`

	ClientAbout
}

// withDefaults fills what is left out.
func (s ClientSettings) withDefaults() ClientSettings {
	s.IntrospectionAudiences = SortedSet(append([]string{}, s.IntrospectionAudiences...))
	return s.withProfile()
}

// validate checks the settings of c into f.
func (s *ClientSettings) validate(c *Client, f fields) {
	f.check("introspection_audiences", validAudiences("introspection_audiences", s.IntrospectionAudiences))
	if len(s.IntrospectionAudiences) > 0 && !c.Confidential() {
		f["introspection_audiences"] = "Only clients of kind service or web can introspect: a public client has nothing to prove itself with."
	}
	s.validateExchange(c, f)
	s.validateJWTBearer(c, f)
	s.validateAuth(c, f)
	if s.RequirePAR && !c.Confidential() {
		f["require_par"] = "Only clients of kind service or web can push requests: a public client has nothing to prove itself with."
	}
	s.validateLogout(c, f)
	s.validateBackchannel(f)
	s.validateDetails(c, f)
	if why := httpsProblem(s.InitiateLoginURI, c.Kind != ClientService); why != "" {
		f["initiate_login_uri"] = why
	}
	s.validateRequestURIs(f)
	s.validateSubject(c, f)
	s.validateSigning(f)
	s.validateProfile(c, f)
	s.ClientAbout.validate(f)
}

// AnswerAlgs lists the algorithms that the client registered for what Keystone
// signs for it.
func (s *ClientSettings) AnswerAlgs() []string {
	return slices.DeleteFunc(SortedSet([]string{s.IDTokenAlg, s.UserinfoAlg, s.IntrospectionAlg, s.ResponseAlg}), func(alg string) bool { return alg == "" })
}

const maxRequestURIs = 20

// validateRequestURIs checks the addresses of request objects. What is fetched is
// never more than these: an address in a request would have us ask anybody.
func (s *ClientSettings) validateRequestURIs(f fields) {
	if len(s.RequestURIs) > maxRequestURIs {
		f["request_uris"] = "Register at most 20 addresses."
	}
	for _, uri := range s.RequestURIs {
		address, _, _ := strings.Cut(uri, "#") // a hash of the object (OpenID Connect Core section 6.2)
		if why := OutboundURLProblem(address); why != "" {
			f["request_uris"] = why
		}
	}
	if len(s.RequestURIs) > 0 && !s.HasKeys() {
		f["request_uris"] = "Register the client's public keys, as jwks or jwks_uri: request objects are checked with them."
	}
}

// validateEncryption checks what is encrypted to the client.
func (s *ClientSettings) validateEncryption(f fields) {
	for field, one := range map[string][2]string{"id_token_encrypted_response_": {s.IDTokenEncAlg, s.IDTokenEnc}, "userinfo_encrypted_response_": {s.UserinfoEncAlg, s.UserinfoEnc}} {
		switch alg, enc := one[0], one[1]; {
		case alg == "" && enc == "":
		case !slices.Contains(EncryptionAlgs(), alg):
			f[field+"alg"] = "It is RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW."
		case enc != "" && !slices.Contains(EncryptionEncs(), enc):
			f[field+"enc"] = "It is A256GCM."
		case !s.HasKeys():
			f[field+"alg"] = "Register a public key of the client to encrypt to, as jwks or jwks_uri."
		}
	}
}

// validateSigning checks how the client signs requests, and how answers to it are
// signed.
func (s *ClientSettings) validateSigning(f fields) {
	for field, alg := range map[string]string{
		"request_object_signing_alg": s.RequestObjectAlg, "authorization_signed_response_alg": s.ResponseAlg, "id_token_signed_response_alg": s.IDTokenAlg,
		"userinfo_signed_response_alg": s.UserinfoAlg, "introspection_signed_response_alg": s.IntrospectionAlg,
	} {
		if alg != "" && !slices.Contains(AssertionAlgs(), alg) {
			f[field] = "It is PS256, ES256, EdDSA or RS256."
		}
	}
	s.validateEncryption(f)
	if s.RequireSignedRequest && !s.HasKeys() {
		f["require_signed_request_object"] = "Register the client's public keys, as jwks or jwks_uri: request objects are checked with them."
	}
}

func (s *ClientSettings) validateLogout(c *Client, f fields) {
	people := slices.Contains(c.Grants, GrantAuthorizationCode) || c.Kind != ClientService
	if s.BackchannelLogoutURI != "" {
		why := OutboundURLProblem(s.BackchannelLogoutURI)
		if why == "" && strings.Contains(s.BackchannelLogoutURI, "#") {
			why = "The address has no fragment (OpenID Connect Back-Channel Logout section 2.2)."
		}
		if why == "" && !people {
			why = errNobody
		}
		if why != "" {
			f["backchannel_logout_uri"] = why
		}
	}
	if s.BackchannelLogoutSession && s.BackchannelLogoutURI == "" {
		f["backchannel_logout_session_required"] = "Set backchannel_logout_uri too."
	}
	if s.FrontchannelLogoutSession && s.FrontchannelLogoutURI == "" {
		f["frontchannel_logout_session_required"] = "Set frontchannel_logout_uri too."
	}
	why := httpsProblem(s.FrontchannelLogoutURI, people)
	if why == "" && s.FrontchannelLogoutURI != "" && !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return Origin(uri) == Origin(s.FrontchannelLogoutURI) }) {
		why = "Scheme, host and port must be those of one of the redirect URIs (OpenID Connect Front-Channel Logout section 2)."
	}
	if why != "" {
		f["frontchannel_logout_uri"] = why
	}
}

// validateDetails checks the types that a client may ask for. Whether they are
// declared is asked when it does: declarations come and go with the settings.
func (s *ClientSettings) validateDetails(c *Client, f fields) {
	switch {
	case len(s.DetailTypes) > maxDetailTypes || slices.ContainsFunc(s.DetailTypes, func(name string) bool { return !IsDetailType(name) }):
		f["authorization_details_types"] = "Name at most 50 types, each of at most 100 characters of printable ASCII without spaces, quotes, backslashes and angle brackets."
	case len(s.DetailTypes) > 0 && c.Kind == ClientService:
		f["authorization_details_types"] = errNobody
	}
}

const errNobody = "Nobody signs in to a service. Make a client of kind web for people."
