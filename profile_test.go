package keystone_test

import (
	"os"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestProfileTable: docs/OIDC.md says of each profile what it changes, and nothing
// is both stricter and looser.
func TestProfileTable(t *testing.T) {
	text, err := os.ReadFile("docs/OIDC.md")
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range keystone.Profiles() {
		row := "| `" + p.Name + "` | " + p.Title + ": " + strings.Join(p.Changes(), "; ") + " |\n"
		if n > 0 && !strings.Contains(string(text), row) {
			t.Errorf("docs/OIDC.md lacks\n%s", row)
		}
		if got := (keystone.ClientSettings{Profile: p.Name}).Rules().Name; got != p.Name {
			t.Errorf("%s is read as %s", p.Name, got)
		}
		if p.Strict && (p.PKCEOptional || p.LegacyAudience || p.LooseObjects) {
			t.Errorf("%s is strict and loose", p.Name)
		}
	}
	if rules := (keystone.ClientSettings{Profile: "unknown"}).Rules(); rules.Name != keystone.ProfileOAuth21 {
		t.Errorf("an unknown profile is read as %s", rules.Name)
	}
}

// TestProfileSignsUserinfo: userinfo that is encrypted is signed inside, and that too
// by the profile's algorithms; what is plain stays plain.
func TestProfileSignsUserinfo(t *testing.T) {
	for enc, want := range map[string]string{"": "", keystone.ECDHES: keystone.PS256} {
		c := keystone.Client{Kind: keystone.ClientWeb, ClientSettings: keystone.ClientSettings{Profile: keystone.ProfileFAPI2, UserinfoEncAlg: enc}}.WithDefaults()
		if c.UserinfoAlg != want {
			t.Errorf("encrypted by %q, signed by %q", enc, c.UserinfoAlg)
		}
	}
}
