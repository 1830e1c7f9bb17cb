package keystone

import "time"

// Role is a named set of scopes that users have.
type Role struct {
	ID          string
	Name        string
	Description string
	Scopes      []string // scope names, sorted
	BuiltIn     bool     // admin and user; cannot be renamed or deleted
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // grows with each change; the ETag
}

// The built-in roles. RoleAdmin always carries every scope of Keystone's own;
// RoleUser is given to everybody who registers.
const (
	RoleAdmin = "admin"
	RoleUser  = "user"
)

const maxRoleName = 64

// Validate checks name, description and scopes.
func (r Role) Validate() error {
	f := fields{}
	f.check("name", validRoleName(r.Name))
	f.check("description", validText("description", r.Description, maxDescription))
	f.check("scopes", validScopeList(r.Scopes))
	return f.err()
}

func validRoleName(s string) error {
	const say = "A role name has 1 to 64 characters: lower-case letters, digits and . : _ - after the first."
	if s == "" || len(s) > maxRoleName {
		return FailField("name", say)
	}
	if IsID(s) {
		return FailField("name", "A role name cannot have the form of an id.")
	}
	for i := range len(s) {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '.' || c == ':' || c == '_' || c == '-')
		if !ok {
			return FailField("name", say)
		}
	}
	return nil
}

func validScopeList(names []string) error {
	if len(names) > maxScopes {
		return FailField("scopes", "Name at most 200 scopes.")
	}
	for _, n := range names {
		if ValidScopeName(n) != nil {
			return FailField("scopes", "A scope name is printable ASCII without spaces, quotes and backslashes, at most 100 characters.")
		}
	}
	return nil
}
