package login

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

type signInRequest struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      struct {
		Username  string `json:"username" maxLength:"254" doc:"Username or e-mail address."`
		Password  string `json:"password"`
		GrantType string `json:"grant_type,omitempty" enum:"password" default:"password"`
		ClientID  string `json:"client_id,omitempty" maxLength:"100" doc:"A first-party client. Keystone's own where it is left out."`
		Scope     string `json:"scope,omitempty" doc:"Scopes, separated by spaces. Everything the user holds where it is left out."`
	}
}

type signInAnswer struct{ Body token.TokenResponse }

var errClient = keystone.Fail(keystone.Forbidden, "This client may not use the sign-in API. It is for first-party clients; others use the OAuth endpoints.")

// signIn serves POST /api/v1/auth/login.
func (s *Slice) signIn(ctx context.Context, in *signInRequest) (_ *signInAnswer, err error) {
	defer func() { s.Issuer.Observe(keystone.GrantSignIn, err) }()
	by := httpio.Actor(ctx)
	scopes, err := keystone.ParseScope(in.Body.Scope)
	if err != nil {
		return nil, keystone.FailField("scope", "Scopes are names separated by spaces.")
	}
	keystone.Checking(ctx, "first-party client")
	client, err := s.client(ctx, in.Body.ClientID)
	if err != nil {
		return nil, err
	}
	httpio.SetClient(ctx, client.ID)
	by.ClientID = client.ID
	p, err := s.prove(ctx, by, in.Body.Username, "", in.Body.Password)
	if err != nil {
		return nil, err
	}
	by = by.AsUser(p.Login.UserID, p.Login.Username, client.ID, "")
	t, err := s.Issuer.Issue(ctx, by, token.Request{
		GrantType: keystone.GrantSignIn, Client: client, UserID: p.Login.UserID, Scopes: scopes,
		Write: func(ctx context.Context, d token.Decision) (token.Written, error) {
			return s.begin(ctx, by, p, client, d, in.UserAgent)
		},
	})
	if err = s.Proof.Kept(ctx, p, err); err != nil {
		s.Observe(resultOf(err))
		if err := s.refusedAfterProof(ctx, by, err); err != nil {
			return nil, err
		}
		return nil, token.InJSON(err)
	}
	s.Observe("succeeded")
	httpio.SetUser(ctx, p.Login.UserID)
	s.rehash(ctx, by, p, in.Body.Password)
	return &signInAnswer{t.Body()}, nil
}

// refusedAfterProof records that a right password was refused for what else was
// asked: whoever guesses learns from the answer that it was right.
func (s *Slice) refusedAfterProof(ctx context.Context, by keystone.Actor, err error) error {
	if kind := keystone.KindOf(err); kind != keystone.Invalid && kind != keystone.Forbidden {
		return nil // nothing was said of the password
	}
	return s.Store.Record(ctx, by, keystone.AuditEvent{
		Action: keystone.ActSignInFailed, TargetKind: "user", TargetID: by.ID, TargetName: by.Name,
		Detail: map[string]any{"reason": "request", "purpose": "sign_in"},
	})
}

// client returns the first-party client that a sign-in goes through.
func (s *Slice) client(ctx context.Context, id string) (*keystone.Client, error) {
	if id == "" {
		id = keystone.FirstPartyClientID
	}
	c, err := s.Store.CachedClient(ctx, id)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && (!c.FirstParty || !c.Enabled) {
		return c, errClient
	}
	return c, err
}

// begin writes the session and its refresh token family, where the account is
// still as it was when the password was checked.
func (s *Slice) begin(ctx context.Context, by keystone.Actor, p proof.Proof, c *keystone.Client, d token.Decision, userAgent string) (token.Written, error) {
	ses := keystone.Session{
		ID: keystone.NewID(d.Now), UserID: p.Login.UserID, ClientID: c.ID, Source: by.Source, UserAgent: shorten(userAgent),
		AMR: []string{keystone.AMRPassword}, CreatedAt: d.Now, ExpiresAt: d.Now.Add(s.Issuer.MaxSession),
	}
	by.SessionID = ses.ID
	family, refresh := s.Issuer.NewFamily(d, ses.UserID, c.ID, ses.ID)
	ok, err := s.Store.StartSession(ctx, by, store.SignIn{Session: ses, Grant: family, Login: p.Login, Clear: p.Clear})
	if err != nil {
		return token.Written{}, err
	}
	if !ok {
		return token.Written{}, proof.Refused
	}
	return token.Written{SessionID: ses.ID, GrantID: family.ID, Refresh: refresh}, nil
}

// shorten keeps what people need to tell devices apart.
func shorten(userAgent string) string {
	const most = 200
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			return -1
		}
		return r
	}, userAgent)
	if len(clean) > most {
		clean = strings.ToValidUTF8(clean[:most], "")
	}
	return clean
}

// rehash replaces a weaker hash while the password is at hand. The sign-in has
// succeeded already; what goes wrong here is for the log.
func (s *Slice) rehash(ctx context.Context, by keystone.Actor, p proof.Proof, pass string) {
	if !p.Rehash {
		return
	}
	hash, err := s.Hasher.Hash(ctx, pass)
	if err == nil {
		err = s.Store.Rehash(ctx, by, p.Login.UserID, p.Login.Hash, hash)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "password hash not renewed", "user_id", p.Login.UserID, "error", err)
	}
}

// resultOf names how a sign-in failed; the list is closed.
func resultOf(err error) string {
	switch keystone.KindOf(err) {
	case keystone.Unauthenticated:
		return "refused"
	case keystone.Limited:
		return "limited"
	case keystone.Invalid, keystone.Forbidden:
		return "invalid"
	}
	return "failed"
}
