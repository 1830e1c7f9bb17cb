package main

import (
	"context"

	"github.com/spf13/cobra"
)

func serveCommand(a *app) *cobra.Command  { return &cobra.Command{Use: "serve"} }
func routesCommand(a *app) *cobra.Command { return &cobra.Command{Use: "routes"} }
func (d *doctor) redis(context.Context)   {}
