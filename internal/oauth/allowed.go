package oauth

import (
	"context"
	"slices"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// allowed is what a person has allowed a client and the client now comes for: an
// authorization code stands for it, or a pending authorization.
type allowed struct {
	grantType string
	what      store.Code
	code      string   // the authorization code, for c_hash; empty: another grant type
	audiences []string // those of the resources that this access token is for (RFC 8707 section 2.2); nil: all
	details   string   // those of the authorization details that are asked for now (RFC 9396 section 6); empty: all
	gone      error    // the answer where it does not hold any more
	// redeem uses it and begins its grant, in one transaction; false: it was used.
	// meanwhile is for the store, which may do it while the database writes.
	redeem func(ctx context.Context, by keystone.Actor, g keystone.Grant, meanwhile func()) (bool, error)
	// again returns the answer where it was used before.
	again func(context.Context, keystone.Actor) error
}

// giveTokens checks that what was allowed still holds, and has tokens issued.
func (s *Slice) giveTokens(ctx context.Context, c *keystone.Client, a allowed) (token.Response, error) {
	details, audiences, err := s.askedOf(ctx, c, a)
	if err != nil {
		return token.Response{}, err
	}
	held, err := s.stillHolds(ctx, c, a)
	if err != nil {
		return token.Response{}, err
	}
	what, by := a.what, httpio.Actor(ctx).AsUser(held.user.ID, held.user.Username, c.ID, a.what.SessionID)
	what.Scopes = held.scopes
	signIn := keystone.SignIn{At: what.AuthTime, ACR: what.ACR, AMR: what.AMR, Claims: opened(what.Request.IDTokenClaims, what.Scopes)}
	t, err := s.Issuer.Issue(ctx, by, token.Request{
		GrantType: a.grantType, Client: c, UserID: what.UserID, Within: keystone.Intersect(what.Scopes, what.Request.Scopes), Audiences: audiences, Details: details,
		ID: func(ctx context.Context) (token.IDToken, error) {
			id, err := s.idToken(ctx, c, what.UserID, signIn)
			id.Code, id.Nonce = a.code, what.Request.Nonce
			return id, err
		},
		Ahead: token.Written{SessionID: what.SessionID, GrantID: what.GrantID},
		Write: func(ctx context.Context, d token.Decision) (token.Written, error) {
			family, refresh := s.Issuer.CodeFamily(d, what, c.ID, held.session.ExpiresAt)
			family.Details = what.Request.Details
			family.Claims = opened(what.Request.InfoClaims, what.Scopes)
			if mayRefresh(c, d.Scopes) && slices.Contains(d.Scopes, keystone.ScopeOpenID) {
				family.SignIn = signIn
			}
			ok, err := a.redeem(ctx, by, family, d.Meanwhile)
			if err != nil {
				return token.Written{}, err
			}
			if !ok {
				keystone.Fact(ctx, "why", "it was used at the same moment, or what was allowed has just ended")
				return token.Written{}, a.again(ctx, by)
			}
			w := token.Written{SessionID: what.SessionID, GrantID: family.ID}
			if mayRefresh(c, d.Scopes) {
				w.Refresh = refresh
			}
			return w, nil
		},
	})
	return s.encryptedID(ctx, c)(t, ofGrant(ctx, a.audiences, err))
}

// askedOf narrows what was allowed to the authorization details and resources that are
// asked for now. What was not allowed is refused before anything is used up: whoever sends
// it has shown all that the code demands, and may ask again for less.
func (s *Slice) askedOf(ctx context.Context, c *keystone.Client, a allowed) (keystone.Details, []string, error) {
	details, err := s.details(ctx, c, a.details)
	if err == nil && !a.what.Request.Details.Cover(details) {
		keystone.Fact(ctx, "why", "they are not among those that the person allowed")
		err = token.ErrDetails
	}
	if err != nil {
		return nil, nil, err
	}
	if details == nil {
		details = a.what.Request.Details
	}
	keystone.Checking(ctx, "resource")
	audiences, err := token.Narrowed(ctx, s.Issuer.Granted(a.what), a.audiences)
	return details, audiences, err
}

// held is what is left of what a person allowed.
type held struct {
	session keystone.Session
	user    store.UserState
	scopes  []string // without what was taken back since
}

// stillHolds reads session, consent and user; the error is a.gone where one of them has
// ended.
func (s *Slice) stillHolds(ctx context.Context, c *keystone.Client, a allowed) (h held, err error) {
	keystone.Checking(ctx, "session")
	st, err := s.Store.Standing(ctx, a.what.SessionID, c.ID)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && !st.Session.Alive(s.Store.Now()) {
		keystone.Fact(ctx, "why", "the session in which this was allowed has ended")
		return h, a.gone
	}
	if err != nil {
		return h, err
	}
	h.session, h.scopes = st.Session, a.what.Scopes
	if !c.FirstParty {
		keystone.Checking(ctx, "consent")
		var reached bool
		if h.scopes, reached = st.Allowed.Held(a.what.Scopes, c.Reach(a.what.Request.Audiences)); !reached {
			keystone.Fact(ctx, "why", "the person has taken their consent back")
			return h, a.gone
		}
	}
	keystone.Checking(ctx, "user")
	h.user, err = s.Store.UserState(ctx, a.what.UserID)
	if keystone.KindOf(err) == keystone.NotFound {
		keystone.Fact(ctx, "why", "there is no such user any more")
		return h, a.gone
	}
	return h, err
}

// idToken is what an ID token says of a person who has signed in like that, by name as
// far as the client may still ask for it. Where it is to be encrypted to the client,
// there must be a key for it.
func (s *Slice) idToken(ctx context.Context, c *keystone.Client, userID string, in keystone.SignIn) (id token.IDToken, err error) {
	id.SignIn = in
	if in.Claims = opened(in.Claims, c.Scopes); len(in.Claims) > 0 {
		u, err := s.Store.UserState(ctx, userID)
		if err != nil {
			return id, err
		}
		id.Claims = userClaims(u.User, nil, in.Claims)
	}
	return id, s.mayEncrypt(ctx, c)
}

// mayRefresh reports whether a client gets a refresh token: an OpenID client
// where offline_access was consented to (OpenID Connect Core section 11), any
// other where it is registered for them.
func mayRefresh(c *keystone.Client, scopes []string) bool {
	if !c.MayUse(keystone.GrantRefreshToken) {
		return false
	}
	return !slices.Contains(scopes, keystone.ScopeOpenID) || slices.Contains(scopes, keystone.ScopeOfflineAccess)
}

// given is what a flow that is done has shown and allowed.
func (s *Slice) given(f keystone.Flow, facts keystone.Facts) store.Code {
	return store.Code{
		GrantID: keystone.NewID(s.Store.Now()), UserID: facts.Session.UserID, SessionID: facts.Session.ID, AuthTime: facts.AuthTime,
		AMR: facts.Session.AMR, ACR: facts.ACR, Scopes: f.Answered(facts), Request: f.Request,
	}
}
