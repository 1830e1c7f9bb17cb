package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// setupLinkView is a setup link for scripts.
type setupLinkView struct {
	SetupLink string `json:"setup_link"`
}

func setupLinkCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "setup-link", Short: "Make the link that makes the first administrator: good once, for an hour", Args: cobra.NoArgs,
		RunE: a.withDatabase(func(ctx context.Context, d database, _ []string) error {
			link, err := d.setupLink(ctx, operator())
			if err != nil {
				return err
			}
			if a.json {
				return a.document(setupLinkView{link})
			}
			return a.say("%s", link)
		})}
}

// setupLink makes a setup link.
func (d database) setupLink(ctx context.Context, by keystone.Actor) (string, error) {
	token, err := d.SetupToken(ctx, by)
	if err != nil {
		return "", err
	}
	return d.cfg.Issuer + "/setup?token=" + token, nil
}
