package token

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// TestOpaqueID: the id follows from the token, says when it was issued, and is no other
// token's.
func TestOpaqueID(t *testing.T) {
	at, seen := time.UnixMilli(1_795_000_000_123), map[string]bool{}
	for range 1000 {
		raw, id := NewOpaque(at)
		got, ok := OpaqueID(raw)
		if when, _ := keystone.IDTime(id); !ok || got != id || !when.Equal(at) || seen[id] {
			t.Fatalf("%s: %s, want %s of %s", raw, got, id, at)
		}
		seen[id] = true
	}
	raw, _ := NewOpaque(at)
	for _, wrong := range []string{"", raw[:len(raw)-1], secret.New(secret.OneTime), "eyJhbGciOiJub25lIn0.e30."} {
		if _, ok := OpaqueID(wrong); ok {
			t.Errorf("%q has an id", wrong)
		}
	}
}
