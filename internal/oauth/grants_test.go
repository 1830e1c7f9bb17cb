package oauth

import (
	"maps"
	"slices"
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestGrants: each grant type has its function, and each function its grant type.
func TestGrants(t *testing.T) {
	if served, known := slices.Sorted(maps.Keys(grants)), slices.Sorted(slices.Values(keystone.GrantNames(nil))); !slices.Equal(served, known) {
		t.Errorf("served are %q, known %q", served, known)
	}
}
