package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// importClient is a client in a file. client_id and client_secret count when it is
// made: a secret that is there is changed by keystone client secret.
type importClient struct {
	ClientID            string   `json:"client_id"`
	ClientSecret        string   `json:"client_secret"`
	Name                string   `json:"name"`
	Kind                string   `json:"kind"`
	Enabled             bool     `json:"enabled"`
	FirstParty          bool     `json:"first_party"`
	RedirectURIs        []string `json:"redirect_uris"`
	PostLogoutURIs      []string `json:"post_logout_redirect_uris"`
	Scopes              []string `json:"scopes"`
	Audiences           []string `json:"audiences"`
	Grants              []string `json:"grants"`
	AccessTokenFormat   string   `json:"access_token_format"`
	AccessTokenTTL      *int64   `json:"access_token_ttl_seconds"`
	RotateRefreshTokens bool     `json:"rotate_refresh_tokens"`
	RequirePKCE         bool     `json:"require_pkce"`
	keystone.ClientSettings
}

// fileOf is a client as a file would say it.
func fileOf(c keystone.Client) importClient {
	f := importClient{
		ClientID: c.ID, Name: c.Name, Kind: string(c.Kind), Enabled: c.Enabled, FirstParty: c.FirstParty,
		RedirectURIs: names(c.RedirectURIs), PostLogoutURIs: names(c.PostLogoutURIs), Scopes: names(c.Scopes), Audiences: names(c.Audiences), Grants: names(c.Grants),
		AccessTokenFormat: c.AccessTokenFormat, RotateRefreshTokens: c.RotateRefreshTokens, RequirePKCE: !c.PKCEOptional, ClientSettings: c.ClientSettings,
	}
	if c.AccessTokenTTL > 0 {
		seconds := int64(c.AccessTokenTTL / time.Second)
		f.AccessTokenTTL = &seconds
	}
	return f
}

// put writes what the file says into a client.
func (f importClient) put(c *keystone.Client) {
	c.Name, c.Enabled, c.FirstParty = f.Name, f.Enabled, f.FirstParty
	c.RedirectURIs, c.PostLogoutURIs, c.Scopes, c.Audiences, c.Grants = f.RedirectURIs, f.PostLogoutURIs, f.Scopes, f.Audiences, f.Grants
	c.AccessTokenFormat, c.RotateRefreshTokens, c.PKCEOptional, c.ClientSettings = f.AccessTokenFormat, f.RotateRefreshTokens, !f.RequirePKCE, f.ClientSettings
	c.AccessTokenTTL = 0
	if f.AccessTokenTTL != nil {
		c.AccessTokenTTL = time.Duration(*f.AccessTokenTTL) * time.Second
	}
}

// writeClient makes the client of an entry, or changes the one that it names: by
// client_id, or by a name that one client alone has.
func writeClient(ctx context.Context, tx *store.Store, raw json.RawMessage) (name string, one imported, err error) {
	fresh := fileOf(keystone.Client{Enabled: true, RotateRefreshTokens: true})
	fresh.Scopes = nil // not said
	if err := strictJSON(raw, &fresh); err != nil {
		return fresh.Name, one, err
	}
	before, found, err := findClient(ctx, tx, fresh)
	if err != nil {
		return fresh.Name, one, err
	}
	if !found {
		c := keystone.Client{Kind: keystone.ClientKind(fresh.Kind)}
		fresh.put(&c)
		if err := c.CheckRotates(); err != nil {
			return fresh.Name, one, err
		}
		c, made, err := tx.CreateGivenClient(ctx, operator(), c, fresh.ClientID, fresh.ClientSecret)
		one = imported{ID: c.ID, Result: importCreated}
		if made != fresh.ClientSecret {
			one.ClientSecret = made
		}
		return fresh.Name, one, err
	}
	one = imported{ID: before.ID, Result: importUnchanged}
	var after importClient // a copy: what is read over it must not reach into before
	if was, err := json.Marshal(fileOf(before)); err != nil {
		return fresh.Name, one, err
	} else if err := errors.Join(json.Unmarshal(was, &after), strictJSON(raw, &after)); err != nil {
		return fresh.Name, one, err
	}
	if after.Kind != string(before.Kind) {
		return fresh.Name, one, errors.New("the kind of a client cannot be changed: make another client")
	}
	said := before
	if after.put(&said); said.CheckRotates() != nil {
		return fresh.Name, one, keystone.ErrPublicRotates
	}
	if same, err := after.same(before); err != nil || same {
		return after.Name, one, err
	}
	one.Result = importChanged
	_, err = tx.UpdateClient(ctx, operator(), before.ID, before.Version, after.put)
	return after.Name, one, err
}

// same reports whether the file says of a client what it is already.
func (f importClient) same(before keystone.Client) (bool, error) {
	c := before
	f.put(&c)
	was, err := json.Marshal(fileOf(before))
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(fileOf(c.WithDefaults()))
	return bytes.Equal(was, is), err
}

var errManyClients = errors.New("several clients have this name: say which with client_id")

func findClient(ctx context.Context, tx *store.Store, f importClient) (c keystone.Client, found bool, err error) {
	if f.ClientID != "" {
		c, err = tx.Client(ctx, f.ClientID)
		if keystone.KindOf(err) == keystone.NotFound {
			return c, false, nil
		}
		return c, err == nil, err
	}
	for page := (keystone.Page{Limit: 200}); ; {
		list, err := tx.Clients(ctx, "", page)
		if err != nil {
			return c, false, err
		}
		for _, one := range list.Items {
			if one.Name != f.Name {
				continue
			}
			if found {
				return c, false, errManyClients
			}
			c, found = one, true
		}
		if list.Next == "" {
			return c, found, nil
		}
		page.After = list.Next
	}
}

func sameSet(a, b []string) bool { return slices.Equal(keystone.SortedSet(a), keystone.SortedSet(b)) }

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
