package keystone

import (
	"slices"
	"time"
)

// User is a person. The password hash and every other proof live elsewhere:
// a User can be shown.
type User struct {
	ID            string
	Username      string
	Email         string
	EmailVerified bool
	FirstName     string
	LastName      string
	Enabled       bool
	Roles         []string  // role names, sorted
	LastLogin     time.Time // zero: never
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Version       int64 // grows with each change; the ETag
}

const (
	maxUsername = 50
	maxEmail    = 254
	maxName     = 50
	maxRoles    = 100
)

// Validate checks every field and names all that are wrong.
func (u User) Validate() error {
	f := fields{}
	_, err := FoldUsername(u.Username)
	f.check("username", err)
	_, err = FoldEmail(u.Email)
	f.check("email", err)
	f.check("first_name", validText("first_name", u.FirstName, maxName))
	f.check("last_name", validText("last_name", u.LastName, maxName))
	if len(u.Roles) > maxRoles {
		f["roles"] = "A user has at most 100 roles."
	}
	return f.err()
}

// HasRole reports whether the user has the role.
func (u User) HasRole(name string) bool { return slices.Contains(u.Roles, name) }

// UserPatch is a change of some fields of a user; nil leaves a field as it is.
type UserPatch struct {
	Username  *string
	Email     *string // a new address is unverified
	FirstName *string
	LastName  *string
	Enabled   *bool
}

// Apply returns the user with the patch applied. A changed address is
// unverified until its owner shows that it is theirs.
func (p UserPatch) Apply(u User) User {
	set(&u.Username, p.Username)
	if p.Email != nil && *p.Email != u.Email {
		u.Email, u.EmailVerified = *p.Email, false
	}
	set(&u.FirstName, p.FirstName)
	set(&u.LastName, p.LastName)
	set(&u.Enabled, p.Enabled)
	return u
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
