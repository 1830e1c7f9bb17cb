package store

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
)

const userColumns = `u.id, u.username, u.email, u.email_verified, u.first_name, u.last_name, u.enabled, u.last_login, u.created_at, u.updated_at, u.version`

func scanUser(scan func(...any) error) (u keystone.User, err error) {
	var login, created, updated int64
	err = scan(&u.ID, &u.Username, &u.Email, &u.EmailVerified, &u.FirstName, &u.LastName, &u.Enabled, &login, &created, &updated, &u.Version)
	u.LastLogin, u.CreatedAt, u.UpdatedAt = moment(login), moment(created), moment(updated)
	return u, err
}

// CreateUser writes a new user with roles and password hash (a PHC string, or
// "" for none). The actor must be allowed to grant what the roles carry; use
// RegisterUser for people who register themselves.
func (s *Store) CreateUser(ctx context.Context, by keystone.Actor, u keystone.User, passwordHash string) (keystone.User, error) {
	if err := u.Validate(); err != nil {
		return u, err
	}
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.mayGrantRoles(ctx, by, u.Roles); err != nil {
			return err
		}
		return tx.insertUser(ctx, by, &u, passwordHash)
	})
	return u, s.fail("create user", err)
}

// RegisterUser writes a new user who registered without anybody's help. They
// get the role "user" and nothing else.
func (s *Store) RegisterUser(ctx context.Context, by keystone.Actor, u keystone.User, passwordHash string) (keystone.User, error) {
	u.Roles, u.EmailVerified, u.Enabled = []string{keystone.RoleUser}, false, true
	if err := u.Validate(); err != nil {
		return u, err
	}
	err := s.InTx(ctx, func(tx *Store) error { return tx.insertUser(ctx, by, &u, passwordHash) })
	return u, s.fail("register user", err)
}

func (s *Store) insertUser(ctx context.Context, by keystone.Actor, u *keystone.User, passwordHash string) error {
	now := s.now()
	u.ID, u.CreatedAt, u.UpdatedAt, u.Version = keystone.NewID(now), moment(micros(now)), moment(micros(now)), 1
	u.Roles = keystone.SortedSet(u.Roles)
	usernameKey, emailKey := userKeys(*u)
	if err := s.refuseTakenNames(ctx, u.ID, usernameKey, emailKey); err != nil {
		return err
	}
	passwordAt := int64(0)
	if passwordHash != "" {
		passwordAt = micros(now)
	}
	_, err := s.q.exec(ctx, `INSERT INTO users (id, username, username_key, email, email_key, email_verified, first_name, last_name, enabled, password_at, last_login, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $11, 1)`,
		u.ID, u.Username, usernameKey, u.Email, emailKey, u.EmailVerified, u.FirstName, u.LastName, u.Enabled, passwordAt, micros(now))
	if err != nil {
		return err
	}
	if err := s.writeTerms(ctx, *u); err != nil {
		return err
	}
	if err := s.writeUserRoles(ctx, u.ID, u.Roles); err != nil {
		return err
	}
	if passwordHash != "" {
		if _, err := s.q.exec(ctx, `INSERT INTO passwords (user_id, hash) VALUES ($1, $2)`, u.ID, passwordHash); err != nil {
			return err
		}
	}
	return s.audit(ctx, by, keystone.AuditEvent{
		Action: keystone.ActUserCreated, TargetKind: "user", TargetID: u.ID, TargetName: u.Username,
		Detail: map[string]any{"after": describeUser(*u)},
	})
}

// userKeys returns the folded unique keys; the user has been validated.
func userKeys(u keystone.User) (username, email string) {
	username, _ = keystone.FoldUsername(u.Username)
	email, _ = keystone.FoldEmail(u.Email)
	return username, email
}

// refuseTakenNames names the field that is taken. Two writers at once are told
// apart by the unique indexes instead, and get a plain conflict.
func (s *Store) refuseTakenNames(ctx context.Context, except, usernameKey, emailKey string) error {
	f := map[string]string{}
	var id string
	if found, err := s.row(ctx, `SELECT id FROM users WHERE username_key = $1`, []any{usernameKey}, &id); err != nil {
		return err
	} else if found && id != except {
		f["username"] = "This username is taken."
	}
	if found, err := s.row(ctx, `SELECT id FROM users WHERE email_key = $1`, []any{emailKey}, &id); err != nil {
		return err
	} else if found && id != except {
		f["email"] = "This e-mail address belongs to an account already."
	}
	if len(f) > 0 {
		return keystone.Fail(keystone.Conflict, "Somebody has this username or e-mail address already. Choose another.").WithFields(f)
	}
	return nil
}

func describeUser(u keystone.User) map[string]any {
	return map[string]any{
		"username": u.Username, "email": u.Email, "email_verified": u.EmailVerified,
		"first_name": u.FirstName, "last_name": u.LastName, "enabled": u.Enabled, "roles": u.Roles,
	}
}

// User returns one user with roles.
func (s *Store) User(ctx context.Context, id string) (keystone.User, error) {
	var u keystone.User
	if !keystone.IsID(id) {
		return u, notFound("user")
	}
	list, err := all(ctx, s, scanUser, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id)
	if err != nil {
		return u, s.fail("read user", err)
	}
	if len(list) == 0 {
		return u, notFound("user")
	}
	u = list[0]
	u.Roles, err = s.texts(ctx, `SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = $1 ORDER BY r.name`, id)
	return u, s.fail("read user", err)
}

// FindUser returns the user with this id, username or e-mail address, for the
// command line.
func (s *Store) FindUser(ctx context.Context, name string) (keystone.User, error) {
	if keystone.IsID(name) {
		return s.User(ctx, name)
	}
	column, key, err := loginKey(name)
	if err != nil {
		return keystone.User{}, notFound("user")
	}
	var id string
	found, err := s.row(ctx, `SELECT id FROM users WHERE `+column+` = $1`, []any{key}, &id)
	if err != nil {
		return keystone.User{}, s.fail("find user", err)
	}
	if !found {
		return keystone.User{}, notFound("user")
	}
	return s.User(ctx, id)
}

// loginKey says which unique key a login name stands for: usernames have no @.
func loginKey(login string) (column, key string, err error) {
	if strings.Contains(login, "@") {
		key, err = keystone.FoldEmail(login)
		return "email_key", key, err
	}
	key, err = keystone.FoldUsername(login)
	return "username_key", key, err
}

// UpdateUser applies a patch where the user still has the version (0: any
// version). The actor must be one to whom the user is manageable.
// Disabling ends every session and refresh token; the last administrator
// cannot be disabled.
func (s *Store) UpdateUser(ctx context.Context, by keystone.Actor, id string, version int64, patch keystone.UserPatch) (keystone.User, error) {
	var after keystone.User
	err := s.InTx(ctx, func(tx *Store) error {
		before, err := tx.manageable(ctx, by, id)
		if err != nil {
			return err
		}
		if version != 0 && before.Version != version {
			return errStale
		}
		after = patch.Apply(before)
		if err := after.Validate(); err != nil {
			return err
		}
		if reflect.DeepEqual(before, after) {
			return nil // nobody's reading of them is out of date, and nothing happened
		}
		return tx.writeUser(ctx, by, before, &after)
	})
	return after, s.fail("update user", err)
}

func (s *Store) writeUser(ctx context.Context, by keystone.Actor, before keystone.User, after *keystone.User) error {
	usernameKey, emailKey := userKeys(*after)
	if err := s.refuseTakenNames(ctx, after.ID, usernameKey, emailKey); err != nil {
		return err
	}
	now := s.now()
	after.UpdatedAt, after.Version = moment(micros(now)), before.Version+1
	n, err := s.q.exec(ctx, `UPDATE users SET username = $1, username_key = $2, email = $3, email_key = $4, email_verified = $5,
		first_name = $6, last_name = $7, enabled = $8, updated_at = $9, version = $10 WHERE id = $11 AND version = $12`,
		after.Username, usernameKey, after.Email, emailKey, after.EmailVerified, after.FirstName, after.LastName, after.Enabled,
		micros(now), after.Version, after.ID, before.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	if err := s.writeTerms(ctx, *after); err != nil {
		return err
	}
	s.afterCommit(func() { s.cache.users.Invalidate(after.ID) })

	action := keystone.ActUserUpdated
	switch {
	case before.Enabled && !after.Enabled:
		action = keystone.ActUserDisabled
		if err := s.keepAnAdmin(ctx, before); err != nil {
			return err
		}
		if _, err := s.endSessions(ctx, after.ID, "", keystone.EndUserDisabled); err != nil {
			return err
		}
	case !before.Enabled && after.Enabled:
		action = keystone.ActUserEnabled
	}
	was, is := changes(describeUser(before), describeUser(*after))
	return s.audit(ctx, by, keystone.AuditEvent{
		Action: action, TargetKind: "user", TargetID: after.ID, TargetName: after.Username,
		Detail: map[string]any{"before": was, "after": is},
	})
}

// DeleteUser removes a user with everything that hangs on them. Their id is
// never given to anybody else. The last administrator cannot be deleted.
func (s *Store) DeleteUser(ctx context.Context, by keystone.Actor, id string, version int64) error {
	err := s.InTx(ctx, func(tx *Store) error {
		u, err := tx.manageable(ctx, by, id)
		if err != nil {
			return err
		}
		if version != 0 && u.Version != version {
			return errStale
		}
		n, err := tx.q.exec(ctx, `DELETE FROM users WHERE id = $1 AND version = $2`, id, u.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		if err := tx.keepAnAdmin(ctx, u); err != nil {
			return err
		}
		if _, err := tx.endSessions(ctx, id, "", keystone.EndUserDeleted); err != nil {
			return err
		}
		for _, q := range []string{`DELETE FROM sessions WHERE user_id = $1`, `DELETE FROM grants WHERE user_id = $1`, `DELETE FROM access_tokens WHERE user_id = $1`} {
			if _, err := tx.q.exec(ctx, q, id); err != nil {
				return err
			}
		}
		tx.afterCommit(func() { s.cache.users.Invalidate(id) })
		return tx.audit(ctx, by, keystone.AuditEvent{
			Action: keystone.ActUserDeleted, TargetKind: "user", TargetID: id, TargetName: u.Username,
			Detail: map[string]any{"before": describeUser(u)},
		})
	})
	return s.fail("delete user", err)
}

// manageable returns the user when the actor may manage them: it is themselves
// through a first-party client, or the actor holds every scope that they hold.
// Otherwise whoever may write users could take over an administrator. Any other
// client that acts for somebody holds what its token holds, also towards them.
func (s *Store) manageable(ctx context.Context, by keystone.Actor, id string) (keystone.User, error) {
	u, err := s.User(ctx, id)
	if err != nil {
		return u, err
	}
	if by.Kind == keystone.ActorUser && by.ID == id && by.FirstParty {
		return u, nil
	}
	held, err := s.heldScopes(ctx, id)
	if err != nil {
		return u, err
	}
	if by.MayGrantAll(held) != "" {
		return u, errForbidden
	}
	return u, nil
}

// heldScopes returns the scopes that the user's roles carry, sorted.
func (s *Store) heldScopes(ctx context.Context, userID string) ([]string, error) {
	return s.texts(ctx, `SELECT DISTINCT sc.name FROM user_roles ur
		JOIN role_scopes rs ON rs.role_id = ur.role_id JOIN scopes sc ON sc.id = rs.scope_id
		WHERE ur.user_id = $1 ORDER BY sc.name`, userID)
}

// changes reduces two descriptions to what differs.
func changes(before, after map[string]any) (was, is map[string]any) {
	was, is = maps.Clone(before), maps.Clone(after)
	for k := range before {
		if same(before[k], after[k]) {
			delete(was, k)
			delete(is, k)
		}
	}
	return was, is
}

// same compares parts of descriptions, which may be lists and documents. No list
// is an empty list.
func same(a, b any) bool {
	as, aok := a.([]string)
	bs, bok := b.([]string)
	if aok && bok {
		return slices.Equal(as, bs)
	}
	return reflect.DeepEqual(a, b)
}
