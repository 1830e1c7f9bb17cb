package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
)

func userCommand(a *app) *cobra.Command {
	return group("user", "People: create, list, show, change, lock out, unlock",
		userCreate(a), userList(a), userShow(a), userUpdate(a),
		userSwitch(a, "enable", "Let a user sign in again", true),
		userSwitch(a, "disable", "Lock a user out: every session and refresh token ends", false),
		userDelete(a), userRoles(a), userUnlock(a), userPassword(a))
}

// userView is a user for scripts, in the shape of the API.
type userView struct {
	ID            string     `json:"id"`
	Username      string     `json:"username"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	FirstName     string     `json:"first_name"`
	LastName      string     `json:"last_name"`
	Enabled       bool       `json:"enabled"`
	Roles         []string   `json:"roles"`
	LastLogin     *time.Time `json:"last_login"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Password      string     `json:"password,omitempty"` // generated, shown this once
}

func viewUser(u keystone.User) userView {
	return userView{
		ID: u.ID, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, FirstName: u.FirstName, LastName: u.LastName,
		Enabled: u.Enabled, Roles: names(u.Roles), LastLogin: moment(u.LastLogin), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

var userColumns = []column[userView]{
	{name: "id", cell: func(u userView) string { return u.ID }},
	{name: "username", cell: func(u userView) string { return u.Username }},
	{name: "email", cell: func(u userView) string { return u.Email }},
	{name: "email verified", cell: func(u userView) string { return yesNo(u.EmailVerified) }, wide: true},
	{name: "first name", cell: func(u userView) string { return u.FirstName }, wide: true},
	{name: "last name", cell: func(u userView) string { return u.LastName }, wide: true},
	{name: "enabled", cell: func(u userView) string { return yesNo(u.Enabled) }},
	{name: "roles", cell: func(u userView) string { return strings.Join(u.Roles, " ") }},
	{name: "last login", cell: func(u userView) string { return stamp(u.LastLogin) }},
	{name: "created", cell: func(u userView) string { return stamp(&u.CreatedAt) }, wide: true},
	{name: "changed", cell: func(u userView) string { return stamp(&u.UpdatedAt) }, wide: true},
}

func userList(a *app) *cobra.Command {
	var search string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List users, oldest first", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.Users(ctx, search, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewUser, userColumns)
		})}
	c.Flags().StringVar(&search, "search", "", "only users whose username, e-mail address or name starts with this")
	p.add(c)
	return c
}

func userShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show USER", Short: "Show one user, by id, username or e-mail address", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			u, err := s.FindUser(ctx, args[0])
			if err != nil {
				return err
			}
			return printOne(a, viewUser(u), userColumns)
		})}
}

func userUpdate(a *app) *cobra.Command {
	var username, email, first, last string
	c := &cobra.Command{Use: "update USER", Short: "Change a user's names or e-mail address", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&username, "username", "", "new username")
	c.Flags().StringVar(&email, "email", "", "new e-mail address; it counts as unverified")
	c.Flags().StringVar(&first, "first-name", "", "new first name")
	c.Flags().StringVar(&last, "last-name", "", "new last name")
	c.MarkFlagsOneRequired("username", "email", "first-name", "last-name")
	c.RunE = a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
		u, err := s.FindUser(ctx, args[0])
		if err != nil {
			return err
		}
		u, err = s.UpdateUser(ctx, operator(), u.ID, 0, keystone.UserPatch{
			Username: given(c, "username", &username), Email: given(c, "email", &email),
			FirstName: given(c, "first-name", &first), LastName: given(c, "last-name", &last),
		})
		if err != nil {
			return err
		}
		return printOne(a, viewUser(u), userColumns)
	})
	return c
}

func userSwitch(a *app, use, short string, enabled bool) *cobra.Command {
	return &cobra.Command{Use: use + " USER", Short: short, Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			u, err := s.FindUser(ctx, args[0])
			if err != nil {
				return err
			}
			u, err = s.UpdateUser(ctx, operator(), u.ID, 0, keystone.UserPatch{Enabled: &enabled})
			if err != nil {
				return err
			}
			return printOne(a, viewUser(u), userColumns)
		})}
}

func userDelete(a *app) *cobra.Command {
	return &cobra.Command{Use: "delete USER", Short: "Delete a user with everything that is theirs", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			u, err := s.FindUser(ctx, args[0])
			if err != nil {
				return err
			}
			if err := s.DeleteUser(ctx, operator(), u.ID, 0); err != nil {
				return err
			}
			return a.done("Deleted user %s (%s).", printable(u.Username), u.ID)
		})}
}

func userRoles(a *app) *cobra.Command {
	var roles setFlags
	c := &cobra.Command{Use: "roles USER", Short: "Show or change a user's roles", Args: cobra.ExactArgs(1)}
	roles.add(c, "role")
	c.RunE = a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
		u, err := s.FindUser(ctx, args[0])
		if err != nil {
			return err
		}
		if roles.given(c) {
			// With the version, so that nobody else's change is undone.
			if u, err = s.SetUserRoles(ctx, operator(), u.ID, u.Version, roles.apply(c, u.Roles)); err != nil {
				return err
			}
		}
		return printOne(a, viewUser(u), userColumns)
	})
	return c
}

func userUnlock(a *app) *cobra.Command {
	return &cobra.Command{Use: "unlock USER", Short: "Forget failed sign-ins, so that the user may try again at once", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			u, err := s.FindUser(ctx, args[0])
			if err != nil {
				return err
			}
			if err := s.Unlock(ctx, operator(), u.ID, proof.Prefix(u.ID)); err != nil {
				return err
			}
			return a.done("Unlocked user %s.", printable(u.Username))
		})}
}
