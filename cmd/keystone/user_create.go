package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

func userCreate(a *app) *cobra.Command {
	u := keystone.User{Enabled: true}
	var password passwordFlags
	var disabled bool
	c := &cobra.Command{Use: "create", Short: "Create a user; a password that is not given is made and shown this once", Args: cobra.NoArgs,
		RunE: a.withDatabase(func(ctx context.Context, d database, _ []string) error {
			u.Enabled = !disabled
			if err := u.Validate(); err != nil { // before the work of hashing
				return err
			}
			given, err := password.take(a, d.cfg, u)
			if err != nil {
				return err
			}
			hash, err := given.hash(ctx, d.cfg)
			if err != nil {
				return err
			}
			u, err := d.CreateUser(ctx, operator(), u, hash)
			if err != nil {
				return err
			}
			return given.print(a, u)
		})}
	c.Flags().StringVar(&u.Username, "username", "", "name to sign in with")
	c.Flags().StringVar(&u.Email, "email", "", "e-mail address")
	c.Flags().StringVar(&u.FirstName, "first-name", "", "first name")
	c.Flags().StringVar(&u.LastName, "last-name", "", "last name")
	c.Flags().StringArrayVar(&u.Roles, "role", []string{keystone.RoleUser}, "a role to have (repeatable)")
	c.Flags().BoolVar(&u.EmailVerified, "email-verified", false, "the address is known to be theirs")
	c.Flags().BoolVar(&disabled, "disabled", false, "may not sign in until enabled")
	password.add(c)
	required(c, "username", "email")
	return c
}

func userPassword(a *app) *cobra.Command {
	var password passwordFlags
	c := &cobra.Command{Use: "password USER", Short: "Set a user's password and end all their sessions; one that is not given is made and shown this once", Args: cobra.ExactArgs(1),
		RunE: a.withDatabase(func(ctx context.Context, d database, args []string) error {
			u, err := d.FindUser(ctx, args[0])
			if err != nil {
				return err
			}
			given, err := password.take(a, d.cfg, u)
			if err != nil {
				return err
			}
			hash, err := given.hash(ctx, d.cfg)
			if err != nil {
				return err
			}
			if err := d.SetPassword(ctx, operator(), u.ID, hash, ""); err != nil {
				return err
			}
			return given.print(a, u)
		})}
	password.add(c)
	return c
}
