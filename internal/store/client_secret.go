package store

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// maxSecrets bounds the living secrets of one client: one in use, one coming,
// and some for slow roll-outs.
const maxSecrets = 5

var (
	errPublicClient   = keystone.Fail(keystone.Conflict, "A public client (spa or native) has no secret: it could not keep one.")
	errNoSecretMethod = keystone.Fail(keystone.Conflict, "The client proves itself by another method (token_endpoint_auth_method) and has no secret.")
	errTooManySecrets = keystone.Fail(keystone.Conflict, "The client has five living secrets. Remove one first.")
)

// RotateSecret gives the client a new secret, returned this once. The ones it
// has stay valid for overlap, so that programs can change over. 0 ends them at
// once, for a secret that somebody else may have, and with them every token that
// could have been got by it.
func (s *Store) RotateSecret(ctx context.Context, by keystone.Actor, clientID string, overlap time.Duration) (clientSecret string, cs keystone.ClientSecret, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		c, err := tx.manageableClient(ctx, by, clientID)
		if err != nil {
			return err
		}
		now := tx.now()
		if _, err := tx.q.exec(ctx, `DELETE FROM client_secrets WHERE client_id = $1 AND expires_at <> 0 AND expires_at <= $2`, clientID, micros(now)); err != nil {
			return err
		}
		end := micros(now.Add(overlap))
		if _, err := tx.q.exec(ctx, `UPDATE client_secrets SET expires_at = $1 WHERE client_id = $2 AND (expires_at = 0 OR expires_at > $1)`, end, clientID); err != nil {
			return err
		}
		if overlap <= 0 {
			if _, err := tx.endTokens(ctx, clientID); err != nil {
				return err
			}
		}
		clientSecret, cs, err = tx.addSecret(ctx, by, c, time.Time{})
		return err
	})
	return clientSecret, cs, s.fail("rotate client secret", err)
}

// AddSecret gives the client one more secret that ends at expires (zero: never),
// returned this once. The others stay as they are.
func (s *Store) AddSecret(ctx context.Context, by keystone.Actor, clientID string, expires time.Time) (clientSecret string, cs keystone.ClientSecret, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		c, err := tx.manageableClient(ctx, by, clientID)
		if err != nil {
			return err
		}
		clientSecret, cs, err = tx.addSecret(ctx, by, c, expires)
		return err
	})
	return clientSecret, cs, s.fail("add client secret", err)
}

func (s *Store) addSecret(ctx context.Context, by keystone.Actor, c keystone.Client, expires time.Time) (string, keystone.ClientSecret, error) {
	return s.addSecretValue(ctx, by, c, expires, secret.New(secret.ClientSecret))
}

func (s *Store) addSecretValue(ctx context.Context, by keystone.Actor, c keystone.Client, expires time.Time, value string) (string, keystone.ClientSecret, error) {
	if !c.Confidential() {
		return "", keystone.ClientSecret{}, errPublicClient
	}
	if !c.HasSecret() {
		return "", keystone.ClientSecret{}, errNoSecretMethod
	}
	// The client's row makes additions wait for one another, so that they count right.
	if _, err := s.q.exec(ctx, `UPDATE clients SET version = version WHERE id = $1`, c.ID); err != nil {
		return "", keystone.ClientSecret{}, err
	}
	now := s.now()
	var living int
	if _, err := s.row(ctx, `SELECT COUNT(*) FROM client_secrets WHERE client_id = $1 AND (expires_at = 0 OR expires_at > $2)`, []any{c.ID, micros(now)}, &living); err != nil {
		return "", keystone.ClientSecret{}, err
	}
	if living >= maxSecrets {
		return "", keystone.ClientSecret{}, errTooManySecrets
	}
	cs := keystone.ClientSecret{ID: keystone.NewID(now), ClientID: c.ID, Hint: value[len(value)-4:], CreatedAt: moment(micros(now)), ExpiresAt: moment(micros(expires))}
	sealed := []byte{}
	if c.AuthMethod == keystone.AuthSecretJWT {
		var err error
		if sealed, err = s.master.Seal(sealSecret, []byte(value), cs.ID, c.ID); err != nil {
			return "", cs, err
		}
	}
	_, err := s.q.exec(ctx, `INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		cs.ID, c.ID, secret.Hash(value), cs.Hint, micros(now), micros(expires), sealed)
	if err != nil {
		return "", cs, err
	}
	s.afterCommit(func() { s.cache.clients.Invalidate(c.ID) })
	return value, cs, s.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActClientSecretAdded, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
		Detail: map[string]any{"secret_id": cs.ID, "hint": cs.Hint}})
}

// Secrets lists what may be known about a client's secrets.
func (s *Store) Secrets(ctx context.Context, clientID string) ([]keystone.ClientSecret, error) {
	list, err := all(ctx, s, func(scan func(...any) error) (cs keystone.ClientSecret, err error) {
		var created, expires int64
		err = scan(&cs.ID, &cs.ClientID, &cs.Hint, &created, &expires)
		cs.CreatedAt, cs.ExpiresAt = moment(created), moment(expires)
		return cs, err
	}, `SELECT id, client_id, hint, created_at, expires_at FROM client_secrets WHERE client_id = $1 ORDER BY id`, clientID)
	return list, s.fail("list client secrets", err)
}

// RemoveSecret ends one secret at once, and where it was good until now every
// token that could have been got by it: nobody knows which those are, so all of
// the client's.
func (s *Store) RemoveSecret(ctx context.Context, by keystone.Actor, clientID, id string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.manageableClient(ctx, by, clientID)
		if err != nil {
			return err
		}
		var expires int64
		removed, err := tx.row(ctx, `DELETE FROM client_secrets WHERE id = $1 AND client_id = $2 RETURNING expires_at`, []any{id, clientID}, &expires)
		if err != nil {
			return err
		}
		if !removed {
			return notFound("secret")
		}
		if expires == 0 || moment(expires).After(tx.now()) {
			if _, err := tx.endTokens(ctx, clientID); err != nil {
				return err
			}
		}
		tx.afterCommit(func() { s.cache.clients.Invalidate(clientID) })
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActClientSecretRemoved, TargetKind: "client", TargetID: clientID, TargetName: c.Name,
			Detail: map[string]any{"secret_id": id}})
	})
	return s.fail("remove client secret", err)
}

// sealSecret is the purpose under which secrets are sealed.
const sealSecret = "client-secret"

// dropUnfitSecrets ends what a client's new method has no use for: its secrets where it
// proves itself without, those of which nothing but the hash was kept where it signs with
// them, and the sealed values where it shows them. Back again, it needs a new secret: an
// old one that everybody has forgotten must not revive. With living secrets end the
// tokens that could have been got by them, as in RemoveSecret; until is zero where there
// were none.
func (s *Store) dropUnfitSecrets(ctx context.Context, before, after keystone.Client) (until time.Time, err error) {
	if before.AuthMethod == after.AuthMethod {
		return until, nil
	}
	if before.HasSecret() && after.HasSecret() && after.AuthMethod != keystone.AuthSecretJWT {
		_, err = s.q.exec(ctx, `UPDATE client_secrets SET sealed = '' WHERE client_id = $1`, after.ID)
		return until, err
	}
	ends, err := all(ctx, s, func(scan func(...any) error) (at int64, err error) { return at, scan(&at) }, `DELETE FROM client_secrets WHERE client_id = $1 RETURNING expires_at`, after.ID)
	if err != nil || !slices.ContainsFunc(ends, func(at int64) bool { return at == 0 || moment(at).After(s.now()) }) {
		return until, err
	}
	return s.endTokens(ctx, after.ID)
}

// AssertionSecrets returns the living secrets of a client whose method is
// client_secret_jwt, as keys of an HMAC. Others have none.
func (s *Store) AssertionSecrets(ctx context.Context, clientID string) (keys [][]byte, err error) {
	row, err := s.cachedClient(ctx, clientID, nil)
	if err != nil || row.client.AuthMethod != keystone.AuthSecretJWT {
		return nil, err
	}
	now := s.now()
	for _, cs := range row.secrets {
		if len(cs.sealed) == 0 || !cs.expiresAt.IsZero() && !now.Before(cs.expiresAt) {
			continue
		}
		key, err := s.master.Open(sealSecret, cs.sealed, cs.id, clientID)
		if err != nil {
			return nil, s.fail("open client secret", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
