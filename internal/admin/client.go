package admin

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/patch"
)

// Client is a client in an answer, without its secrets.
type Client struct {
	ID                    string     `json:"id" doc:"What stands in addresses of this API."`
	ClientID              string     `json:"client_id" doc:"The id under its name in OAuth (RFC 6749 section 2.2): the same, but where it is an address it has its https:// here."`
	Name                  string     `json:"name"`
	Kind                  string     `json:"kind" enum:"service,web,spa,native"`
	Enabled               bool       `json:"enabled"`
	FirstParty            bool       `json:"first_party" doc:"May use the JSON sign-in API and manage the user's account."`
	BuiltIn               bool       `json:"built_in" doc:"Keystone's own: cannot be changed or deleted."`
	RedirectURIs          []string   `json:"redirect_uris"`
	Scopes                []string   `json:"scopes" doc:"What it may ask for."`
	Audiences             []string   `json:"audiences" doc:"Resources for which it may ask tokens, besides Keystone itself. It does not see other clients' tokens for them: see introspection_audiences."`
	Grants                []string   `json:"grants"`
	AccessTokenFormat     string     `json:"access_token_format" enum:"jwt,opaque"`
	RotateRefreshTokens   bool       `json:"rotate_refresh_tokens"`
	AccessTokenTTLSeconds *int64     `json:"access_token_ttl_seconds" nullable:"true" doc:"null: the server's setting."`
	RequirePKCE           bool       `json:"require_pkce" doc:"Always true of public clients (RFC 9700 section 2.1.1)."`
	PostLogoutURIs        []string   `json:"post_logout_redirect_uris" doc:"Where a browser may go after logging out."`
	CreatedAt             time.Time  `json:"created_at"`
	UpdatedAt             time.Time  `json:"updated_at"`
	LastUsed              *time.Time `json:"last_used" nullable:"true" doc:"When it last got a token."`
	ProfileRules          []string   `json:"profile_rules" doc:"What its profile changes, a sentence each."`
	Warnings              []string   `json:"warnings" doc:"What makes it weaker than others."`
	Registration          string     `json:"registration,omitempty" enum:"dynamic,document" doc:"How it came here where no administrator made it: it registered itself, or its client_id is the address of its metadata."`
	keystone.ClientSettings
}

func viewClient(c keystone.Client) Client {
	v := Client{
		ID: keystone.PathOfClientID(c.ID), ClientID: c.ID, Name: c.Name, Kind: string(c.Kind), Enabled: c.Enabled, FirstParty: c.FirstParty, BuiltIn: c.BuiltIn,
		RedirectURIs: c.RedirectURIs, Scopes: c.Scopes, Audiences: c.Audiences, Grants: c.Grants,
		AccessTokenFormat: c.AccessTokenFormat, RotateRefreshTokens: c.RotateRefreshTokens,
		RequirePKCE: !c.MayOmitPKCE(), PostLogoutURIs: c.PostLogoutURIs,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, LastUsed: when(c.LastUsed), Registration: c.Registration, ClientSettings: c.ClientSettings,
		ProfileRules: append([]string{}, c.Rules().Changes()...), Warnings: append([]string{}, c.Warnings()...),
	}
	if seconds := int64(c.AccessTokenTTL / time.Second); seconds > 0 {
		v.AccessTokenTTLSeconds = &seconds
	}
	return v
}

type clientAnswer struct {
	ETag string `header:"ETag"`
	Body Client
}

func answerClient(c keystone.Client, err error) (*clientAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &clientAnswer{tagOf(c), viewClient(c)}, nil
}

// tagOf is the tag of a client: of one that was made anew under its id, another.
func tagOf(c keystone.Client) string {
	return httpio.ETag(c.Version, c.LastUsed, append(slices.Clip(c.Scopes), c.Edition()))
}

type listClientsRequest struct {
	httpio.PageQuery
	Q string `query:"q" maxLength:"100" doc:"What the name starts with. Upper and lower case are the same."`
}

type listClientsAnswer struct{ Body httpio.Collection[Client] }

func (s *Slice) listClients(ctx context.Context, in *listClientsRequest) (*listClientsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Clients(ctx, in.Q, p)
	if err != nil {
		return nil, err
	}
	return &listClientsAnswer{httpio.Collect(list, viewClient)}, nil
}

type createClientRequest struct {
	Body struct {
		Name                  string   `json:"name" maxLength:"100"`
		Kind                  string   `json:"kind" enum:"service,web,spa,native" doc:"service and web keep a secret, spa and native cannot. It never changes."`
		Enabled               *bool    `json:"enabled,omitempty" doc:"true where it is left out."`
		FirstParty            bool     `json:"first_party,omitempty"`
		RedirectURIs          []string `json:"redirect_uris,omitempty" maxItems:"50"`
		Scopes                []string `json:"scopes,omitempty" maxItems:"200" doc:"Of Keystone's own scopes you may only name those that you hold; scopes:write holds all others. If left out: none for a service; openid, profile, email, offline_access for other kinds. An empty list means none."`
		Audiences             []string `json:"audiences,omitempty" maxItems:"50"`
		Grants                []string `json:"grants,omitempty" maxItems:"10" doc:"Those of the kind where it is left out."`
		AccessTokenFormat     string   `json:"access_token_format,omitempty" enum:"jwt,opaque" doc:"jwt where it is left out."`
		RotateRefreshTokens   *bool    `json:"rotate_refresh_tokens,omitempty" doc:"true where it is left out. false lets a confidential client use the same refresh token again and again, which hides theft. Public clients rotate in any case."`
		AccessTokenTTLSeconds *int64   `json:"access_token_ttl_seconds,omitempty" minimum:"10" maximum:"86400" doc:"The server's setting where it is left out."`
		RequirePKCE           *bool    `json:"require_pkce,omitempty" doc:"true where it is left out. false lets a confidential client leave PKCE out, which weakens its sign-ins: only for programs that cannot send it."`
		PostLogoutURIs        []string `json:"post_logout_redirect_uris,omitempty" maxItems:"50"`
		ClientSettings
	}
}

// NewClient is a client that was just made, with its first secret.
type NewClient struct {
	Client
	ClientSecret string `json:"client_secret,omitempty" doc:"Shown this once. Public clients (spa, native) have none."`
}

type createClientAnswer struct {
	ETag string `header:"ETag"`
	Body NewClient
}

func (s *Slice) createClient(ctx context.Context, in *createClientRequest) (*createClientAnswer, error) {
	b := &in.Body
	c := keystone.Client{
		Name: b.Name, Kind: keystone.ClientKind(b.Kind), Enabled: b.Enabled == nil || *b.Enabled, FirstParty: b.FirstParty,
		RedirectURIs: b.RedirectURIs, Scopes: b.Scopes, Audiences: b.Audiences, Grants: b.Grants,
		AccessTokenFormat: b.AccessTokenFormat, RotateRefreshTokens: b.RotateRefreshTokens == nil || *b.RotateRefreshTokens,
		PKCEOptional: b.RequirePKCE != nil && !*b.RequirePKCE, PostLogoutURIs: b.PostLogoutURIs,
	}
	if b.AccessTokenTTLSeconds != nil {
		c.AccessTokenTTL = time.Duration(*b.AccessTokenTTLSeconds) * time.Second
	}
	b.apply(&c.ClientSettings)
	if err := c.CheckRotates(); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, c); err != nil {
		return nil, err
	}
	c, clientSecret, err := s.Store.CreateClient(ctx, httpio.Actor(ctx), c)
	if err != nil {
		return nil, err
	}
	return &createClientAnswer{tagOf(c), NewClient{viewClient(c), clientSecret}}, nil
}

func (s *Slice) readClient(ctx context.Context, in *ByID) (*clientAnswer, error) {
	return answerClient(s.Store.Client(ctx, in.ID))
}

type updateClientRequest struct {
	ByID
	Match
	Body struct {
		Name                  *string            `json:"name,omitempty" maxLength:"100"`
		Enabled               *bool              `json:"enabled,omitempty" doc:"false ends its tokens, for good."`
		FirstParty            *bool              `json:"first_party,omitempty"`
		RedirectURIs          []string           `json:"redirect_uris,omitempty" maxItems:"50" doc:"All of them from now on; the same for the lists below."`
		Scopes                []string           `json:"scopes,omitempty" maxItems:"200"`
		Audiences             []string           `json:"audiences,omitempty" maxItems:"50"`
		Grants                []string           `json:"grants,omitempty" maxItems:"10"`
		AccessTokenFormat     *string            `json:"access_token_format,omitempty" enum:"jwt,opaque"`
		RotateRefreshTokens   *bool              `json:"rotate_refresh_tokens,omitempty" doc:"false lets a confidential client use the same refresh token again and again, which hides theft."`
		AccessTokenTTLSeconds patch.Field[int64] `json:"access_token_ttl_seconds,omitempty" minimum:"10" maximum:"86400" doc:"null: the server's setting."`
		RequirePKCE           *bool              `json:"require_pkce,omitempty" doc:"false lets a confidential client leave PKCE out, which weakens its sign-ins."`
		PostLogoutURIs        []string           `json:"post_logout_redirect_uris,omitempty" maxItems:"50"`
		ClientSettings
	}
}

func (s *Slice) updateClient(ctx context.Context, in *updateClientRequest) (*clientAnswer, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	change := func(c *keystone.Client) {
		set(&c.Name, b.Name)
		set(&c.Enabled, b.Enabled)
		set(&c.FirstParty, b.FirstParty)
		set(&c.AccessTokenFormat, b.AccessTokenFormat)
		set(&c.RotateRefreshTokens, b.RotateRefreshTokens)
		if b.RequirePKCE != nil {
			c.PKCEOptional = !*b.RequirePKCE
		}
		setList(&c.RedirectURIs, b.RedirectURIs)
		setList(&c.PostLogoutURIs, b.PostLogoutURIs)
		setList(&c.Scopes, b.Scopes)
		setList(&c.Audiences, b.Audiences)
		setList(&c.Grants, b.Grants)
		if seconds := b.AccessTokenTTLSeconds.Change(); seconds != nil {
			c.AccessTokenTTL = time.Duration(*seconds) * time.Second
		}
		b.apply(&c.ClientSettings)
	}
	c, err := s.Store.Client(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	change(&c)
	if err := s.prepare(ctx, c); err != nil {
		return nil, err
	}
	return answerClient(s.Store.UpdateClient(ctx, httpio.Actor(ctx), in.ID, version, change))
}

// prepare makes the keys of the algorithms that a client registers, before it is
// written: an answer with a secret in it must not get lost for want of a key. What
// is wrong with the client is the store's to say.
func (s *Slice) prepare(ctx context.Context, c keystone.Client) error {
	if c = c.WithDefaults(); c.Validate() != nil {
		return nil
	}
	return s.Ring.Prepare(ctx, c.AnswerAlgs()...)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// setList replaces a list; an empty one empties it.
func setList[T any](to *[]T, from []T) {
	if from != nil {
		*to = from
	}
}

func (s *Slice) deleteClient(ctx context.Context, in *deleteRequest) (*empty, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.DeleteClient(ctx, httpio.Actor(ctx), in.ID, version)
}
