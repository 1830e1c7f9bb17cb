package token

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// Options are the lifetimes and the name under which tokens are issued.
type Options struct {
	Issuer     string
	AccessTTL  time.Duration // of access tokens, where the client has none of its own
	RefreshTTL time.Duration // of a refresh token since its last use
	Grace      time.Duration // in which the refresh token before the newest still answers
	MaxSession time.Duration // longest life of a session

	DetailTypes keystone.DetailTypes // that are declared (RFC 9396)
}

// Issuer is the door through which every token leaves.
type Issuer struct {
	Options
	store   *store.Store
	ring    *Ring
	refresh *secret.RefreshTokens
	usage   usage
	observe func(grantType, result string)

	slowSigners chan struct{} // has room for as many as may sign with RSA at once, see sign
}

// NewIssuer returns the door. observe (may be nil) is told how each request for tokens
// came out, for metrics.
func NewIssuer(o Options, s *store.Store, ring *Ring, master secret.MasterKey, observe func(grantType, result string)) *Issuer {
	if observe == nil {
		observe = func(string, string) {}
	}
	return &Issuer{Options: o, store: s, ring: ring, refresh: master.RefreshTokens(), observe: observe,
		slowSigners: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// Request is what a grant has shown, and what is asked for. A grant only proves
// who: whether they get anything is decided here.
type Request struct {
	GrantType string
	Client    *keystone.Client // shared, so nobody changes it; authenticated, or public and named
	UserID    string           // empty: the client asks for itself
	Within    []string         // the scopes of the grant that is used; nil: no such bound
	Scopes    []string         // asked for, sorted; nil: everything
	Audiences []string         // asked for; nil: Keystone itself
	Details   keystone.Details // that the person allowed, or those of them that are asked for; nil: none
	Act       *Act             // who acts for the user; nil: nobody else
	NotAfter  time.Time        // the access token ends then at the latest; zero: no such bound
	// Write makes the state durable before anything leaves: it starts the session
	// or rotates the refresh token. It runs after every check, so that a refusal
	// leaves all as it was. A user's token always has one.
	Write func(context.Context, Decision) (Written, error)
	// Ahead is what Write will return, where that is known but for the refresh token:
	// the tokens are then signed while the database writes, see Decision.Meanwhile.
	Ahead Written
	// ID says what an ID token says besides who; nil: no ID token. It is asked only
	// where openid is among the decided scopes, and before anything is written.
	ID func(context.Context) (IDToken, error)
}

// Decision is what the door has decided.
type Decision struct {
	Now       time.Time
	Scopes    []string
	Audiences []string
	Details   keystone.Details
	Bound     keystone.Confirmation // what the access token is bound to
	Family    keystone.Confirmation // what the refresh tokens are bound to

	// Meanwhile is for Write to hand to the store: it signs while the database writes.
	// nil, or never called: the tokens are signed afterwards.
	Meanwhile func()
}

// Written names the state that the token hangs on.
type Written struct {
	SessionID string
	GrantID   string
	Refresh   string // refresh token to hand out; empty: none
}

// Response is what the caller gets (RFC 6749 section 5.1).
type Response struct {
	AccessToken  string
	RefreshToken string // empty: none
	IDToken      string // empty: none
	ExpiresIn    time.Duration
	Scopes       []string
	Details      keystone.Details // RFC 9396 section 7
	JTI          string
	UserID       string                // whose the tokens are; empty: the client's own
	Bound        keystone.Confirmation // what the access token is bound to
	IssuedType   string                // of a token exchange (RFC 8693 section 2.2.1); empty: another grant
}

var (
	errClientOff = keystone.Fail(keystone.Invalid, "This client is disabled. Ask an administrator of Keystone.").WithCode("unauthorized_client")
	errTooLarge  = keystone.Fail(keystone.Invalid, "The access token would be too large to be sent. Ask for fewer scopes, or register the format opaque for the client.").WithCode("invalid_scope")
	errTooLate   = keystone.Fail(keystone.Invalid, "The token or session this is based on has just expired.").WithCode("invalid_grant")
	errNobody    = keystone.Fail(keystone.Invalid, "A client that asks for itself gets no scope of OpenID Connect: there is no user. Leave out openid, profile, email and offline_access.").WithCode("invalid_scope")
	errUserGone  = keystone.Fail(keystone.Invalid, "The account is not active any more.").WithCode("invalid_grant")
)

// ErrGrantType refuses a client what it is not registered for.
var ErrGrantType = keystone.Fail(keystone.Invalid, "This client may not use this grant type. Register it for the client first.").WithCode("unauthorized_client")

// Issue checks client, grant type, user, sender, scopes and audience, has the
// state written, and mints.
func (i *Issuer) Issue(ctx context.Context, by keystone.Actor, r Request) (Response, error) {
	resp, err := i.issue(ctx, by, r)
	if err == nil {
		i.usage.add(r.Client.ID, r.GrantType, i.store.Now())
	}
	return resp, err
}

// Observe tells metrics how one request for tokens came out, wherever it was decided.
// Whoever answers such a request calls it, once.
func (i *Issuer) Observe(grantType string, err error) { i.observe(grantType, result(err)) }

func (i *Issuer) issue(ctx context.Context, by keystone.Actor, r Request) (Response, error) {
	d, err := i.decide(ctx, &r)
	if err != nil {
		return Response{}, err
	}
	var id *IDToken
	if r.ID != nil && slices.Contains(d.Scopes, keystone.ScopeOpenID) {
		said, err := r.ID(ctx)
		if err != nil {
			return Response{}, err
		}
		id = &said
	}
	keystone.Checking(ctx, "DPoP proof used once")
	if err := spend(ctx, i.store, SenderOf(ctx)); err != nil {
		return Response{}, err
	}
	var w Written
	var ready *signed
	if r.Write != nil {
		keystone.Checking(ctx, "state of the grant")
		if r.Ahead.GrantID != "" && r.Client.AccessTokenFormat != keystone.FormatOpaque { // those are stored, after what they hang on
			ready = i.ahead(ctx, by, r, &d, id)
		}
		if w, err = r.Write(ctx, d); err != nil {
			return Response{}, err // what was signed meanwhile has not left
		}
	}
	if r.UserID != "" && w.GrantID == "" {
		return Response{}, errUserGone // nothing would end such a token
	}
	if ready != nil && w.GrantID != "" && w.GrantID == ready.of.GrantID && w.SessionID == ready.of.SessionID {
		ready.resp.RefreshToken = w.Refresh
		return ready.resp, ready.err
	}
	return i.mint(ctx, &by, &r, &d, w, id)
}

// ahead has the tokens signed while the database writes. It keeps what it is given for
// that, which no other request should have to pay for.
func (i *Issuer) ahead(ctx context.Context, by keystone.Actor, r Request, d *Decision, id *IDToken) *signed {
	ready, decided := &signed{}, *d
	d.Meanwhile = func() {
		ready.of = r.Ahead
		ready.resp, ready.err = i.mint(ctx, &by, &r, &decided, r.Ahead, id)
	}
	return ready
}

// signed is what was signed before it was known whether it may leave.
type signed struct {
	of   Written
	resp Response
	err  error
}

// decide is every check there is.
func (i *Issuer) decide(ctx context.Context, r *Request) (d Decision, err error) {
	d.Now = i.store.Now()
	keystone.Checking(ctx, "client enabled")
	if r.Client == nil || !r.Client.Enabled {
		return d, errClientOff
	}
	keystone.Checking(ctx, "grant type of the client")
	if !r.Client.MayUse(r.GrantType) {
		keystone.Fact(ctx, "grants of the client", keystone.FormatScope(r.Client.Grants))
		return d, ErrGrantType
	}
	held, allowed := r.Client.Scopes, r.Client.Scopes
	if r.UserID == "" { // there is nobody to learn about (OpenID Connect Core section 5.4)
		held = keystone.WithoutOpenID(held)
		allowed = held
	} else {
		keystone.Checking(ctx, "user active")
		u, err := i.store.UserState(ctx, r.UserID)
		if keystone.KindOf(err) == keystone.NotFound || err == nil && !u.Enabled {
			return d, errUserGone
		}
		if err != nil {
			return d, err
		}
		held = u.Scopes
	}
	if r.Within != nil {
		allowed = keystone.Intersect(allowed, r.Within)
	}
	if !r.NotAfter.IsZero() && r.NotAfter.Sub(d.Now) < time.Second {
		return d, errTooLate
	}
	keystone.Checking(ctx, "sender constraint")
	if d.Bound, d.Family, err = bind(r.Client, SenderOf(ctx)); err != nil {
		return d, err
	}
	keystone.Checking(ctx, "scope")
	if r.UserID == "" && slices.ContainsFunc(r.Scopes, keystone.IsOpenIDScope) {
		return d, errNobody
	}
	if d.Scopes, err = keystone.EffectiveScopes(held, allowed, r.Scopes); err != nil {
		keystone.Fact(ctx, "scope asked for", keystone.FormatScope(r.Scopes))
		keystone.Fact(ctx, "scope that the client may have", keystone.FormatScope(allowed))
		keystone.Fact(ctx, "scope held", keystone.FormatScope(held))
		return d, err
	}
	d.Details = i.DetailTypes.Allowed(r.Client, r.Details) // as it is now: what was taken from the client is not given
	keystone.Checking(ctx, "audience")
	if d.Audiences, err = r.Client.Audience(r.Audiences, i.Options.Issuer); err != nil {
		keystone.Fact(ctx, "audience asked for", strings.Join(r.Audiences, " "))
		keystone.Fact(ctx, "audiences of the client", strings.Join(r.Client.Audiences, " "))
		return d, err
	}
	keystone.Checking(ctx, "size of the token")
	if r.Client.AccessTokenFormat != keystone.FormatOpaque && claimsSize(r, &d) > maxClaims {
		return d, errTooLarge
	}
	return d, nil
}

// maxClaims keeps a JWT below maxToken, beyond which Keystone itself and package
// verify refuse it: three quarters of that, because of base64, without a header, a
// signature and the claims that are always there.
const maxClaims = maxToken*3/4 - 2<<10

// claimsSize is about how long the claims are that have no bound of their own.
// Scopes stand in a token twice.
func claimsSize(r *Request, d *Decision) (n int) {
	for _, name := range d.Scopes {
		n += 2*len(name) + 4
	}
	for _, name := range d.Audiences {
		n += len(name) + 3
	}
	return n + len(d.Details.Text()) + len(r.Act.text())
}

// mint makes the access token in the client's format, and the ID token where there is
// to be one.
func (i *Issuer) mint(ctx context.Context, by *keystone.Actor, r *Request, d *Decision, w Written, id *IDToken) (Response, error) {
	ttl := i.AccessTTL
	if r.Client.AccessTokenTTL > 0 {
		ttl = r.Client.AccessTokenTTL
	}
	if !r.NotAfter.IsZero() {
		ttl = min(ttl, r.NotAfter.Sub(d.Now))
	}
	c := &Claims{
		Issuer: i.Options.Issuer, Audiences: d.Audiences, Subject: r.UserID, ClientID: r.Client.ID, Scopes: d.Scopes, Details: d.Details,
		SessionID: w.SessionID, GrantID: w.GrantID, Act: r.Act, IssuedAt: d.Now, ExpiresAt: d.Now.Add(ttl).Truncate(time.Second), Bound: d.Bound, // what exp says is when it ends, to the second
	}
	if r.UserID == "" {
		c.Subject = r.Client.ID
	}
	resp := Response{RefreshToken: w.Refresh, ExpiresIn: ttl, Scopes: d.Scopes, Details: d.Details, UserID: r.UserID, Bound: d.Bound}
	if r.Client.AccessTokenFormat == keystone.FormatOpaque {
		resp.AccessToken, c.JTI = NewOpaque(r.Client.TokenTime(d.Now))
		err := i.store.SaveAccessToken(ctx, *by, secret.Hash(resp.AccessToken), store.AccessToken{
			JTI: c.JTI, UserID: r.UserID, ClientID: c.ClientID, SessionID: c.SessionID, GrantID: c.GrantID,
			Scopes: c.Scopes, Audiences: c.Audiences, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, Bound: c.Bound, Act: c.Act.text(), Details: c.Details.Text(),
		})
		if err != nil {
			return resp, err
		}
	} else {
		c.JTI = r.Client.TokenID(d.Now)
		s, err := i.ring.accessSigner(ctx, r.Client.Rules())
		if err != nil {
			return resp, err
		}
		if resp.AccessToken, err = s.sign(c.appendJSON(make([]byte, 0, 640))); err != nil {
			return resp, err
		}
	}
	if resp.JTI = c.JTI; id == nil {
		return resp, nil
	}
	var err error
	resp.IDToken, err = i.mintID(ctx, id, r, d, w, resp.AccessToken)
	return resp, err
}

// result names an outcome for metrics; the list is closed. A person who has not
// answered yet is no refusal.
func result(err error) string {
	var e *keystone.Error
	switch {
	case err == nil:
		return "issued"
	case !errors.As(err, &e) || e.Kind == keystone.Unknown || e.Kind == keystone.Unavailable:
		return "failed"
	case e.Code == "authorization_pending" || e.Code == "slow_down":
		return "waiting"
	}
	return "refused"
}
