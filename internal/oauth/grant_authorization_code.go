package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

var (
	errNoCode   = keystone.Fail(keystone.Invalid, "Send code.")
	errCode     = keystone.Fail(keystone.Invalid, "The code is not valid (any more). Start again at the authorization endpoint.").WithCode("invalid_grant")
	errKey      = keystone.Fail(keystone.Invalid, "The code is bound to another key: redeem it with a DPoP proof of the key of its authorization request (RFC 9449 section 10).").WithCode("invalid_grant")
	errVerifier = keystone.Fail(keystone.Invalid, "The code_verifier is not the one of this authorization request (RFC 7636 section 4.6).").WithCode("invalid_grant")
)

// authorizationCode redeems a code (RFC 6749 section 4.1.3, RFC 7636 section
// 4.6).
func (s *Slice) authorizationCode(ctx context.Context, r grantRequest) (token.Response, error) {
	c, presented := r.client, r.form.Get("code")
	keystone.Checking(ctx, "code")
	if presented == "" {
		return token.Response{}, errNoCode
	}
	code, err := s.checkCode(ctx, r)
	if err != nil {
		return token.Response{}, err
	}
	return s.giveTokens(ctx, c, allowed{
		grantType: keystone.GrantAuthorizationCode, what: code, code: presented, audiences: r.audiences(), details: r.form.Get("authorization_details"), gone: errCode,
		redeem: func(ctx context.Context, by keystone.Actor, family keystone.Grant, meanwhile func()) (bool, error) {
			return s.Store.RedeemCode(ctx, by, presented, family, c.FirstParty, meanwhile)
		},
		again: func(ctx context.Context, by keystone.Actor) error { return s.codeReused(ctx, by, code) },
	})
}

func noCode(err error) error {
	if keystone.KindOf(err) == keystone.NotFound {
		return errCode
	}
	return err
}

// checkCode holds a code against what the client presents with it. A wrong
// verifier or key burns the code: whoever has a code without them has stolen it.
func (s *Slice) checkCode(ctx context.Context, r grantRequest) (store.Code, error) {
	presented := r.form.Get("code")
	if !secret.WellFormed(secret.AuthCode, presented) {
		keystone.Fact(ctx, "why", "it is no code of this server, or not all of one")
		return store.Code{}, errCode
	}
	code, used, err := s.Store.ReadCode(ctx, presented)
	if err != nil {
		return code, noCode(err)
	}
	if code.Request.ClientID != r.client.ID {
		keystone.Fact(ctx, "why", "the code was issued to another client")
		keystone.Fact(ctx, "issued to", code.Request.ClientID)
		return code, errCode
	}
	if used {
		keystone.Fact(ctx, "why", "the code was used before: everything that came of it has ended")
		return code, s.codeReused(ctx, asClient(ctx, r.client), code)
	}
	keystone.Checking(ctx, "redirect_uri of the code")
	if r.form.Get("redirect_uri") != code.Request.RedirectURI {
		keystone.Fact(ctx, "redirect_uri sent", r.form.Get("redirect_uri"))
		keystone.Fact(ctx, "redirect_uri of the authorization request", code.Request.RedirectURI)
		return code, errCode
	}
	keystone.Checking(ctx, "code_verifier (PKCE)")
	var wrong error
	var reason string
	switch {
	case !verifies(code.Request.CodeChallenge, r.form.Get("code_verifier")):
		wrong, reason = errVerifier, "code_verifier"
	case code.Request.JKT != "" && code.Request.JKT != token.SenderOf(ctx).JKT:
		wrong, reason = errKey, "dpop_jkt"
	default:
		return code, nil
	}
	if err := s.Store.BurnCode(ctx, asClient(ctx, r.client), presented, code, reason); err != nil {
		return code, err
	}
	return code, wrong
}

// verifies checks a code verifier (RFC 7636 section 4.6). A verifier without a
// challenge is refused: the request was stripped of it (RFC 9700 section 4.8.2).
func verifies(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || !unreserved(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return secret.Equal([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge))
}

// codeReused ends everything that came of a code that is presented again (RFC
// 6749 section 4.1.2).
func (s *Slice) codeReused(ctx context.Context, by keystone.Actor, code store.Code) error {
	if err := s.Store.RevokeGrant(ctx, by, code.GrantID, keystone.EndCodeReuse); err != nil {
		return err
	}
	return errCode
}
