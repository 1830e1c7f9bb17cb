package keystone

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// Scope is a named permission. A role carries scopes, a client may ask for
// some, a token states them.
type Scope struct {
	ID          string
	Name        string
	Description string
	BuiltIn     bool // Keystone's own; cannot be changed or deleted
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // grows with each change; the ETag
}

// Keystone's own scopes: what its API demands.
const (
	UsersRead     = "users:read"
	UsersWrite    = "users:write"
	RolesRead     = "roles:read"
	RolesWrite    = "roles:write"
	ScopesRead    = "scopes:read"
	ScopesWrite   = "scopes:write"
	ClientsRead   = "clients:read"
	ClientsWrite  = "clients:write"
	SessionsRead  = "sessions:read"
	SessionsWrite = "sessions:write"
	KeysRead      = "keys:read"
	KeysWrite     = "keys:write"
	AuditRead     = "audit:read"
	StatsRead     = "stats:read"
	SettingsRead  = "settings:read"
)

// BuiltInScopes lists Keystone's own scopes with what each allows.
var BuiltInScopes = []Scope{
	{Name: UsersRead, Description: "Read users and their roles"},
	{Name: UsersWrite, Description: "Create, change, disable and delete users, and give them roles"},
	{Name: RolesRead, Description: "Read roles"},
	{Name: RolesWrite, Description: "Create, change and delete roles"},
	{Name: ScopesRead, Description: "Read scopes"},
	{Name: ScopesWrite, Description: "Create, change and delete scopes"},
	{Name: ClientsRead, Description: "Read clients"},
	{Name: ClientsWrite, Description: "Create, change and delete clients and their secrets"},
	{Name: SessionsRead, Description: "Read everybody's sessions"},
	{Name: SessionsWrite, Description: "End anybody's session"},
	{Name: KeysRead, Description: "Read signing key metadata"},
	{Name: KeysWrite, Description: "Rotate and revoke signing keys"},
	{Name: AuditRead, Description: "Read the audit trail"},
	{Name: StatsRead, Description: "Read counts and usage"},
	{Name: SettingsRead, Description: "Read the settings, without secrets"},
}

// BuiltInScopeNames returns the names of Keystone's own scopes.
func BuiltInScopeNames() []string {
	names := make([]string, len(BuiltInScopes))
	for i, s := range BuiltInScopes {
		names[i] = s.Name
	}
	return names
}

// IsBuiltInScope reports whether name is one of Keystone's own scopes.
func IsBuiltInScope(name string) bool {
	return slices.ContainsFunc(BuiltInScopes, func(s Scope) bool { return s.Name == name })
}

const (
	maxScopeName   = 100
	maxScopes      = 200 // in one request, role or client
	maxDescription = 500
)

// Validate checks name and description.
func (s Scope) Validate() error {
	f := fields{}
	f.check("name", ValidScopeName(s.Name))
	if IsID(s.Name) {
		f["name"] = "A scope name cannot have the form of an id."
	}
	f.check("description", validText("description", s.Description, maxDescription))
	return f.err()
}

// ValidScopeName checks one scope-token of RFC 6749 section 3.3: printable
// ASCII without space, quote and backslash, at most 100 bytes.
func ValidScopeName(s string) error {
	if s == "" || len(s) > maxScopeName {
		return FailField("name", "A scope name has 1 to 100 characters.")
	}
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return FailField("name", "A scope name is printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3).")
		}
	}
	return nil
}

// ParseScope splits a scope parameter (RFC 6749 section 3.3) into its sorted,
// distinct names. The empty string is no scope.
func ParseScope(s string) ([]string, error) {
	if len(s) > maxScopes*maxScopeName {
		return nil, Fail(Invalid, "Ask for fewer scopes.").WithCode("invalid_scope")
	}
	names := strings.Split(s, " ")
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	if len(names) > maxScopes {
		return nil, Fail(Invalid, "Ask for fewer scopes.").WithCode("invalid_scope")
	}
	for _, n := range names {
		if ValidScopeName(n) != nil {
			return nil, Fail(Invalid, "The scope parameter is not well formed (RFC 6749 section 3.3).").WithCode("invalid_scope")
		}
	}
	return SortedSet(names), nil
}

// FormatScope is the reverse of ParseScope.
func FormatScope(names []string) string { return strings.Join(names, " ") }

// SortedSet returns the distinct strings of in, sorted, in a new slice.
func SortedSet(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// Intersect returns what is in both sorted sets, sorted.
func Intersect(a, b []string) []string {
	out := make([]string, 0, min(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			out = append(out, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return out
}

// Subset reports whether every name of sorted set a is in sorted set b.
func Subset(a, b []string) bool {
	for _, n := range a {
		if _, found := slices.BinarySearch(b, n); !found {
			return false
		}
	}
	return true
}

// EffectiveScopes is the one rule for what a token may state:
// held ∩ allowed ∩ requested. held is what the person's roles carry (for a
// service, what its client may have), allowed is what the client may have.
// Nothing requested means everything that is left. A requested scope that the
// client may never have is refused with invalid_scope; one that the person
// does not hold is left out, so that one client serves people of many roles.
// All three are sorted sets.
func EffectiveScopes(held, allowed, requested []string) ([]string, error) {
	if len(requested) == 0 {
		return Intersect(held, allowed), nil
	}
	if !Subset(requested, allowed) {
		return nil, Fail(Invalid, "The client may not ask for one of these scopes. Ask for scopes that are registered for it.").WithCode("invalid_scope")
	}
	return Intersect(Intersect(held, allowed), requested), nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// OpenIDScopes are what a client may be allowed to learn about the person who
// signs in (OpenID Connect Core section 5.4). Everybody holds them for
// themselves; consent opens them to a client.
var OpenIDScopes = []Scope{
	{Name: ScopeOpenID, Description: "Know who you are"},
	{Name: ScopeProfile, Description: "See your name and username"},
	{Name: ScopeEmail, Description: "See your e-mail address"},
	{Name: ScopeOfflineAccess, Description: "Stay signed in when you are away"},
}

// OpenIDScopeNames returns their names, sorted.
func OpenIDScopeNames() []string {
	names := make([]string, len(OpenIDScopes))
	for i, s := range OpenIDScopes {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}

// IsOpenIDScope reports whether name is one of them.
func IsOpenIDScope(name string) bool {
	return slices.ContainsFunc(OpenIDScopes, func(s Scope) bool { return s.Name == name })
}

// WithoutOpenID returns the names that are not about a person who signs in: what a
// client can hold for itself. Where there are no others, nothing is copied.
func WithoutOpenID(names []string) []string {
	if !slices.ContainsFunc(names, IsOpenIDScope) {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), IsOpenIDScope)
}
