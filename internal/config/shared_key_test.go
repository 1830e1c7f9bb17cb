package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSharedMasterKey: S6. A key file that others can read or replace is refused, as
// the one is that Keystone makes.
func TestSharedMasterKey(t *testing.T) {
	for _, test := range []struct {
		name   string
		folder os.FileMode
		file   os.FileMode
		want   string
	}{
		{"its own", 0o755, 0o600, ""},
		{"read-only", 0o755, 0o400, ""},
		{"its group's", 0o755, 0o640, ""}, // as services and Kubernetes are given one
		{"everybody's", 0o755, 0o644, "may be read by everybody (mode 0644)"},
		{"everybody's to read", 0o755, 0o444, "may be read by everybody"},
		{"its group's to write", 0o755, 0o660, "may be written by others (mode 0660)"},
		{"everybody's to write", 0o755, 0o602, "may be written by others"},
		{"behind a closed folder", 0o700, 0o444, ""}, // as deploy/docker/secrets.sh leaves it
		{"to write behind a closed folder", 0o700, 0o666, "may be written by others"},
	} {
		open := t.TempDir()
		for _, above := range []string{open, filepath.Dir(open)} { // which a test has for itself
			if err := os.Chmod(above, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(open, "keys")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := write(t, dir, "key", randomKey)
		if err := os.Chmod(path, test.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, test.folder); err != nil {
			t.Fatal(err)
		}
		for _, named := range []string{path, filepath.Join("keys", "key")} {
			_, err := Load(Options{Dir: filepath.Dir(dir), Environ: []string{"MASTER_KEY_FILE=" + named}})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%s: %v", test.name, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), randomKey)):
				t.Errorf("%s: %v, want %q", test.name, err, test.want)
			}
		}
	}
	// What cannot be had in a test: the places where containers are given theirs.
	for path, want := range map[string]bool{"/run/secrets/master_key": true, "/var/run/secrets/x/key": true, "/run/secretsx/key": false, "/run/secrets/../key": false, "/etc/keystone/key": false} {
		if got := handedOver(path); got != want && !onReadOnlyMount(filepath.Clean(path)) {
			t.Errorf("%s: %t", path, got)
		}
	}
}

// TestURLsAreMasked: whatever setting holds a URL, what is most likely a secret in it
// is neither printed nor repeated in a refusal.
func TestURLsAreMasked(t *testing.T) {
	c := mustLoad(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318/v1?api_key=canary#canary",
		"ALLOWED_ORIGINS=https://app.example", "SOFTWARE_STATEMENT_ISSUERS=https://a.example=https://a.example/jwks?key=canary,https://b.example=https://b.example/jwks")
	text, err := c.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "canary") {
		t.Errorf("%s", text)
	}
	for _, useful := range []string{"http://collector:4318/v1?xxxxx#xxxxx", "https://app.example", "https://a.example=https://a.example/jwks?xxxxx,https://b.example=https://b.example/jwks"} {
		if !strings.Contains(string(text), useful) {
			t.Errorf("%s is not shown", useful)
		}
	}
	for _, name := range []string{"SOFTWARE_STATEMENT_ISSUERS", "ALLOWED_ORIGINS", "OUTBOUND_ALLOW", "CLIENT_ID_METADATA_HOSTS", "TRUSTED_PROXIES", "ISSUER", "OTEL_EXPORTER_OTLP_ENDPOINT",
		"MTLS_URL", "REDIS_URL", "DATABASE_URL", "SMTP_URL", "RATE_LIMIT_API", "PORT", "ALLOWED_METHODS"} {
		for _, value := range []string{"https://user:canary@h.example/x", "https://canary@h.example", "ftp://user:canary@h", "user:canary@h", "a=http://user:canary@h", "http://h/?api_key=canary", "x?canary",
			"https://user:ca@nary:canary@h.example/x@y", `["https://user:canary@h"]`} {
			if _, err := Load(Options{Environ: []string{name + "=" + value}, Dir: t.TempDir()}); err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}
