package server

import (
	"fmt"
	"os"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
)

// maxDetailTypes is the largest file of types.
const maxDetailTypes = 256 << 10

// DetailTypes reads which types of authorization details (RFC 9396) the operator
// declares; without AUTHORIZATION_DETAILS_FILE there are none.
func DetailTypes(c *config.Config) (keystone.DetailTypes, error) {
	if c.AuthorizationDetailsFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.AuthorizationDetailsFile)
	if err != nil {
		return nil, fmt.Errorf("AUTHORIZATION_DETAILS_FILE: %w", err)
	}
	if len(text) > maxDetailTypes {
		return nil, fmt.Errorf("AUTHORIZATION_DETAILS_FILE %s is larger than 256 KiB", c.AuthorizationDetailsFile)
	}
	types, err := keystone.ParseDetailTypes(text)
	if err != nil {
		return nil, fmt.Errorf("AUTHORIZATION_DETAILS_FILE %s: %w", c.AuthorizationDetailsFile, err)
	}
	return types, nil
}
