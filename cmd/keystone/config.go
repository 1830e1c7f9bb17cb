package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/server"
)

func configCommand(a *app) *cobra.Command {
	return group("config", "Settings: show what is in force, check it", configShow(a), configCheck(a))
}

var settingColumns = []column[config.Setting]{
	{name: "setting", cell: func(s config.Setting) string { return s.Name }},
	{name: "value", cell: func(s config.Setting) string { return s.Value }},
	{name: "from", cell: func(s config.Setting) string { return s.Source }},
}

func configShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show every setting in force and where it comes from, without secrets", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.settings()
			if err != nil {
				return err
			}
			return printList(a, listOf(cfg.Redacted()), func(s config.Setting) config.Setting { return s }, settingColumns)
		}}
}

func configCheck(a *app) *cobra.Command {
	return &cobra.Command{Use: "check", Short: "Check the settings, and the files that they name; everything that is wrong is named", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.settings()
			if err == nil {
				_, _, bootstrap := server.BootstrapAdmin(cfg)
				err = errors.Join(server.Check(cfg), bootstrap)
			}
			v := configCheckView{OK: err == nil, Problems: []string{}, Warnings: []string{}}
			if cfg != nil {
				v.Warnings = names(cfg.Warnings)
			}
			if err != nil {
				v.Problems = refusals(err)
			}
			if a.json {
				return errors.Join(a.document(v), err)
			}
			if err != nil {
				return err
			}
			for _, w := range v.Warnings {
				if err := a.say("warning: %s", w); err != nil {
					return err
				}
			}
			return a.say("The settings are good.")
		}}
}

// configCheckView is what a check of the settings came to, for scripts.
type configCheckView struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"`
	Warnings []string `json:"warnings"`
}
