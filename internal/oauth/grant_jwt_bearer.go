package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/jose"
	"github.com/keystone-auth/keystone/internal/token"
)

// assertedLife is the longest life of an access token for an assertion: the issuer
// is not asked again, so that it is not long (RFC 7521 section 4.1).
const assertedLife = time.Hour

// assertionTyps are the typ of an assertion about a person. One that names itself
// something else, such as an access token or a client's assertion, is none.
var assertionTyps = []string{"authorization-grant+jwt", "jwt", ""}

var (
	errNoAssertion = keystone.Fail(keystone.Invalid, "Send assertion (RFC 7523 section 2.1).")
	errAsserted    = keystone.Fail(keystone.Invalid, "The assertion does not stand for a user: its iss and sub must be registered for this client, its aud is this issuer alone, its exp at most an hour away, its jti new, its signature one of its issuer's keys.").WithCode("invalid_grant")
)

// jwtBearer gives a client a token for a person whom another issuer vouches for
// (RFC 7523 section 2.1), as far as the client's policy goes. There is no refresh
// token: the client comes back with another assertion.
func (s *Slice) jwtBearer(ctx context.Context, r grantRequest) (token.Response, error) {
	c := r.client
	keystone.Checking(ctx, "grant type of the client")
	if !c.Confidential() || !c.MayUse(keystone.GrantJWTBearer) {
		return token.Response{}, token.ErrGrantType
	}
	if r.form.Get("assertion") == "" {
		return token.Response{}, errNoAssertion
	}
	scopes, err := keystone.ParseScope(r.form.Get("scope"))
	if err != nil {
		return token.Response{}, err
	}
	keystone.Checking(ctx, "assertion")
	a, err := s.asserted(ctx, c, r.form.Get("assertion"))
	if err != nil {
		return token.Response{}, err
	}
	u, err := s.Store.UserState(ctx, a.userID) // for the trail; whether they may is decided by the door
	if keystone.KindOf(err) == keystone.NotFound {
		return token.Response{}, errAsserted
	}
	if err != nil {
		return token.Response{}, err
	}
	by := httpio.Actor(ctx).AsUser(u.ID, u.Username, c.ID, "")
	ends := s.Store.Now().Add(assertedLife)
	return s.Issuer.Issue(ctx, by, token.Request{
		GrantType: keystone.GrantJWTBearer, Client: c, UserID: u.ID, Within: a.within, Scopes: scopes, Audiences: r.audiences(), NotAfter: ends,
		Write: func(ctx context.Context, d token.Decision) (token.Written, error) {
			g, _ := s.Issuer.NewFamily(d, u.ID, c.ID, "")
			g.SessionID, g.ExpiresAt, g.EndsAt = g.ID, ends, ends // no session: whatever ends all of the user's ends it too
			first, err := s.Store.BeginAsserted(ctx, by, a.issuer+"\x00"+a.jti, a.expires, g, map[string]any{
				"issuer": a.issuer, "subject": a.subject, "scopes": d.Scopes, "audiences": d.Audiences,
			})
			if err == nil && !first {
				keystone.Fact(ctx, "why", "the assertion was used before")
				err = errAsserted
			}
			return token.Written{GrantID: g.ID}, err
		},
	})
}

// assertion is what another issuer says of a person.
type assertion struct {
	issuer, subject, jti, userID string
	expires                      time.Time
	within                       []string // nil: no bound
}

// asserted holds an assertion to RFC 7523 section 3 and to the client's policy. That
// it is used for the first time is asked when the grant is written.
func (s *Slice) asserted(ctx context.Context, c *keystone.Client, raw string) (a assertion, err error) {
	t, err := jose.Parse(raw, keystone.AssertionAlgs(), assertionTyps...)
	if err != nil {
		return a, errAsserted
	}
	a.issuer, a.subject, a.jti = t.Claims.Text("iss"), t.Claims.Text("sub"), t.Claims.Text("jti")
	policy, trusted := c.AssertionIssuer(a.issuer)
	userID, known := policy.User(a.subject)
	audiences, _ := t.Claims.Texts("aud")
	expires, timely := inTime(t.Claims, s.Store.Now(), assertionLife)
	if !trusted || !known || len(audiences) != 1 || audiences[0] != s.Issuer.Options.Issuer || !timely || a.jti == "" || len(a.jti) > maxJTI {
		keystone.Fact(ctx, "issuer of the assertion", a.issuer)
		keystone.Fact(ctx, "subject of the assertion", a.subject)
		keystone.Fact(ctx, "audience of the assertion", strings.Join(audiences, " "))
		return a, errAsserted
	}
	ok, err := s.Keys.VerifyIssued(ctx, policy.Issuer, policy.JWKSURI, t)
	if err == nil && !ok {
		err = errAsserted
	}
	a.userID, a.expires = userID, expires.Add(2*clockLeeway)
	if len(policy.Scopes) > 0 {
		a.within = keystone.SortedSet(policy.Scopes)
	}
	return a, err
}
