package token

import "github.com/keystone-auth/keystone"

// Subject returns the sub by which the client knows the user (OpenID Connect Core
// section 8).
func (r *Ring) Subject(c keystone.Client, userID string) string {
	id, ok := keystone.IDBytes(userID)
	if c.Sector() == "" || !ok {
		return userID
	}
	return r.o.Master.Pairwise(c.Sector(), id)
}

// UserOf returns the user whom the client knows by sub, as far as that can be said
// without looking: there may be no such user.
func (r *Ring) UserOf(c keystone.Client, sub string) string {
	if c.Sector() == "" {
		return sub
	}
	id, ok := r.o.Master.Unpaired(c.Sector(), sub)
	if !ok {
		return ""
	}
	return keystone.IDFromBytes(id)
}
