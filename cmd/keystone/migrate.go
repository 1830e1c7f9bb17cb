package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// migrationView is a step of the schema for scripts.
type migrationView struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

var migrationColumns = []column[migrationView]{
	{name: "version", cell: func(m migrationView) string { return number(m.Version) }},
	{name: "name", cell: func(m migrationView) string { return m.Name }},
	{name: "applied", cell: func(m migrationView) string { return yesNo(m.Applied) }},
}

func migrateCommand(a *app) *cobra.Command {
	var status, dryRun bool
	c := &cobra.Command{Use: "migrate", Short: "Bring the database to this version's schema", Args: cobra.NoArgs,
		Long: `Bring the database to this version's schema.

keystone serve does the same when it starts. Steps only go forward, and the
version before goes on working beside this one.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			cfg, err := a.settings()
			if err != nil {
				return err
			}
			if status || dryRun {
				steps, err := migrations(ctx, cfg)
				if err != nil {
					return err
				}
				if dryRun {
					return printMigrations(a, pendingOf(steps), "Nothing to apply.", "Would be applied: %d")
				}
				return printMigrations(a, steps, "There are no steps.", "")
			}
			d, err := openDatabase(ctx, cfg)
			if err != nil {
				return err
			}
			defer d.Close()
			applied, err := d.Migrate(ctx)
			if err != nil {
				return err
			}
			return printMigrations(a, applied, "Nothing to apply: the schema is this version's.", "Applied: %d")
		}}
	c.Flags().BoolVar(&status, "status", false, "list every step and whether it is applied; applies none")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "list what would be applied; applies nothing")
	c.MarkFlagsMutuallyExclusive("status", "dry-run")
	return c
}

// migrations lists every step and whether it is applied. It makes nothing: neither
// a database nor a master key.
func migrations(ctx context.Context, cfg *config.Config) ([]store.Migration, error) {
	if !cfg.Postgres() {
		if _, err := os.Stat(sqlitePath(cfg)); errors.Is(err, fs.ErrNotExist) {
			return store.Steps()
		}
	}
	// Whether a step is applied is under no key.
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{Master: secret.NewMasterKey(), PoolSize: commandPool})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Migrations(ctx)
}

func printMigrations(a *app, steps []store.Migration, none, some string) error {
	if !a.json && len(steps) == 0 {
		return a.say("%s", none)
	}
	list := listOf(steps)
	if err := printList(a, list, func(m store.Migration) migrationView { return migrationView(m) }, migrationColumns); err != nil || a.json || some == "" {
		return err
	}
	return a.say(some, len(steps))
}
