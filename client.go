package keystone

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientKind says what sort of program a client is.
type ClientKind string

// The kinds of client. Service and web clients are confidential (they keep a
// secret), spa and native clients are public (RFC 6749 section 2.1).
const (
	ClientService ClientKind = "service"
	ClientWeb     ClientKind = "web"
	ClientSPA     ClientKind = "spa"
	ClientNative  ClientKind = "native"
)

// Access token formats.
const (
	FormatJWT    = "jwt"    // RFC 9068; verified by anybody from the JWKS
	FormatOpaque = "opaque" // a reference; verified by introspection only
)

// Client is a program that asks for tokens. Its secrets live elsewhere: a
// Client can be shown.
type Client struct {
	ID                  string // client_id, made by Keystone or the address of its document: it never equals a user's sub (RFC 9700 section 4.15)
	Name                string
	Kind                ClientKind
	Enabled             bool
	FirstParty          bool // Keystone's own or the operator's: may use the JSON sign-in API and manage the account
	BuiltIn             bool
	RedirectURIs        []string
	Scopes              []string // what it may ask for, sorted
	Audiences           []string // resources it may ask tokens for, besides Keystone itself
	Grants              []string // grant types it may use, sorted
	AccessTokenFormat   string
	RotateRefreshTokens bool
	AccessTokenTTL      time.Duration // 0: the server's ACCESS_TOKEN_EXPIRE_MINUTES
	PKCEOptional        bool          // lets a confidential client go without PKCE (RFC 9700 section 2.1.1 says not to)
	PostLogoutURIs      []string      // where a browser may go after logging out (OpenID Connect RP-Initiated Logout section 3)
	CreatedAt           time.Time
	UpdatedAt           time.Time
	LastUsed            time.Time // zero: never
	TokensValidAfter    time.Time // access tokens issued until then are worth nothing; zero: all are good
	Version             int64     // grows with each change; the ETag
	Registration        string    // how it came here where no administrator made it: RegistrationDynamic, RegistrationDocument
	Unvouched           bool      // it registered itself with nothing that anybody gave it: neither initial access token nor software statement

	ClientSettings // what few clients need
}

// Stranger reports whether nobody here, nor anybody who is trusted here, has looked at
// the client: its addresses may be anybody's (RFC 9700 section 4.11.2).
func (c *Client) Stranger() bool { return c.Registration == RegistrationDocument || c.Unvouched }

// AlwaysAsks reports whether people are asked at each request of the client, whatever
// they allowed before. They allowed it where they were told that the answer goes: a
// stranger whose answers can go elsewhere too would take the next one there unseen. And
// any program on their device can call itself by the name of a public client that
// answers reach there (RFC 8252 section 8.6).
func (c *Client) AlwaysAsks() bool {
	if !c.Stranger() {
		return false
	}
	places := make([]string, len(c.RedirectURIs))
	for i, uri := range c.RedirectURIs {
		places[i] = cmp.Or(Origin(uri), uri)
		if !c.Confidential() && !strings.HasPrefix(places[i], "https://") {
			return true
		}
	}
	return len(SortedSet(places)) > 1
}

// Edition names the client as it is now: what people answer counts for the client that they
// were shown. One that was made anew under the same id is another.
func (c *Client) Edition() string {
	return strconv.FormatInt(c.CreatedAt.UnixMicro(), 36) + "." + strconv.FormatInt(c.Version, 36)
}

// FirstPartyClientID is the client through which Keystone's own sign-in API
// acts when a request names no other.
const FirstPartyClientID = "keystone"

// Confidential reports whether the client keeps a secret (RFC 6749 section 2.1).
func (c *Client) Confidential() bool { return c.Kind == ClientService || c.Kind == ClientWeb }

// TokenID returns the id of an access token that is issued to the client now. It
// lies behind the moment until which the client's tokens were ended, which is some
// seconds ahead: who has not heard of that yet, or has a clock that is ahead, issues ids
// before it.
func (c *Client) TokenID(now time.Time) string { return NewID(c.TokenTime(now)) }

// TokenTime is the time in the id of a token that is issued now.
func (c *Client) TokenTime(now time.Time) time.Time {
	if first := c.TokensValidAfter.Add(time.Millisecond); now.Before(first) {
		return first
	}
	return now
}

// Ended reports whether all tokens of the client were ended since the one with
// the id was issued.
func (c *Client) Ended(tokenID string) bool {
	if c.TokensValidAfter.IsZero() {
		return false
	}
	issued, ok := IDTime(tokenID)
	return !ok || !issued.After(c.TokensValidAfter)
}

// MayUse reports whether the client may use the grant type.
func (c *Client) MayUse(grant string) bool {
	return slices.Contains(c.Grants, grant) || grant == GrantSignIn && c.FirstParty
}

// SenderConstrained reports whether the client's tokens are all bound to a key.
func (c *Client) SenderConstrained() bool { return c.DPoPBound || c.TLSBound || c.Rules().Bound }

// Rotates reports whether using a refresh token of the client replaces it. That
// of a public client always does. Where tokens are bound to the keys of a client
// that proves itself, replacing them protects nothing more, and an answer that
// is lost would lock the client out (FAPI 2.0 Security Profile section 5.3.2.1).
func (c *Client) Rotates() bool {
	return !c.Confidential() || c.RotateRefreshTokens && !c.SenderConstrained()
}

// ErrPublicRotates refuses what could not be done: a refresh token of a public client
// that is stolen would be good beside it for ever (RFC 9700 section 4.14.2).
var ErrPublicRotates = FailField("rotate_refresh_tokens", "A public client gets another refresh token at each use, always.")

// CheckRotates refuses a public client of which somebody says that it does not rotate.
func (c *Client) CheckRotates() error {
	if !c.Confidential() && !c.RotateRefreshTokens {
		return ErrPublicRotates
	}
	return nil
}

// WithDefaults fills what a new client leaves open: the grants of its kind,
// JWT access tokens, rotation.
func (c Client) WithDefaults() Client {
	if len(c.Grants) == 0 {
		c.Grants = DefaultGrants(c.Kind)
	}
	if c.AccessTokenFormat == "" {
		c.AccessTokenFormat = FormatJWT
	}
	c.RotateRefreshTokens = c.RotateRefreshTokens || !c.Confidential()
	c.ClientSettings = c.ClientSettings.withDefaults()
	c.Scopes, c.Grants, c.Audiences = SortedSet(c.Scopes), SortedSet(c.Grants), SortedSet(c.Audiences)
	return c
}

// WithScopes gives a new client of which nobody says what it may ask for (an empty list
// says it) the scopes by which people sign in, as one that registers itself gets them. A
// service has nobody to sign in.
func (c Client) WithScopes() Client {
	if c.Scopes == nil && c.Kind != ClientService {
		c.Scopes = OpenIDScopeNames()
	}
	return c
}

const (
	maxClientName   = 100
	maxRedirectURIs = 50
	maxAudiences    = 50
	maxURI          = 2000
	maxTTL          = 24 * time.Hour
	minTTL          = 10 * time.Second
)

// Validate checks every field and names all that are wrong.
func (c *Client) Validate() error {
	f := fields{}
	if c.Name == "" {
		f["name"] = "Give the client a name that people recognise."
	} else {
		f.check("name", validText("name", c.Name, maxClientName))
	}
	switch c.Kind {
	case ClientService, ClientWeb, ClientSPA, ClientNative:
	default: // what else is right depends on it
		f["kind"] = "The kind is service, web, spa or native."
		return f.err()
	}
	f.check("scopes", validScopeList(c.Scopes))
	f.check("grants", c.validGrants())
	f.check("redirect_uris", c.validRedirectURIs())
	f.check("post_logout_redirect_uris", c.validPostLogoutURIs())
	f.check("audiences", validAudiences("audiences", c.Audiences))
	if c.AccessTokenFormat != FormatJWT && c.AccessTokenFormat != FormatOpaque {
		f["access_token_format"] = "The access token format is jwt or opaque."
	}
	if c.AccessTokenTTL != 0 && (c.AccessTokenTTL < minTTL || c.AccessTokenTTL > maxTTL) {
		f["access_token_ttl_seconds"] = "An access token lives 10 seconds to 24 hours; leave it out for the server's setting."
	}
	if c.PKCEOptional && !c.Confidential() {
		f["require_pkce"] = "A client of kind spa or native always uses PKCE (RFC 9700 section 2.1.1)."
	}
	c.ClientSettings.validate(c, f)
	c.validateRegistered(f)
	if c.FirstParty && c.Confidential() {
		f["first_party"] = "Only a public client (spa or native) can be first-party: the JSON sign-in API takes no client secret."
	}
	return f.err()
}

func (c *Client) validRedirectURIs() error {
	if len(c.RedirectURIs) > maxRedirectURIs {
		return FailField("redirect_uris", "Register at most 50 redirect URIs.")
	}
	if c.Kind == ClientService && len(c.RedirectURIs) > 0 {
		return FailField("redirect_uris", "A service has no browser and so no redirect URI.")
	}
	for _, u := range c.RedirectURIs {
		if why := RedirectURIProblem(u, c.Kind); why != "" {
			return FailField("redirect_uris", why)
		}
	}
	return nil
}

func (c *Client) validPostLogoutURIs() error {
	if len(c.PostLogoutURIs) > maxRedirectURIs {
		return FailField("post_logout_redirect_uris", "Register at most 50 addresses.")
	}
	for _, u := range c.PostLogoutURIs {
		if why := RedirectURIProblem(u, c.Kind); why != "" {
			return FailField("post_logout_redirect_uris", why)
		}
	}
	return nil
}

// AllowsRedirect reports whether a redirect URI is one of the registered ones,
// character by character; only the port of a loopback address may differ
// (RFC 9700 section 4.1.3, RFC 8252 section 7.3).
func (c *Client) AllowsRedirect(uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if RedirectURIProblem(uri, c.Kind) != "" {
		return false
	}
	asked, err := url.Parse(uri)
	if err != nil || asked.Scheme != "http" || asked.Port() == "" {
		return false
	}
	for _, registered := range c.RedirectURIs {
		r, err := url.Parse(registered)
		if err != nil || r.Scheme != "http" || !IsLoopbackHost(r.Hostname()) {
			continue
		}
		// The asked-for URI with the registered port in place of its own must be
		// the registered one, to the letter.
		if uri == strings.Replace(registered, r.Host, hostWithPort(r.Hostname(), asked.Port()), 1) {
			return true
		}
	}
	return false
}

func validAudiences(field string, list []string) error {
	if len(list) > maxAudiences {
		return FailField(field, "Register at most 50 audiences.")
	}
	for _, a := range list {
		if a == "" || len(a) > maxURI || strings.ContainsFunc(a, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
			return FailField(field, "An audience is a name or absolute URI of printable ASCII without spaces.")
		}
		if strings.Contains(a, "#") {
			return FailField(field, "An audience has no fragment (RFC 8707 section 2).")
		}
	}
	return nil
}

// Audience returns the audience of a token for the client: what it asked for,
// where each is registered for it or is Keystone itself (issuer), and
// Keystone itself where it asked for nothing. Anything else is
// invalid_target (RFC 8707 section 2).
func (c *Client) Audience(requested []string, issuer string) ([]string, error) {
	if len(requested) == 0 {
		return []string{issuer}, nil
	}
	for _, a := range requested {
		if a != issuer && !slices.Contains(c.Audiences, a) {
			return nil, Fail(Invalid, "The client may not ask for this audience. Register it for the client first.").WithCode("invalid_target")
		}
	}
	return SortedSet(requested), nil
}

// Introspects reports whether the client may know of a token that was issued to
// clientID for audiences: it is the client's own, or meant for the client, or for
// a resource that the client stands for. That it may ask for tokens for a
// resource gives it no right to look into those of others (RFC 7662 section 4).
func (c *Client) Introspects(clientID string, audiences []string) bool {
	return clientID == c.ID || slices.ContainsFunc(audiences, func(a string) bool {
		return a == c.ID || slices.Contains(c.IntrospectionAudiences, a)
	})
}

// ClientSecret is what may be known about a secret after it was shown once.
type ClientSecret struct {
	ID        string
	ClientID  string
	Hint      string // last four characters, so that people can tell secrets apart
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}
