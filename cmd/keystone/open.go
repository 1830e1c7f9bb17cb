package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/server"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// settings reads the settings as the server would.
func (a *app) settings() (*config.Config, error) {
	return config.Load(config.Options{ConfigFile: a.configFile, Environ: config.Environ()})
}

// database is an open store and what was needed to open it.
type database struct {
	*store.Store
	cfg    *config.Config
	master secret.MasterKey
}

// openDatabase connects to the database of the settings. It does not migrate.
func (a *app) openDatabase(ctx context.Context, cfg *config.Config) (database, error) {
	master, err := server.MasterKey(cfg)
	if err != nil {
		return database{}, err
	}
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{Master: master, PoolSize: commandPool, Idle: cfg.SessionIdle,
		Waiting: func() { _, _ = fmt.Fprintln(a.err, "Waiting for another node, which migrates the database.") }})
	return database{Store: s, cfg: cfg, master: master}, err
}

// commandPool is how many connections a command needs beside the server's.
const commandPool = 2

// beginners are the commands that a new database may begin with, so that the first
// things can be made before the first start. The others refuse: what they would
// say of an empty database is not what was asked, and the settings are most likely
// not those of the server. (serve and migrate open it in their own way.)
var beginners = map[string]bool{
	"keystone setup-link": true, "keystone import": true,
	"keystone user create": true, "keystone role create": true, "keystone scope create": true, "keystone client create": true,
}

// open connects and sees to it that the schema is there. Where begins is true a
// new database is brought up at once; one that a server may be using is not: that
// is migrate's to do.
func (a *app) open(ctx context.Context, begins bool) (database, error) {
	cfg, err := a.settings()
	if err != nil {
		return database{}, err
	}
	if !begins {
		if missing, err := server.NewDatabase(cfg); err != nil {
			return database{}, err
		} else if missing {
			return database{}, fmt.Errorf("There is no database at %s. Is --config or DATA_DIR missing? (keystone serve makes a new one.)", cfg.SQLitePath())
		}
	}
	d, err := a.openDatabase(ctx, cfg)
	if err != nil {
		return d, err
	}
	if err := d.ensureSchema(ctx, begins); err != nil {
		d.Close()
		return d, err
	}
	return d, nil
}

func (d database) ensureSchema(ctx context.Context, begins bool) error {
	steps, err := d.Migrations(ctx)
	if err != nil {
		return err
	}
	pending := pendingOf(steps)
	switch {
	case len(pending) == 0 && !begins:
		return token.CheckMaster(ctx, d.Store, d.master)
	case len(pending) == 0:
		return token.KeepMaster(ctx, d.Store, d.master)
	case len(pending) == len(steps) && begins:
		_, err := d.migrate(ctx)
		return err
	case len(pending) == len(steps):
		return errors.New("This database has no tables of Keystone's. Is --config or DATABASE_URL missing? (keystone serve and keystone migrate make them.)")
	}
	return fmt.Errorf("the database is of an older version: %d of %d schema steps are missing. Run: keystone migrate", len(pending), len(steps))
}

// migrate applies what is missing, and notes whose database it is.
func (d database) migrate(ctx context.Context) ([]store.Migration, error) {
	applied, err := d.Migrate(ctx)
	if err != nil {
		return nil, err
	}
	return applied, token.KeepMaster(ctx, d.Store, d.master)
}

// checkKey checks the master key where the schema has begun.
func (d database) checkKey(ctx context.Context) error {
	steps, err := d.Migrations(ctx)
	if err != nil || len(pendingOf(steps)) == len(steps) {
		return err
	}
	return token.CheckMaster(ctx, d.Store, d.master)
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
		d, err := a.open(c.Context(), beginners[c.CommandPath()])
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
