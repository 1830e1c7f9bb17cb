package store

import (
	"context"
	"reflect"

	"github.com/keystone-auth/keystone"
)

const roleColumns = `id, name, description, built_in, created_at, updated_at, version`

func scanRole(scan func(...any) error) (r keystone.Role, err error) {
	var created, updated int64
	err = scan(&r.ID, &r.Name, &r.Description, &r.BuiltIn, &created, &updated, &r.Version)
	r.CreatedAt, r.UpdatedAt = moment(created), moment(updated)
	return r, err
}

// CreateRole writes a new role. The actor must hold every scope that it carries.
func (s *Store) CreateRole(ctx context.Context, by keystone.Actor, r keystone.Role) (keystone.Role, error) {
	if err := r.Validate(); err != nil {
		return r, err
	}
	now := s.now()
	r.ID, r.BuiltIn, r.CreatedAt, r.UpdatedAt, r.Version = keystone.NewID(now), false, moment(micros(now)), moment(micros(now)), 1
	r.Scopes = keystone.SortedSet(r.Scopes)
	err := s.InTx(ctx, func(tx *Store) error {
		if by.MayGrantAll(r.Scopes) != "" {
			return errForbidden
		}
		_, err := tx.q.exec(ctx, `INSERT INTO roles (`+roleColumns+`) VALUES ($1, $2, $3, FALSE, $4, $4, 1)`, r.ID, r.Name, r.Description, micros(now))
		if tx.duplicate(err) {
			return keystone.Fail(keystone.Conflict, "A role of this name exists already.").WithFields(map[string]string{"name": "This name is taken."})
		}
		if err != nil {
			return err
		}
		if err := tx.writeScopesOf(ctx, "role", r.ID, r.Scopes); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActRoleCreated, TargetKind: "role", TargetID: r.ID, TargetName: r.Name,
			Detail: map[string]any{"after": describeRole(r)}})
	})
	return r, s.fail("create role", err)
}

func describeRole(r keystone.Role) map[string]any {
	return map[string]any{"description": r.Description, "scopes": r.Scopes}
}

// writeScopesOf replaces the scopes of a role or client.
func (s *Store) writeScopesOf(ctx context.Context, noun, id string, scopes []string) error {
	if _, err := s.q.exec(ctx, `DELETE FROM `+noun+`_scopes WHERE `+noun+`_id = $1`, id); err != nil {
		return err
	}
	for _, name := range scopes {
		n, err := s.q.exec(ctx, `INSERT INTO `+noun+`_scopes (`+noun+`_id, scope_id) SELECT CAST($1 AS TEXT), id FROM scopes WHERE name = $2`, id, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnknownScope
		}
	}
	return nil
}

// Role returns one role by id or name.
func (s *Store) Role(ctx context.Context, idOrName string) (keystone.Role, error) {
	r, err := s.readRole(ctx, idOr("name", idOrName), idOrName)
	return r, s.fail("read role", err)
}

func (s *Store) roleByName(ctx context.Context, name string) (keystone.Role, error) {
	return s.readRole(ctx, `name = $1`, name)
}

func (s *Store) readRole(ctx context.Context, where, arg string) (keystone.Role, error) {
	list, err := all(ctx, s, scanRole, `SELECT `+roleColumns+` FROM roles WHERE `+where, arg)
	if err != nil {
		return keystone.Role{}, err
	}
	if len(list) == 0 {
		return keystone.Role{}, notFound("role")
	}
	r := list[0]
	r.Scopes, err = s.texts(ctx, `SELECT sc.name FROM role_scopes rs JOIN scopes sc ON sc.id = rs.scope_id WHERE rs.role_id = $1 ORDER BY sc.name`, r.ID)
	return r, err
}

// Roles lists roles by name.
func (s *Store) Roles(ctx context.Context, search string, p keystone.Page) (keystone.List[keystone.Role], error) {
	low, high := prefixRange(keystone.FoldTerm(search)) // names are lower case
	list, err := all(ctx, s, scanRole, `SELECT `+roleColumns+` FROM roles WHERE name > $1 AND name >= $3 AND name < $4 ORDER BY name LIMIT $2`, p.After, p.Size()+1, low, high)
	if err != nil {
		return keystone.List[keystone.Role]{}, s.fail("list roles", err)
	}
	cut := page(list, p.Size(), func(r keystone.Role) string { return r.Name })
	for i := range cut.Items {
		cut.Items[i], err = s.readRole(ctx, `id = $1`, cut.Items[i].ID)
		if err != nil {
			return cut, s.fail("list roles", err)
		}
	}
	return cut, nil
}

// RolePatch is a change of some fields of a role; nil leaves a field as it is.
type RolePatch struct {
	Name        *string
	Description *string
	Scopes      *[]string
}

// UpdateRole changes a role that is not built in; of the built-in role "user",
// the scopes can be changed. The actor must hold every scope that the role
// carries before or after.
func (s *Store) UpdateRole(ctx context.Context, by keystone.Actor, idOrName string, version int64, patch RolePatch) (keystone.Role, error) {
	var after keystone.Role
	err := s.InTx(ctx, func(tx *Store) error {
		before, err := tx.Role(ctx, idOrName)
		if err != nil {
			return err
		}
		if version != 0 && before.Version != version {
			return errStale
		}
		after = before
		if patch.Name != nil {
			after.Name = *patch.Name
		}
		if patch.Description != nil {
			after.Description = *patch.Description
		}
		if patch.Scopes != nil {
			after.Scopes = keystone.SortedSet(*patch.Scopes)
		}
		if before.BuiltIn && (before.Name == keystone.RoleAdmin || after.Name != before.Name) {
			return errBuiltIn
		}
		if err := after.Validate(); err != nil {
			return err
		}
		if by.MayGrantAll(before.Scopes) != "" || by.MayGrantAll(after.Scopes) != "" {
			return errForbidden
		}
		return tx.writeRole(ctx, by, before, &after)
	})
	return after, s.fail("update role", err)
}

func (s *Store) writeRole(ctx context.Context, by keystone.Actor, before keystone.Role, after *keystone.Role) error {
	if reflect.DeepEqual(before, *after) {
		return nil
	}
	if before.Name != after.Name {
		if err := s.touchUsers(ctx, before.ID); err != nil {
			return err
		}
	}
	after.UpdatedAt, after.Version = moment(micros(s.now())), before.Version+1
	n, err := s.q.exec(ctx, `UPDATE roles SET name = $1, description = $2, updated_at = $3, version = version + 1 WHERE id = $4 AND version = $5`,
		after.Name, after.Description, micros(after.UpdatedAt), before.ID, before.Version)
	if s.duplicate(err) {
		return keystone.Fail(keystone.Conflict, "A role of this name exists already.").WithFields(map[string]string{"name": "This name is taken."})
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	if err := s.writeScopesOf(ctx, "role", after.ID, after.Scopes); err != nil {
		return err
	}
	s.afterCommit(s.dropScopeCaches)
	was, is := describeRole(before), describeRole(*after)
	was["name"], is["name"] = before.Name, after.Name
	was, is = changes(was, is)
	return s.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActRoleUpdated, TargetKind: "role", TargetID: after.ID, TargetName: after.Name,
		Detail: map[string]any{"before": was, "after": is}})
}

// touchUsers makes those who have a role newer than what was read of them: their roles are
// part of it, and are about to be called something else or to be fewer. Of a role that
// everybody has, not all are: the transaction has its time, and whoever writes by an old
// reading loses nothing by it that still is.
func (s *Store) touchUsers(ctx context.Context, roleID string) error {
	_, err := s.q.exec(ctx, `UPDATE users SET version = version + 1, updated_at = $1 WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = $2 LIMIT 20000)`, micros(s.now()), roleID)
	return err
}

// DeleteRole removes a role that is not built in from everybody who has it.
func (s *Store) DeleteRole(ctx context.Context, by keystone.Actor, idOrName string, version int64) error {
	err := s.InTx(ctx, func(tx *Store) error {
		r, err := tx.Role(ctx, idOrName)
		if err != nil {
			return err
		}
		if r.BuiltIn {
			return errBuiltIn
		}
		if version != 0 && r.Version != version {
			return errStale
		}
		if by.MayGrantAll(r.Scopes) != "" {
			return errForbidden
		}
		if err := tx.touchUsers(ctx, r.ID); err != nil {
			return err
		}
		n, err := tx.q.exec(ctx, `DELETE FROM roles WHERE id = $1 AND version = $2`, r.ID, r.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		tx.afterCommit(s.dropScopeCaches)
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActRoleDeleted, TargetKind: "role", TargetID: r.ID, TargetName: r.Name,
			Detail: map[string]any{"before": describeRole(r)}})
	})
	return s.fail("delete role", err)
}
