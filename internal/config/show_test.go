package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// A canary in every secret; none may be seen, however a Config is printed.
func TestNothingPrintsSecrets(t *testing.T) {
	c := mustLoad(t,
		"DATABASE_URL=postgres://user:canary-db@db.example/keystone?sslmode=disable&sslpassword=canary-ssl",
		"REDIS_URL=redis://:canary-redis@cache:6379/0",
		"MASTER_KEY="+randomKey, "JWT_ALGORITHM=HS256", "JWT_SECRET_KEY=canary-jwt-0123456789-abcdefghijklmnop",
		"SMTP_URL=smtps://user:canary-smtp@mail:465",
		"BOOTSTRAP_ADMIN_USERNAME=root", "BOOTSTRAP_ADMIN_EMAIL=r@example.com", "BOOTSTRAP_ADMIN_PASSWORD=canary-admin-w0rd",
	)
	d := mustLoad(t, "REDIS_URL=redis://cache", "REDIS_PASSWORD=canary-redis-2", "DATABASE_URL=x.db?_key=canary-sqlite")
	seen := map[string]bool{}
	for _, f := range fields() {
		for _, config := range []*Config{c, d} {
			if s, ok := f.target(config).(*Secret); ok && strings.Contains(s.Reveal()+randomKey, "canary") {
				seen[f.name] = true
			}
		}
	}
	for _, f := range fields() {
		if f.secret && f.name != "MASTER_KEY" && !seen[f.name] {
			t.Errorf("%s has no canary: add one", f.name)
		}
	}

	var out bytes.Buffer
	for _, config := range []*Config{c, d} {
		holder := struct {
			Public  *Config
			Value   Config
			private Config
			secret  Secret
		}{config, *config, *config, config.MasterKey}
		for _, v := range []any{config, *config, holder, &holder, []*Config{config}, config.MasterKey, &config.JWTSecretKey, config.Redacted()} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(text)
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(h).Info("settings", "config", config, "value", *config, "holder", holder, "key", config.MasterKey)
		}
	}
	for _, canary := range []string{"canary", randomKey[:12], fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", randomKey[:8])} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("%q is shown", canary)
		}
	}
	for _, useful := range []string{"db.example", "cache:6379", "mail:465", "sslmode=disable", "JWT_SECRET_KEY=" + redacted} {
		if !strings.Contains(out.String(), useful) {
			t.Errorf("%q is not shown, though it is no secret", useful)
		}
	}
}

func TestRedacted(t *testing.T) {
	c := mustLoad(t, "KEYSTONE_PORT=9000", "ACCESS_TOKEN_EXPIRE_MINUTES=5", "PASSWORD_MIN_LENGTH=20", "PASSWORD_REQUIRE_DIGITS=1",
		"RATE_LIMIT_API=off", "TRUSTED_PROXIES=10.0.0.0/8", "LOG_LEVEL=warn", "DATABASE_URL=/var/lib/k.db")
	got := map[string]Setting{}
	for _, s := range c.Redacted() {
		got[s.Name] = s
		if s.Help == "" {
			t.Errorf("%s has no help", s.Name)
		}
	}
	for _, test := range []Setting{
		{Name: "PORT", Value: "9000", Source: "environment KEYSTONE_PORT", Default: "8000"},
		{Name: "HOST", Value: "127.0.0.1", Source: "default", Default: "127.0.0.1"},
		{Name: "ISSUER", Value: "http://127.0.0.1:9000", Source: "default", Default: "http://HOST:PORT, https with TLS_CERT_FILE; only where HOST is loopback"},
		{Name: "ACCESS_TOKEN_EXPIRE_MINUTES", Value: "5", Source: "environment ACCESS_TOKEN_EXPIRE_MINUTES", Default: "15"},
		{Name: "REFRESH_TOKEN_EXPIRE_DAYS", Value: "30", Source: "default", Default: "30"},
		{Name: "SHUTDOWN_TIMEOUT", Value: "20s", Source: "default", Default: "20s"},
		{Name: "PASSWORD_MIN_LENGTH", Value: "20", Source: "environment PASSWORD_MIN_LENGTH", Default: "by PASSWORD_PROFILE"},
		{Name: "PASSWORD_REQUIRE_DIGITS", Value: "true", Source: "environment PASSWORD_REQUIRE_DIGITS", Default: "by PASSWORD_PROFILE"},
		{Name: "PASSWORD_REQUIRE_SPECIAL", Value: "", Source: "default", Default: "by PASSWORD_PROFILE"},
		{Name: "RATE_LIMIT_API", Value: "off", Source: "environment RATE_LIMIT_API", Default: "100/minute"},
		{Name: "RATE_LIMIT_LOGIN", Value: "5/minute", Source: "default", Default: "5/minute"},
		{Name: "TRUSTED_PROXIES", Value: "10.0.0.0/8", Source: "environment TRUSTED_PROXIES"},
		{Name: "LOG_LEVEL", Value: "warn", Source: "environment LOG_LEVEL", Default: "info"},
		{Name: "METRICS_PUBLIC", Value: "false", Source: "default", Default: "false"},
		{Name: "DATABASE_URL", Value: "/var/lib/k.db", Source: "environment DATABASE_URL", Default: "SQLite, keystone.db in DATA_DIR", Secret: true},
		{Name: "MASTER_KEY", Value: "", Source: "default", Default: "with SQLite, generated into DATA_DIR/master.key", Secret: true},
	} {
		s := got[test.Name]
		s.Help = ""
		if s != test {
			t.Errorf("got %+v, want %+v", s, test)
		}
	}
}

// Every exported field is a setting, every setting is complete, and every
// default and example passes its own parser.
func TestTags(t *testing.T) {
	list := fields()
	exported := 0
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.IsExported() && f.Name != "Warnings" {
			exported++
		}
	}
	if exported != len(list) {
		t.Errorf("%d exported fields, %d settings: a tag is missing", exported, len(list))
	}
	seen := map[string]bool{}
	for _, f := range list {
		if seen[f.name] || strings.ToUpper(f.name) != f.name || strings.HasPrefix(f.name, prefix) {
			t.Errorf("%s: twice, or not in upper case, or with %s", f.name, prefix)
		}
		seen[f.name] = true
		if f.help == "" || f.example == "" || f.group == "" || !strings.HasSuffix(f.help, ".") {
			t.Errorf("%s: help (a sentence), example or group is missing", f.name)
		}
		for _, text := range []string{f.def, f.example} {
			var c Config
			if text == "" {
				continue
			}
			if err := f.set(&c, text); err != nil {
				t.Errorf("%s: %q: %v", f.name, text, err)
			}
			if back := f.text(&c); !f.secret && back != text && !strings.Contains(f.name, "PROXIES") {
				t.Errorf("%s: %q is shown as %q", f.name, text, back)
			}
		}
	}
	for _, name := range strings.Fields(contract) {
		if !seen[name] {
			t.Errorf("%s is promised and missing", name)
		}
	}
}

// The names that clients and operators may rely on.
const contract = `APP_NAME DEBUG HOST PORT DATABASE_URL DATABASE_POOL_SIZE DATABASE_MAX_OVERFLOW REDIS_URL REDIS_PASSWORD JWT_ALGORITHM
JWT_SECRET_KEY ACCESS_TOKEN_EXPIRE_MINUTES REFRESH_TOKEN_EXPIRE_DAYS PASSWORD_MIN_LENGTH PASSWORD_REQUIRE_UPPERCASE
PASSWORD_REQUIRE_LOWERCASE PASSWORD_REQUIRE_DIGITS PASSWORD_REQUIRE_SPECIAL RATE_LIMIT_LOGIN RATE_LIMIT_REGISTER RATE_LIMIT_API
ALLOWED_ORIGINS ALLOWED_METHODS ALLOWED_HEADERS ISSUER DATA_DIR MASTER_KEY MANAGEMENT_ADDR METRICS_PUBLIC TRUSTED_PROXIES
REGISTRATION PASSWORD_PROFILE REFRESH_GRACE_SECONDS SESSION_IDLE_MINUTES SESSION_MAX_HOURS HASH_SLOTS SMTP_URL MAIL_FROM LOG_LEVEL
LOG_FORMAT TLS_CERT_FILE TLS_KEY_FILE BOOTSTRAP_ADMIN_USERNAME BOOTSTRAP_ADMIN_EMAIL BOOTSTRAP_ADMIN_PASSWORD
OTEL_EXPORTER_OTLP_ENDPOINT SHUTDOWN_TIMEOUT KEY_ROTATION_DAYS JWKS_MAX_AGE_SECONDS AUDIT_RETENTION_DAYS HASH_QUEUE RATE_LIMIT_TOKEN RATE_LIMIT_PAGE`
