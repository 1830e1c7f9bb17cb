package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// needs returns the first of the programs that is there. Where none is it skips
// the test; in CI that is a failure.
func needs(t *testing.T, programs ...string) string {
	t.Helper()
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI=true allows no skipped test", programs[0])
	}
	t.Skipf("%s is not installed", programs[0])
	return ""
}

// packages brings in what package-lock.json names, once.
func packages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/.package-lock.json"); err == nil {
		return
	}
	if out, err := exec.Command(needs(t, "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// run runs tests of Node, with these settings, against a server over https that has
// those of the option besides.
func run(t *testing.T, settings []string, more keystonetest.Option, files ...string) {
	t.Helper()
	node := needs(t, "node")
	packages(t)
	s := keystonetest.Start(t, keystonetest.WithTLS(), keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "token", "SESSION_IFRAME": "true", "AUTHORIZATION_DETAILS_FILE": "details.json"}), more)
	jane := s.CreateUser("jane")
	facts, err := json.Marshal(map[string]any{
		"issuer": s.Issuer, "admin": s.Admin(),
		"user": map[string]string{"sub": jane.ID, "username": jane.Username, "email": jane.Email, "password": jane.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(node, append([]string{"--test", "--test-reporter=spec", "--test-timeout=600000"}, files...)...)
	c.Env = append(append(os.Environ(), settings...), "KEYSTONE="+string(facts), "NODE_EXTRA_CA_CERTS="+s.CertificateFile())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("node --test %v: %v\n%s", files, err, out)
	}
	t.Logf("%s", out)
}

// TestNodeClients: relying parties from npm sign people in by discovery alone.
func TestNodeClients(t *testing.T) {
	run(t, nil, plain, "openid_client.test.mjs", "oauth4webapi.test.mjs")
}

// TestChromium: the pages in a real browser, with script and without it.
func TestChromium(t *testing.T) {
	run(t, chromium(t), keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "open"}), "chromium.test.mjs")
}

// TestChromiumBranded: the pages with an operator's logo, with colours that nobody
// could read, and with a language of their own.
func TestChromiumBranded(t *testing.T) {
	dir := t.TempDir()
	logo := filepath.Join(dir, "logo.svg")
	for name, text := range map[string]string{
		logo:                                   `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 8 8"><style>path{fill:#e0b000}</style><script>document.title = "run"</script><path d="M4 0l4 8H0z"/></svg>`,
		filepath.Join(dir, "pages", "fr.json"): `{"sign_in.title": "Connexion", "sign_in.submit": "Se connecter", "flow.to": "pour continuer vers {client}", "form.password": "Mot de passe", "sign_in.login": "Identifiant", "sign_in.register": "Créer un compte"}`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, color := range []string{"#ffe14d", "#101010", "#8a2be2"} {
		run(t, append(chromium(t), "COLOR="+color), keystonetest.WithSettings(map[string]string{
			"APP_NAME": "Example Accounts", "BRAND_LOGO": logo, "BRAND_COLOR": color, "TEMPLATE_DIR": filepath.Join(dir, "pages"),
		}), "branded.test.mjs")
	}
}

func chromium(t *testing.T) []string {
	return []string{"TEST_CHROMIUM=" + needs(t, "chromium", "chromium-browser", "google-chrome")}
}

// plain is a server as it comes.
func plain(*keystonetest.Server) {}
