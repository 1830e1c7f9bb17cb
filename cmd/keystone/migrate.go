package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

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
	Unknown bool   `json:"unknown,omitempty"` // a newer version applied it
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
					return printMigrations(a, pendingOf(steps), "Nothing to apply.", "Would be applied: %d", store.NewerSchema(steps))
				}
				return printMigrations(a, steps, "There are no steps.", "", store.NewerSchema(steps))
			}
			d, err := a.openDatabase(ctx, cfg)
			if err != nil {
				return err
			}
			defer d.Close()
			if err := d.checkKey(ctx); err != nil {
				return err
			}
			applied, err := d.migrate(ctx)
			if err != nil {
				return err
			}
			steps, err := d.Migrations(ctx)
			if err != nil {
				return err
			}
			return printMigrations(a, applied, "Nothing to apply: the database has every step of this version.", "Applied: %d", store.NewerSchema(steps))
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
		if _, err := os.Stat(cfg.SQLitePath()); errors.Is(err, fs.ErrNotExist) {
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

// printMigrations prints steps, then in a table's case some with their number, and
// what there is to know; none, where there are none.
func printMigrations(a *app, steps []store.Migration, none, some, note string) error {
	if a.json || len(steps) > 0 {
		if err := printList(a, listOf(steps), func(m store.Migration) migrationView { return migrationView(m) }, migrationColumns); err != nil || a.json {
			return err
		}
	}
	var lines []string
	switch {
	case len(steps) == 0:
		lines = append(lines, none)
	case some != "":
		lines = append(lines, fmt.Sprintf(some, len(steps)))
	}
	if note != "" {
		lines = append(lines, note)
	}
	if len(lines) == 0 {
		return nil
	}
	return a.say("%s", strings.Join(lines, "\n"))
}
