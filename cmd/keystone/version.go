package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionView says what this binary is.
type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Say what this binary is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionView{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Commit = s.Value
					}
				}
			}
			if a.json {
				return a.document(v)
			}
			return a.say("keystone %s %s (%s %s)", v.Version, printable(v.Commit), v.Go, v.Platform)
		}}
}
