package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigCheckPages: what is wrong with logo, colour, pages and texts is said by
// config check, and refuses the start.
func TestConfigCheckPages(t *testing.T) {
	m := newMachine(t, "")
	pages := filepath.Join(m.dir, "pages")
	if err := os.Mkdir(pages, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pages, "signin.html"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"TEMPLATE_DIR=pages": "did you mean sign_in.html?", "BRAND_COLOR=red": "BRAND_COLOR", "BRAND_LOGO=pages/signin.html": "BRAND_LOGO", "DEFAULT_LANGUAGE=xx": "there is no language",
	} {
		for _, command := range [][]string{{"config", "check"}, {"serve"}} {
			if r := m.with(setting).run("", command...); r.code != exitRefused || !strings.Contains(r.err, want) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%s, %v: %d %s%s", setting, command, r.code, r.out, r.err)
			}
		}
	}
	if err := os.Rename(filepath.Join(pages, "signin.html"), filepath.Join(pages, "fr.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pages, "fr.json"), []byte(`{"sign_in.title": "Connexion"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := m.with("TEMPLATE_DIR=pages").ok("config", "check"); !strings.Contains(out, "fr.json lacks") || !strings.Contains(out, "are good") {
		t.Error(out)
	}
}
