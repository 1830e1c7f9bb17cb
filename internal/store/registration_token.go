package store

import (
	"context"
	"encoding/json"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

const registrationTokenColumns = `id, name, policy, uses, created_at, expires_at, last_used`

func scanRegistrationToken(scan func(...any) error) (t keystone.RegistrationToken, err error) {
	var policy string
	var created, expires, used int64
	if err = scan(&t.ID, &t.Name, &policy, &t.Uses, &created, &expires, &used); err != nil {
		return t, err
	}
	t.CreatedAt, t.ExpiresAt, t.LastUsed = moment(created), moment(expires), moment(used)
	return t, json.Unmarshal([]byte(policy), &t.Policy)
}

// CreateRegistrationToken makes an initial access token (RFC 7591 section 3), whose
// value is returned this once. The actor must hold every scope that it lets others
// register.
func (s *Store) CreateRegistrationToken(ctx context.Context, by keystone.Actor, t keystone.RegistrationToken) (value string, made keystone.RegistrationToken, err error) {
	now := s.now()
	t.Policy = t.Policy.WithDefaults()
	if err := t.Validate(now); err != nil {
		return "", t, err
	}
	policy, err := json.Marshal(t.Policy)
	if err != nil {
		return "", t, s.fail("create registration token", err)
	}
	t.ID, t.CreatedAt, t.ExpiresAt = keystone.NewID(now), moment(micros(now)), moment(micros(t.ExpiresAt))
	value = secret.New(secret.InitialAccess)
	err = s.InTx(ctx, func(tx *Store) error {
		if by.MayGrantAll(t.Policy.Scopes) != "" {
			return errForbidden
		}
		if known, err := tx.knownScopes(ctx, t.Policy.Scopes); err != nil {
			return err
		} else if len(known) != len(t.Policy.Scopes) {
			return errUnknownScope
		}
		if _, err := tx.q.exec(ctx, `INSERT INTO registration_tokens (id, hash, name, policy, uses, created_at, expires_at, last_used) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			t.ID, secret.Hash(value), t.Name, string(policy), t.Uses, micros(now), micros(t.ExpiresAt)); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActRegistrationTokenCreated, TargetKind: "registration_token", TargetID: t.ID, TargetName: t.Name,
			Detail: map[string]any{"after": map[string]any{"policy": t.Policy, "uses": t.Uses, "expires_at": t.ExpiresAt}}})
	})
	return value, t, s.fail("create registration token", err)
}

// knownScopes returns those of the names that are scopes, in their order.
func (s *Store) knownScopes(ctx context.Context, names []string) (known []string, err error) {
	for _, name := range names {
		var id string
		found, err := s.row(ctx, `SELECT id FROM scopes WHERE name = $1`, []any{name}, &id)
		if err != nil {
			return nil, err
		}
		if found {
			known = append(known, name)
		}
	}
	return known, nil
}

// RegistrationTokens lists initial access tokens, oldest first; those that are
// used up or expired too, until they are swept.
func (s *Store) RegistrationTokens(ctx context.Context, p keystone.Page) (keystone.List[keystone.RegistrationToken], error) {
	list, err := all(ctx, s, scanRegistrationToken, `SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE id > $1 ORDER BY id LIMIT $2`, p.After, p.Size()+1)
	return page(list, p.Size(), func(t keystone.RegistrationToken) string { return t.ID }), s.fail("list registration tokens", err)
}

// RevokeRegistrationToken ends an initial access token. The clients that were
// registered with it stay.
func (s *Store) RevokeRegistrationToken(ctx context.Context, by keystone.Actor, id string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		list, err := all(ctx, tx, scanRegistrationToken, `SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return notFound("registration token")
		}
		if by.MayGrantAll(list[0].Policy.Scopes) != "" {
			return errForbidden
		}
		if n, err := tx.q.exec(ctx, `DELETE FROM registration_tokens WHERE id = $1`, id); err != nil {
			return err
		} else if n == 0 {
			return notFound("registration token")
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActRegistrationTokenRevoked, TargetKind: "registration_token", TargetID: id, TargetName: list[0].Name,
			Detail: map[string]any{"before": map[string]any{"policy": list[0].Policy, "uses": list[0].Uses}}})
	})
	return s.fail("revoke registration token", err)
}

// useRegistrationToken takes one of the uses of an initial access token, in one
// statement: of any number of simultaneous uses no more than there are get one.
func (s *Store) useRegistrationToken(ctx context.Context, value string) (t keystone.RegistrationToken, ok bool, err error) {
	if !secret.WellFormed(secret.InitialAccess, value) {
		return t, false, nil
	}
	list, err := all(ctx, s, scanRegistrationToken, `UPDATE registration_tokens SET uses = uses - 1, last_used = $1
		WHERE hash = $2 AND uses > 0 AND expires_at + 0 > $1 RETURNING `+registrationTokenColumns, micros(s.now()), secret.Hash(value))
	if err != nil || len(list) == 0 {
		return t, false, err
	}
	return list[0], true, nil
}
