package oauth

import (
	"context"
	"slices"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// Token types (RFC 8693 section 3).
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

var (
	errNoSubject   = keystone.Fail(keystone.Invalid, "Send subject_token and subject_token_type (RFC 8693 section 2.1).")
	errSubjectType = keystone.Fail(keystone.Invalid, "Only access tokens of this server can be exchanged: the types are urn:ietf:params:oauth:token-type:access_token and, for a JWT, urn:ietf:params:oauth:token-type:jwt.")
	errWantedType  = keystone.Fail(keystone.Invalid, "Only access tokens are issued in exchange: leave requested_token_type out, or ask for urn:ietf:params:oauth:token-type:access_token.")
	errActorPair   = keystone.Fail(keystone.Invalid, "Send actor_token and actor_token_type together or not at all (RFC 8693 section 2.1).")
	errSubject     = keystone.Fail(keystone.Invalid, "The subject_token is not a living access token of a person.").WithCode("invalid_grant")
	errActor       = keystone.Fail(keystone.Invalid, "The actor_token is not a living access token that was issued to this client itself.").WithCode("invalid_grant")
	errChain       = keystone.Fail(keystone.Invalid, "The chain of actors is too long.").WithCode("invalid_grant")
	errNoRule      = keystone.Fail(keystone.Invalid, "This client may not exchange tokens of that client in this way. An administrator has to set a rule (token_exchange).").WithCode("unauthorized_client")
	errExchangeFor = keystone.Fail(keystone.Invalid, "The exchange rule does not allow this audience.").WithCode("invalid_target")
	errExchangeAs  = keystone.Fail(keystone.Invalid, "The new token may not carry this scope: the old one lacks it, or the rule of this exchange does not reach to it.").WithCode("invalid_scope")
)

// tokenExchange gives a client a token of its own for somebody else's (RFC 8693).
// The new token never carries or reaches more than the old one, the rule, the
// client and the user all allow; it ends no later, and with the same grant.
func (s *Slice) tokenExchange(ctx context.Context, r grantRequest) (token.Response, error) {
	c := r.client
	keystone.Checking(ctx, "grant type of the client")
	if !c.Confidential() || !c.MayUse(keystone.GrantTokenExchange) {
		return token.Response{}, token.ErrGrantType
	}
	if err := checkExchange(r); err != nil {
		return token.Response{}, err
	}
	keystone.Checking(ctx, "subject token")
	subject, err := s.exchanged(ctx, r.form.Get("subject_token"), errSubject)
	if err != nil {
		return token.Response{}, err
	}
	if subject.UserID() == "" || subject.GrantID == "" {
		return token.Response{}, errSubject // a client asks for itself; nothing would end such a token
	}
	keystone.Checking(ctx, "rule of the exchange")
	keystone.Fact(ctx, "client of the subject token", subject.ClientID)
	rule, ok := c.ExchangeRule(subject.ClientID, r.form.Has("actor_token"))
	if !ok {
		return token.Response{}, errNoRule
	}
	keystone.Checking(ctx, "actor")
	act, err := s.actor(ctx, r, subject, rule)
	if err != nil {
		return token.Response{}, err
	}
	keystone.Checking(ctx, "audience of the exchange")
	audiences, err := s.exchangeAudiences(r, subject, rule)
	if err != nil {
		return token.Response{}, err
	}
	within := subject.Scopes
	if len(rule.Scopes) > 0 {
		within = keystone.Intersect(within, keystone.SortedSet(rule.Scopes))
	}
	scopes, err := keystone.ParseScope(r.form.Get("scope"))
	if err != nil {
		return token.Response{}, err
	}
	keystone.Checking(ctx, "scope of the exchange")
	if !keystone.Subset(scopes, within) {
		keystone.Fact(ctx, "scope asked for", keystone.FormatScope(scopes))
		keystone.Fact(ctx, "scope that the exchange reaches", keystone.FormatScope(within))
		return token.Response{}, errExchangeAs
	}
	if within == nil {
		within = []string{}
	}
	by := httpio.Actor(ctx).AsUser(subject.Subject, subject.Name, c.ID, subject.SessionID)
	t, err := s.Issuer.Issue(ctx, by, token.Request{
		GrantType: keystone.GrantTokenExchange, Client: c, UserID: subject.Subject, Within: within, Scopes: scopes, Audiences: audiences,
		Act: act, NotAfter: subject.ExpiresAt,
		Write: func(ctx context.Context, d token.Decision) (token.Written, error) {
			err := s.Store.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActTokenExchanged, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
				Detail: map[string]any{"subject_jti": subject.JTI, "subject_client": subject.ClientID, "mode": rule.Mode, "act": act, "scopes": d.Scopes, "audiences": d.Audiences}})
			return token.Written{SessionID: subject.SessionID, GrantID: subject.GrantID}, err
		},
	})
	t.IssuedType = typeAccessToken
	return t, err
}

// checkExchange checks the form of the request (RFC 8693 section 2.1).
func checkExchange(r grantRequest) error {
	own := func(tokenType string) bool { return tokenType == typeAccessToken || tokenType == typeJWT }
	wanted := r.form.Get("requested_token_type")
	switch {
	case r.form.Get("subject_token") == "" || r.form.Get("subject_token_type") == "":
		return errNoSubject
	case !own(r.form.Get("subject_token_type")):
		return errSubjectType
	case r.form.Has("actor_token") != r.form.Has("actor_token_type"):
		return errActorPair
	case r.form.Has("actor_token") && !own(r.form.Get("actor_token_type")):
		return errSubjectType
	case wanted != "" && wanted != typeAccessToken:
		return errWantedType
	}
	return nil
}

// exchanged says what is true now of a token that was presented.
func (s *Slice) exchanged(ctx context.Context, raw string, refused error) (*token.Inspection, error) {
	t, err := s.Verifier.Inspect(ctx, raw)
	switch keystone.KindOf(err) {
	case keystone.Unauthenticated, keystone.NotFound, keystone.Invalid:
		if err != nil {
			return t, refused
		}
	}
	return t, err
}

// actor returns who acts in the new token, before those who did in the old one
// (RFC 8693 section 4.1). Impersonation adds nobody and forgets nobody.
func (s *Slice) actor(ctx context.Context, r grantRequest, subject *token.Inspection, rule keystone.ExchangeRule) (*token.Act, error) {
	if rule.Mode == keystone.ExchangeImpersonation {
		return subject.Act, nil
	}
	act := &token.Act{Subject: r.client.ID, Act: subject.Act}
	if r.form.Has("actor_token") {
		t, err := s.exchanged(ctx, r.form.Get("actor_token"), errActor)
		if err != nil {
			return nil, err
		}
		if t.ClientID != r.client.ID || t.Act != nil {
			return nil, errActor
		}
		if act.Subject = t.Subject; t.UserID() != "" {
			act.ClientID = t.ClientID
		}
	}
	if act.Depth() > token.MaxActors {
		return nil, errChain
	}
	return act, nil
}

// exchangeAudiences returns whom the new token is for: what is asked for, within
// the rule; else all that the rule, or the old token, and the client allow.
// Never Keystone itself unless one of them names it.
func (s *Slice) exchangeAudiences(r grantRequest, subject *token.Inspection, rule keystone.ExchangeRule) ([]string, error) {
	reach := rule.Audiences
	if len(reach) == 0 {
		reach = subject.Audiences
	}
	asked := r.audiences()
	for _, a := range asked {
		if !slices.Contains(reach, a) {
			return nil, errExchangeFor
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	for _, a := range reach {
		if a == s.Issuer.Options.Issuer || slices.Contains(r.client.Audiences, a) {
			asked = append(asked, a)
		}
	}
	if len(asked) == 0 {
		return nil, errExchangeFor
	}
	return asked, nil
}
