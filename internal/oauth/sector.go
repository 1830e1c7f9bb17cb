package oauth

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/keystone-auth/keystone"
)

var errSector = keystone.FailField("sector_identifier_uri", "What stands there must be a JSON list of addresses with every redirect URI in it, and be reached by https from here.").WithCode(codeMetadata)

var errOwnSector = keystone.FailField("sector_identifier_uri", "A client that registered itself and gets answers elsewhere than at its redirect URIs (device, CIBA) is a sector of its own.").WithCode(codeMetadata)

// checkSector asks the sector that a client says it is of whether that is so: the
// list at its address must have every redirect URI of the client (OpenID Connect
// Registration section 5). Else anybody could learn by which sub others know a
// user.
func (s *Slice) checkSector(ctx context.Context, m clientMetadata) error {
	address, err := m.text("sector_identifier_uri")
	if err != nil || address == "" {
		return err
	}
	var redirects []string
	if err := m.read("redirect_uris", &redirects); err != nil {
		return err
	}
	keystone.Checking(ctx, "sector_identifier_uri")
	err = s.Keys.Object(ctx, address, func(text string) error {
		var listed []string
		if json.Unmarshal([]byte(text), &listed) != nil || slices.ContainsFunc(redirects, func(uri string) bool { return !slices.Contains(listed, uri) }) {
			return errSector
		}
		return nil
	})
	if err != nil && ignoreFetchFailure(err) == nil {
		return errSector
	}
	return err
}
