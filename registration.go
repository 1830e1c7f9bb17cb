package keystone

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// How a client came here where no administrator made it.
const (
	RegistrationDynamic  = "dynamic"  // it registered itself (RFC 7591)
	RegistrationDocument = "document" // its client_id is the address of its metadata
)

// maxDocumentID is the longest client_id that is an address.
const maxDocumentID = 500

// IsDocumentID reports whether s can be a client_id that is the address of the
// client's metadata (draft-ietf-oauth-client-id-metadata-document section 3): https,
// with a path without dot segments, without user name, query and fragment, and in
// one spelling, so that one client has one id.
func IsDocumentID(s string) bool {
	if len(s) > maxDocumentID || !strings.HasPrefix(s, "https://") || OutboundURLProblem(s) != "" || strings.ContainsAny(s, "?#*") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Path == "" || u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Host, ":443") || strings.HasSuffix(u.Host, ":") || strings.HasSuffix(u.Hostname(), ".") {
		return false
	}
	segments := strings.Split(u.EscapedPath()[1:], "/")
	for i, segment := range segments { // what is refused here besides could not stand in an address of the API
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" && i < len(segments)-1 || strings.HasPrefix(plain, ".") && plain != ".well-known" || strings.ContainsAny(plain, "/\\") {
			return false
		}
	}
	return u.String() == s
}

// IsClientID reports whether s has the form of a client_id.
func IsClientID(s string) bool { return IsID(s) || s == FirstPartyClientID || IsDocumentID(s) }

// PathOfClientID is a client_id as it stands in addresses of the API: without the
// scheme where it is an address itself.
func PathOfClientID(id string) string { return strings.TrimPrefix(id, "https://") }

// ClientIDOfPath is the reverse of PathOfClientID. It takes a client_id as well.
func ClientIDOfPath(s string) string {
	if !IsClientID(s) && IsDocumentID("https://"+s) {
		return "https://" + s
	}
	return s
}

// RegistrationPolicy bounds what a client may be that nobody here has looked at.
type RegistrationPolicy struct {
	Scopes        []string `json:"scopes" doc:"What the clients may ask for."`
	Audiences     []string `json:"audiences" doc:"Resources for which they may ask tokens, besides Keystone itself."`
	Grants        []string `json:"grants" doc:"Grant types that they may register."`
	RedirectHosts []string `json:"redirect_hosts" doc:"Hosts that their redirect URIs may have; none: any."`
	PKCEOptional  bool     `json:"pkce_optional" doc:"Confidential ones may leave PKCE out, which weakens their sign-ins."`
	Stranger      bool     `json:"stranger" doc:"Nobody vouches for the clients: they name no address to which Keystone sends browsers for them, or that it fetches at a sign-in."`
}

// WithDefaults fills what is left out: people sign in, and nothing else.
func (p RegistrationPolicy) WithDefaults() RegistrationPolicy {
	if len(p.Grants) == 0 {
		p.Grants = []string{GrantAuthorizationCode, GrantRefreshToken}
	}
	set := func(list []string) []string { return SortedSet(append([]string{}, list...)) }
	p.Scopes, p.Audiences, p.Grants, p.RedirectHosts = set(p.Scopes), set(p.Audiences), set(p.Grants), set(p.RedirectHosts)
	return p
}

func (p RegistrationPolicy) validate(f fields) {
	f.check("scopes", validScopeList(p.Scopes))
	f.check("audiences", validAudiences("audiences", p.Audiences))
	for _, g := range p.Grants {
		if !GrantTypeOf(g).Registrable {
			f["grants"] = "Clients can register " + sayAll(GrantNames(registrableGrant)) + "."
		}
	}
	if len(p.RedirectHosts) > maxAudiences {
		f["redirect_hosts"] = "Name at most 50 hosts."
	}
	for _, host := range p.RedirectHosts {
		if host == "" || host != strings.ToLower(host) || len(host) > 253 || strings.ContainsFunc(host, notInHost) {
			f["redirect_hosts"] = "A host is a name or an address in lower case, without scheme, port and wildcard."
		}
	}
}

// Validate checks a policy.
func (p RegistrationPolicy) Validate() error {
	f := fields{}
	p.validate(f)
	return f.err()
}

// Apply cuts a client to what the policy allows. Scopes that are not allowed are
// left out, as in an authorization request: the answer says what is left (RFC 7591
// section 3.2.1). Everything else that is not allowed is refused.
func (p RegistrationPolicy) Apply(c Client) (Client, error) {
	f := fields{}
	asked := SortedSet(c.Scopes)
	c.Scopes = SortedSet(p.Scopes)
	if len(asked) > 0 {
		if c.Scopes = Intersect(asked, c.Scopes); len(c.Scopes) == 0 {
			f["scopes"] = "None of these scopes may be registered here."
		}
	}
	for _, g := range c.Grants {
		if !slices.Contains(p.Grants, g) {
			f["grants"] = "One of these grant types may not be registered here."
		}
	}
	if slices.ContainsFunc(slices.Concat(c.RedirectURIs, c.PostLogoutURIs), p.elsewhere) {
		f["redirect_uris"] = "The host of a redirect URI is not one of those that may be registered here."
	}
	for name, uri := range map[string]string{"initiate_login_uri": c.InitiateLoginURI, "frontchannel_logout_uri": c.FrontchannelLogoutURI} {
		if uri != "" && p.elsewhere(uri) {
			f[name] = "The host of this address is not one of those that may be registered here."
		}
	}
	if p.Stranger && c.InitiateLoginURI != "" {
		f["initiate_login_uri"] = "Keystone sends people there only for clients that came with an initial access token."
	}
	if p.Stranger && len(c.RequestURIs) > 0 {
		f["request_uris"] = "Keystone fetches request objects only for clients that came with an initial access token."
	}
	c.Audiences, c.PKCEOptional, c.FirstParty = p.Audiences, p.PKCEOptional, false
	return c, f.err()
}

// elsewhere reports whether the host of an address to which Keystone sends browsers is
// not one of those that the policy names.
func (p RegistrationPolicy) elsewhere(uri string) bool {
	u, err := url.Parse(uri)
	return len(p.RedirectHosts) > 0 && (err != nil || !slices.Contains(p.RedirectHosts, strings.ToLower(u.Hostname())))
}

// With is the policy for changes of a client that it let in: what the client has is
// its to keep. Audiences and PKCE are not for a client to say, so they are what they
// are now.
func (p RegistrationPolicy) With(c Client) RegistrationPolicy {
	p.Scopes, p.Grants = SortedSet(slices.Concat(p.Scopes, c.Scopes)), SortedSet(slices.Concat(p.Grants, c.Grants))
	p.Audiences, p.PKCEOptional = c.Audiences, c.PKCEOptional
	return p
}

// Keep gives a client what it had before and the policy does not give: an
// administrator gave it, so the client's own word does not take it away.
func (p RegistrationPolicy) Keep(before, after Client) Client {
	beyond := func(is, had, gives []string) []string {
		return SortedSet(append(slices.Clone(is), slices.DeleteFunc(slices.Clone(had), func(s string) bool { return slices.Contains(gives, s) })...))
	}
	after.Scopes, after.Grants = beyond(after.Scopes, before.Scopes, p.Scopes), beyond(after.Grants, before.Grants, p.Grants)
	after.Audiences = beyond(after.Audiences, before.Audiences, p.Audiences)
	return after
}

// validateRegistered holds clients that registered themselves to what nobody can
// lift for them: people are always asked, and they have no power of their own.
func (c *Client) validateRegistered(f fields) {
	if c.Registration == "" {
		return
	}
	if c.FirstParty {
		f["first_party"] = "A client that registered itself is never first-party. Make a client for it."
	}
	if slices.Contains(c.Grants, GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		f["redirect_uris"] = "Register the redirect URIs that are used with authorization_code."
	}
	if slices.Contains(c.Grants, GrantClientCredentials) && slices.ContainsFunc(c.Scopes, IsBuiltInScope) {
		f["scopes"] = "A client that registered itself gets no scope of Keystone's own by client_credentials."
	}
}

// RegistrationToken is an initial access token (RFC 7591 section 3): whoever holds
// it may register clients within its policy. Its value is shown once.
type RegistrationToken struct {
	ID        string
	Name      string
	Policy    RegistrationPolicy
	Uses      int64 // clients that it can still register
	CreatedAt time.Time
	ExpiresAt time.Time
	LastUsed  time.Time // zero: never
}

const (
	maxRegistrationUses = 100_000
	maxRegistrationLife = 366 * 24 * time.Hour
)

// Validate checks a token that is made now.
func (t RegistrationToken) Validate(now time.Time) error {
	f := fields{}
	if t.Name == "" {
		f["name"] = "Say whom the token is for."
	} else {
		f.check("name", validText("name", t.Name, maxClientName))
	}
	if t.Uses < 1 || t.Uses > maxRegistrationUses {
		f["uses"] = "A token registers 1 to 100,000 clients."
	}
	if life := t.ExpiresAt.Sub(now); life < time.Minute-time.Second || life > maxRegistrationLife {
		f["expires_in_seconds"] = "A token lives a minute to a year."
	}
	t.Policy.validate(f)
	return f.err()
}
