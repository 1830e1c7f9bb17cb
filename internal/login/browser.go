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

// newSession is what the proof writes within a flow: a session that begins now, where the
// browser carries none of its user.
func (s *Slice) newSession(by keystone.Actor, p proof.Proof, userAgent string) store.SignIn {
	now := s.Store.Now()
	return store.SignIn{Login: p.Login, Clear: p.Clear, Session: keystone.Session{
		ID: keystone.NewID(now), UserID: p.Login.UserID, Source: by.Source, UserAgent: shorten(userAgent),
		AMR: []string{keystone.AMRPassword}, CreatedAt: now, ExpiresAt: now.Add(s.Issuer.MaxSession),
	}}
}
