package oauth

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/token"
)

// introspectForm documents the form of the introspection endpoint.
type introspectForm struct {
	Token         string `json:"token"`
	TokenTypeHint string `json:"token_type_hint,omitempty" doc:"Accepted and not needed."`
	ClientProof
}

// introspection is the answer of RFC 7662 section 2.2.
type introspection struct {
	Active    bool             `json:"active"`
	Scope     string           `json:"scope,omitempty"`
	ClientID  string           `json:"client_id,omitempty"`
	Username  string           `json:"username,omitempty"`
	TokenType string           `json:"token_type,omitempty"`
	Expires   int64            `json:"exp,omitempty"`
	Issued    int64            `json:"iat,omitempty"`
	NotBefore int64            `json:"nbf,omitempty"`
	Subject   string           `json:"sub,omitempty"`
	Audience  []string         `json:"aud,omitempty"`
	Issuer    string           `json:"iss,omitempty"`
	JTI       string           `json:"jti,omitempty"`
	SessionID string           `json:"sid,omitempty"`
	Bound     *confirm         `json:"cnf,omitempty"`
	Details   keystone.Details `json:"authorization_details,omitempty" doc:"What the person allowed in detail (RFC 9396 section 9.2)."`
	Act       *token.Act       `json:"act,omitempty" doc:"Who acts for the subject (RFC 8693 section 4.1)."`
}

// confirm is cnf: the key that the token is bound to (RFC 9449 section 6.2, RFC
// 8705 section 3.2).
type confirm struct {
	JKT string `json:"jkt,omitempty"`
	X5T string `json:"x5t#S256,omitempty"`
}

func confirmation(c keystone.Confirmation) *confirm {
	if c.IsZero() {
		return nil
	}
	return &confirm{c.JKT, c.X5T}
}

var (
	errNoToken         = keystone.Fail(keystone.Invalid, "Send token.")
	errIntrospectAuth  = keystone.Fail(keystone.Unauthenticated, "Introspection needs a client with a secret (RFC 7662 section 2.1).").WithCode("invalid_client")
	notActive          = []byte(`{"active":false}`)
	errNotIntrospected = keystone.Fail(keystone.NotFound, "not for this client")
)

// introspect serves POST /oauth2/introspect. Whatever is not a living token that
// concerns the caller is answered with active: false and nothing else.
func (s *Slice) introspect(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	if err != nil {
		return err
	}
	if !c.Confidential() {
		return errIntrospectAuth
	}
	raw := form.Get("token")
	if raw == "" {
		return errNoToken
	}
	answer, err := s.inspect(r.Context(), c, raw)
	switch keystone.KindOf(err) {
	case keystone.Unauthenticated, keystone.NotFound, keystone.Invalid:
		if err != nil {
			return s.writeIntrospection(w, r, c, notActive)
		}
	}
	if err != nil {
		return err
	}
	return s.writeIntrospection(w, r, c, answer.appendJSON(make([]byte, 0, 512)))
}

// introspectionJWT is the media type of signed answers (RFC 9701 section 4).
const introspectionJWT = "application/token-introspection+jwt"

// writeIntrospection answers in plain JSON, or in a JWT for the caller alone where
// it asks for one.
func (s *Slice) writeIntrospection(w http.ResponseWriter, r *http.Request, c *keystone.Client, answer []byte) error {
	if !strings.Contains(strings.ToLower(r.Header.Get("Accept")), introspectionJWT) {
		httpio.WriteRaw(w, http.StatusOK, "", answer)
		return nil
	}
	signed, err := s.Issuer.Introspection(r.Context(), c, answer)
	if err != nil {
		return err
	}
	httpio.WriteRaw(w, http.StatusOK, introspectionJWT, []byte(signed))
	return nil
}

// appendJSON writes what encoding/json would, and a line's end: resource servers
// may ask here for every request they get.
func (a *introspection) appendJSON(b []byte) []byte {
	b = strconv.AppendBool(append(b, `{"active":`...), a.Active)
	b = appendMember(b, `,"scope":`, a.Scope)
	b = appendMember(b, `,"client_id":`, a.ClientID)
	b = appendMember(b, `,"username":`, a.Username)
	b = appendMember(b, `,"token_type":`, a.TokenType)
	b = appendSeconds(b, `,"exp":`, a.Expires)
	b = appendSeconds(b, `,"iat":`, a.Issued)
	b = appendSeconds(b, `,"nbf":`, a.NotBefore)
	b = appendMember(b, `,"sub":`, a.Subject)
	for i, audience := range a.Audience {
		if i == 0 {
			b = append(b, `,"aud":[`...)
		} else {
			b = append(b, ',')
		}
		b = httpio.AppendText(b, audience)
	}
	if len(a.Audience) > 0 {
		b = append(b, ']')
	}
	b = appendMember(b, `,"iss":`, a.Issuer)
	b = appendMember(b, `,"jti":`, a.JTI)
	b = appendMember(b, `,"sid":`, a.SessionID)
	if a.Bound != nil {
		b = token.AppendConfirmation(append(b, `,"cnf":`...), keystone.Confirmation(*a.Bound))
	}
	if a.Act != nil {
		b = a.Act.AppendJSON(append(b, `,"act":`...))
	}
	if len(a.Details) > 0 {
		b = a.Details.AppendJSON(append(b, `,"authorization_details":`...))
	}
	return append(b, '}', '\n')
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return httpio.AppendText(append(b, name...), value)
}

func appendSeconds(b []byte, name string, value int64) []byte {
	if value == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), value, 10)
}

func (s *Slice) inspect(ctx context.Context, c *keystone.Client, raw string) (introspection, error) {
	if strings.HasPrefix(raw, secret.RefreshToken) {
		return s.inspectRefresh(ctx, c, raw)
	}
	t, err := s.Verifier.Introspect(ctx, raw)
	if err != nil {
		return introspection{}, err
	}
	if !s.Verifier.Living(t.Claims) || !c.Introspects(t.ClientID, t.Audiences) {
		return introspection{}, errNotIntrospected
	}
	of, err := s.Store.CachedClient(ctx, t.ClientID)
	if err != nil {
		return introspection{}, err
	}
	a := introspection{
		Active: true, Scope: keystone.FormatScope(t.Scopes), ClientID: t.ClientID, TokenType: token.TokenType(t.Bound),
		Expires: t.ExpiresAt.Unix(), Issued: t.IssuedAt.Unix(), NotBefore: t.IssuedAt.Unix(),
		Subject: t.Subject, Audience: t.Audiences, Issuer: t.Issuer, JTI: t.JTI, SessionID: s.Ring.SessionName(of, t.SessionID), Bound: confirmation(t.Bound), Act: t.Act, Details: t.Details,
	}
	switch {
	case t.UserID() == "":
	case of.Sector() != "": // what it may know of the user is the sub of its own
		a.Subject = s.Ring.Subject(of, t.Subject)
	default:
		a.Username = t.Name
	}
	return a, nil
}

// inspectRefresh answers for a client's own newest refresh token.
func (s *Slice) inspectRefresh(ctx context.Context, c *keystone.Client, raw string) (introspection, error) {
	g, generation, err := s.Issuer.Family(ctx, raw)
	if err != nil {
		return introspection{}, err
	}
	if g, err = s.Store.Grant(ctx, g.ID); err != nil {
		return introspection{}, err
	}
	u, err := s.Store.UserState(ctx, g.UserID)
	if err != nil {
		return introspection{}, err
	}
	until := s.Store.RefreshableUntil(g)
	if g.ClientID != c.ID || g.Generation != generation || !g.RevokedAt.IsZero() || !u.Enabled || !s.Store.Now().Before(until) {
		return introspection{}, errNotIntrospected
	}
	name := u.Username
	if c.Sector() != "" {
		name = ""
	}
	return introspection{Active: true, Scope: keystone.FormatScope(g.Scopes), ClientID: g.ClientID, Username: name,
		Expires: until.Unix(), Issued: g.RotatedAt.Unix(), Subject: s.Ring.Subject(c, g.UserID), Audience: g.Audiences, Issuer: s.Issuer.Options.Issuer, SessionID: s.Ring.SessionName(c, g.SessionID), Bound: confirmation(g.Bound), Details: s.Issuer.DetailTypes.Allowed(c, g.Details)}, nil
}
