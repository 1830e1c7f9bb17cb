package store

import (
	"context"

	"github.com/keystone-auth/keystone"
)

// DocumentClient is the client that KeepDocument makes where there is none: nothing is
// written.
func (s *Store) DocumentClient(ctx context.Context, build func(keystone.Client) (keystone.Client, error)) (keystone.Client, error) {
	c, err := s.built(ctx, build, keystone.Client{})
	if err == nil {
		err = validClient(c)
	}
	return c, s.fail("read client metadata document", err)
}

// KeepDocument makes the client whose id is the address of its metadata, or makes
// the one that is kept what the document says now: build makes it of the one that is
// kept (the zero value where there is none), so that what an administrator has set
// besides stays. Whether it is switched off is an administrator's to say. A new one
// needs room among those that nobody has used.
func (s *Store) KeepDocument(ctx context.Context, by keystone.Actor, id string, o Strangers, build func(keystone.Client) (keystone.Client, error)) (keystone.Client, error) {
	kept, err := s.keepDocument(ctx, by, id, o, build)
	if keystone.KindOf(err) == keystone.Conflict { // another node has just made it
		kept, err = s.keepDocument(ctx, by, id, o, build)
	}
	return kept, s.fail("keep client metadata document", err)
}

func (s *Store) keepDocument(ctx context.Context, by keystone.Actor, id string, o Strangers, build func(keystone.Client) (keystone.Client, error)) (kept keystone.Client, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		before, err := tx.Client(ctx, id)
		found := err == nil
		if err != nil && keystone.KindOf(err) != keystone.NotFound {
			return err
		}
		if found && !before.Enabled {
			kept = before
			return nil
		}
		c, err := tx.built(ctx, build, before)
		if err != nil {
			return err
		}
		actor := registrant(by, id, c.Name, o.Policy)
		if found {
			actor.Scopes = keystone.SortedSet(append(before.Scopes, actor.Scopes...)) // whatever it was given since
		}
		var taken keystone.Taken
		if found {
			if c, taken, err = tx.bound(ctx, before, c); err != nil {
				return err
			}
		}
		switch {
		case found && before.Kind == c.Kind:
			if was, is := changes(describeClient(before), describeClient(c)); len(was)+len(is) == 0 {
				kept = before
				return tx.keepPolicy(ctx, id, o.Policy)
			}
			if kept, _, err = tx.replaceRegistered(ctx, actor, before, c); err != nil {
				return err
			}
			return tx.keepPolicy(ctx, id, o.Policy)
		case found: // from a client that proves itself to one that does not, or back: nothing of the old one holds but what was taken from it
			if err := tx.removeClient(ctx, actor, before); err != nil {
				return err
			}
			if c, err = tx.built(ctx, build, keystone.Client{}); err != nil {
				return err
			}
			if c, err = taken.Hold(before, c); err != nil {
				return err
			}
		default:
			if err := tx.roomForStrangers(ctx, by.Source, o); err != nil {
				return err
			}
		}
		if kept, _, err = tx.createClient(ctx, actor, c, id, ""); err != nil {
			return err
		}
		return tx.addRegistration(ctx, Registration{Client: kept, Policy: o.Policy, Taken: taken}, "", by.Source, nil)
	})
	return kept, err
}

// built is what build makes of a client, with scopes that there are.
func (s *Store) built(ctx context.Context, build func(keystone.Client) (keystone.Client, error), before keystone.Client) (c keystone.Client, err error) {
	if c, err = build(before); err != nil {
		return c, err
	}
	if before.ID == "" {
		c.Registration, c.Enabled, c.RotateRefreshTokens = keystone.RegistrationDocument, true, true
	}
	c.Scopes, err = s.knownScopes(ctx, c.Scopes)
	return c.WithDefaults(), err
}
