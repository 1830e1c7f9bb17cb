package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/server"
)

// routeView is a route for scripts.
type routeView struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Access  string `json:"access"` // public, bearer, self, client, or scope:NAME
	Limit   string `json:"limit"`
	Summary string `json:"summary"`
}

var routeColumns = []column[routeView]{
	{name: "method", cell: func(r routeView) string { return r.Method }},
	{name: "path", cell: func(r routeView) string { return r.Path }},
	{name: "access", cell: func(r routeView) string { return r.Access }},
	{name: "limit", cell: func(r routeView) string { return r.Limit }},
	{name: "summary", cell: func(r routeView) string { return r.Summary }},
}

func routesCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "routes", Short: "List every request that the public listener answers, and who may send it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.settings()
			if err != nil {
				return err
			}
			list, err := routesOf(c.Context(), cfg)
			if err != nil {
				return err
			}
			return printList(a, listOf(list), func(r routeView) routeView { return r }, routeColumns)
		}}
}

// routesOf builds the server as these settings would, but over a database of its
// own that is gone afterwards: the routes follow from the settings alone, and
// asking for them must not touch the real one.
func routesOf(ctx context.Context, cfg *config.Config) ([]routeView, error) {
	dir, err := os.MkdirTemp("", "keystone-routes")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	apart := *cfg
	apart.DataDir, apart.DatabaseURL, apart.MasterKey = dir, config.NewSecret(filepath.Join(dir, "keystone.db")), config.Secret{}
	apart.RedisURL, apart.OTLPEndpoint, apart.TLSCertFile = config.Secret{}, "", ""
	s, err := server.New(ctx, &apart, server.Options{Log: slog.New(slog.DiscardHandler), Version: version})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var list []routeView
	for _, r := range s.Routes() {
		list = append(list, routeView{Method: r.Method, Path: r.Path, Access: string(r.Access), Limit: string(r.Limit), Summary: r.Summary})
	}
	return list, nil
}

// listOf is a list of one page.
func listOf[T any](items []T) keystone.List[T] { return keystone.List[T]{Items: items} }
