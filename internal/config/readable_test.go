package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadableSecrets: a file with a secret in it that others can read, or write, is
// warned of, and nothing else is.
func TestReadableSecrets(t *testing.T) {
	const secret = "5c1f6a9be27d40c8b1d93fe6087a24dd"
	for _, test := range []struct {
		name, env, content string // content of .env
		mode               os.FileMode
		warned             string
	}{
		{"a secret", "", "REDIS_PASSWORD=" + secret, 0o644, ".env"},
		{"for its group", "", "REDIS_PASSWORD=" + secret, 0o640, ""},
		{"for its group alone", "", "REDIS_PASSWORD=" + secret, 0o440, ""},
		{"group writes", "", "REDIS_PASSWORD=" + secret, 0o660, ".env"},
		{"private", "", "REDIS_PASSWORD=" + secret, 0o600, ""},
		{"no secret", "", "PORT=8123", 0o666, ""},
		{"an address without a password", "", "DATABASE_URL=/tmp/x.db", 0o644, ""},
		{"an address with one", "", "REDIS_URL=redis://:" + secret + "@127.0.0.1/0", 0o644, ".env"},
		{"used or not", "REDIS_PASSWORD=other5c1f6a9be27d40", "REDIS_PASSWORD=" + secret, 0o644, ".env"},
		{"in a file of its own", "REDIS_PASSWORD_FILE=.env", secret, 0o604, ".env"},
		{"in a file of its group", "REDIS_PASSWORD_FILE=.env", secret, 0o440, ""},
		{"the key of TLS", "TLS_CERT_FILE=x TLS_KEY_FILE=DIR/.env", "# nothing", 0o644, ".env"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if strings.HasPrefix(test.env, "REDIS_PASSWORD_FILE") { // a .env is read in any case
			path = filepath.Join(dir, "secret.env")
		}
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		env := strings.Fields(strings.NewReplacer("DIR", dir, "_FILE=.env", "_FILE=secret.env").Replace(test.env))
		c, err := Load(Options{Dir: dir, Environ: append(env, "REDIS_URL=redis://127.0.0.1:1/0")})
		if err != nil {
			t.Fatal(test.name, err)
		}
		warned := ""
		for _, w := range c.Warnings {
			if strings.Contains(w, "holds a secret") {
				warned += w
			}
		}
		if (warned != "") != (test.warned != "") || !strings.Contains(warned, test.warned) || strings.Contains(warned, secret) {
			t.Errorf("%s: %q", test.name, warned)
		}
	}
}
