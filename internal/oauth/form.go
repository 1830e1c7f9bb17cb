package oauth

// ClientProof documents how a client says in a form who it is. HTTP Basic and TLS client
// certificates do as well.
type ClientProof struct {
	ClientID            string `json:"client_id,omitempty" doc:"For a public client, or with client_secret. Confidential clients may use HTTP Basic instead."`
	ClientSecret        string `json:"client_secret,omitempty"`
	ClientAssertion     string `json:"client_assertion,omitempty" doc:"For private_key_jwt, client_secret_jwt and workload identities: a JWT by which the client proves itself (RFC 7523 section 2.2)."`
	ClientAssertionType string `json:"client_assertion_type,omitempty" enum:"urn:ietf:params:oauth:client-assertion-type:jwt-bearer" doc:"With client_assertion."`
}

// AuthorizeFields documents what an authorization request says, wherever it comes
// (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1).
type AuthorizeFields struct {
	ResponseType        string   `json:"response_type,omitempty" enum:"code"`
	ResponseMode        string   `json:"response_mode,omitempty" enum:"query,fragment,form_post,jwt,query.jwt,fragment.jwt,form_post.jwt" doc:"How the answer travels; query where it is left out."`
	RedirectURI         string   `json:"redirect_uri,omitempty" doc:"One of the client's, to the letter."`
	Scope               string   `json:"scope,omitempty" doc:"Scopes, separated by spaces."`
	State               string   `json:"state,omitempty" doc:"Comes back with the answer."`
	Nonce               string   `json:"nonce,omitempty" doc:"Comes back in the ID token."`
	CodeChallenge       string   `json:"code_challenge,omitempty" doc:"RFC 7636 section 4.3."`
	CodeChallengeMethod string   `json:"code_challenge_method,omitempty" enum:"S256"`
	Prompt              string   `json:"prompt,omitempty" doc:"none alone, or of those that the metadata names, separated by spaces."`
	MaxAge              string   `json:"max_age,omitempty" doc:"Seconds since the sign-in, at most."`
	LoginHint           string   `json:"login_hint,omitempty" doc:"Fills in the name of the sign-in page."`
	IDTokenHint         string   `json:"id_token_hint,omitempty" doc:"Who is meant: an ID token that the client got earlier."`
	ACRValues           string   `json:"acr_values,omitempty"`
	Claims              string   `json:"claims,omitempty" doc:"Claims by name, as a JSON object (OpenID Connect Core section 5.5)."`
	UILocales           string   `json:"ui_locales,omitempty" doc:"Languages of the pages, the best first, separated by spaces."`
	Resource            []string `json:"resource,omitempty" doc:"Whom the tokens are for (RFC 8707). May repeat."`
	Audience            []string `json:"audience,omitempty" doc:"The same as resource."`
	Details             string   `json:"authorization_details,omitempty" doc:"What exactly is asked for, as a JSON array (RFC 9396)."`
	Request             string   `json:"request,omitempty" doc:"All of this as a JWT that the client signed (RFC 9101); what stands beside it is then ignored."`
	DPoPKey             string   `json:"dpop_jkt,omitempty" doc:"Thumbprint of the DPoP key that must redeem the code (RFC 9449 section 10); pushed, a DPoP header does the same."`
}

// authorizeForm documents an authorization request in the browser.
type authorizeForm struct {
	ClientID   string `json:"client_id"`
	RequestURI string `json:"request_uri,omitempty" doc:"A request that was pushed (RFC 9126), or is registered; what stands beside it is then ignored."`
	AuthorizeFields
}

// LogoutFields documents a request to log out (OpenID Connect RP-Initiated Logout section
// 2).
type LogoutFields struct {
	IDTokenHint string `json:"id_token_hint,omitempty" doc:"An ID token of the session that is to end, which then ends without a question."`
	ClientID    string `json:"client_id,omitempty"`
	Back        string `json:"post_logout_redirect_uri,omitempty" doc:"Where the browser goes afterwards: one of the client's, to the letter."`
	State       string `json:"state,omitempty" doc:"Comes back at post_logout_redirect_uri."`
	UILocales   string `json:"ui_locales,omitempty" doc:"Languages of the pages, the best first, separated by spaces."`
}

// logoutForm documents the form of the page that asks.
type logoutForm struct {
	LogoutFields
	Confirm string `json:"confirm,omitempty" enum:"yes"`
	Account string `json:"account,omitempty" doc:"Which of the browser's sessions ends; all where it is left out."`
}

// initiateForm documents a request to begin a sign-in.
type initiateForm struct {
	ClientID  string `json:"client_id"`
	LoginHint string `json:"login_hint,omitempty" doc:"Passed on to the application."`
}

// userinfoForm documents the form of userinfo (RFC 6750 section 2.2).
type userinfoForm struct {
	Token string `json:"access_token,omitempty" doc:"Where it is not in the Authorization header."`
}

// requestForm and appForm document the forms of the pages /requests and /account/apps.
type requestForm struct {
	Request string `json:"request"`
}

type appForm struct {
	Account string `json:"account" doc:"The browser's session."`
	App     string `json:"app"`
}

// keySet documents the answer of RFC 7517 section 5.
type keySet struct {
	Keys []map[string]any `json:"keys" doc:"Public keys (RFC 7517 section 4), those to come among them."`
}
