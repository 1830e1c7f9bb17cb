package store

import (
	"context"
	"slices"

	"github.com/keystone-auth/keystone"
)

var (
	errLastAdmin   = keystone.Fail(keystone.Conflict, "This would leave nobody who can administer Keystone. Give another enabled user who has a password the role admin first.")
	errUnknownRole = keystone.FailField("roles", "Name roles that exist.")
)

// SetUserRoles gives the user exactly these roles. Whoever does so must hold
// every scope of the roles that are added or taken away.
func (s *Store) SetUserRoles(ctx context.Context, by keystone.Actor, id string, version int64, roles []string) (keystone.User, error) {
	var u keystone.User
	err := s.InTx(ctx, func(tx *Store) error {
		var err error
		u, err = tx.User(ctx, id)
		if err != nil {
			return err
		}
		if version != 0 && u.Version != version {
			return errStale
		}
		was, before := u, u.Roles
		u.Roles = keystone.SortedSet(roles)
		if err := u.Validate(); err != nil {
			return err
		}
		if err := tx.mayGrantRoles(ctx, by, append(keystone.SortedSet(before), u.Roles...)); err != nil {
			return err
		}
		if slices.Equal(keystone.SortedSet(before), u.Roles) {
			return nil
		}
		now := tx.now()
		n, err := tx.q.exec(ctx, `UPDATE users SET updated_at = $1, version = version + 1 WHERE id = $2 AND version = $3`, micros(now), id, u.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		u.UpdatedAt, u.Version = moment(micros(now)), u.Version+1
		if _, err := tx.q.exec(ctx, `DELETE FROM user_roles WHERE user_id = $1`, id); err != nil {
			return err
		}
		if err := tx.writeUserRoles(ctx, id, u.Roles); err != nil {
			return err
		}
		if !u.HasRole(keystone.RoleAdmin) {
			if err := tx.keepAnAdmin(ctx, was); err != nil {
				return err
			}
		}
		tx.afterCommit(func() { s.cache.users.Invalidate(id) })
		return tx.audit(ctx, by, keystone.AuditEvent{
			Action: keystone.ActUserRolesChanged, TargetKind: "user", TargetID: id, TargetName: u.Username,
			Detail: map[string]any{"before": before, "after": u.Roles},
		})
	})
	return u, s.fail("set roles", err)
}

func (s *Store) writeUserRoles(ctx context.Context, userID string, roles []string) error {
	for _, name := range roles {
		n, err := s.q.exec(ctx, `INSERT INTO user_roles (user_id, role_id) SELECT CAST($1 AS TEXT), id FROM roles WHERE name = $2`, userID, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnknownRole
		}
		if name == keystone.RoleAdmin {
			if _, err := s.closeSetup(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayGrantRoles refuses where the roles carry a scope that the actor may not
// grant, or where one does not exist.
func (s *Store) mayGrantRoles(ctx context.Context, by keystone.Actor, roles []string) error {
	for _, name := range keystone.SortedSet(roles) {
		r, err := s.roleByName(ctx, name)
		if keystone.KindOf(err) == keystone.NotFound {
			return errUnknownRole
		}
		if err != nil {
			return err
		}
		if by.MayGrantAll(r.Scopes) != "" {
			return errForbidden
		}
	}
	return nil
}

// keepAnAdmin refuses to take away a user who was an enabled administrator, or their
// password, where that leaves nobody who can sign in as one, once there has been one. The lock row makes such changes
// wait for one another, so that two administrators cannot remove each other at
// the same time. It comes after the user's row is written at the version that
// was read: so the user was what was says.
func (s *Store) keepAnAdmin(ctx context.Context, was keystone.User) error {
	if !was.Enabled || !was.HasRole(keystone.RoleAdmin) {
		return nil
	}
	if _, err := s.q.exec(ctx, `UPDATE meta SET value = 'lock' WHERE name = 'admins'`); err != nil {
		return err
	}
	n, err := s.countAdmins(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return nil
	}
	closed, err := s.setupClosed(ctx)
	if err != nil {
		return err
	}
	if closed {
		return errLastAdmin
	}
	return nil
}

func (s *Store) countAdmins(ctx context.Context) (n int64, err error) {
	_, err = s.row(ctx, `SELECT COUNT(*) FROM user_roles ur JOIN roles r ON r.id = ur.role_id JOIN users u ON u.id = ur.user_id
		JOIN passwords p ON p.user_id = u.id WHERE r.name = 'admin' AND u.enabled AND p.hash <> ''`, nil, &n)
	return n, err
}
