package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

func keyCommand(a *app) *cobra.Command {
	return group("key", "Signing keys", keyList(a), keyRotate(a), keyRevoke(a))
}

// keyView is a signing key for scripts, in the shape of the API.
type keyView struct {
	KID       string     `json:"kid"`
	Algorithm string     `json:"alg"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	ActiveAt  time.Time  `json:"active_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

// viewKey shows a key as it is at now among all.
func viewKey(now time.Time, all []keystone.Key) func(keystone.Key) keyView {
	return func(k keystone.Key) keyView {
		return keyView{KID: k.ID, Algorithm: k.Algorithm, State: string(k.StateAt(now, all)), CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt,
			ExpiresAt: moment(k.ExpiresAt), RevokedAt: moment(k.RevokedAt)}
	}
}

var keyColumns = []column[keyView]{
	{name: "kid", cell: func(k keyView) string { return k.KID }},
	{name: "algorithm", cell: func(k keyView) string { return k.Algorithm }},
	{name: "state", cell: func(k keyView) string { return k.State }},
	{name: "created", cell: func(k keyView) string { return stamp(&k.CreatedAt) }},
	{name: "signs from", cell: func(k keyView) string { return stamp(&k.ActiveAt) }},
	{name: "gone at", cell: func(k keyView) string { return stamp(k.ExpiresAt) }},
	{name: "revoked", cell: func(k keyView) string { return stamp(k.RevokedAt) }},
}

func keyList(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List signing keys and their states", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			keys, err := presentKeys(ctx, s)
			if err != nil {
				return err
			}
			return printList(a, keystone.List[keystone.Key]{Items: keys}, viewKey(s.Now(), keys), keyColumns)
		})}
}

// presentKeys reads the keys without opening them: listing needs no private key
// and makes none.
func presentKeys(ctx context.Context, s *store.Store) ([]keystone.Key, error) {
	sealed, err := s.SigningKeys(ctx)
	keys := make([]keystone.Key, len(sealed))
	for i, k := range sealed {
		keys[i] = k.Key
	}
	return keys, err
}

func keyRotate(a *app) *cobra.Command {
	var alg string
	c := &cobra.Command{Use: "rotate", Short: "Make the next signing key of each algorithm; they sign once verifiers have had time to see them", Args: cobra.NoArgs,
		RunE: a.withDatabase(func(ctx context.Context, d database, _ []string) error {
			ring, err := d.ring(ctx)
			if err != nil {
				return err
			}
			k, err := ring.Rotate(ctx, operator(), alg)
			if err != nil {
				return err
			}
			return printOne(a, viewKey(d.Now(), []keystone.Key{k})(k), keyColumns)
		})}
	c.Flags().StringVar(&alg, "algorithm", "", "only the key of this algorithm, also its first; without it the next key of access tokens is shown and all are made")
	return c
}

func keyRevoke(a *app) *cobra.Command {
	return &cobra.Command{Use: "revoke KID", Short: "Refuse everything a key has signed, at once; another takes its place", Args: cobra.ExactArgs(1),
		RunE: a.withDatabase(func(ctx context.Context, d database, args []string) error {
			ring, err := d.ring(ctx)
			if err != nil {
				return err
			}
			if err := ring.Revoke(ctx, operator(), args[0]); err != nil {
				return err
			}
			return a.done("Revoked key %s.", printable(args[0]))
		})}
}

// ring opens the signing keys.
func (d database) ring(ctx context.Context) (*token.Ring, error) {
	return token.NewRing(ctx, token.RingOptions{
		Store: d.Store, Master: d.master, Algorithm: d.cfg.JWTAlgorithm, HMACKey: []byte(d.cfg.JWTSecretKey.Reveal()),
		MaxAge: d.cfg.JWKSMaxAge, Rotate: d.cfg.KeyRotation,
	})
}
