package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// grantRequest is a request of the token endpoint whose client is proved.
type grantRequest struct {
	client *keystone.Client // shared, so nobody changes it
	form   url.Values       // the parameters; the JSON faces write theirs as a form too
}

// audiences are those asked for.
func (r grantRequest) audiences() []string { return audiencesOf(r.form) }

// audiencesOf returns whom the tokens of a request are to be for, sorted, each once;
// nil: nobody is named. resource (RFC 8707) and audience (RFC 8693 section 2.1) mean the
// same here, wherever either may stand.
func audiencesOf(params url.Values) []string {
	return keystone.SortedSet(slices.Concat(params["audience"], params["resource"]))
}

// tokenForm documents the form of the token endpoint.
type tokenForm struct {
	GrantType string `json:"grant_type" doc:"What is shown to get the tokens."`
	ClientProof
	Scope        string   `json:"scope,omitempty" doc:"Scopes, separated by spaces. Everything that is allowed where it is left out."`
	Resource     []string `json:"resource,omitempty" doc:"Whom the token is for (RFC 8707). May repeat."`
	Audience     []string `json:"audience,omitempty" doc:"The same as resource."`
	RefreshToken string   `json:"refresh_token,omitempty" doc:"For grant_type refresh_token."`
	Code         string   `json:"code,omitempty" doc:"For grant_type authorization_code, with redirect_uri and code_verifier."`
	RedirectURI  string   `json:"redirect_uri,omitempty"`
	CodeVerifier string   `json:"code_verifier,omitempty" doc:"RFC 7636 section 4.5."`
	DeviceCode   string   `json:"device_code,omitempty" doc:"For a device that polls (RFC 8628 section 3.4)."`
	AuthReqID    string   `json:"auth_req_id,omitempty" doc:"For a client that polls for a person's answer (OpenID Connect CIBA section 10.1)."`
	Subject      string   `json:"subject_token,omitempty" doc:"For a token exchange (RFC 8693 section 2.1), with subject_token_type."`
	SubjectType  string   `json:"subject_token_type,omitempty"`
	Actor        string   `json:"actor_token,omitempty" doc:"Who acts, with actor_token_type. The client itself where it is left out."`
	ActorType    string   `json:"actor_token_type,omitempty"`
	WantedType   string   `json:"requested_token_type,omitempty"`
	Details      string   `json:"authorization_details,omitempty" doc:"Some of the authorization details that were granted, as a JSON array (RFC 9396 section 6). All where it is left out."`
	Assertion    string   `json:"assertion,omitempty" doc:"What another issuer says of a person (RFC 7523 section 2.1)."`
}

var (
	errNoGrantType = keystone.Fail(keystone.Invalid, "Send grant_type.")
	errGrantType   = keystone.Fail(keystone.Invalid, "This grant_type is not served. The metadata at /.well-known/oauth-authorization-server lists those that are.").WithCode("unsupported_grant_type")
)

// errDetailsHere: nobody is asked, and so nothing that only a person can allow is given
// (RFC 9396 section 6).
var errDetailsHere = keystone.Fail(keystone.Invalid, "This grant type involves no person, so it cannot give authorization_details.").WithCode("invalid_authorization_details")

// token serves POST /oauth2/token.
func (s *Slice) token(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	grantType := form.Get("grant_type")
	var t token.Response
	if err == nil {
		t, err = s.tokens(w, r, c, grantType, form)
	}
	s.Issuer.Observe(grantType, err)
	if err != nil {
		return err
	}
	httpio.SetUser(r.Context(), t.UserID)
	httpio.WriteAppender(w, http.StatusOK, t) // RFC 6749 section 5.1
	return nil
}

// tokens is what a client that is proved gets.
func (s *Slice) tokens(w http.ResponseWriter, r *http.Request, c *keystone.Client, grantType string, form url.Values) (t token.Response, err error) {
	keystone.Checking(r.Context(), "grant_type")
	if grantType == "" {
		return t, errNoGrantType
	}
	grant, ok := grants[grantType]
	if !ok {
		keystone.Fact(r.Context(), "grant_type sent", grantType)
		return t, errGrantType
	}
	if form.Has("authorization_details") && !keystone.GrantTypeOf(grantType).Details {
		return t, errDetailsHere
	}
	ctx, err := s.sender(w, r, c)
	if err != nil {
		return t, err
	}
	return grant(s, ctx, grantRequest{c, form})
}
