package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// needs skips the test where a program is missing; in CI it fails.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI=true allows no skipped test", program)
	}
	t.Skipf("%s is not installed", program)
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

// run runs tests of Node against a server over https.
func run(t *testing.T, files ...string) {
	t.Helper()
	node := needs(t, "node")
	packages(t)
	s := keystonetest.Start(t, keystonetest.WithTLS())
	jane := s.CreateUser("jane")
	facts, err := json.Marshal(map[string]any{
		"issuer": s.Issuer, "admin": s.Admin(),
		"user": map[string]string{"sub": jane.ID, "username": jane.Username, "email": jane.Email, "password": jane.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(node, append([]string{"--test", "--test-reporter=spec"}, files...)...)
	c.Env = append(os.Environ(), "KEYSTONE="+string(facts), "NODE_EXTRA_CA_CERTS="+s.CertificateFile())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("node --test %v: %v\n%s", files, err, out)
	}
	t.Logf("%s", out)
}

// TestNodeClients: relying parties from npm sign people in by discovery alone.
func TestNodeClients(t *testing.T) { run(t, "openid_client.test.mjs", "oauth4webapi.test.mjs") }
