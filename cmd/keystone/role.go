package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func roleCommand(a *app) *cobra.Command {
	return group("role", "Roles: what users have, and which scopes each carries",
		roleCreate(a), roleList(a), roleShow(a), roleUpdate(a), roleDelete(a), roleScopes(a))
}

// roleView is a role for scripts, in the shape of the API.
type roleView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Scopes      []string  `json:"scopes"`
	BuiltIn     bool      `json:"built_in"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func viewRole(r keystone.Role) roleView {
	return roleView{ID: r.ID, Name: r.Name, Description: r.Description, Scopes: names(r.Scopes), BuiltIn: r.BuiltIn, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

var roleColumns = []column[roleView]{
	{name: "id", cell: func(r roleView) string { return r.ID }, wide: true},
	{name: "name", cell: func(r roleView) string { return r.Name }},
	{name: "built in", cell: func(r roleView) string { return yesNo(r.BuiltIn) }},
	{name: "description", cell: func(r roleView) string { return r.Description }},
	{name: "scopes", cell: func(r roleView) string { return strings.Join(r.Scopes, " ") }},
	{name: "created", cell: func(r roleView) string { return stamp(&r.CreatedAt) }, wide: true},
	{name: "changed", cell: func(r roleView) string { return stamp(&r.UpdatedAt) }, wide: true},
}

func roleCreate(a *app) *cobra.Command {
	var r keystone.Role
	c := &cobra.Command{Use: "create NAME", Short: "Create a role", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			r.Name = args[0]
			r, err := s.CreateRole(ctx, operator(), r)
			if err != nil {
				return err
			}
			return printOne(a, viewRole(r), roleColumns)
		})}
	c.Flags().StringVar(&r.Description, "description", "", "what the role is for")
	c.Flags().StringArrayVar(&r.Scopes, "scope", nil, "a scope that it carries (repeatable)")
	return c
}

func roleList(a *app) *cobra.Command {
	var search string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List roles by name", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.Roles(ctx, search, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewRole, roleColumns)
		})}
	c.Flags().StringVar(&search, "search", "", "only roles whose name starts with this")
	p.add(c)
	return c
}

func roleShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show ROLE", Short: "Show one role, by name or id", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			r, err := s.Role(ctx, args[0])
			if err != nil {
				return err
			}
			return printOne(a, viewRole(r), roleColumns)
		})}
}

func roleUpdate(a *app) *cobra.Command {
	var name, description string
	c := &cobra.Command{Use: "update ROLE", Short: "Change a role's name or description", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&name, "name", "", "new name")
	c.Flags().StringVar(&description, "description", "", "new description")
	c.MarkFlagsOneRequired("name", "description")
	c.RunE = a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
		r, err := s.UpdateRole(ctx, operator(), args[0], 0, store.RolePatch{
			Name: given(c, "name", &name), Description: given(c, "description", &description),
		})
		if err != nil {
			return err
		}
		return printOne(a, viewRole(r), roleColumns)
	})
	return c
}

func roleDelete(a *app) *cobra.Command {
	return &cobra.Command{Use: "delete ROLE", Short: "Delete a role, and take it from everybody who has it", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.DeleteRole(ctx, operator(), args[0], 0); err != nil {
				return err
			}
			return a.done("Deleted role %s.", printable(args[0]))
		})}
}

func roleScopes(a *app) *cobra.Command {
	var scopes setFlags
	c := &cobra.Command{Use: "scopes ROLE", Short: "Show or change the scopes that a role carries", Args: cobra.ExactArgs(1)}
	scopes.add(c, "scope")
	c.RunE = a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
		r, err := s.Role(ctx, args[0])
		if err != nil {
			return err
		}
		if scopes.given(c) {
			after := scopes.apply(c, r.Scopes)
			// With the version, so that nobody else's change is undone.
			if r, err = s.UpdateRole(ctx, operator(), r.ID, r.Version, store.RolePatch{Scopes: &after}); err != nil {
				return err
			}
		}
		return printOne(a, viewRole(r), roleColumns)
	})
	return c
}
