package oauth

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
	"github.com/keystone-auth/keystone/web"
)

// The answers to a poll that gets no tokens (RFC 8628 section 3.5, OpenID Connect
// CIBA section 11).
var (
	errWaiting   = keystone.Fail(keystone.Invalid, "The person has not answered yet. Ask again after the interval.").WithCode("authorization_pending")
	errSlowDown  = keystone.Fail(keystone.Invalid, "Wait five seconds longer between polls from now on.").WithCode("slow_down")
	errExpired   = keystone.Fail(keystone.Invalid, "The code has expired. Ask for another.").WithCode("expired_token")
	errDenied    = keystone.Fail(keystone.Invalid, "The person refused.").WithCode("access_denied")
	errPollCode  = keystone.Fail(keystone.Invalid, "The code is not valid (any more). Ask for another.").WithCode("invalid_grant")
	errAnswered  = keystone.Fail(keystone.NotFound, "This request has expired, or was answered already. Start again where it came from.")
	errNoSuccess = keystone.Fail(keystone.Forbidden, "This request cannot be answered in this way. Start again where it came from.")
)

// poll is a client asking for the outcome of an authorization that waits.
type poll struct {
	grantType string
	kind      string // of store.Pending
	prefix    string // of the code
	code      string
}

// poll answers a poll. It writes nothing until there are tokens to give: the
// state is read through the cache, the pace is counted in memory (Slice.Poll).
func (s *Slice) poll(ctx context.Context, r grantRequest, q poll) (token.Response, error) {
	keystone.Checking(ctx, "grant type of the client")
	if !r.client.MayUse(q.grantType) {
		return token.Response{}, token.ErrGrantType
	}
	keystone.Checking(ctx, "code that is polled for")
	if !secret.WellFormed(q.prefix, q.code) {
		keystone.Fact(ctx, "why", "it is no code of this server and grant type, or not all of one")
		return token.Response{}, errPollCode
	}
	p, err := s.Store.PendingByCode(ctx, q.code)
	if keystone.KindOf(err) == keystone.NotFound {
		keystone.Fact(ctx, "why", "there is no such code, or not any more")
		return token.Response{}, errPollCode
	}
	if err == nil && (p.ClientID != r.client.ID || p.Kind != q.kind) {
		keystone.Fact(ctx, "why", "the code was issued to another client, or for another grant type")
		return token.Response{}, errPollCode
	}
	if err != nil {
		return token.Response{}, err
	}
	keystone.Checking(ctx, "answer of the person")
	keystone.Fact(ctx, "state", p.Status)
	switch expired := !s.Store.Now().Before(p.ExpiresAt); {
	case p.Status == store.StateRedeemed:
		return token.Response{}, errPollCode
	case expired:
		return token.Response{}, errExpired
	case p.Status == store.StateDenied:
		return token.Response{}, errDenied
	case p.Status == store.StatePending:
		if !s.Poll(ctx, hex.EncodeToString(secret.Hash(q.code)), pollInterval) {
			return token.Response{}, errSlowDown
		}
		return token.Response{}, errWaiting
	}
	return s.giveTokens(ctx, r.client, allowed{
		grantType: q.grantType, what: p.Approval, audiences: r.audiences(), details: r.form.Get("authorization_details"), gone: errPollCode,
		redeem: func(ctx context.Context, by keystone.Actor, family keystone.Grant, _ func()) (bool, error) {
			return s.Store.RedeemPending(ctx, by, q.code, family, r.client.FirstParty)
		},
		again: func(context.Context, keystone.Actor) error { return errPollCode },
	})
}

// answerPending writes what a person decided about a client that is somewhere
// else, and tells them. The browser goes nowhere: the client polls.
func (s *Slice) answerPending(w http.ResponseWriter, r *http.Request, f keystone.Flow, c *keystone.Client, step keystone.Step, facts keystone.Facts) error {
	by := httpio.Actor(r.Context()).AsUser(f.UserID, "", c.ID, f.SessionID)
	name := c.NameIn(s.Pages.Language(r, f.Request.UILocales))
	message := web.Message{Title: "pending.denied_title", Lines: []web.Text{web.Say("pending.denied", "client", name)}}
	var approval *store.Code
	switch {
	case step.Kind == keystone.StepDone:
		given := s.given(f, facts)
		approval, by.Name = &given, facts.Session.Username
		message = web.Message{Title: "pending.done_title", Lines: []web.Text{web.Say("pending.done", "client", name)}}
	case step.Code != "access_denied" || f.UserID == "":
		return s.page(w, r, errNoSuccess)
	}
	ok, err := s.Store.AnswerPending(r.Context(), by, f.Request.Pending, f.UserID, approval)
	if err != nil {
		return err
	}
	if !ok {
		return s.page(w, r, errAnswered)
	}
	return s.Pages.Render(w, r, http.StatusOK, "message", web.Page{Locales: f.Request.UILocales, Data: message})
}
