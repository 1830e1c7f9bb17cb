package admin

import (
	"encoding/json"

	"github.com/keystone-auth/keystone"
)

// ClientSettings are the settings of keystone.ClientSettings in a body that
// creates or changes a client: what is left out stays as it is. It is
// exported because the API document leaves out what is embedded otherwise, and so
// would refuse it.
type ClientSettings struct {
	IntrospectionAudiences []string `json:"introspection_audiences,omitempty" maxItems:"50" doc:"Resources that it stands for: it may introspect all tokens meant for them. All of them from now on."`

	RequirePAR *bool `json:"require_par,omitempty" doc:"true refuses authorization requests that were not pushed (RFC 9126)."`
	DPoPBound  *bool `json:"dpop_bound,omitempty" doc:"true gives it only access tokens that are bound to the key of a DPoP proof (RFC 9449)."`
	TLSBound   *bool `json:"tls_client_certificate_bound_access_tokens,omitempty" doc:"true gives it only access tokens that are bound to its TLS client certificate (RFC 8705 section 3)."`
	DPoPNonce  *bool `json:"dpop_nonce,omitempty" doc:"true refuses DPoP proofs without a nonce of the server (RFC 9449 section 8)."`

	IDTokenEncAlg        *string  `json:"id_token_encrypted_response_alg,omitempty" doc:"Encrypts its ID tokens to one of its keys: RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW; empty: not encrypted."`
	IDTokenEnc           *string  `json:"id_token_encrypted_response_enc,omitempty" doc:"A256GCM, or empty."`
	UserinfoEncAlg       *string  `json:"userinfo_encrypted_response_alg,omitempty" doc:"The same for userinfo answers, which are then signed too."`
	UserinfoEnc          *string  `json:"userinfo_encrypted_response_enc,omitempty" doc:"A256GCM, or empty."`
	RequestURIs          []string `json:"request_uris,omitempty" maxItems:"20" doc:"The addresses of its request objects, to the letter. All of them from now on."`
	SubjectType          *string  `json:"subject_type,omitempty" enum:"public,pairwise" doc:"pairwise gives it a sub of its own for each user."`
	SectorURI            *string  `json:"sector_identifier_uri,omitempty" maxLength:"2000" doc:"Its host stands for all clients of a sector; empty: the host of its redirect URIs. It is not fetched: whoever writes it vouches for it."`
	InitiateLoginURI     *string  `json:"initiate_login_uri,omitempty" maxLength:"2000" doc:"An https address at which it begins a sign-in when somebody comes from elsewhere; empty: none."`
	Profile              *string  `json:"profile,omitempty" enum:"oauth21,fapi2,fapi2-message-signing,oidc-legacy" doc:"What it is held to beyond OAuth 2.1, or let off. What a profile turns on stays on when it is changed."`
	RequestObjectAlg     *string  `json:"request_object_signing_alg,omitempty" doc:"The only algorithm of its request objects (RFC 9101); empty: any."`
	RequireSignedRequest *bool    `json:"require_signed_request_object,omitempty" doc:"true refuses authorization requests that are not signed with its keys."`
	ResponseAlg          *string  `json:"authorization_signed_response_alg,omitempty" doc:"Signs authorization responses of response_mode jwt (JARM); empty: RS256."`
	IDTokenAlg           *string  `json:"id_token_signed_response_alg,omitempty" doc:"Signs its ID tokens and logout tokens: PS256, ES256, EdDSA or RS256; empty: RS256."`
	UserinfoAlg          *string  `json:"userinfo_signed_response_alg,omitempty" doc:"Makes userinfo answers signed JWTs; empty: plain JSON."`
	IntrospectionAlg     *string  `json:"introspection_signed_response_alg,omitempty" doc:"Signs introspection answers where it asks for JWTs (RFC 9701); empty: RS256."`

	DetailTypes []string `json:"authorization_details_types,omitempty" maxItems:"50" doc:"The types of authorization details that it may ask people for (RFC 9396). All of them from now on."`

	BackchannelDelivery *string `json:"backchannel_token_delivery_mode,omitempty" enum:"poll,ping" doc:"How it learns that a person has answered a request of the CIBA grant."`
	BackchannelNotify   *string `json:"backchannel_client_notification_endpoint,omitempty" maxLength:"2000" doc:"With ping: the https address where it is told; empty: none."`
	BackchannelAlg      *string `json:"backchannel_authentication_request_signing_alg,omitempty" doc:"The only algorithm of its requests of the CIBA grant, which must then be signed; empty: they need not be."`

	BackchannelLogoutURI      *string                 `json:"backchannel_logout_uri,omitempty" maxLength:"2000" doc:"An https address that gets a logout token when a session ends (OpenID Connect Back-Channel Logout); empty: none."`
	BackchannelLogoutSession  *bool                   `json:"backchannel_logout_session_required,omitempty" doc:"The logout token must carry sid. Keystone's always do."`
	FrontchannelLogoutURI     *string                 `json:"frontchannel_logout_uri,omitempty" maxLength:"2000" doc:"An https address, of the origin of a redirect URI, that the page after logging out loads in a frame; empty: none."`
	FrontchannelLogoutSession *bool                   `json:"frontchannel_logout_session_required,omitempty" doc:"Adds iss and sid to frontchannel_logout_uri."`
	TokenExchange             []keystone.ExchangeRule `json:"token_exchange,omitempty" maxItems:"50" doc:"Whose tokens it may exchange for tokens of its own (RFC 8693): all rules from now on."`

	AuthMethod        *string         `json:"token_endpoint_auth_method,omitempty" doc:"How it proves itself. Another kind of method than before ends the secrets that it has. Empty: the default of its kind."`
	AuthSigningAlg    *string         `json:"token_endpoint_auth_signing_alg,omitempty" doc:"The only algorithm of its assertions; empty: any."`
	AssertionAudience *string         `json:"assertion_audience,omitempty" doc:"issuer or legacy. legacy also takes assertions that are meant for an endpoint, which is weaker: only for programs that cannot do better."`
	JWKS              json.RawMessage `json:"jwks,omitempty" doc:"Its public keys (RFC 7517 section 5); null: none."`
	JWKSURI           *string         `json:"jwks_uri,omitempty" doc:"Where its public keys are; empty: nowhere."`

	Workloads []keystone.Workload        `json:"workload_identities,omitempty" maxItems:"20" doc:"What its platform says it is (private_key_jwt): all identities from now on."`
	JWTBearer []keystone.AssertionIssuer `json:"jwt_bearer,omitempty" maxItems:"10" doc:"Other issuers whose assertions about people it may exchange for tokens: all of them from now on."`

	TLSSubjectDN *string `json:"tls_client_auth_subject_dn,omitempty" maxLength:"2000" doc:"For tls_client_auth: the subject of its certificate (RFC 4514). Exactly one of this and the next four; empty: not this one."`
	TLSSANDNS    *string `json:"tls_client_auth_san_dns,omitempty" maxLength:"2000" doc:"The host name in its certificate."`
	TLSSANURI    *string `json:"tls_client_auth_san_uri,omitempty" maxLength:"2000" doc:"The URI in its certificate, such as a SPIFFE id."`
	TLSSANIP     *string `json:"tls_client_auth_san_ip,omitempty" maxLength:"100" doc:"The IP address in its certificate."`
	TLSSANEmail  *string `json:"tls_client_auth_san_email,omitempty" maxLength:"2000" doc:"The e-mail address in its certificate."`

	ClientURI *string  `json:"client_uri,omitempty" maxLength:"2000" doc:"A page about the client, shown where people are asked to allow it; empty: none, as with the next three."`
	LogoURI   *string  `json:"logo_uri,omitempty" maxLength:"2000" doc:"Its logo, shown as a link."`
	PolicyURI *string  `json:"policy_uri,omitempty" maxLength:"2000" doc:"What it does with data about people."`
	TOSURI    *string  `json:"tos_uri,omitempty" maxLength:"2000" doc:"Its terms of service."`
	Contacts  []string `json:"contacts,omitempty" maxItems:"10" doc:"Whom to ask about it. All of them from now on."`

	Names map[string]string `json:"client_names,omitempty" doc:"Its name in other languages, by language tag (RFC 5646). All of them from now on."`
}

func (b ClientSettings) apply(s *keystone.ClientSettings) {
	setList(&s.IntrospectionAudiences, b.IntrospectionAudiences)
	set(&s.ClientURI, b.ClientURI)
	set(&s.LogoURI, b.LogoURI)
	set(&s.PolicyURI, b.PolicyURI)
	set(&s.TOSURI, b.TOSURI)
	setList(&s.Contacts, b.Contacts)
	if b.Names != nil {
		s.Names = b.Names
	}
	set(&s.RequirePAR, b.RequirePAR)
	set(&s.DPoPBound, b.DPoPBound)
	set(&s.TLSBound, b.TLSBound)
	set(&s.DPoPNonce, b.DPoPNonce)
	set(&s.IDTokenEncAlg, b.IDTokenEncAlg)
	set(&s.IDTokenEnc, b.IDTokenEnc)
	set(&s.UserinfoEncAlg, b.UserinfoEncAlg)
	set(&s.UserinfoEnc, b.UserinfoEnc)
	setList(&s.RequestURIs, b.RequestURIs)
	set(&s.SubjectType, b.SubjectType)
	set(&s.SectorURI, b.SectorURI)
	set(&s.InitiateLoginURI, b.InitiateLoginURI)
	set(&s.Profile, b.Profile)
	set(&s.RequestObjectAlg, b.RequestObjectAlg)
	set(&s.RequireSignedRequest, b.RequireSignedRequest)
	set(&s.ResponseAlg, b.ResponseAlg)
	set(&s.IDTokenAlg, b.IDTokenAlg)
	set(&s.UserinfoAlg, b.UserinfoAlg)
	set(&s.IntrospectionAlg, b.IntrospectionAlg)
	setList(&s.DetailTypes, b.DetailTypes)
	set(&s.BackchannelDelivery, b.BackchannelDelivery)
	set(&s.BackchannelNotify, b.BackchannelNotify)
	set(&s.BackchannelAlg, b.BackchannelAlg)
	set(&s.BackchannelLogoutURI, b.BackchannelLogoutURI)
	set(&s.BackchannelLogoutSession, b.BackchannelLogoutSession)
	set(&s.FrontchannelLogoutURI, b.FrontchannelLogoutURI)
	set(&s.FrontchannelLogoutSession, b.FrontchannelLogoutSession)
	setList(&s.TokenExchange, b.TokenExchange)
	set(&s.AuthMethod, b.AuthMethod)
	set(&s.AuthSigningAlg, b.AuthSigningAlg)
	set(&s.AssertionAudience, b.AssertionAudience)
	set(&s.JWKSURI, b.JWKSURI)
	setList(&s.Workloads, b.Workloads)
	setList(&s.JWTBearer, b.JWTBearer)
	set(&s.TLSSubjectDN, b.TLSSubjectDN)
	set(&s.TLSSANDNS, b.TLSSANDNS)
	set(&s.TLSSANURI, b.TLSSANURI)
	set(&s.TLSSANIP, b.TLSSANIP)
	set(&s.TLSSANEmail, b.TLSSANEmail)
	if b.JWKS != nil {
		s.JWKS = b.JWKS
		if string(b.JWKS) == "null" {
			s.JWKS = nil
		}
	}
}
