package admin

import "github.com/keystone-auth/keystone"

// ClientSettings are the settings of keystone.ClientSettings in a body that
// creates or changes a client: what is left out stays as it is. The type is
// exported because a body is described by exported fields only.
type ClientSettings struct {
	IntrospectionAudiences []string `json:"introspection_audiences,omitempty" maxItems:"50" doc:"Resources that it stands for: it may introspect all tokens meant for them. All of them from now on."`

	RequirePAR *bool `json:"require_par,omitempty" doc:"true refuses authorization requests that were not pushed (RFC 9126)."`
	DPoPBound  *bool `json:"dpop_bound,omitempty" doc:"true gives it only access tokens that are bound to the key of a DPoP proof (RFC 9449)."`
	DPoPNonce  *bool `json:"dpop_nonce,omitempty" doc:"true refuses DPoP proofs without a nonce of the server (RFC 9449 section 8)."`

	BackchannelLogoutURI      *string                 `json:"backchannel_logout_uri,omitempty" maxLength:"2000" doc:"An https address that gets a logout token when a session ends (OpenID Connect Back-Channel Logout); empty: none."`
	BackchannelLogoutSession  *bool                   `json:"backchannel_logout_session_required,omitempty" doc:"The logout token must carry sid. Keystone's always do."`
	FrontchannelLogoutURI     *string                 `json:"frontchannel_logout_uri,omitempty" maxLength:"2000" doc:"An https address, of the origin of a redirect URI, that the page after logging out loads in a frame; empty: none."`
	FrontchannelLogoutSession *bool                   `json:"frontchannel_logout_session_required,omitempty" doc:"Adds iss and sid to frontchannel_logout_uri."`
	TokenExchange             []keystone.ExchangeRule `json:"token_exchange,omitempty" maxItems:"50" doc:"Whose tokens it may exchange for tokens of its own (RFC 8693): all rules from now on."`
}

func (b ClientSettings) apply(s *keystone.ClientSettings) {
	setList(&s.IntrospectionAudiences, b.IntrospectionAudiences)
	set(&s.RequirePAR, b.RequirePAR)
	set(&s.DPoPBound, b.DPoPBound)
	set(&s.DPoPNonce, b.DPoPNonce)
	set(&s.BackchannelLogoutURI, b.BackchannelLogoutURI)
	set(&s.BackchannelLogoutSession, b.BackchannelLogoutSession)
	set(&s.FrontchannelLogoutURI, b.FrontchannelLogoutURI)
	set(&s.FrontchannelLogoutSession, b.FrontchannelLogoutSession)
	setList(&s.TokenExchange, b.TokenExchange)
}
