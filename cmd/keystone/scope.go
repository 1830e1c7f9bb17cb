package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func scopeCommand(a *app) *cobra.Command {
	return group("scope", "Scopes: named permissions", scopeCreate(a), scopeList(a), scopeUpdate(a), scopeDelete(a))
}

// scopeView is a scope for scripts, in the shape of the API.
type scopeView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	BuiltIn     bool      `json:"built_in"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func viewScope(s keystone.Scope) scopeView {
	return scopeView{ID: s.ID, Name: s.Name, Description: s.Description, BuiltIn: s.BuiltIn, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

var scopeColumns = []column[scopeView]{
	{name: "id", cell: func(s scopeView) string { return s.ID }, wide: true},
	{name: "name", cell: func(s scopeView) string { return s.Name }},
	{name: "built in", cell: func(s scopeView) string { return yesNo(s.BuiltIn) }},
	{name: "description", cell: func(s scopeView) string { return s.Description }},
	{name: "created", cell: func(s scopeView) string { return stamp(&s.CreatedAt) }, wide: true},
	{name: "changed", cell: func(s scopeView) string { return stamp(&s.UpdatedAt) }, wide: true},
}

func scopeCreate(a *app) *cobra.Command {
	var sc keystone.Scope
	c := &cobra.Command{Use: "create NAME", Short: "Create a scope", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			sc.Name = args[0]
			sc, err := s.CreateScope(ctx, operator(), sc)
			if err != nil {
				return err
			}
			return printOne(a, viewScope(sc), scopeColumns)
		})}
	c.Flags().StringVar(&sc.Description, "description", "", "what the scope allows")
	return c
}

func scopeList(a *app) *cobra.Command {
	var search string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List scopes by name", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.Scopes(ctx, search, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewScope, scopeColumns)
		})}
	c.Flags().StringVar(&search, "search", "", "only scopes whose name starts with this")
	p.add(c)
	return c
}

func scopeUpdate(a *app) *cobra.Command {
	var description string
	c := &cobra.Command{Use: "update SCOPE", Short: "Change a scope's description", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			sc, err := s.UpdateScope(ctx, operator(), args[0], 0, description)
			if err != nil {
				return err
			}
			return printOne(a, viewScope(sc), scopeColumns)
		})}
	c.Flags().StringVar(&description, "description", "", "new description")
	required(c, "description")
	return c
}

func scopeDelete(a *app) *cobra.Command {
	return &cobra.Command{Use: "delete SCOPE", Short: "Delete a scope, and take it from every role and client", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.DeleteScope(ctx, operator(), args[0], 0); err != nil {
				return err
			}
			return a.done("Deleted scope %s.", printable(args[0]))
		})}
}
