package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keystone-auth/keystone"
)

// clientFlags are the facts about a client that can be given and changed.
type clientFlags struct {
	name, format                            string
	redirectURIs, scopes, audiences, grants []string
	postLogoutURIs                          []string
	firstParty, rotate, withoutPKCE         bool
	requirePAR                              bool
	introspects, details                    []string
	clientBoundFlags
	ttl         time.Duration
	logout      logoutFlags
	backchannel backchannelFlags
	exchange    exchangeRules
	auth        clientAuthFlags
	issuers     clientIssuerFlags
	clientSigningFlags
	about clientAboutFlags
}

func (f *clientFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "name", "", "name that people recognise")
	c.Flags().StringArrayVar(&f.redirectURIs, "redirect-uri", nil, "where a browser may be sent back to (repeatable)")
	c.Flags().StringArrayVar(&f.postLogoutURIs, "post-logout-redirect-uri", nil, "where a browser may go after logging out (repeatable)")
	c.Flags().BoolVar(&f.withoutPKCE, "no-require-pkce", false, "lets a confidential client sign people in without PKCE: only for programs that cannot send it")
	c.Flags().BoolVar(&f.requirePAR, "require-par", false, "refuses authorization requests that were not pushed (RFC 9126)")
	f.clientBoundFlags.add(c)
	f.logout.add(c)
	f.backchannel.add(c)
	c.Flags().Var(&f.exchange, "exchange-rule", "a rule client=ID,mode=delegation|impersonation[,audience=A]…[,scope=S]…: whose tokens it may exchange (RFC 8693; repeatable)")
	f.auth.add(c)
	f.issuers.add(c)
	f.clientSigningFlags.add(c)
	f.about.add(c)
	c.Flags().StringArrayVar(&f.scopes, "scope", nil, "a scope it may ask for (repeatable; default of a new web, spa or native client: openid, profile, email and offline_access; an empty value: none)")
	c.Flags().StringArrayVar(&f.audiences, "audience", nil, "a resource it may ask tokens for, besides Keystone itself (repeatable)")
	c.Flags().StringArrayVar(&f.details, "authorization-details-type", nil, "a type of authorization details that it may ask people for (RFC 9396; repeatable)")
	c.Flags().StringArrayVar(&f.introspects, "introspection-audience", nil, "a resource it stands for: it may introspect all tokens meant for it (repeatable)")
	c.Flags().StringArrayVar(&f.grants, "grant", nil, "a grant type it may use: "+strings.Join(keystone.GrantNames(nil), ", ")+" (repeatable; default: those of its kind)")
	c.Flags().BoolVar(&f.firstParty, "first-party", false, "may sign users in through the JSON API and manage the account; spa and native only")
	c.Flags().StringVar(&f.format, "access-token-format", keystone.FormatJWT, "jwt, or opaque: verified by introspection only")
	c.Flags().DurationVar(&f.ttl, "access-token-ttl", 0, "life of its access tokens, 10s to 24h; 0: the server's setting")
	c.Flags().BoolVar(&f.rotate, "rotate-refresh-tokens", true, "a refresh token is good once; public clients always rotate")
}

// apply puts what was given into the client. Lists are replaced as a whole.
func (f *clientFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "name", &client.Name, f.name)
	put(c, "redirect-uri", &client.RedirectURIs, withoutEmpty(f.redirectURIs))
	put(c, "post-logout-redirect-uri", &client.PostLogoutURIs, withoutEmpty(f.postLogoutURIs))
	put(c, "no-require-pkce", &client.PKCEOptional, f.withoutPKCE)
	put(c, "require-par", &client.RequirePAR, f.requirePAR)
	f.clientBoundFlags.apply(c, client)
	f.logout.apply(c, client)
	f.backchannel.apply(c, client)
	put(c, "exchange-rule", &client.TokenExchange, []keystone.ExchangeRule(f.exchange))
	f.auth.apply(c, client)
	f.issuers.apply(c, client)
	f.clientSigningFlags.apply(c, client)
	f.about.apply(c, client)
	put(c, "scope", &client.Scopes, withoutEmpty(f.scopes))
	put(c, "audience", &client.Audiences, withoutEmpty(f.audiences))
	put(c, "authorization-details-type", &client.DetailTypes, withoutEmpty(f.details))
	put(c, "introspection-audience", &client.IntrospectionAudiences, withoutEmpty(f.introspects))
	put(c, "grant", &client.Grants, withoutEmpty(f.grants))
	put(c, "first-party", &client.FirstParty, f.firstParty)
	put(c, "access-token-format", &client.AccessTokenFormat, f.format)
	put(c, "access-token-ttl", &client.AccessTokenTTL, f.ttl)
	put(c, "rotate-refresh-tokens", &client.RotateRefreshTokens, f.rotate)
}

func put[T any](c *cobra.Command, flag string, to *T, value T) {
	if c.Flags().Changed(flag) {
		*to = value
	}
}

// warn says what a loosened switch means, where people see it and scripts do not
// stumble over it.
func warn(a *app, client keystone.Client) {
	for _, w := range client.Warnings() {
		_, _ = fmt.Fprintln(a.err, "Warning: "+w)
	}
}

func clientCreate(a *app) *cobra.Command {
	var f clientFlags
	var kind string
	c := &cobra.Command{Use: "create", Short: "Create a client; one that proves itself by a secret gets it, shown this once", Args: cobra.NoArgs}
	f.add(c)
	c.Flags().StringVar(&kind, "kind", "", "service (no user), web (keeps a secret), spa or native (cannot keep one)")
	required(c, "name", "kind")
	c.RunE = a.withDatabase(func(ctx context.Context, d database, _ []string) error {
		client := keystone.Client{Kind: keystone.ClientKind(kind), Enabled: true, RotateRefreshTokens: true}
		if err := f.auth.read(a.in); err != nil {
			return err
		}
		f.apply(c, &client)
		if err := client.CheckRotates(); err != nil {
			return err
		}
		if err := d.publishKeys(ctx, client); err != nil {
			return err
		}
		client, clientSecret, err := d.CreateClient(ctx, operator(), client)
		if err != nil {
			return err
		}
		warn(a, client)
		v := viewClient(client)
		v.ClientSecret = clientSecret
		if err := printOne(a, v, clientColumns); err != nil || a.json || clientSecret == "" {
			return err
		}
		return a.say("\nClient secret, shown this once: %s", clientSecret)
	})
	return c
}

func clientUpdate(a *app) *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "update CLIENT_ID", Short: "Change a client; lists are replaced as a whole, an empty value empties one", Args: cobra.ExactArgs(1)}
	f.add(c)
	var names []string
	c.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	c.MarkFlagsOneRequired(names...)
	c.RunE = a.withDatabase(func(ctx context.Context, d database, args []string) error {
		if err := f.auth.read(a.in); err != nil {
			return err
		}
		client, err := d.Client(ctx, args[0])
		if err != nil {
			return err
		}
		f.apply(c, &client)
		if err := d.publishKeys(ctx, client); err != nil {
			return err
		}
		client, err = d.UpdateClient(ctx, operator(), args[0], 0, func(client *keystone.Client) { f.apply(c, client) })
		if err != nil {
			return err
		}
		warn(a, client)
		return printOne(a, viewClient(client), clientColumns)
	})
	return c
}
