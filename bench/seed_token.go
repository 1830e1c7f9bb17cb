package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// addOpaque writes n opaque access tokens of the opaque client and returns
// them.
func (f *fixture) addOpaque(ctx context.Context, n int) ([]string, error) {
	now := time.Now()
	first := secret.Hash(secret.New(secret.AccessToken))
	err := f.store.SaveAccessToken(ctx, operator(), first, store.AccessToken{
		JTI: keystone.NewID(now), ClientID: f.opaque.id, Scopes: ordinary, Audiences: []string{issuer}, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	})
	if err != nil {
		return nil, err
	}
	b, err := openBulk(ctx, f)
	if err != nil {
		return nil, err
	}
	defer b.close(ctx)
	row, err := b.first(ctx, "access_tokens", "hash", first)
	if err != nil {
		return nil, err
	}
	tokens := make([]string, n)
	err = b.copies(ctx, "access_tokens", row, n, func(i int, row map[string]any) {
		tokens[i], row["jti"] = token.NewOpaque(now)
		row["hash"] = secret.Hash(tokens[i])
	})
	if err == nil {
		err = b.settle(ctx)
	}
	return tokens, err
}

// addUserTokens returns an access token for each user of the crowd up to n,
// each with a refresh token family of its own, issued through the door.
func (f *fixture) addUserTokens(ctx context.Context, c *crowd, n int) ([]string, error) {
	door, client, err := f.door(ctx)
	if err != nil {
		return nil, err
	}
	families, err := f.addFamilies(ctx, door, client, c.ids[:n])
	if err != nil {
		return nil, err
	}
	tokens := make([]string, n)
	const workers = 8
	errs := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				var t token.Response
				t, errs[w] = door.Issue(ctx, operator(), token.Request{
					GrantType: keystone.GrantSignIn, Client: client, UserID: c.ids[i],
					Write: func(context.Context, token.Decision) (token.Written, error) {
						return token.Written{SessionID: families[i], GrantID: families[i]}, nil
					},
				})
				tokens[i] = t.AccessToken
			}
		})
	}
	running.Wait()
	return tokens, errors.Join(errs...)
}

// door is an issuer like the server's own, on the same database.
func (f *fixture) door(ctx context.Context) (*token.Issuer, *keystone.Client, error) {
	master, err := secret.ParseMasterKey(f.settings["MASTER_KEY"])
	if err != nil {
		return nil, nil, err
	}
	ring, err := token.NewRing(ctx, token.RingOptions{Store: f.store, Master: master, Algorithm: keystone.ES256, MaxAge: 5 * time.Minute, Rotate: 90 * 24 * time.Hour})
	if err != nil {
		return nil, nil, err
	}
	client, err := f.store.CachedClient(ctx, keystone.FirstPartyClientID)
	o := token.Options{Issuer: issuer, AccessTTL: time.Hour, RefreshTTL: 24 * time.Hour, Grace: 10 * time.Second, MaxSession: 48 * time.Hour}
	return token.NewIssuer(o, f.store, ring, master, nil), client, err
}

// addFamilies writes a refresh token family for each user and returns their
// ids.
func (f *fixture) addFamilies(ctx context.Context, door *token.Issuer, client *keystone.Client, users []string) ([]string, error) {
	login, err := f.store.LoginByID(ctx, f.people[0].ID)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	ses := keystone.Session{ID: keystone.NewID(now), UserID: login.UserID, ClientID: client.ID, AMR: []string{keystone.AMRPassword}, CreatedAt: now, ExpiresAt: now.Add(48 * time.Hour)}
	g, _ := door.NewFamily(token.Decision{Now: now, Scopes: ordinary, Audiences: []string{issuer}}, login.UserID, client.ID, ses.ID)
	if ok, err := f.store.StartSession(ctx, operator(), store.SignIn{Session: ses, Grant: g, Login: login}); err != nil || !ok {
		return nil, errors.Join(errors.New("the first family was not written"), err)
	}
	b, err := openBulk(ctx, f)
	if err != nil {
		return nil, err
	}
	defer b.close(ctx)
	row, err := b.first(ctx, "grants", "id", g.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(users))
	for i := range ids {
		ids[i] = keystone.NewID(now)
	}
	err = b.copies(ctx, "grants", row, len(ids), func(i int, row map[string]any) { row["id"], row["user_id"] = ids[i], users[i] })
	if err == nil {
		err = b.settle(ctx)
	}
	return ids, err
}

// addRefreshTokens returns a refresh token for each user of the crowd up to n,
// each the first of a family of its own.
func (f *fixture) addRefreshTokens(ctx context.Context, c *crowd, n int) ([]string, error) {
	door, client, err := f.door(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := f.addFamilies(ctx, door, client, c.ids[:n])
	if err != nil {
		return nil, err
	}
	master, err := secret.ParseMasterKey(f.settings["MASTER_KEY"])
	if err != nil {
		return nil, err
	}
	format, tokens := master.RefreshTokens(), make([]string, n)
	for i, id := range ids {
		family, _ := keystone.IDBytes(id)
		tokens[i] = format.Format(family, 1)
	}
	return tokens, nil
}
