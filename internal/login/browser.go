package login

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
)

// prove checks a password, for the API and the page alike.
func (s *Slice) prove(ctx context.Context, by keystone.Actor, name, browser, pass string) (proof.Proof, error) {
	keystone.Checking(ctx, "name and password")
	p, err := s.Proof.Password(ctx, by, name, browser, pass)
	if err != nil {
		s.Observe(resultOf(err))
	}
	return p, err
}

// browserSession begins a session for whoever has shown the password, or renews
// the one that this browser already carries for them.
func (s *Slice) browserSession(ctx context.Context, by keystone.Actor, v visit, p proof.Proof, userAgent string) (_ string, err error) {
	defer func() { err = s.Proof.Kept(ctx, p, err) }()
	sessions, err := s.Store.BrowserSessions(ctx, v.browser)
	if err != nil {
		return "", err
	}
	for _, b := range sessions {
		if b.UserID == p.Login.UserID {
			by.SessionID = b.ID
			ok, err := s.Store.RenewSession(ctx, by, b.ID, p.Login, p.Clear)
			if err == nil && !ok {
				err = proof.Refused
			}
			return b.ID, err
		}
	}
	now := s.Store.Now()
	ses := keystone.Session{
		ID: keystone.NewID(now), UserID: p.Login.UserID, Source: by.Source, UserAgent: shorten(userAgent),
		AMR: []string{keystone.AMRPassword}, CreatedAt: now, ExpiresAt: now.Add(s.Issuer.MaxSession),
	}
	by.SessionID = ses.ID
	ok, err := s.Store.StartSession(ctx, by, store.SignIn{Session: ses, Login: p.Login, Clear: p.Clear})
	if err == nil && !ok {
		err = proof.Refused
	}
	return ses.ID, err
}
