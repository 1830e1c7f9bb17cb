package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func registrationTokenCommand(a *app) *cobra.Command {
	return group("registration-token", "Initial access tokens, with which clients register themselves (CLIENT_REGISTRATION)",
		registrationTokenCreate(a), registrationTokenList(a), registrationTokenRevoke(a))
}

// registrationTokenView is an initial access token for scripts, in the shape of the
// API.
type registrationTokenView struct {
	Token     string     `json:"registration_token,omitempty"` // of a new one, shown this once
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Uses      int64      `json:"uses"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used"`
	keystone.RegistrationPolicy
}

func viewRegistrationToken(t keystone.RegistrationToken) registrationTokenView {
	return registrationTokenView{ID: t.ID, Name: t.Name, Uses: t.Uses, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsed: moment(t.LastUsed), RegistrationPolicy: t.Policy}
}

var registrationTokenColumns = []column[registrationTokenView]{
	{name: "id", cell: func(t registrationTokenView) string { return t.ID }},
	{name: "name", cell: func(t registrationTokenView) string { return t.Name }},
	{name: "uses left", cell: func(t registrationTokenView) string { return strconv.FormatInt(t.Uses, 10) }},
	{name: "expires", cell: func(t registrationTokenView) string { return stamp(&t.ExpiresAt) }},
	{name: "last used", cell: func(t registrationTokenView) string { return stamp(t.LastUsed) }},
	{name: "scopes", cell: func(t registrationTokenView) string { return strings.Join(t.Scopes, " ") }, wide: true},
	{name: "audiences", cell: func(t registrationTokenView) string { return strings.Join(t.Audiences, " ") }, wide: true},
	{name: "grants", cell: func(t registrationTokenView) string { return strings.Join(t.Grants, " ") }, wide: true},
	{name: "redirect hosts", cell: func(t registrationTokenView) string { return strings.Join(t.RedirectHosts, " ") }, wide: true},
	{name: "PKCE", cell: func(t registrationTokenView) string { return clientPKCE(clientView{RequirePKCE: !t.PKCEOptional}) }, wide: true},
}

func registrationTokenCreate(a *app) *cobra.Command {
	t := keystone.RegistrationToken{}
	var life time.Duration
	c := &cobra.Command{Use: "create", Short: "Make an initial access token, shown this once", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			t.ExpiresAt = s.Now().Add(life)
			value, made, err := s.CreateRegistrationToken(ctx, operator(), t)
			if err != nil {
				return err
			}
			v := viewRegistrationToken(made)
			v.Token = value
			if err := printOne(a, v, registrationTokenColumns); err != nil || a.json {
				return err
			}
			return a.say("\nInitial access token, shown this once: %s", value)
		})}
	c.Flags().StringVar(&t.Name, "name", "", "whom it is for")
	c.Flags().Int64Var(&t.Uses, "uses", 1, "how many clients it can register")
	c.Flags().DurationVar(&life, "expires-in", 7*24*time.Hour, "for how long it works")
	c.Flags().StringArrayVar(&t.Policy.Scopes, "scope", nil, "a scope that its clients may ask for (repeatable)")
	c.Flags().StringArrayVar(&t.Policy.Audiences, "audience", nil, "a resource for which they may ask tokens (repeatable)")
	c.Flags().StringArrayVar(&t.Policy.Grants, "grant", nil, "a grant type that they may register (repeatable; default: authorization_code and refresh_token)")
	c.Flags().StringArrayVar(&t.Policy.RedirectHosts, "redirect-host", nil, "a host that their redirect URIs may have (repeatable; default: any)")
	c.Flags().BoolVar(&t.Policy.PKCEOptional, "no-require-pkce", false, "lets confidential ones sign people in without PKCE: only for programs that cannot send it")
	required(c, "name")
	return c
}

func registrationTokenList(a *app) *cobra.Command {
	var p paging
	c := &cobra.Command{Use: "list", Short: "List initial access tokens, oldest first", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.RegistrationTokens(ctx, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewRegistrationToken, registrationTokenColumns)
		})}
	p.add(c)
	return c
}

func registrationTokenRevoke(a *app) *cobra.Command {
	return &cobra.Command{Use: "revoke ID", Short: "End an initial access token; clients registered with it stay", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.RevokeRegistrationToken(ctx, operator(), args[0]); err != nil {
				return err
			}
			return a.done("Revoked the token.")
		})}
}
