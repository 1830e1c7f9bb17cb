package store

import (
	"context"

	"github.com/keystone-auth/keystone"
)

const scopeColumns = `id, name, description, built_in, created_at, updated_at, version`

func scanScope(scan func(...any) error) (sc keystone.Scope, err error) {
	var created, updated int64
	err = scan(&sc.ID, &sc.Name, &sc.Description, &sc.BuiltIn, &created, &updated, &sc.Version)
	sc.CreatedAt, sc.UpdatedAt = moment(created), moment(updated)
	return sc, err
}

var (
	errBuiltIn      = keystone.Fail(keystone.Forbidden, "This is built in. It cannot be renamed, changed or deleted; make your own beside it.")
	errUnknownScope = keystone.FailField("scopes", "Name scopes that exist; create them first.")
)

// CreateScope writes a new scope.
func (s *Store) CreateScope(ctx context.Context, by keystone.Actor, sc keystone.Scope) (keystone.Scope, error) {
	if err := sc.Validate(); err != nil {
		return sc, err
	}
	now := s.now()
	sc.ID, sc.BuiltIn, sc.CreatedAt, sc.UpdatedAt, sc.Version = keystone.NewID(now), false, moment(micros(now)), moment(micros(now)), 1
	err := s.InTx(ctx, func(tx *Store) error {
		_, err := tx.q.exec(ctx, `INSERT INTO scopes (`+scopeColumns+`) VALUES ($1, $2, $3, FALSE, $4, $4, 1)`, sc.ID, sc.Name, sc.Description, micros(now))
		if tx.duplicate(err) {
			return keystone.Fail(keystone.Conflict, "A scope of this name exists already.").WithFields(map[string]string{"name": "This name is taken."})
		}
		if err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActScopeCreated, TargetKind: "scope", TargetID: sc.ID, TargetName: sc.Name,
			Detail: map[string]any{"after": map[string]any{"description": sc.Description}}})
	})
	return sc, s.fail("create scope", err)
}

// Scope returns one scope by id or name.
func (s *Store) Scope(ctx context.Context, idOrName string) (keystone.Scope, error) {
	list, err := all(ctx, s, scanScope, `SELECT `+scopeColumns+` FROM scopes WHERE `+idOr("name", idOrName), idOrName)
	if err != nil {
		return keystone.Scope{}, s.fail("read scope", err)
	}
	if len(list) == 0 {
		return keystone.Scope{}, notFound("scope")
	}
	return list[0], nil
}

// Scopes lists scopes by name.
func (s *Store) Scopes(ctx context.Context, search string, p keystone.Page) (keystone.List[keystone.Scope], error) {
	low, high := prefixRange(search) // to the letter, as scopes are compared
	list, err := all(ctx, s, scanScope, `SELECT `+scopeColumns+` FROM scopes WHERE name > $1 AND name >= $3 AND name < $4 ORDER BY name LIMIT $2`, p.After, p.Size()+1, low, high)
	return page(list, p.Size(), func(sc keystone.Scope) string { return sc.Name }), s.fail("list scopes", err)
}

// UpdateScope changes the description of a scope that is not built in.
func (s *Store) UpdateScope(ctx context.Context, by keystone.Actor, idOrName string, version int64, description string) (keystone.Scope, error) {
	var after keystone.Scope
	err := s.InTx(ctx, func(tx *Store) error {
		before, err := tx.Scope(ctx, idOrName)
		if err != nil {
			return err
		}
		if before.BuiltIn {
			return errBuiltIn
		}
		if version != 0 && before.Version != version {
			return errStale
		}
		after = before
		after.Description = description
		if err := after.Validate(); err != nil || after == before {
			return err
		}
		after.UpdatedAt, after.Version = moment(micros(tx.now())), before.Version+1
		n, err := tx.q.exec(ctx, `UPDATE scopes SET description = $1, updated_at = $2, version = version + 1 WHERE id = $3 AND version = $4`,
			description, micros(after.UpdatedAt), before.ID, before.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActScopeUpdated, TargetKind: "scope", TargetID: after.ID, TargetName: after.Name,
			Detail: map[string]any{"before": map[string]any{"description": before.Description}, "after": map[string]any{"description": description}}})
	})
	return after, s.fail("update scope", err)
}

// DeleteScope removes a scope that is not built in from every role and client.
func (s *Store) DeleteScope(ctx context.Context, by keystone.Actor, idOrName string, version int64) error {
	err := s.InTx(ctx, func(tx *Store) error {
		sc, err := tx.Scope(ctx, idOrName)
		if err != nil {
			return err
		}
		if sc.BuiltIn {
			return errBuiltIn
		}
		if version != 0 && sc.Version != version {
			return errStale
		}
		// What carries it is newer than what was read of it.
		for _, touch := range []string{
			`UPDATE clients SET version = version + 1, updated_at = $1 WHERE id IN (SELECT client_id FROM client_scopes WHERE scope_id = $2)`,
			`UPDATE roles SET version = version + 1, updated_at = $1 WHERE id IN (SELECT role_id FROM role_scopes WHERE scope_id = $2)`,
		} {
			if _, err := tx.q.exec(ctx, touch, micros(tx.now()), sc.ID); err != nil {
				return err
			}
		}
		n, err := tx.q.exec(ctx, `DELETE FROM scopes WHERE id = $1 AND version = $2`, sc.ID, sc.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		tx.afterCommit(s.dropScopeCaches)
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActScopeDeleted, TargetKind: "scope", TargetID: sc.ID, TargetName: sc.Name,
			Detail: map[string]any{"before": map[string]any{"description": sc.Description}}})
	})
	return s.fail("delete scope", err)
}

// dropScopeCaches forgets who holds what: it may have changed for everybody.
func (s *Store) dropScopeCaches() {
	s.cache.users.InvalidateAll()
	s.cache.roles.InvalidateAll()
	s.cache.clients.InvalidateAll()
}
