package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/server"
)

func serveCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "serve", Short: "Serve until told to stop (SIGTERM or SIGINT; a second one stops at once)", Args: cobra.NoArgs,
		Long: `Serve until told to stop.

Brings the database to this version's schema first. SIGTERM and SIGINT let
requests in flight finish (SHUTDOWN_TIMEOUT); a second one stops at once. Logs
go to standard error. Standard output says when the server is ready and, while
there is no administrator, has the link that makes the first.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.settings()
			if err != nil {
				return err
			}
			return a.serve(c.Context(), cfg)
		}}
}

// serve builds the server, makes the first administrator where the settings name
// one, says that it is ready, and serves until ctx ends.
func (a *app) serve(ctx context.Context, cfg *config.Config) error {
	lines := server.NewLogWriter(a.err)
	defer lines.Flush()
	log := server.NewLogger(lines, cfg.LogLevel, cfg.LogFormat)
	slog.SetDefault(log) // so that libraries are redacted alike
	s, err := server.New(ctx, cfg, server.Options{Log: log, Version: version, OwnsProcess: true})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := bootstrapAdmin(ctx, cfg, s.Parts()); err != nil {
		return err
	}
	public, err := listen(ctx, cfg.Addr(), "HOST or PORT")
	if err != nil {
		return err
	}
	management, err := listen(ctx, cfg.ManagementAddr, "MANAGEMENT_ADDR")
	if err != nil {
		_ = public.Close()
		return err
	}
	for _, w := range cfg.Warnings { // not before: a start that is refused says one line
		log.WarnContext(ctx, "settings", "warning", w)
	}
	// From here on the kernel takes connections; the server gets to them at once.
	if err := a.announce(ctx, database{Store: s.Parts().Store, cfg: cfg, master: s.Parts().Master}, management.Addr()); err != nil {
		_, _ = public.Close(), management.Close()
		return err
	}
	return s.ServeOn(ctx, public, management)
}

func listen(ctx context.Context, addr, settings string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be listened on: %w; stop what uses it, or change %s", addr, err, settings)
	}
	return l, nil
}

// readyView says that the server is ready, for scripts.
type readyView struct {
	URL        string `json:"url"`
	Issuer     string `json:"issuer"`
	Management string `json:"management"`
	SetupLink  string `json:"setup_link,omitempty"` // while there is no administrator
}

// announce says where the server is reached and, while there is no
// administrator, how to make the first. It is for a person, so it is not in the
// log, where the link would be redacted.
func (a *app) announce(ctx context.Context, d database, management net.Addr) error {
	v := readyView{URL: listenerURL(d.cfg), Issuer: d.cfg.Issuer, Management: "http://" + management.String()}
	needs, err := d.NeedsSetup(ctx)
	if err != nil {
		return err
	}
	if needs {
		if v.SetupLink, err = d.setupLink(ctx, keystone.System("start")); err != nil {
			return err
		}
	}
	slog.InfoContext(ctx, "started", "version", version, "url", v.URL, "issuer", v.Issuer, "management", v.Management,
		"postgresql", d.cfg.Postgres(), "redis", d.cfg.RedisURL.IsSet())
	if a.json {
		return a.document(v)
	}
	where := v.URL
	if v.Issuer != v.URL {
		where += " as " + v.Issuer
	}
	if err := a.say("Keystone %s is ready at %s (management: %s).", version, where, v.Management); err != nil || !needs {
		return err
	}
	return a.say("\nThere is no administrator yet. Open this link within an hour to make the first one:\n\n    %s\n", v.SetupLink)
}
