package store

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

var errSetupClosed = keystone.Fail(keystone.Conflict, "Keystone has an administrator already. Sign in instead.")

// setupLife is how long a setup link works.
const setupLife = time.Hour

// NeedsSetup reports whether there has never been an administrator.
func (s *Store) NeedsSetup(ctx context.Context) (bool, error) {
	closed, err := s.setupClosed(ctx)
	return !closed, s.fail("read setup state", err)
}

func (s *Store) setupClosed(ctx context.Context) (bool, error) {
	var v string
	return s.row(ctx, `SELECT value FROM meta WHERE name = 'setup'`, nil, &v)
}

// closeSetup marks that there has been an administrator, for ever. It reports
// whether this was the first.
func (s *Store) closeSetup(ctx context.Context) (first bool, err error) {
	n, err := s.q.exec(ctx, `INSERT INTO meta (name, value) VALUES ('setup', 'closed') ON CONFLICT (name) DO NOTHING`)
	return n == 1, err
}

// SetupToken makes the bearer value of a setup link: good once, for an hour, and
// only until there is an administrator.
func (s *Store) SetupToken(ctx context.Context, by keystone.Actor) (string, error) {
	value := secret.New(secret.OneTime)
	err := s.InTx(ctx, func(tx *Store) error {
		if closed, err := tx.setupClosed(ctx); err != nil {
			return err
		} else if closed {
			return errSetupClosed
		}
		if err := tx.AddSingleUse(ctx, SingleUseSetup, value, "", tx.now().Add(setupLife)); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActSetupLinkMade, TargetKind: "server"})
	})
	return value, s.fail("make setup link", err)
}

// SetupTokenGood reports whether the setup link could be used now.
func (s *Store) SetupTokenGood(ctx context.Context, value string) (bool, error) {
	needs, err := s.NeedsSetup(ctx)
	if err != nil || !needs || !secret.WellFormed(secret.OneTime, value) {
		return false, err
	}
	return s.PeekOnce(ctx, SingleUseSetup, value)
}

var errSetupLink = keystone.Fail(keystone.Unauthenticated, "This setup link was used or has expired. Run: keystone setup-link")

// CreateFirstAdmin makes the first administrator, with a setup link's value or,
// where token is empty, by whoever holds the server's configuration: the
// operator or Keystone itself. Exactly one caller ever succeeds.
func (s *Store) CreateFirstAdmin(ctx context.Context, by keystone.Actor, token string, u keystone.User, passwordHash string) (keystone.User, error) {
	u.Roles, u.Enabled = []string{keystone.RoleAdmin, keystone.RoleUser}, true
	if err := u.Validate(); err != nil {
		return u, err
	}
	err := s.InTx(ctx, func(tx *Store) error {
		first, err := tx.closeSetup(ctx)
		if err != nil {
			return err
		}
		if !first {
			return errSetupClosed
		}
		if token != "" || by.Kind != keystone.ActorOperator && by.Kind != keystone.ActorSystem {
			_, ok, err := tx.UseOnce(ctx, SingleUseSetup, token)
			if err != nil {
				return err
			}
			if !ok {
				return errSetupLink
			}
		}
		if err := tx.insertUser(ctx, by, &u, passwordHash); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActSetupDone, TargetKind: "user", TargetID: u.ID, TargetName: u.Username})
	})
	return u, s.fail("create first administrator", err)
}

// seedBuiltIns puts Keystone's own scopes, roles and client in, or brings them
// up to date. It runs under the migration lease.
func (s *Store) seedBuiltIns(ctx context.Context) error {
	err := s.InTx(ctx, func(tx *Store) error {
		now := micros(tx.now())
		for _, sc := range append(slices.Clone(keystone.BuiltInScopes), keystone.OpenIDScopes...) {
			if _, err := tx.q.exec(ctx, `INSERT INTO scopes (`+scopeColumns+`) VALUES ($1, $2, $3, TRUE, $4, $4, 1)
				ON CONFLICT (name) DO UPDATE SET built_in = TRUE`, keystone.NewID(tx.now()), sc.Name, sc.Description, now); err != nil {
				return err
			}
		}
		for _, r := range []keystone.Role{
			{Name: keystone.RoleAdmin, Description: "Administers Keystone: holds every scope of its own"},
			{Name: keystone.RoleUser, Description: "Everybody who registers"},
		} {
			if _, err := tx.q.exec(ctx, `INSERT INTO roles (`+roleColumns+`) VALUES ($1, $2, $3, TRUE, $4, $4, 1) ON CONFLICT (name) DO NOTHING`,
				keystone.NewID(tx.now()), r.Name, r.Description, now); err != nil {
				return err
			}
		}
		if _, err := tx.q.exec(ctx, `INSERT INTO role_scopes (role_id, scope_id) SELECT r.id, sc.id FROM roles r, scopes sc
			WHERE r.name = 'admin' AND sc.built_in AND sc.name LIKE '%:%' AND NOT EXISTS (SELECT 1 FROM role_scopes rs WHERE rs.role_id = r.id AND rs.scope_id = sc.id)`); err != nil {
			return err
		}
		_, err := tx.q.exec(ctx, `INSERT INTO clients (id, name, kind, enabled, first_party, built_in, redirect_uris, audiences, grants,
			access_token_format, rotate_refresh_tokens, access_token_ttl, created_at, updated_at, version)
			VALUES ($1, 'Keystone', 'spa', TRUE, TRUE, TRUE, '[]', '[]', 'refresh_token', 'jwt', TRUE, 0, $2, $2, 1) ON CONFLICT (id) DO NOTHING`,
			keystone.FirstPartyClientID, now)
		if err != nil {
			return err
		}
		return tx.fillNameKeys(ctx)
	})
	return s.fail("put in built-in roles", err)
}
