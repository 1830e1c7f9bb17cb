package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// randomKey is 32 bytes in base64, drawn for these tests.
const randomKey = "mE4Dh2tRkVvX0yJq3bW8sLxNfPz7gCaU5oTi1KdHe6Y="

func load(t *testing.T, dir string, env ...string) (*Config, error) {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	return Load(Options{Environ: env, Dir: dir})
}

func mustLoad(t *testing.T, env ...string) *Config {
	t.Helper()
	c, err := load(t, "", env...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, "PATH=/bin", "HOME=/root", "UNRELATED=yes")
	for _, test := range []struct{ got, want any }{
		{c.AppName, "Keystone"}, {c.Debug, false},
		{c.Addr(), "127.0.0.1:8000"}, {c.Issuer, "http://127.0.0.1:8000"}, {c.TLS(), false},
		{c.ManagementAddr, "127.0.0.1:8001"}, {c.ShutdownTimeout, 20 * time.Second},
		{c.Postgres(), false}, {c.DatabaseURL.Reveal(), filepath.Join("keystone-data", "keystone.db")},
		{c.MasterKeyFile(), filepath.Join("keystone-data", "master.key")}, {c.MasterKey.IsSet(), false}, {c.RedisURL.IsSet(), false},
		{c.DatabasePoolSize, 20}, {c.DatabaseMaxOverflow, 0},
		{c.JWTAlgorithm, "ES256"}, {c.AccessTokenExpire, 15 * time.Minute}, {c.RefreshTokenExpire, 30 * 24 * time.Hour},
		{c.RefreshGrace, 10 * time.Second}, {c.SessionIdle, 43200 * time.Minute}, {c.SessionMax, 2160 * time.Hour},
		{c.KeyRotation, 90 * 24 * time.Hour}, {c.JWKSMaxAge, 300 * time.Second}, {c.AuditRetention, 365 * 24 * time.Hour},
		{c.PasswordProfile, "modern"}, {c.PasswordMinLength, (*int)(nil)}, {c.PasswordRequireDigits, (*bool)(nil)},
		{c.HashSlots, runtime.GOMAXPROCS(0)}, {c.HashQueue, 64 * runtime.GOMAXPROCS(0)},
		{c.Registration, "open"}, {c.BootstrapAdminUsername, ""},
		{c.RateLimitLogin, Rate{5, time.Minute}}, {c.RateLimitRegister, Rate{3, time.Hour}},
		{c.RateLimitAPI, Rate{100, time.Minute}}, {c.RateLimitToken, Rate{30, time.Minute}},
		{len(c.AllowedOrigins), 0}, {c.AllowedMethods, []string{"GET", "POST", "PUT", "PATCH", "DELETE"}},
		{c.LogFormat, "json"}, {c.LogLevel.String(), "INFO"}, {c.OTLPEndpoint, ""},
		{len(c.Warnings), 0},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("got %v, want %v", test.got, test.want)
		}
	}
}

func TestLayers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "PORT=1001\nAPP_NAME=file\nLOG_FORMAT=text\nHOST=127.0.0.2\n")
	other := write(t, dir, "other.env", "PORT=2002\n")
	for _, test := range []struct {
		name string
		o    Options
		port int
		from string
	}{
		{"file over default", Options{Dir: dir}, 1001, ".env line 1 PORT"},
		{"environment over file", Options{Dir: dir, Environ: []string{"PORT=3003"}}, 3003, "environment PORT"},
		{"KEYSTONE_ over the bare name", Options{Dir: dir, Environ: []string{"KEYSTONE_PORT=4004", "PORT=3003"}}, 4004, "environment KEYSTONE_PORT"},
		{"bare name that cannot be read, below KEYSTONE_", Options{Dir: dir, Environ: []string{"PORT=nonsense", "KEYSTONE_PORT=4004"}}, 4004, "environment KEYSTONE_PORT"},
		{"empty is none", Options{Dir: dir, Environ: []string{"PORT=", "KEYSTONE_PORT="}}, 1001, ".env line 1 PORT"},
		{"--config instead of .env", Options{Dir: dir, ConfigFile: other}, 2002, "other.env line 1 PORT"},
		{"--config, relative", Options{Dir: dir, ConfigFile: "other.env"}, 2002, "other.env line 1 PORT"},
		{"nothing", Options{Dir: t.TempDir()}, 8000, "default"},
	} {
		c, err := Load(test.o)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.Port != test.port {
			t.Errorf("%s: port %d, want %d", test.name, c.Port, test.port)
		}
		for _, s := range c.Redacted() {
			if s.Name == "PORT" && s.Source != test.from {
				t.Errorf("%s: source %q, want %q", test.name, s.Source, test.from)
			}
		}
	}
	c, err := Load(Options{Dir: dir, ConfigFile: other})
	if err != nil || c.AppName != "Keystone" {
		t.Errorf("--config still reads .env: %v", err)
	}
}

func TestSecretFromFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "key", randomKey+"\n")
	write(t, dir, "key.crlf", randomKey+"\r\n")
	write(t, dir, "empty", "\n")
	write(t, dir, "huge", strings.Repeat("x", maxFile+1))
	if err := os.Symlink("key", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"MASTER_KEY_FILE", "KEYSTONE_MASTER_KEY_FILE"} {
		for _, path := range []string{"key", "key.crlf", "link", filepath.Join(dir, "key")} {
			c, err := load(t, dir, name+"="+path)
			if err != nil || c.MasterKey.Reveal() != randomKey {
				t.Errorf("%s=%s: %v", name, path, err)
			}
		}
	}
	for _, test := range []struct{ env, want string }{
		{"MASTER_KEY_FILE=key MASTER_KEY=" + randomKey, "MASTER_KEY (environment): MASTER_KEY_FILE is set too"},
		{"KEYSTONE_MASTER_KEY_FILE=key MASTER_KEY=" + randomKey, "KEYSTONE_MASTER_KEY_FILE is set too"},
		{"MASTER_KEY_FILE=nowhere", "MASTER_KEY_FILE (environment): names a file that cannot be read: no such file or directory"},
		{"MASTER_KEY_FILE=.", "it is a folder"},
		{"MASTER_KEY_FILE=empty", "empty"},
		{"MASTER_KEY_FILE=huge", "larger than"},
		{"PORT_FILE=key KEYSTONE_PORT_FILE=key", "KEYSTONE_PORT_FILE (environment): is no setting"}, // not a secret
	} {
		_, err := load(t, dir, strings.Fields(test.env)...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.env, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), randomKey[:8]) || strings.Contains(err.Error(), "nowhere")) {
			t.Errorf("%s: the error repeats a secret", test.env)
		}
	}

	// A stronger source with either form wins over a weaker one with the other.
	write(t, dir, ".env", "MASTER_KEY_FILE=nowhere\nREDIS_URL=redis://a\nREDIS_PASSWORD=from-file-1\n")
	if c, err := load(t, dir, "MASTER_KEY="+randomKey); err != nil || !c.MasterKey.IsSet() {
		t.Errorf("environment over NAME_FILE in .env: %v", err)
	}
}

func TestConfigFileTrouble(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ name, text, want string }{
		{"duplicate", "PORT=1\nHOST=localhost\nPORT=2\n", `line 3: "PORT" is on line 1 already`},
		{"no equals sign", "PORT 8000\n", "line 1: is not NAME=value"},
		{"open quote", "\nAPP_NAME=\"x\n", `line 2: the value of "APP_NAME" has no closing quote`},
		{"unknown, near", "PROT=8000\n", "PROT (bad.env line 1): is no setting: did you mean PORT?"},
		{"unknown, lower case", "port=8000\n", "did you mean PORT?"},
		{"unknown, far", "POSTGRES_PASSWORD=hunter2hunter2\n", "POSTGRES_PASSWORD (bad.env line 1): is no setting"},
		{"not text", "PORT=\xff\n", "not UTF-8"},
		{"NUL", "PORT=8000\x00\n", "not UTF-8 text"},
	} {
		path := write(t, dir, "bad.env", test.text)
		_, err := Load(Options{ConfigFile: path, Dir: dir})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats a value of an unknown name", test.name)
		}
	}
	for _, path := range []string{"missing.env", "."} {
		if _, err := Load(Options{ConfigFile: path, Dir: dir}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("--config %s: %v", path, err)
		}
	}
}

func TestUnknownInEnvironment(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"KEYSTONE_PROT", "did you mean KEYSTONE_PORT?"},
		{"KEYSTONE_MASTERKEY", "did you mean KEYSTONE_MASTER_KEY?"},
		{"KEYSTONE_DATABSE_URL_FILE", "did you mean KEYSTONE_DATABASE_URL_FILE?"},
		{"KEYSTONE_RATE_LIMIT_LOGINS", "did you mean KEYSTONE_RATE_LIMIT_LOGIN?"},
		{"KEYSTONE_JWT_ALGORTIHM", "did you mean KEYSTONE_JWT_ALGORITHM?"},
		{"KEYSTONE_TLS_CERT", "did you mean KEYSTONE_TLS_CERT_FILE?"},
		{"KEYSTONE_COMPLETELY_DIFFERENT", "docs/CONFIG.md"},
		{"KEYSTONE_", "docs/CONFIG.md"},
		{"KEYSTONE_SERVICE_HOST", "enableServiceLinks"},
		{"KEYSTONE_DB_PORT_5432_TCP_ADDR", "enableServiceLinks"},
	} {
		_, err := load(t, "", test.name+"=value-that-may-be-secret")
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), test.name) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "value-that") {
			t.Errorf("%s: the error repeats the value", test.name)
		}
	}
	if _, err := load(t, "", "PROT=1", "KEYSTON_PORT=1", "keystone_port=1"); err != nil {
		t.Errorf("names of others are judged: %v", err)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "LOG_FORMAT=xml\nJWT_ALGORTIHM=RS256\n")
	_, err := load(t, dir, "PORT=eighty", "KEYSTONE_DEBUG=perhaps", "RATE_LIMIT_LOGIN=often", "DATABASE_URL=postgresql+asyncpg://u:p@h/d", "JWT_ALGORITHM=HS256", "KEYSTONE_X=1")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("not Problems: %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		"KEYSTONE_X (environment): is no setting",
		"JWT_ALGORTIHM (.env line 2): is no setting: did you mean JWT_ALGORITHM?",
		`KEYSTONE_DEBUG (environment): "perhaps" is neither true nor false; for example DEBUG=true`,
		`PORT (environment): "eighty" is not a whole number from 1 to 65535; for example PORT=8000`,
		`RATE_LIMIT_LOGIN (environment): "often" is not a rate`,
		`LOG_FORMAT (.env line 1): "xml" is not one of json, text; for example LOG_FORMAT=text`,
		"MASTER_KEY: is required with PostgreSQL",
		"JWT_SECRET_KEY: is required with JWT_ALGORITHM=HS256",
	}
	if len(lines) != len(want) || len(problems) != len(want) {
		t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("missing: %s\nin:\n%v", w, err)
		}
	}
}
