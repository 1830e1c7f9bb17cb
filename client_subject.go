package keystone

import "slices"

// Kinds of sub (OpenID Connect Core section 8).
const (
	SubjectPublic   = "public"
	SubjectPairwise = "pairwise"
)

// Sector returns the host that the client's pairwise identifiers are for, or ""
// where its sub is the user's id (OpenID Connect Core section 8.1).
func (c Client) Sector() string {
	if c.SubjectType != SubjectPairwise {
		return ""
	}
	if c.SectorURI != "" {
		return Hostname(c.SectorURI)
	}
	if len(c.RedirectURIs) == 0 {
		return c.ID
	}
	return Hostname(c.RedirectURIs[0])
}

// validateSubject checks which sub the client gets. A JWT access token would tell
// it the user's id, so a pairwise client gets opaque ones.
func (s ClientSettings) validateSubject(c Client, f fields) {
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
	if s.SectorURI == "" && slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return Hostname(uri) == "" || Hostname(uri) != Hostname(c.RedirectURIs[0]) }) {
		f["sector_identifier_uri"] = "The redirect URIs are of several hosts, or of none: say which sector the client is of (OpenID Connect Core section 8.1)."
	}
}
