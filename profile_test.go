package keystone

import (
	"os"
	"strings"
	"testing"
)

// TestProfileTable: docs/OIDC.md says of each profile what it changes, and nothing
// is both stricter and looser.
func TestProfileTable(t *testing.T) {
	text, err := os.ReadFile("docs/OIDC.md")
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range profiles {
		row := "| `" + p.Name + "` | " + p.Title + ": " + strings.Join(p.Changes(), "; ") + " |\n"
		if n > 0 && !strings.Contains(string(text), row) {
			t.Errorf("docs/OIDC.md lacks\n%s", row)
		}
		if got := (&ClientSettings{Profile: p.Name}).Rules().Name; got != p.Name {
			t.Errorf("%s is read as %s", p.Name, got)
		}
		if p.Strict && (p.PKCEOptional || p.LegacyAudience || p.LooseObjects) {
			t.Errorf("%s is strict and loose", p.Name)
		}
	}
	if rules := (&ClientSettings{Profile: "unknown"}).Rules(); rules.Name != ProfileOAuth21 {
		t.Errorf("an unknown profile is read as %s", rules.Name)
	}
}

// TestProfileSignsUserinfo: userinfo that is encrypted is signed inside, and that too
// by the profile's algorithms; what is plain stays plain.
func TestProfileSignsUserinfo(t *testing.T) {
	for enc, want := range map[string]string{"": "", ECDHES: PS256} {
		c := Client{Kind: ClientWeb, ClientSettings: ClientSettings{Profile: ProfileFAPI2, UserinfoEncAlg: enc}}.WithDefaults()
		if c.UserinfoAlg != want {
			t.Errorf("encrypted by %q, signed by %q", enc, c.UserinfoAlg)
		}
	}
}
