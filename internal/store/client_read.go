package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
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

// Client returns one client by id.
func (s *Store) Client(ctx context.Context, id string) (keystone.Client, error) {
	row, err := s.readClient(ctx, keystone.ClientIDOfPath(id))
	if err != nil {
		return keystone.Client{}, s.fail("read client", err)
	}
	var used int64
	_, err = s.row(ctx, `SELECT `+lastUsed+` FROM clients c WHERE c.id = $1`, []any{row.client.ID}, &used)
	row.client.LastUsed = moment(used)
	return *row.client, s.fail("read client", err)
}

// clientRow is a client together with what proves it. Nobody changes it: tokens share it.
type clientRow struct {
	client  *keystone.Client
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
	row.client = &list[0]
	if row.client.Scopes, err = s.clientScopes(ctx, list[0]); err != nil {
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

// CachedClient returns a client for the token path, at most a second old. It is shared,
// so nobody changes it; with an error, it is an empty one.
func (s *Store) CachedClient(ctx context.Context, id string) (*keystone.Client, error) {
	row, err := s.cachedClient(ctx, id, nil)
	if err != nil {
		return &keystone.Client{}, err
	}
	return row.client, nil
}

// ProveClient returns the client when the secret is one of its living ones.
// Secrets are 256 random bits, so a plain SHA-256 of them is kept; every
// comparison takes the same time. ok is false for a wrong secret, an unknown
// client and a client without secrets alike.
func (s *Store) ProveClient(ctx context.Context, id, presented string) (c *keystone.Client, ok bool, err error) {
	row, err := s.cachedClient(ctx, id, nil)
	if keystone.KindOf(err) == keystone.NotFound {
		return &keystone.Client{}, false, nil
	}
	if err != nil {
		return &keystone.Client{}, false, err
	}
	hash, now := secret.Hash(presented), s.now()
	for _, cs := range row.secrets {
		if secret.Equal(cs.hash, hash) && (cs.expiresAt.IsZero() || now.Before(cs.expiresAt)) {
			ok = true
		}
	}
	return row.client, ok, nil
}

func (s *Store) cachedClient(ctx context.Context, id string, t *TokenRef) (clientRow, error) {
	if !keystone.IsClientID(id) {
		return clientRow{}, notFound("client")
	}
	row, err := cachedOf(ctx, s, s.cache.clients, id, t, func(ctx context.Context) (clientRow, error) { return s.readClient(ctx, id) })
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
