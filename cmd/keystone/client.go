package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func clientCommand(a *app) *cobra.Command {
	return group("client", "Clients: programs that ask for tokens",
		clientCreate(a), clientList(a), clientShow(a), clientUpdate(a),
		clientSwitch(a, "enable", "Let a client get tokens again", true),
		clientSwitch(a, "disable", "Refuse a client; its tokens end, for good", false),
		clientDelete(a), clientSecretCommand(a), registrationTokenCommand(a))
}

// clientView is a client for scripts, in the shape of the API.
type clientView struct {
	ID                  string     `json:"id"`
	ClientID            string     `json:"client_id"`               // the id, under its name in OAuth
	ClientSecret        string     `json:"client_secret,omitempty"` // of a new confidential client, shown this once
	Name                string     `json:"name"`
	Kind                string     `json:"kind"`
	Enabled             bool       `json:"enabled"`
	FirstParty          bool       `json:"first_party"`
	BuiltIn             bool       `json:"built_in"`
	RedirectURIs        []string   `json:"redirect_uris"`
	Scopes              []string   `json:"scopes"`
	Audiences           []string   `json:"audiences"`
	Grants              []string   `json:"grants"`
	AccessTokenFormat   string     `json:"access_token_format"`
	RotateRefreshTokens bool       `json:"rotate_refresh_tokens"`
	AccessTokenTTL      *int64     `json:"access_token_ttl_seconds"` // null: the server's setting
	RequirePKCE         bool       `json:"require_pkce"`
	PostLogoutURIs      []string   `json:"post_logout_redirect_uris"`
	CreatedAt           time.Time  `json:"created_at"`
	UpdatedAt           time.Time  `json:"updated_at"`
	LastUsed            *time.Time `json:"last_used"`
	ProfileRules        []string   `json:"profile_rules"`
	Warnings            []string   `json:"warnings"`
	Registration        string     `json:"registration,omitempty"`
	keystone.ClientSettings
}

func viewClient(c keystone.Client) clientView {
	v := clientView{
		ID: keystone.PathOfClientID(c.ID), ClientID: c.ID, Name: c.Name, Kind: string(c.Kind), Enabled: c.Enabled, FirstParty: c.FirstParty, BuiltIn: c.BuiltIn,
		RedirectURIs: names(c.RedirectURIs), Scopes: names(c.Scopes), Audiences: names(c.Audiences), Grants: names(c.Grants),
		AccessTokenFormat: c.AccessTokenFormat, RotateRefreshTokens: c.RotateRefreshTokens,
		RequirePKCE: !c.MayOmitPKCE(), PostLogoutURIs: names(c.PostLogoutURIs),
		LastUsed: moment(c.LastUsed), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		Registration: c.Registration, ClientSettings: c.ClientSettings, ProfileRules: names(c.Rules().Changes()), Warnings: names(c.Warnings()),
	}
	if c.AccessTokenTTL > 0 {
		seconds := int64(c.AccessTokenTTL / time.Second)
		v.AccessTokenTTL = &seconds
	}
	return v
}

var clientColumns = []column[clientView]{
	{name: "client id", cell: func(c clientView) string { return c.ClientID }},
	{name: "name", cell: func(c clientView) string { return c.Name }},
	{name: "kind", cell: func(c clientView) string { return c.Kind }},
	{name: "enabled", cell: func(c clientView) string { return yesNo(c.Enabled) }},
	{name: "first party", cell: func(c clientView) string { return yesNo(c.FirstParty) }, wide: true},
	{name: "built in", cell: func(c clientView) string { return yesNo(c.BuiltIn) }, wide: true},
	{name: "grants", cell: func(c clientView) string { return strings.Join(c.Grants, " ") }},
	{name: "scopes", cell: func(c clientView) string { return strings.Join(c.Scopes, " ") }, wide: true},
	{name: "audiences", cell: func(c clientView) string { return strings.Join(c.Audiences, " ") }, wide: true},
	{name: "introspects", cell: func(c clientView) string { return strings.Join(c.IntrospectionAudiences, " ") }, wide: true},
	{name: "asks in detail for", cell: func(c clientView) string { return strings.Join(c.DetailTypes, " ") }, wide: true},
	{name: "redirect URIs", cell: func(c clientView) string { return strings.Join(c.RedirectURIs, " ") }, wide: true},
	{name: "after logout", cell: func(c clientView) string { return strings.Join(c.PostLogoutURIs, " ") }, wide: true},
	{name: "when a session ends", cell: clientLogout, wide: true},
	{name: "people elsewhere (CIBA)", cell: clientBackchannel, wide: true},
	{name: "profile", cell: clientProfile, wide: true},
	{name: "warnings", cell: func(c clientView) string { return strings.Join(c.Warnings, " ") }, wide: true},
	{name: "PKCE", cell: clientPKCE, wide: true},
	{name: "requests", cell: clientRequests, wide: true},
	{name: "signatures", cell: clientSigning, wide: true},
	{name: "may exchange", cell: func(c clientView) string { return exchangeRules(c.TokenExchange).String() }, wide: true},
	{name: "proves itself", cell: clientAuth, wide: true},
	{name: "by its platform", cell: func(c clientView) string { w := workloads(c.Workloads); return w.String() }, wide: true},
	{name: "issuers about people", cell: func(c clientView) string { a := assertionIssuers(c.JWTBearer); return a.String() }, wide: true},
	{name: "access tokens", cell: clientTokens, wide: true},
	{name: "tokens are bound to", cell: clientBound, wide: true},
	{name: "refresh tokens", cell: clientRefresh, wide: true},
	{name: "says of itself", cell: clientAbout, wide: true},
	{name: "came here", cell: clientRegistration, wide: true},
	{name: "last used", cell: func(c clientView) string { return stamp(c.LastUsed) }},
	{name: "created", cell: func(c clientView) string { return stamp(&c.CreatedAt) }, wide: true},
	{name: "changed", cell: func(c clientView) string { return stamp(&c.UpdatedAt) }, wide: true},
}

func clientTokens(c clientView) string {
	if c.AccessTokenTTL == nil {
		return c.AccessTokenFormat
	}
	return c.AccessTokenFormat + ", " + (time.Duration(*c.AccessTokenTTL) * time.Second).String()
}

func clientPKCE(c clientView) string {
	if c.RequirePKCE {
		return "required"
	}
	return "NOT required: a stolen code can be used"
}

func clientProfile(c clientView) string {
	text := c.Rules().Name
	for _, rule := range c.ProfileRules {
		text += "; " + rule
	}
	return text
}

func clientRequests(c clientView) string {
	signed := ""
	if c.RequireSignedRequest {
		signed = ", must be signed"
	}
	if c.RequirePAR {
		return "must be pushed" + signed
	}
	return "through the browser, or pushed" + signed
}

func clientRefresh(v clientView) string {
	c := keystone.Client{Kind: keystone.ClientKind(v.Kind), RotateRefreshTokens: v.RotateRefreshTokens, ClientSettings: v.ClientSettings}
	switch {
	case c.Rotates():
		return "rotate"
	case c.RotateRefreshTokens:
		return "do not rotate: its tokens are bound to keys"
	}
	return "do not rotate"
}

func clientList(a *app) *cobra.Command {
	var search string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List clients, oldest first, then those that are named by their address, then the built-in one", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.Clients(ctx, search, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewClient, clientColumns)
		})}
	c.Flags().StringVar(&search, "search", "", "only clients whose name starts with this")
	p.add(c)
	return c
}

func clientShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show CLIENT_ID", Short: "Show one client", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			client, err := s.Client(ctx, args[0])
			if err != nil {
				return err
			}
			return printOne(a, viewClient(client), clientColumns)
		})}
}

func clientSwitch(a *app, use, short string, enabled bool) *cobra.Command {
	return &cobra.Command{Use: use + " CLIENT_ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			client, err := s.UpdateClient(ctx, operator(), args[0], 0, func(c *keystone.Client) { c.Enabled = enabled })
			if err != nil {
				return err
			}
			return printOne(a, viewClient(client), clientColumns)
		})}
}

func clientDelete(a *app) *cobra.Command {
	return &cobra.Command{Use: "delete CLIENT_ID", Short: "Delete a client, its secrets and its refresh tokens", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.DeleteClient(ctx, operator(), args[0], 0); err != nil {
				return err
			}
			return a.done("Deleted client %s.", printable(args[0]))
		})}
}
