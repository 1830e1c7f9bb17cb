package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
	"github.com/keystone-auth/keystone/internal/secret"
)

const clientColumns = `c.id, c.name, c.kind, c.enabled, c.first_party, c.built_in, c.redirect_uris, c.audiences, c.grants,
	c.access_token_format, c.rotate_refresh_tokens, c.access_token_ttl, c.pkce_optional, c.post_logout_redirect_uris, c.settings, c.created_at, c.updated_at, c.version, c.tokens_valid_after, c.registration,
	c.registration <> '' AND EXISTS (SELECT 1 FROM registrations r WHERE r.client_id = c.id AND r.token_id = '' AND r.statement = '')`

// lastUsed is when the client of c last got a token: in its newest hour. The token
// path has no use for it.
const lastUsed = `COALESCE((SELECT MAX(g.last_at) FROM usage g WHERE g.client_id = c.id AND g.hour = (SELECT MAX(h.hour) FROM usage h WHERE h.client_id = c.id)), 0)`

func scanClient(scan func(...any) error) (c keystone.Client, err error) {
	var kind, uris, audiences, grants, logout, settings string
	var ttl, created, updated, ended int64
	err = scan(&c.ID, &c.Name, &kind, &c.Enabled, &c.FirstParty, &c.BuiltIn, &uris, &audiences, &grants,
		&c.AccessTokenFormat, &c.RotateRefreshTokens, &ttl, &c.PKCEOptional, &logout, &settings, &created, &updated, &c.Version, &ended, &c.Registration, &c.Unvouched)
	if err != nil {
		return c, err
	}
	c.Kind, c.Grants = keystone.ClientKind(kind), unwords(grants)
	c.RotateRefreshTokens = c.RotateRefreshTokens || !c.Confidential() // rows of before say otherwise, and never meant it
	c.AccessTokenTTL, c.CreatedAt, c.UpdatedAt = time.Duration(ttl)*time.Second, moment(created), moment(updated)
	c.TokensValidAfter = moment(ended)
	if c.RedirectURIs, err = decodeList(uris); err != nil {
		return c, err
	}
	if c.PostLogoutURIs, err = decodeList(logout); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(settings), &c.ClientSettings); err != nil {
		return c, err
	}
	if c.IntrospectionAudiences == nil { // written before there was the setting
		c.IntrospectionAudiences = []string{}
	}
	c.Audiences, err = decodeList(audiences)
	return c, err
}

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

// Client returns one client by id.
func (s *Store) Client(ctx context.Context, id string) (keystone.Client, error) {
	row, err := s.readClient(ctx, keystone.ClientIDOfPath(id))
	if err == nil {
		var used int64
		_, err = s.row(ctx, `SELECT `+lastUsed+` FROM clients c WHERE c.id = $1`, []any{row.client.ID}, &used)
		row.client.LastUsed = moment(used)
	}
	return row.client, s.fail("read client", err)
}

// clientRow is a client together with what proves it.
type clientRow struct {
	client  keystone.Client
	secrets []clientSecret
}

type clientSecret struct {
	id        string
	hash      []byte
	sealed    []byte // for client_secret_jwt only
	expiresAt time.Time
}

func (s *Store) readClient(ctx context.Context, id string) (row clientRow, err error) {
	if !keystone.IsClientID(id) {
		return row, notFound("client")
	}
	list, err := all(ctx, s, scanClient, `SELECT `+clientColumns+` FROM clients c WHERE c.id = $1`, id)
	if err != nil {
		return row, err
	}
	if len(list) == 0 {
		return row, notFound("client")
	}
	row.client = list[0]
	if row.client.Scopes, err = s.clientScopes(ctx, row.client); err != nil {
		return row, err
	}
	row.secrets, err = all(ctx, s, func(scan func(...any) error) (cs clientSecret, err error) {
		var expires int64
		err = scan(&cs.id, &cs.hash, &cs.sealed, &expires)
		cs.expiresAt = moment(expires)
		return cs, err
	}, `SELECT id, hash, sealed, expires_at FROM client_secrets WHERE client_id = $1`, id)
	return row, err
}

// clientScopes returns what the client may ask for. Keystone's own client acts
// for whoever signs in and may ask for everything they hold; it is no OpenID
// client.
func (s *Store) clientScopes(ctx context.Context, c keystone.Client) ([]string, error) {
	if c.BuiltIn {
		names, err := s.texts(ctx, `SELECT name FROM scopes ORDER BY name`)
		return slices.DeleteFunc(names, keystone.IsOpenIDScope), err
	}
	return s.texts(ctx, `SELECT sc.name FROM client_scopes cs JOIN scopes sc ON sc.id = cs.scope_id WHERE cs.client_id = $1 ORDER BY sc.name`, c.ID)
}

// CachedClient returns a client for the token path, at most a second old.
func (s *Store) CachedClient(ctx context.Context, id string) (keystone.Client, error) {
	row, err := s.cachedClient(ctx, id)
	return row.client, err
}

// ProveClient returns the client when the secret is one of its living ones.
// Secrets are 256 random bits, so a plain SHA-256 of them is kept; every
// comparison takes the same time. ok is false for a wrong secret, an unknown
// client and a client without secrets alike.
func (s *Store) ProveClient(ctx context.Context, id, presented string) (c keystone.Client, ok bool, err error) {
	row, err := s.cachedClient(ctx, id)
	if keystone.KindOf(err) == keystone.NotFound {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	hash, now := secret.Hash(presented), s.now()
	for _, cs := range row.secrets {
		if secret.Equal(cs.hash, hash) && (cs.expiresAt.IsZero() || now.Before(cs.expiresAt)) {
			ok = true
		}
	}
	return row.client, ok, nil
}

func (s *Store) cachedClient(ctx context.Context, id string) (clientRow, error) {
	if !keystone.IsClientID(id) {
		return clientRow{}, notFound("client")
	}
	row, err := cached(ctx, s, s.cache.clients, id, func(ctx context.Context) (clientRow, error) { return s.readClient(ctx, id) })
	return row, s.fail("read client", err)
}

// Clients lists clients by id, which is by age, or, where search is not empty, by the
// name that starts with it.
func (s *Store) Clients(ctx context.Context, search string, p keystone.Page) (keystone.List[keystone.Client], error) {
	where, order, args := `c.id > $1`, `c.id`, []any{p.After, p.Size() + 1}
	if search != "" {
		key, id, _ := strings.Cut(p.After, "\x1f") // of the last one of the page before
		if p.After != "" && !keystone.IsClientID(id) {
			return keystone.List[keystone.Client]{}, errCursor
		}
		low, high := prefixRange(searchTerm(search))
		where, order, args = `c.name_key >= $1 AND c.name_key < $3 AND (c.name_key, c.id) > ($4, $5)`, `c.name_key, c.id`, []any{low, p.Size() + 1, high, key, id}
	}
	list, err := all(ctx, s, func(scan func(...any) error) (c keystone.Client, err error) {
		var used int64
		c, err = scanClient(func(dest ...any) error { return scan(append(dest, &used)...) })
		c.LastUsed = moment(used)
		return c, err
	}, `SELECT `+clientColumns+`, `+lastUsed+` FROM clients c WHERE `+where+` ORDER BY `+order+` LIMIT $2`, args...)
	if err != nil {
		return keystone.List[keystone.Client]{}, s.fail("list clients", err)
	}
	cut := page(list, p.Size(), func(c keystone.Client) string {
		if search != "" {
			return searchTerm(c.Name) + "\x1f" + c.ID
		}
		return c.ID
	})
	for i := range cut.Items {
		if cut.Items[i].Scopes, err = s.clientScopes(ctx, cut.Items[i]); err != nil {
			return cut, s.fail("list clients", err)
		}
	}
	return cut, nil
}

// fillNameKeys writes the names by which clients are found that have none yet: those
// from before there was the column.
func (s *Store) fillNameKeys(ctx context.Context) error {
	type named struct{ id, name string }
	list, err := all(ctx, s, func(scan func(...any) error) (c named, err error) { return c, scan(&c.id, &c.name) }, `SELECT id, name FROM clients WHERE name_key = ''`)
	if err != nil {
		return err
	}
	for _, c := range list {
		if _, err := s.q.exec(ctx, `UPDATE clients SET name_key = $1 WHERE id = $2`, searchTerm(c.name), c.id); err != nil {
			return err
		}
	}
	return nil
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
		if err := tx.mayMakeClient(ctx, by, after); err != nil {
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
