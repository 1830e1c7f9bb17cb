package store

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
	"github.com/keystone-auth/keystone/internal/secret"
)

// CreateClient writes a new client with the defaults of its kind, scopes too. The actor
// must hold every scope that the client may ask for. A confidential client
// gets its first secret, returned this once.
func (s *Store) CreateClient(ctx context.Context, by keystone.Actor, c keystone.Client) (created keystone.Client, clientSecret string, err error) {
	c.Registration = ""
	return s.createClient(ctx, by, c.WithScopes(), keystone.NewID(s.now()), secret.New(secret.ClientSecret))
}

func (s *Store) createClient(ctx context.Context, by keystone.Actor, c keystone.Client, id, value string) (created keystone.Client, clientSecret string, err error) {
	c = c.WithDefaults()
	if err := validClient(c); err != nil {
		return c, "", err
	}
	settings, err := json.Marshal(c.ClientSettings)
	if err != nil {
		return c, "", s.fail("create client", err)
	}
	now := s.now()
	c.ID, c.BuiltIn, c.Version = id, false, 1
	c.CreatedAt, c.UpdatedAt = moment(micros(now)), moment(micros(now))
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.mayMakeClient(ctx, by, c); err != nil {
			return err
		}
		_, err := tx.q.exec(ctx, `INSERT INTO clients (id, name, kind, enabled, first_party, built_in, redirect_uris, audiences, grants,
			access_token_format, rotate_refresh_tokens, access_token_ttl, created_at, updated_at, version, pkce_optional, post_logout_redirect_uris, settings, registration, name_key)
			VALUES ($1, $2, $3, $4, $5, FALSE, $6, $7, $8, $9, $10, $11, $12, $12, 1, $13, $14, $15, $16, $17)`,
			c.ID, c.Name, string(c.Kind), c.Enabled, c.FirstParty, encodeList(c.RedirectURIs), encodeList(c.Audiences), words(c.Grants),
			c.AccessTokenFormat, c.RotateRefreshTokens, int64(c.AccessTokenTTL/time.Second), micros(now), c.PKCEOptional, encodeList(c.PostLogoutURIs), string(settings), c.Registration, searchTerm(c.Name))
		if err != nil {
			return err
		}
		if err := tx.writeScopesOf(ctx, "client", c.ID, c.Scopes); err != nil {
			return err
		}
		tx.afterCommit(func() { s.cache.dropClient(c.ID) })
		err = tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActClientCreated, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
			Detail: map[string]any{"after": describeClient(c)}})
		if err != nil || !c.HasSecret() {
			return err
		}
		clientSecret, _, err = tx.addSecretValue(ctx, by, c, time.Time{}, value)
		return err
	})
	return c, clientSecret, s.fail("create client", err)
}

// validClient checks the client and the keys that it registers, on every path that
// writes one.
func validClient(c keystone.Client) error {
	if err := c.Validate(); err != nil || len(c.JWKS) == 0 {
		return err
	}
	_, err := jose.ParseKeys(c.JWKS)
	return err
}

func describeClient(c keystone.Client) map[string]any {
	about := map[string]any{}
	if b, err := json.Marshal(c.ClientSettings); err == nil {
		_ = json.Unmarshal(b, &about) // what was just written
	}
	maps.Copy(about, map[string]any{
		"name": c.Name, "kind": string(c.Kind), "enabled": c.Enabled, "first_party": c.FirstParty,
		"redirect_uris": c.RedirectURIs, "scopes": c.Scopes, "audiences": c.Audiences, "grants": c.Grants,
		"access_token_format": c.AccessTokenFormat, "rotate_refresh_tokens": c.RotateRefreshTokens,
		"access_token_ttl_seconds": int64(c.AccessTokenTTL / time.Second),
		"require_pkce":             !c.PKCEOptional, "post_logout_redirect_uris": c.PostLogoutURIs, "registration": c.Registration,
	})
	return about
}

// UpdateClient replaces a client by what change makes of it, where it still has
// the version (0: any). The actor must hold every scope that it may ask for
// before or after. Kind and id stay. Disabling ends its tokens, for good.
func (s *Store) UpdateClient(ctx context.Context, by keystone.Actor, id string, version int64, change func(*keystone.Client)) (keystone.Client, error) {
	var after keystone.Client
	err := s.InTx(ctx, func(tx *Store) error {
		before, err := tx.manageableClient(ctx, by, id)
		if err != nil {
			return err
		}
		if version != 0 && before.Version != version {
			return errStale
		}
		after = before
		change(&after)
		after.ID, after.Kind, after.BuiltIn, after.CreatedAt, after.LastUsed, after.TokensValidAfter = before.ID, before.Kind, false, before.CreatedAt, before.LastUsed, before.TokensValidAfter
		after.Registration, after.Unvouched = before.Registration, before.Unvouched
		if err := after.CheckRotates(); err != nil {
			return err
		}
		after = after.WithDefaults()
		if err := validClient(after); err != nil {
			return err
		}
		if err := tx.mayMakeClient(ctx, by, after); err != nil || reflect.DeepEqual(before, after) {
			return err
		}
		return tx.writeClient(ctx, by, before, &after)
	})
	return after, s.fail("update client", err)
}

func (s *Store) writeClient(ctx context.Context, by keystone.Actor, before keystone.Client, after *keystone.Client) error {
	settings, err := json.Marshal(after.ClientSettings)
	if err != nil {
		return err
	}
	after.UpdatedAt, after.Version = moment(micros(s.now())), before.Version+1
	n, err := s.q.exec(ctx, `UPDATE clients SET name = $1, enabled = $2, first_party = $3, redirect_uris = $4, audiences = $5, grants = $6,
		access_token_format = $7, rotate_refresh_tokens = $8, access_token_ttl = $9, updated_at = $10, pkce_optional = $13, post_logout_redirect_uris = $14, settings = $15, name_key = $16, version = version + 1
		WHERE id = $11 AND version = $12`,
		after.Name, after.Enabled, after.FirstParty, encodeList(after.RedirectURIs), encodeList(after.Audiences), words(after.Grants),
		after.AccessTokenFormat, after.RotateRefreshTokens, int64(after.AccessTokenTTL/time.Second), micros(after.UpdatedAt), after.ID, before.Version, after.PKCEOptional, encodeList(after.PostLogoutURIs), string(settings), searchTerm(after.Name))
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	if err := s.writeScopesOf(ctx, "client", after.ID, after.Scopes); err != nil {
		return err
	}
	if before.Registration != "" && by.Kind != keystone.ActorRegistration {
		if err := s.noteTaken(ctx, before, *after); err != nil {
			return err
		}
	}
	ended, err := s.dropUnfitSecrets(ctx, before, *after)
	if err != nil {
		return err
	}
	if !ended.IsZero() {
		after.TokensValidAfter = ended
	}
	s.afterCommit(func() { s.cache.dropClient(after.ID) })
	if before.Enabled && !after.Enabled {
		if err := s.revokeGrants(ctx, "client_id", after.ID, keystone.EndClientDisabled); err != nil {
			return err
		}
		if after.TokensValidAfter, err = s.endTokens(ctx, after.ID); err != nil {
			return err
		}
	}
	was, is := changes(describeClient(before), describeClient(*after))
	return s.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActClientUpdated, TargetKind: "client", TargetID: after.ID, TargetName: after.Name,
		Detail: map[string]any{"before": was, "after": is}})
}

// clocksApart is how far the clocks of two nodes may be apart.
const clocksApart = 10 * time.Second

// endTokens ends every access token that the client has, and returns until when
// they were issued. Other nodes may issue some more by what they know for another
// second, and by a clock that is ahead: those end too, and keystone.Client.TokenID lets
// nobody else suffer. What was issued since the last end has an id just behind that, so this
// one is later, whichever clock it goes by.
func (s *Store) endTokens(ctx context.Context, clientID string) (until time.Time, err error) {
	least := micros(s.now().Add(time.Second + clocksApart))
	var at int64
	_, err = s.row(ctx, `UPDATE clients SET tokens_valid_after = CASE WHEN tokens_valid_after < $1 THEN $1 ELSE tokens_valid_after + 1000 END WHERE id = $2 RETURNING tokens_valid_after`, []any{least, clientID}, &at)
	s.afterCommit(func() { s.cache.clients.Invalidate(clientID) })
	return moment(at), err
}

// DeleteClient removes a client, its secrets and its refresh tokens.
func (s *Store) DeleteClient(ctx context.Context, by keystone.Actor, id string, version int64) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.manageableClient(ctx, by, id)
		if err != nil {
			return err
		}
		if version != 0 && c.Version != version {
			return errStale
		}
		return tx.removeClient(ctx, by, c)
	})
	return s.fail("delete client", err)
}

func (s *Store) removeClient(ctx context.Context, by keystone.Actor, c keystone.Client) error {
	n, err := s.q.exec(ctx, `DELETE FROM clients WHERE id = $1 AND version = $2`, c.ID, c.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	if err := s.revokeGrants(ctx, "client_id", c.ID, keystone.EndClientDisabled); err != nil {
		return err
	}
	if _, err := s.q.exec(ctx, `DELETE FROM access_tokens WHERE client_id = $1`, c.ID); err != nil {
		return err
	}
	s.afterCommit(func() { s.cache.dropClient(c.ID) })
	return s.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActClientDeleted, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
		Detail: map[string]any{"before": describeClient(c)}})
}
