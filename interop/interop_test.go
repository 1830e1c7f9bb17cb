package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
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

// run runs tests of Node, with these settings, against a server over https.
func run(t *testing.T, settings []string, files ...string) {
	t.Helper()
	node := needs(t, "node")
	packages(t)
	s := keystonetest.Start(t, keystonetest.WithTLS(), keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "token", "SESSION_IFRAME": "true"}))
	jane := s.CreateUser("jane")
	facts, err := json.Marshal(map[string]any{
		"issuer": s.Issuer, "admin": s.Admin(),
		"user": map[string]string{"sub": jane.ID, "username": jane.Username, "email": jane.Email, "password": jane.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(node, append([]string{"--test", "--test-reporter=spec"}, files...)...)
	c.Env = append(append(os.Environ(), settings...), "KEYSTONE="+string(facts), "NODE_EXTRA_CA_CERTS="+s.CertificateFile())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("node --test %v: %v\n%s", files, err, out)
	}
	t.Logf("%s", out)
}

// TestNodeClients: relying parties from npm sign people in by discovery alone.
func TestNodeClients(t *testing.T) { run(t, nil, "openid_client.test.mjs", "oauth4webapi.test.mjs") }

// TestChromium: the pages in a real browser, with script and without it.
func TestChromium(t *testing.T) {
	run(t, []string{"TEST_CHROMIUM=" + needs(t, "chromium", "chromium-browser", "google-chrome")}, "chromium.test.mjs")
}
