package store

import (
	"context"

	"github.com/keystone-auth/keystone"
)

// manageableClient returns the client when the actor may manage it: whoever
// holds its secret acts with its scopes, so the actor must hold them all.
func (s *Store) manageableClient(ctx context.Context, by keystone.Actor, id string) (keystone.Client, error) {
	c, err := s.Client(ctx, id)
	if err != nil {
		return c, err
	}
	if c.BuiltIn {
		return c, errBuiltIn
	}
	return c, s.mayMakeClient(ctx, by, c)
}

// mayMakeClient refuses an actor who may not give a client what it has: its scopes;
// and what lets it act for people, which is what users:write is about: by exchange
// for those whose tokens it gets, by assertion for those whom its issuers may speak
// for. A first-party client acts for everybody, who is not even asked, so that
// everybody must be manageable.
func (s *Store) mayMakeClient(ctx context.Context, by keystone.Actor, c keystone.Client) error {
	forPeople := c.FirstParty || len(c.TokenExchange) > 0 || len(c.JWTBearer) > 0
	switch {
	case by.MayGrantAll(c.Scopes) != "":
		return errForbidden
	case !forPeople || by.HoldsAll():
		return nil
	case by.Kind == keystone.ActorRegistration && by.ID == c.ID && c.Registration == keystone.RegistrationDocument:
		return nil // a document says nothing of these: what an administrator has set stays
	case c.FirstParty || !by.May(keystone.UsersWrite):
		return errForbidden
	}
	return s.mayAssert(ctx, by, c.JWTBearer)
}

// mayAssert refuses an actor who does not hold what the people hold for whom these
// issuers may speak: whoever has a key of such an issuer can be any of them.
func (s *Store) mayAssert(ctx context.Context, by keystone.Actor, issuers []keystone.AssertionIssuer) error {
	for _, a := range issuers {
		if a.SubjectIsUserID {
			return errForbidden
		}
		for _, u := range a.Users {
			if _, err := s.manageable(ctx, by, u.UserID); err != nil && keystone.KindOf(err) != keystone.NotFound { // nobody has the id, or ever will again
				return err
			}
		}
	}
	return nil
}
