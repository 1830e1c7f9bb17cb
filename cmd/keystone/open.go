package main

import (
	"context"
	"fmt"
	"os/user"
	"strconv"

	"os"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// settings reads the settings as the server would.
func (a *app) settings() (*config.Config, error) {
	return config.Load(config.Options{ConfigFile: a.configFile, Environ: config.Environ()})
}

// masterKey returns MASTER_KEY, or the key that Keystone keeps in DATA_DIR
// where the database is SQLite; the first who needs that one makes it.
func masterKey(cfg *config.Config) (secret.MasterKey, error) {
	if cfg.MasterKey.IsSet() {
		return secret.ParseMasterKey(cfg.MasterKey.Reveal())
	}
	return secret.LoadOrCreateMasterKey(cfg.MasterKeyFile(), !cfg.Postgres())
}

// database is an open store and what was needed to open it.
type database struct {
	*store.Store
	cfg    *config.Config
	master secret.MasterKey
}

// openDatabase connects to the database of the settings. It does not migrate.
func openDatabase(ctx context.Context, cfg *config.Config) (database, error) {
	master, err := masterKey(cfg)
	if err != nil {
		return database{}, err
	}
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{Master: master, PoolSize: commandPool, Idle: cfg.SessionIdle})
	return database{Store: s, cfg: cfg, master: master}, err
}

// commandPool is how many connections a command needs beside the server's.
const commandPool = 2

// open connects and sees to it that the schema is there. A new database is
// brought up at once, so that the first user can be made before the first
// start; one that a server may be using is not: that is migrate's to do.
func (a *app) open(ctx context.Context) (database, error) {
	cfg, err := a.settings()
	if err != nil {
		return database{}, err
	}
	d, err := openDatabase(ctx, cfg)
	if err != nil {
		return d, err
	}
	if err := d.ensureSchema(ctx); err != nil {
		d.Close()
		return d, err
	}
	return d, nil
}

func (d database) ensureSchema(ctx context.Context) error {
	steps, err := d.Migrations(ctx)
	if err != nil {
		return err
	}
	pending := pendingOf(steps)
	switch len(pending) {
	case 0:
		return nil
	case len(steps):
		_, err := d.Migrate(ctx)
		return err
	}
	return fmt.Errorf("the database is of an older version: %d of %d schema steps are missing. Run: keystone migrate", len(pending), len(steps))
}

func pendingOf(steps []store.Migration) (pending []store.Migration) {
	for _, m := range steps {
		if !m.Applied {
			pending = append(pending, m)
		}
	}
	return pending
}

// withDatabase is the body of a command that needs the database.
func (a *app) withDatabase(f func(ctx context.Context, d database, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		d, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer d.Close()
		return f(c.Context(), d, args)
	}
}

// withStore is the body of a command that needs nothing but the store.
func (a *app) withStore(f func(ctx context.Context, s *store.Store, args []string) error) func(*cobra.Command, []string) error {
	return a.withDatabase(func(ctx context.Context, d database, args []string) error { return f(ctx, d.Store, args) })
}

// operator is who runs the command, for the audit trail.
func operator() keystone.Actor {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return keystone.Operator(u.Username)
	}
	return keystone.Operator("uid " + strconv.Itoa(os.Getuid())) // a container without a user list
}
