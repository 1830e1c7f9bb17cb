package main

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/server"
)

// bootstrapAdmin makes the administrator that the settings name, once: as soon
// as there has been one, the settings change nothing any more.
func bootstrapAdmin(ctx context.Context, cfg *config.Config, p *server.Parts) error {
	needs, err := p.Store.NeedsSetup(ctx)
	if err != nil || !needs || cfg.BootstrapAdminUsername == "" {
		return err
	}
	u, value, err := server.BootstrapAdmin(cfg)
	if err != nil {
		return err
	}
	hash, err := p.Hasher.Hash(ctx, value)
	if err != nil {
		return err
	}
	_, err = p.Store.CreateFirstAdmin(ctx, keystone.System("bootstrap"), "", u, hash)
	if keystone.KindOf(err) == keystone.Conflict {
		if needs, again := p.Store.NeedsSetup(ctx); again == nil && !needs {
			return nil // another node was first
		}
	}
	return err
}
