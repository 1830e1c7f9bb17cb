package keystone

import (
	"slices"
	"strings"
)

// Grant types (RFC 6749, RFC 7591 section 2).
const (
	GrantClientCredentials = "client_credentials"
	GrantRefreshToken      = "refresh_token"
	GrantAuthorizationCode = "authorization_code"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 section 2.1
	GrantCIBA              = "urn:openid:params:grant-type:ciba"               // OpenID Connect CIBA section 10.1
	// GrantSignIn is the first-party JSON sign-in API. It is not registered for a
	// client and not an OAuth grant type: every first-party client has it.
	GrantSignIn = "sign_in"
)

// GrantType is what is true of a grant type, whatever it takes to show who asks
// (internal/oauth).
type GrantType struct {
	Name        string
	Kinds       []ClientKind // of clients that may use it
	Others      string       // what clients of other kinds are told
	Registrable bool         // clients may register it by themselves, where a policy allows it
	Details     bool         // a person is asked, and so can allow authorization_details (RFC 9396 section 6)
}

// GrantTypes is every grant type of the token endpoint. Enumerations, messages and help
// follow from it. Whoever exchanges tokens is named by an administrator, with rules
// about others: a policy cannot allow it.
var GrantTypes = []GrantType{
	{GrantAuthorizationCode, forPeople, othersAreServices, true, true},
	{GrantClientCredentials, proven, "client_credentials needs a client with a secret: kind service or web (RFC 6749 section 4.4).", true, false},
	{GrantRefreshToken, forPeople, othersAreServices, true, true},
	{GrantDeviceCode, forPeople, othersAreServices, true, true},
	{GrantCIBA, []ClientKind{ClientWeb}, "CIBA needs a client that proves itself and that people sign in to: kind web.", true, true},
	{GrantTokenExchange, proven, othersProveNothing, false, false},
	{GrantJWTBearer, proven, othersProveNothing, false, false},
}

var (
	forPeople = []ClientKind{ClientWeb, ClientSPA, ClientNative}
	proven    = []ClientKind{ClientService, ClientWeb}
)

const (
	othersAreServices  = "A service has no user of its own: it uses client_credentials, token exchange and assertions only. Make a client of kind web for people."
	othersProveNothing = "Token exchange and assertions about people need a client that proves itself: kind service or web."
)

// GrantTypeOf finds a grant type; the zero value is of none.
func GrantTypeOf(name string) (g GrantType) {
	if i := slices.IndexFunc(GrantTypes, func(g GrantType) bool { return g.Name == name }); i >= 0 {
		g = GrantTypes[i]
	}
	return g
}

// GrantNames lists the grant types that are as asked for; nil: all.
func GrantNames(are func(GrantType) bool) (names []string) {
	for _, g := range GrantTypes {
		if are == nil || are(g) {
			names = append(names, g.Name)
		}
	}
	return names
}

func registrableGrant(g GrantType) bool { return g.Registrable }

// sayAll is a list as a sentence has it.
func sayAll(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// DefaultGrants returns the grant types that a client of the kind uses.
func DefaultGrants(kind ClientKind) []string {
	if kind == ClientService {
		return []string{GrantClientCredentials}
	}
	return []string{GrantAuthorizationCode, GrantRefreshToken}
}

func (c *Client) validGrants() error {
	for _, name := range c.Grants {
		switch g := GrantTypeOf(name); {
		case g.Name == "":
			return FailField("grants", "The grants are "+sayAll(GrantNames(nil))+".")
		case !slices.Contains(g.Kinds, c.Kind):
			return FailField("grants", g.Others)
		}
	}
	return nil
}
