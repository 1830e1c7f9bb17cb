package keystone

import (
	"net/netip"
	"slices"
)

// ActorKind says what sort of party acts.
type ActorKind string

// The kinds of actor.
const (
	ActorAnonymous ActorKind = "anonymous" // nobody has signed in
	ActorUser      ActorKind = "user"      // a person, through a session
	ActorClient    ActorKind = "client"    // a service, for itself
	ActorOperator  ActorKind = "operator"  // whoever runs the keystone command on the server's own database
	ActorSystem    ActorKind = "system"    // Keystone itself: sweepers, rotation, bootstrap
	// ActorRegistration is whoever holds a token for the registration of clients,
	// or registers one without where that is allowed (RFC 7591, RFC 7592).
	ActorRegistration ActorKind = "registration"
)

// Actor is who asks for something. Every write takes one and puts it into its
// audit row; every permission check asks one.
type Actor struct {
	Kind      ActorKind
	ID        string // user or client id, empty for the rest
	Name      string // username or client name, for people who read the audit trail
	ClientID  string // the client through which a user acts
	SessionID string // the user's session
	Scopes    []string
	// FirstParty is true when the user acts through one of Keystone's own
	// clients: only then may the token manage the account itself.
	FirstParty bool
	RequestID  string // explains every row and refusal that came of one request
	Source     string // address of the peer, as far as it is trusted
}

// System returns Keystone itself as actor; what names the part that acts.
func System(what string) Actor { return Actor{Kind: ActorSystem, Name: what} }

// Operator returns whoever runs the command line; name is their login name on
// the machine.
func Operator(name string) Actor { return Actor{Kind: ActorOperator, Name: name} }

// Anonymous returns nobody.
func Anonymous() Actor { return Actor{Kind: ActorAnonymous} }

// AsUser is the same request made by a person, through a client and a session where there
// are any: who it came from stays, and what its bearer might do goes.
func (a Actor) AsUser(id, name, clientID, sessionID string) Actor {
	return Actor{Kind: ActorUser, ID: id, Name: name, ClientID: clientID, SessionID: sessionID, RequestID: a.RequestID, Source: a.Source}
}

// Network is what counts as one source of requests, for every limit and counter: an IPv6
// host has a whole /64, an IPv4 address is the same however it is written.
func Network(source string) string {
	a, err := netip.ParseAddr(source)
	switch {
	case err != nil || a.Is4():
		return source
	case a.Is4In6():
		return a.Unmap().String()
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
}

// May reports whether the actor holds the scope itself. The operator and
// Keystone itself hold every scope: they already hold the database.
func (a Actor) May(scope string) bool {
	switch a.Kind {
	case ActorOperator, ActorSystem:
		return true
	case ActorUser, ActorClient, ActorRegistration:
		return slices.Contains(a.Scopes, scope)
	}
	return false
}

// HoldsAll reports whether the actor holds every scope of Keystone's own, as
// administrators do: there is nobody whom it could not manage.
func (a Actor) HoldsAll() bool {
	return !slices.ContainsFunc(BuiltInScopes, func(s Scope) bool { return !a.May(s.Name) })
}

// MayGrant reports whether the actor may give the scope to somebody else:
// nobody grants what they do not hold. Scopes that are not Keystone's own
// belong to whoever administers scopes, so scopes:write holds them; OpenID
// scopes belong to everybody.
func (a Actor) MayGrant(scope string) bool {
	return a.May(scope) || IsOpenIDScope(scope) || !IsBuiltInScope(scope) && a.May(ScopesWrite)
}

// MayGrantAll reports the first of the scopes that the actor may not grant, or
// "" where it may grant them all.
func (a Actor) MayGrantAll(scopes []string) (refused string) {
	for _, s := range scopes {
		if !a.MayGrant(s) {
			return s
		}
	}
	return ""
}
