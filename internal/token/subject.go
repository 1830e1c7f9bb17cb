package token

import "github.com/keystone-auth/keystone"

// Subject returns the sub by which the client knows the user (OpenID Connect Core
// section 8).
func (r *Ring) Subject(c *keystone.Client, userID string) string {
	id, ok := keystone.IDBytes(userID)
	if c.Sector() == "" || !ok {
		return userID
	}
	return r.o.Master.Pairwise(c.Sector(), id)
}

// UserOf returns the user whom the client knows by sub, as far as that can be said
// without looking: there may be no such user.
func (r *Ring) UserOf(c *keystone.Client, sub string) string {
	if c.Sector() == "" {
		return sub
	}
	id, ok := r.o.Master.Unpaired(c.Sector(), sub)
	if !ok {
		return ""
	}
	return keystone.IDFromBytes(id)
}

// SessionName returns the sid by which the client knows a session. One that is the
// same for two sectors would connect what their subs keep apart (OpenID Connect Core
// section 8.1).
func (r *Ring) SessionName(c *keystone.Client, sessionID string) string {
	id, ok := keystone.IDBytes(sessionID)
	if c.Sector() == "" || !ok {
		return sessionID
	}
	return r.o.Master.Pairwise(sessionsOf(c), id)
}

// SessionOf returns the session that the client knows by sid, as far as that can be
// said without looking.
func (r *Ring) SessionOf(c *keystone.Client, sid string) string {
	if c.Sector() == "" {
		return sid
	}
	id, ok := r.o.Master.Unpaired(sessionsOf(c), sid)
	if !ok {
		return ""
	}
	return keystone.IDFromBytes(id)
}

// sessionsOf is the sector's other key: no host has a space in its name.
func sessionsOf(c *keystone.Client) string { return "sid " + c.Sector() }
