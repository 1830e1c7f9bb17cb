package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func clientSecretCommand(a *app) *cobra.Command {
	return group("secret", "Secrets of a client: several may live at once, so that programs can change over",
		secretRotate(a), secretAdd(a), secretList(a), secretRemove(a))
}

// secretView is what is known about a client secret, in the shape of the API.
type secretView struct {
	ID        string     `json:"id"`
	Hint      string     `json:"hint"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"` // null: never
}

// newSecretView is a new secret, shown this once.
type newSecretView struct {
	ClientID     string     `json:"client_id"`
	ClientSecret string     `json:"client_secret"`
	Secret       secretView `json:"secret"`
}

func viewSecret(s keystone.ClientSecret) secretView {
	return secretView{ID: s.ID, Hint: s.Hint, CreatedAt: s.CreatedAt, ExpiresAt: moment(s.ExpiresAt)}
}

var secretColumns = []column[secretView]{
	{name: "id", cell: func(s secretView) string { return s.ID }},
	{name: "ends in", cell: func(s secretView) string { return "…" + s.Hint }},
	{name: "created", cell: func(s secretView) string { return stamp(&s.CreatedAt) }},
	{name: "expires", cell: func(s secretView) string {
		if s.ExpiresAt == nil {
			return "never"
		}
		return stamp(s.ExpiresAt)
	}},
}

func printSecret(a *app, value string, s keystone.ClientSecret) error {
	v := viewSecret(s)
	if a.json {
		return a.document(newSecretView{ClientID: s.ClientID, ClientSecret: value, Secret: v})
	}
	if err := printOne(a, v, secretColumns); err != nil {
		return err
	}
	return a.say("\nClient secret, shown this once: %s", value)
}

func secretRotate(a *app) *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{Use: "rotate CLIENT_ID", Short: "Give a client a new secret; the ones it has end after the overlap", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if overlap < 0 {
				return usageError{"--overlap cannot be negative"}
			}
			value, cs, err := s.RotateSecret(ctx, operator(), args[0], overlap)
			if err != nil {
				return err
			}
			return printSecret(a, value, cs)
		})}
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "for how long the present secrets go on working; 0 ends them at once, and the client's access tokens with them")
	return c
}

func secretAdd(a *app) *cobra.Command {
	var life time.Duration
	c := &cobra.Command{Use: "add CLIENT_ID", Short: "Give a client one more secret; the others stay", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if life < 0 {
				return usageError{"--expires-in cannot be negative"}
			}
			var expires time.Time
			if life > 0 {
				expires = s.Now().Add(life).UTC().Truncate(time.Microsecond)
			}
			value, cs, err := s.AddSecret(ctx, operator(), args[0], expires)
			if err != nil {
				return err
			}
			return printSecret(a, value, cs)
		})}
	c.Flags().DurationVar(&life, "expires-in", 0, "for how long it works, such as 720h; 0: until it is removed")
	return c
}

func secretList(a *app) *cobra.Command {
	return &cobra.Command{Use: "list CLIENT_ID", Short: "List what is known about a client's secrets", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if _, err := s.Client(ctx, args[0]); err != nil {
				return err
			}
			list, err := s.Secrets(ctx, args[0])
			if err != nil {
				return err
			}
			return printList(a, keystone.List[keystone.ClientSecret]{Items: list}, viewSecret, secretColumns)
		})}
}

func secretRemove(a *app) *cobra.Command {
	return &cobra.Command{Use: "remove CLIENT_ID SECRET_ID", Short: "End one secret at once, and the client's access tokens with it", Args: cobra.ExactArgs(2),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.RemoveSecret(ctx, operator(), args[0], args[1]); err != nil {
				return err
			}
			return a.done("Removed the secret.")
		})}
}
