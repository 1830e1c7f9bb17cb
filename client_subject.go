package keystone

import "slices"

// Kinds of sub (OpenID Connect Core section 8).
const (
	SubjectPublic   = "public"
	SubjectPairwise = "pairwise"
)

// Sector returns the host that the client's pairwise identifiers are for, or ""
// where its sub is the user's id (OpenID Connect Core section 8.1).
func (c *Client) Sector() string {
	switch {
	case c.SubjectType != SubjectPairwise:
		return ""
	case c.ownSector():
		return c.ID
	case c.SectorURI != "":
		return Hostname(c.SectorURI)
	case len(c.RedirectURIs) == 0:
		return c.ID
	}
	return Hostname(c.RedirectURIs[0])
}

// ownSector reports whether the client is a sector of its own. A client that registered
// itself shows that it is of a host by getting its answers there, at its redirect URIs. One
// that gets them elsewhere too (a device, CIBA) could name anybody's, and learn by which
// sub they know a user; and loopback is everybody's.
func (c *Client) ownSector() bool {
	if c.Registration == "" {
		return false
	}
	return c.AnsweredElsewhere() || c.SectorURI == "" && len(c.RedirectURIs) > 0 && IsLoopbackHost(Hostname(c.RedirectURIs[0]))
}

// AnsweredElsewhere reports whether the client learns of people otherwise than at its
// redirect URIs.
func (c *Client) AnsweredElsewhere() bool {
	return slices.ContainsFunc(c.Grants, func(g string) bool {
		return g != GrantAuthorizationCode && g != GrantRefreshToken && g != GrantClientCredentials
	})
}

// validateSubject checks which sub the client gets. A JWT access token would tell
// it the user's id, so a pairwise client gets opaque ones.
func (s *ClientSettings) validateSubject(c *Client, f fields) {
	switch s.SubjectType {
	case "", SubjectPublic:
		if s.SectorURI != "" {
			f["sector_identifier_uri"] = "Only pairwise identifiers have a sector."
		}
		return
	case SubjectPairwise:
	default:
		f["subject_type"] = "It is public or pairwise."
		return
	}
	if why := httpsProblem(s.SectorURI, c.Kind != ClientService); why != "" {
		f["sector_identifier_uri"] = why
	}
	if c.AccessTokenFormat != FormatOpaque {
		f["access_token_format"] = "A client with pairwise identifiers gets opaque access tokens: a JWT would tell it the user's id."
	}
	if c.FirstParty {
		f["subject_type"] = "A first-party client manages accounts, and so knows the user's id."
	}
	if !c.ownSector() && s.SectorURI == "" && slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return Hostname(uri) == "" || Hostname(uri) != Hostname(c.RedirectURIs[0]) }) {
		f["sector_identifier_uri"] = "The redirect URIs are of several hosts, or of none: say which sector the client is of (OpenID Connect Core section 8.1)."
	}
}
