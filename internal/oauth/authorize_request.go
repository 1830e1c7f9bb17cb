package oauth

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-auth/keystone"
)

var (
	errRequest            = keystone.Fail(keystone.Invalid, "The authorization request is not well formed: send each parameter once, percent-encoded.")
	errUnknownClient      = keystone.Fail(keystone.Invalid, "This application is not known here, or is switched off. Tell whoever runs the application.").WithCode("invalid_client")
	errRedirectURI        = keystone.Fail(keystone.Invalid, "The address to return to is missing or not registered for this application. It must be one of the registered ones, to the letter.")
	errResponseMode       = keystone.Fail(keystone.Invalid, "The response_mode is query, fragment or form_post, each also with .jwt behind it, or jwt.")
	errNoResponse         = keystone.Fail(keystone.Invalid, "Send response_type=code.")
	errResponseType       = keystone.Fail(keystone.Invalid, "Only response_type=code is served: tokens never pass through the browser.").WithCode("unsupported_response_type")
	errNotForClient       = keystone.Fail(keystone.Invalid, "This client may not use the authorization code grant.").WithCode("unauthorized_client")
	errOpenIDNotForClient = keystone.Fail(keystone.Invalid, "This client is not registered for the scope openid: add openid to its scopes, or ask without it.").WithCode("invalid_scope")
	errPKCE               = keystone.Fail(keystone.Invalid, "Send code_challenge with code_challenge_method=S256 (RFC 7636).")
	errPrompt             = keystone.Fail(keystone.Invalid, "prompt is none alone, or of those that the metadata names in prompt_values_supported.")
	errMaxAge             = keystone.Fail(keystone.Invalid, "max_age is a number of seconds.")
	errClaims             = keystone.Fail(keystone.Invalid, "The claims parameter is not the JSON of OpenID Connect Core section 5.5.")
	errHintUser           = keystone.Fail(keystone.Invalid, "The id_token_hint is not an ID token that was issued here to this client.")
	errThumbprint         = keystone.Fail(keystone.Invalid, "dpop_jkt is the SHA-256 thumbprint of a key in base64url (RFC 9449 section 10).")
	errTooLong            = keystone.Fail(keystone.Invalid, "state and nonce have at most 2,000 characters.")
)

// responseModes are the ways a code can travel (OAuth 2.0 Multiple Response
// Types section 2.1, OAuth 2.0 Form Post Response Mode, and in a JWT: JARM section
// 2.3).
var responseModes = []string{"query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"}

// fillRequest checks everything whose errors may be sent to the client.
func (s *Slice) fillRequest(ctx context.Context, c *keystone.Client, req *keystone.AuthRequest, params url.Values) error {
	keystone.Checking(ctx, "response_type and grant of the client")
	switch {
	case params.Get("response_type") == "":
		return errNoResponse
	case params.Get("response_type") != "code":
		return errResponseType
	case !c.MayUse(keystone.GrantAuthorizationCode):
		return errNotForClient
	case len(req.State) > 2000 || len(params.Get("nonce")) > 2000:
		return errTooLong
	case params.Has("dpop_jkt") && !keystone.IsThumbprint(params.Get("dpop_jkt")):
		return errThumbprint
	}
	req.JKT = params.Get("dpop_jkt")
	req.Nonce, req.LoginHint, req.UILocales = params.Get("nonce"), dropIfLonger(params.Get("login_hint"), 254), dropIfLonger(params.Get("ui_locales"), 100)
	asked, err := askedScopes(ctx, c, params)
	if err != nil {
		return err
	}
	// What is not the client's is left out (OpenID Connect Core section 3.1.2.1).
	req.Scopes = keystone.Intersect(asked, c.Scopes)
	keystone.Checking(ctx, "code_challenge (PKCE)")
	if err := fillPKCE(c, req, params); err != nil {
		return err
	}
	keystone.Checking(ctx, "prompt and max_age")
	if err := s.fillPrompt(req, params); err != nil {
		return err
	}
	if err := s.fillReach(ctx, c, req, params); err != nil {
		return err
	}
	keystone.Checking(ctx, "claims")
	if err := fillClaims(c, req, params.Get("claims")); err != nil {
		return err
	}
	if req.Subject != "" {
		if req.Subject = s.Ring.UserOf(c, req.Subject); req.Subject == "" {
			return errClaims
		}
	}
	if acr := params.Get("acr_values"); acr != "" && len(req.ACRValues) == 0 {
		req.ACRValues = strings.Fields(dropIfLonger(acr, 500))
	}
	keystone.Checking(ctx, "id_token_hint")
	return s.fillHint(ctx, c, req, params.Get("id_token_hint"))
}

// askedScopes reads the scopes of a request that a person will answer. What else is not
// the client's may be left out; without openid it would not be the request that it is,
// and its client would wait for an ID token (OpenID Connect Core section 3.1.2.1).
func askedScopes(ctx context.Context, c *keystone.Client, params url.Values) ([]string, error) {
	keystone.Checking(ctx, "scope")
	asked, err := keystone.ParseScope(params.Get("scope"))
	if err == nil && slices.Contains(asked, keystone.ScopeOpenID) && !slices.Contains(c.Scopes, keystone.ScopeOpenID) {
		keystone.Fact(ctx, "scope that the client may have", keystone.FormatScope(c.Scopes))
		err = errOpenIDNotForClient
	}
	return asked, err
}

// fillReach reads whom the tokens are to be for (RFC 8707) and what they are to allow
// in detail (RFC 9396), of requests in the browser and of those without one.
func (s *Slice) fillReach(ctx context.Context, c *keystone.Client, req *keystone.AuthRequest, params url.Values) (err error) {
	keystone.Checking(ctx, "resource")
	if asked := audiencesOf(params); len(asked) > 0 {
		if req.Audiences, err = c.Audience(asked, s.Issuer.Options.Issuer); err != nil {
			keystone.Fact(ctx, "resource asked for", strings.Join(asked, " "))
			keystone.Fact(ctx, "audiences of the client", strings.Join(c.Audiences, " "))
			return err
		}
	}
	req.Details, err = s.details(ctx, c, params.Get("authorization_details"))
	return err
}

// details reads authorization details as far as the client may ask for them (RFC 9396
// section 5).
func (s *Slice) details(ctx context.Context, c *keystone.Client, text string) (keystone.Details, error) {
	keystone.Checking(ctx, "authorization_details")
	list, err := s.Issuer.DetailTypes.Parse(text, c.DetailTypes)
	if err != nil { // of what was sent nothing is noted: it is the person's
		keystone.Fact(ctx, "types of the client", strings.Join(c.DetailTypes, " "))
		keystone.Fact(ctx, "types that are declared", strings.Join(slices.Sorted(maps.Keys(s.Issuer.DetailTypes)), " "))
	}
	return list, err
}

// dropIfLonger is for what may be left out: what is too long is as if not sent.
func dropIfLonger(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}

// fillPKCE reads the code challenge (RFC 7636 section 4.3). S256 is the only
// method: plain, the default, protects nothing.
func fillPKCE(c *keystone.Client, req *keystone.AuthRequest, params url.Values) error {
	challenge := params.Get("code_challenge")
	if challenge == "" {
		if params.Has("code_challenge_method") || !c.MayOmitPKCE() {
			return errPKCE
		}
		return nil
	}
	if params.Get("code_challenge_method") != "S256" || len(challenge) != 43 || !unreserved(challenge) {
		return errPKCE
	}
	req.CodeChallenge = challenge
	return nil
}

// unreserved reports whether s has only the characters of RFC 7636 section 4.1.
func unreserved(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

func (s *Slice) fillPrompt(req *keystone.AuthRequest, params url.Values) error {
	for _, p := range strings.Fields(params.Get("prompt")) {
		if !slices.Contains(s.prompts(), p) {
			return errPrompt
		}
		if !slices.Contains(req.Prompt, p) {
			req.Prompt = append(req.Prompt, p)
		}
	}
	if slices.Contains(req.Prompt, keystone.PromptNone) && len(req.Prompt) > 1 {
		return errPrompt
	}
	if age := params.Get("max_age"); age != "" {
		n, err := strconv.ParseInt(age, 10, 32)
		if err != nil || n < 0 {
			return errMaxAge
		}
		req.MaxAge = &n
	}
	return nil
}

// wish is how much a claim is wished for (OpenID Connect Core section 5.5.1).
type wish struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// fillClaims reads the claims parameter (OpenID Connect Core section 5.5). Claims
// that are not known, and those whose scope is not the client's, are left out.
func fillClaims(c *keystone.Client, req *keystone.AuthRequest, text string) error {
	if text == "" {
		return nil
	}
	var claims struct {
		IDToken  map[string]*wish `json:"id_token"`
		Userinfo map[string]*wish `json:"userinfo"`
	}
	if len(text) > 8<<10 || json.Unmarshal([]byte(text), &claims) != nil {
		return errClaims
	}
	for name, w := range claims.IDToken {
		switch {
		case name == "sub" && w != nil:
			req.Subject, _ = w.Value.(string)
		case name == "acr" && w != nil:
			for _, v := range append(w.Values, w.Value) {
				if acr, ok := v.(string); ok {
					req.ACRValues = append(req.ACRValues, acr)
				}
			}
			req.ACREssential = w.Essential && len(req.ACRValues) > 0
		}
	}
	if w := claims.Userinfo["sub"]; w != nil && req.Subject == "" {
		req.Subject, _ = w.Value.(string)
	}
	req.IDTokenClaims, req.InfoClaims = opened(slices.Sorted(maps.Keys(claims.IDToken)), c.Scopes), opened(slices.Sorted(maps.Keys(claims.Userinfo)), c.Scopes)
	for _, name := range slices.Concat(req.IDTokenClaims, req.InfoClaims) {
		if scope := scopeOf(name); !slices.Contains(req.Scopes, scope) {
			req.ClaimScopes = append(req.ClaimScopes, scope)
		}
	}
	req.ClaimScopes = keystone.SortedSet(req.ClaimScopes)
	return nil
}

func (s *Slice) fillHint(ctx context.Context, c *keystone.Client, req *keystone.AuthRequest, raw string) error {
	if raw == "" {
		return nil
	}
	hint, err := s.Verifier.IDTokenHint(ctx, raw)
	if keystone.KindOf(err) == keystone.Invalid || err == nil && hint.ClientID != c.ID {
		return errHintUser
	}
	if err != nil {
		return err
	}
	if req.Subject != "" && req.Subject != hint.Subject {
		return errHintUser
	}
	req.Subject = hint.Subject
	return nil
}
