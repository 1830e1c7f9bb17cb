package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// scopeClaims is which claims a scope opens (OpenID Connect Core section 5.4).
var scopeClaims = map[string][]string{
	keystone.ScopeProfile: {"name", "given_name", "family_name", "preferred_username", "updated_at"},
	keystone.ScopeEmail:   {"email", "email_verified"},
}

// scopeOf names the scope that opens a claim, or "" where nothing is known of it.
func scopeOf(claim string) string {
	for scope, names := range scopeClaims {
		if slices.Contains(names, claim) {
			return scope
		}
	}
	return ""
}

// opened returns those claims that scopes open: what was asked for by name is given
// only as far as the person allowed it.
func opened(claims, scopes []string) (list []string) {
	for _, name := range claims {
		if slices.Contains(scopes, scopeOf(name)) {
			list = append(list, name)
		}
	}
	return list
}

// userClaims is what may be said of a user under scopes, and under claims that
// were asked for by name. What is empty is left out.
func userClaims(u keystone.User, scopes, named []string) map[string]any {
	all := map[string]any{
		"name":               strings.TrimSpace(u.FirstName + " " + u.LastName),
		"given_name":         u.FirstName,
		"family_name":        u.LastName,
		"preferred_username": u.Username,
		"updated_at":         u.UpdatedAt.Unix(),
		"email":              u.Email,
		"email_verified":     u.EmailVerified,
	}
	for _, scope := range scopes {
		named = append(slices.Clone(named), scopeClaims[scope]...)
	}
	out := map[string]any{}
	for _, name := range named {
		if v, ok := all[name]; ok && v != "" {
			out[name] = v
		}
	}
	return out
}

var (
	errNoUserinfo    = keystone.Fail(keystone.Unauthenticated, "Send an access token with the scope openid: Authorization: Bearer ... (RFC 6750 section 2.1).").WithCode("invalid_token")
	errUserinfoToken = keystone.Fail(keystone.Unauthenticated, "The access token is not valid (any more). Sign in or refresh to get another.").WithCode("invalid_token")
	errNobodysToken  = keystone.Fail(keystone.Unauthenticated, "The access token is a client's own: nobody has signed in for it.").WithCode("invalid_token")
	errOneToken      = keystone.Fail(keystone.Invalid, "Send the access token one way only: in the Authorization header, or as access_token of the form (RFC 6750 section 2).")
	errUserinfoScope = keystone.Fail(keystone.Forbidden, "The access token lacks the scope openid.").WithCode("insufficient_scope")
)

// errForOthers answers a token that is not for here: whoever asks for one for an API
// can have it for both.
func (s *Slice) errForOthers() error {
	return keystone.Fail(keystone.Unauthenticated, "The access token is for another audience: ask for resource="+s.Issuer.Options.Issuer+" too.").WithCode("invalid_token")
}

// userinfo serves GET and POST /oauth2/userinfo (OpenID Connect Core section
// 5.3). The token comes in the header, or in the form of a POST (RFC 6750
// section 2.2), never in the address. A token for somebody else's API alone is
// not one for here.
func (s *Slice) userinfo(w http.ResponseWriter, r *http.Request) error {
	t, err := s.userinfoCaller(w, r)
	// The backend of an application is one address for all its users: who has a
	// good token is counted by its user, the others by where they come from.
	if limited := s.Asked(r.Context()); limited != nil {
		keystone.Checking(r.Context(), "rate limit of the actor")
		return limited
	}
	if err != nil {
		return err
	}
	keystone.Checking(r.Context(), "scope of the route")
	if !slices.Contains(t.Scopes, keystone.ScopeOpenID) {
		keystone.Fact(r.Context(), "demanded", keystone.ScopeOpenID)
		keystone.Fact(r.Context(), "held", keystone.FormatScope(t.Scopes))
		httpio.ExchangeOf(r.Context()).Demanded = keystone.ScopeOpenID
		httpio.Challenge(w.Header(), httpio.ExchangeOf(r.Context()).Challenges.LacksScope(keystone.ScopeOpenID))
		return errUserinfoScope
	}
	if !t.Bound.IsZero() {
		interaction(w, r)
	}
	u, err := s.Store.User(r.Context(), t.Subject)
	if err != nil {
		return err
	}
	c, err := s.Store.CachedClient(r.Context(), t.ClientID)
	if err != nil {
		return err
	}
	var named []string
	if t.GrantID != "" {
		g, err := s.Store.GrantFacts(r.Context(), t.GrantID)
		if err != nil {
			return err
		}
		if g.ClientID == t.ClientID { // a token that was exchanged has the grant of another client
			named = opened(g.Claims, c.Scopes) // of what was taken from the client since, no name is left
		}
	}
	claims := userClaims(u, t.Scopes, named)
	claims["sub"] = s.Ring.Subject(c, t.Subject)
	if c.UserinfoAlg != "" || c.UserinfoEncAlg != "" {
		signed, err := s.Issuer.Userinfo(r.Context(), c, claims)
		if err != nil {
			return err
		}
		if signed, err = s.encrypted(r.Context(), c, c.UserinfoEncAlg, c.UserinfoEnc, signed); err != nil {
			return err
		}
		httpio.WriteRaw(w, http.StatusOK, "application/jwt", []byte(signed))
		return nil
	}
	return httpio.WriteJSON(w, http.StatusOK, claims)
}

// interaction answers the id by which a FAPI client and this server find one request
// in the logs of both: the client's where it is a UUID, else that of the request (FAPI
// 1.0 Part 1 section 6.2.1, clause 11).
func interaction(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Fapi-Interaction-Id")
	if !keystone.IsID(strings.ToLower(id)) {
		id = httpio.Actor(r.Context()).RequestID
	}
	w.Header().Set("X-Fapi-Interaction-Id", id)
}

// userinfoCaller returns what is true of the token of the request, and makes its
// user the actor.
func (s *Slice) userinfoCaller(w http.ResponseWriter, r *http.Request) (t *token.Inspection, err error) {
	keystone.Checking(r.Context(), "one access token")
	presented, err := userinfoToken(w, r)
	if err != nil {
		return t, err
	}
	keystone.Checking(r.Context(), "access token")
	t, err = s.Verifier.InspectPresented(r.Context(), presented)
	if Challenge(r.Context(), w.Header(), presented, err); w.Header().Get("WWW-Authenticate") != "" {
		return t, err
	}
	switch {
	case keystone.KindOf(err) == keystone.Unauthenticated:
		err = errUserinfoToken
	case err != nil:
		return t, err
	case t.UserID() == "":
		err = errNobodysToken
	case !slices.Contains(t.Audiences, s.Issuer.Options.Issuer):
		keystone.Fact(r.Context(), "audience of the token", strings.Join(t.Audiences, " "))
		err = s.errForOthers()
	default:
		httpio.SetActor(r.Context(), t.Actor())
		return t, nil
	}
	httpio.Challenge(w.Header(), httpio.ExchangeOf(r.Context()).Challenges.BadToken())
	return t, err
}

// userinfoToken returns the token of a userinfo request, which comes in one way
// (RFC 6750 section 2). In a form it is a bearer token: DPoP has its header (RFC 9449
// section 7.1).
func userinfoToken(w http.ResponseWriter, r *http.Request) (token.Presented, error) {
	headers, inForm := r.Header["Authorization"], ""
	if TokenInAddress(r) {
		return token.Presented{}, ErrTokenInAddress
	}
	if r.Method == http.MethodPost && (len(headers) == 0 || httpio.IsForm(r)) {
		form, err := httpio.Form(r, httpio.MaxForm)
		if err != nil {
			return token.Presented{}, err
		}
		inForm = form.Get("access_token")
	}
	switch {
	case len(headers) > 1, len(headers) == 1 && inForm != "":
		return token.Presented{}, errOneToken
	case len(headers) == 1:
		p, ok := Presented(w, r, headers[0])
		if !ok {
			return p, errNoUserinfo
		}
		return p, nil
	case inForm != "":
		return token.Presented{Token: inForm, Shown: token.Shown{X5T: thumbprint(r.Context())}}, nil
	}
	return token.Presented{}, errNoUserinfo
}
