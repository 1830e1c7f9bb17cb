package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedSettings: whatever is wrong is one clear line that names the
// setting, exit code 1, never a stack, and never the secret itself.
func TestRefusedSettings(t *testing.T) {
	for _, test := range []struct {
		name    string
		setting string
		want    string
	}{
		{"unknown", "KEYSTONE_PROT=1", "PORT"},
		{"bad number", "PORT=eighty", "PORT"},
		{"weak HS256 key", "JWT_SECRET_KEY=canary7391", "JWT_SECRET_KEY"},
		{"weak master key", "MASTER_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "MASTER_KEY"},
		{"plain http issuer", "ISSUER=http://id.example.com", "ISSUER"},
		{"mail needed", "REGISTRATION=verify", "REGISTRATION"},
		{"half a bootstrap administrator", "BOOTSTRAP_ADMIN_USERNAME=root", "BOOTSTRAP_ADMIN_"},
		{"not a database", "DATABASE_URL=mysql://user:canary7391@127.0.0.1/x", "DATABASE_URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, "", "JWT_ALGORITHM=HS256", "JWT_SECRET_KEY=5c1f6a9be27d40c8b1d93fe6087a24dd", test.setting)
			for _, args := range [][]string{{"config", "check"}, {"config", "show"}, {"serve"}, {"user", "list"}, {"migrate"}} {
				r := m.run("", args...)
				if r.code != exitRefused || r.out != "" || !strings.Contains(r.err, test.want) {
					t.Errorf("keystone %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
				}
				for _, line := range strings.Split(strings.TrimSpace(r.err), "\n") {
					if !strings.HasPrefix(line, "keystone: ") {
						t.Errorf("keystone %s: not a line of ours: %q", args, line)
					}
				}
				if strings.Contains(r.err, "canary7391") || strings.Contains(r.err, "goroutine") {
					t.Errorf("keystone %s says too much:\n%s", args, r.err)
				}
			}
			if entries, _ := os.ReadDir(m.dir); len(entries) != 0 {
				t.Errorf("a refused start left something behind: %v", entries)
			}
		})
	}
}

func TestUnreachableDatabase(t *testing.T) {
	m := newMachine(t, "postgres://keystone:canary7391@127.0.0.1:1/keystone?connect_timeout=2")
	for _, args := range [][]string{{"serve"}, {"user", "list"}, {"migrate"}} {
		m.refused("127.0.0.1:1", args...)
		if r := m.run("", args...); strings.Contains(r.err, "canary7391") {
			t.Errorf("the password of the database is shown: %s", r.err)
		}
	}
	r := m.run("", "doctor")
	if r.code != exitRefused || !strings.Contains(r.out, "fail") || strings.Contains(r.out+r.err, "canary7391") {
		t.Errorf("doctor: %+v", r)
	}
}

// TestSettingsAreShownWithoutSecrets plants a word in every secret.
func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	const canary = "canary7391f0b2c84d5e6a"
	m := newMachine(t, "", "JWT_ALGORITHM=HS256", "JWT_SECRET_KEY="+canary+"0123456789abcdefghij", "REDIS_PASSWORD="+canary, "REDIS_URL=redis://127.0.0.1:1/0",
		"BOOTSTRAP_ADMIN_USERNAME=root", "BOOTSTRAP_ADMIN_EMAIL=root@example.org", "BOOTSTRAP_ADMIN_PASSWORD="+canary, "PORT=8123")
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"doctor", "--json"}, {"doctor"}} {
		r := m.run("", args...)
		if strings.Contains(r.out+r.err, canary) {
			t.Errorf("keystone %s shows a secret:\n%s%s", args, r.out, r.err)
		}
	}
	var port map[string]any
	for _, s := range m.items("config", "show") {
		if s["name"] == "PORT" {
			port = s
		}
	}
	if port["value"] != "8123" || !strings.Contains(text(port["source"]), "environment") {
		t.Errorf("PORT: %v", port)
	}
}

func TestConfigFile(t *testing.T) {
	m := newMachine(t, "")
	path := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(path, []byte("APP_NAME=\"Example Accounts\"\nDATA_DIR="+filepath.Join(m.dir, "elsewhere")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.ok("migrate", "--config", path)
	m.ok("user", "list", "--config", path)
	if _, err := os.Stat(filepath.Join(m.dir, "elsewhere", "keystone.db")); err != nil {
		t.Error(err)
	}
	m.refused("cannot be read", "user", "list", "--config", path+"x")
}

// TestTablesObeyNobody: names are other people's, and a terminal obeys what it
// is sent.
func TestTablesObeyNobody(t *testing.T) {
	for in, want := range map[string]string{
		"": "-", "Jane Doe": "Jane Doe", "Jané 李": "Jané 李", "\x1b[2J": "\uFFFD[2J", "a\nb\tc": "a\uFFFDb\uFFFDc", "a\u202eb": "a\uFFFDb",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestMasterKeyIsNeverMadeForAnother: with PostgreSQL the key is a setting.
func TestMasterKeyIsNeverMadeForAnother(t *testing.T) {
	m := newMachine(t, "", "DATABASE_URL=postgres://keystone@127.0.0.1:1/keystone")
	m.refused("MASTER_KEY", "user", "list")
	if entries, _ := os.ReadDir(m.dir); len(entries) != 0 {
		t.Errorf("something was made: %v", entries)
	}
}

// TestConfigCheckIsTheStart: whatever the start refuses config check names, for people
// and for scripts, and it makes nothing.
func TestConfigCheckIsTheStart(t *testing.T) {
	for name, test := range map[string]struct{ settings, want string }{
		"scopes of Keystone's own":  {"CLIENT_REGISTRATION=open CLIENT_REGISTRATION_SCOPES=users:read", "CLIENT_REGISTRATION_SCOPES"},
		"no certificate":            {"TLS_CERT_FILE=/nowhere/crt TLS_KEY_FILE=/nowhere/key", "TLS_CERT_FILE"},
		"no authorities of clients": {"CLIENT_CERT_HEADER=Client-Cert TRUSTED_PROXIES=127.0.0.1 CLIENT_CA_FILE=/nowhere/ca", "CLIENT_CA_FILE"},
		"no authorities":            {"OUTBOUND_CA_FILE=/nowhere/ca", "OUTBOUND_CA_FILE"},
		"no details":                {"AUTHORIZATION_DETAILS_FILE=/nowhere/types", "AUTHORIZATION_DETAILS_FILE"},
		"no pages":                  {"TEMPLATE_DIR=/nowhere/pages", "TEMPLATE_DIR"},
		"a phrase for a key":        {"MASTER_KEY=" + base64.StdEncoding.EncodeToString([]byte("correct horse battery staple 123")), "MASTER_KEY"},
		"a weak password":           {"BOOTSTRAP_ADMIN_USERNAME=root BOOTSTRAP_ADMIN_EMAIL=root@example.org BOOTSTRAP_ADMIN_PASSWORD=qwertyuiop12", "BOOTSTRAP_ADMIN_PASSWORD"},
		"an address of a user":      {"BOOTSTRAP_ADMIN_USERNAME=a/b BOOTSTRAP_ADMIN_EMAIL=root@example.org BOOTSTRAP_ADMIN_PASSWORD=long-enough-and-nothing-known", "BOOTSTRAP_ADMIN_"},
		"both":                      {"PORT=eighty ISSUER=http://id.example.com", "ISSUER"},
		"and both":                  {"OUTBOUND_CA_FILE=/nowhere/ca TLS_CERT_FILE=/nowhere/crt TLS_KEY_FILE=/nowhere/key", "OUTBOUND_CA_FILE"},
	} {
		m := newMachine(t, "", strings.Fields(test.settings)...)
		for _, args := range [][]string{{"config", "check"}, {"config", "check", "--json"}} {
			r := m.run("", args...)
			if r.code != exitRefused || !strings.Contains(r.err, test.want) {
				t.Errorf("%s: keystone %s: exit %d\n%s%s", name, strings.Join(args, " "), r.code, r.out, r.err)
			}
			var v configCheckView
			if err := json.Unmarshal([]byte(r.out), &v); len(args) == 3 && (err != nil || v.OK || !strings.Contains(strings.Join(v.Problems, " "), test.want)) {
				t.Errorf("%s: %v %s", name, err, r.out)
			}
		}
		if entries, _ := os.ReadDir(m.dir); len(entries) != 0 {
			t.Errorf("%s: a check made something: %v", name, entries)
		}
		if r := m.run("", "serve"); r.code != exitRefused || !strings.Contains(r.err, test.want) {
			t.Errorf("%s: serve: exit %d\n%s%s", name, r.code, r.out, r.err)
		}
	}
	m := newMachine(t, "")
	var v configCheckView
	if err := json.Unmarshal([]byte(m.ok("config", "check", "--json")), &v); err != nil || !v.OK || v.Problems == nil || v.Warnings == nil {
		t.Errorf("%v %+v", err, v)
	}
}

// TestMigrateLooksOnly: what would be applied is said without a database, and none is
// made.
func TestMigrateLooksOnly(t *testing.T) {
	m := newMachine(t, "")
	for _, flag := range []string{"--dry-run", "--status"} {
		steps := m.items("migrate", flag)
		if len(steps) < 10 || steps[0]["version"] != 1.0 || steps[0]["name"] != "0001_init.sql" || steps[0]["applied"] != false {
			t.Errorf("%s: %v", flag, steps)
		}
	}
	if entries, _ := os.ReadDir(m.dir); len(entries) != 0 {
		t.Errorf("something was made: %v", entries)
	}
	m.ok("migrate")
	if steps := m.items("migrate", "--dry-run"); len(steps) != 0 {
		t.Errorf("after it: %v", steps)
	}
	if steps := m.items("migrate", "--status"); len(steps) < 10 || steps[0]["applied"] != true {
		t.Errorf("after it: %v", steps)
	}
}
