package config

import (
	"reflect"
	"strings"
	"testing"
)

const pg = "DATABASE_URL=postgres://u:p@db/keystone MASTER_KEY=" + randomKey

// Each line: settings, then a part of what is said about them. Empty: accepted.
func TestChecks(t *testing.T) {
	for _, test := range []struct{ env, want string }{
		// ISSUER: RFC 8414 section 2
		{"ISSUER=https://id.example.com", ""},
		{"ISSUER=https://id.example.com:8443/auth/v1", ""},
		{"ISSUER=http://localhost:8000", ""},
		{"ISSUER=http://127.0.0.2", ""},
		{"ISSUER=http://[::1]:8000", ""},
		{"ISSUER=http://id.example.com", "must be https"},
		{"ISSUER=http://localhost.example.com", "must be https"},
		{"ISSUER=http://127.0.0.1.example.com", "must be https"},
		{"ISSUER=http://10.0.0.1", "must be https"},
		{"ISSUER=https://id.example.com/", "ends with a slash"},
		{"ISSUER=https://id.example.com/a/", "ends with a slash"},
		{"ISSUER=https://id.example.com?", "has a query"},
		{"ISSUER=https://id.example.com/?x=1", "has a query"},
		{"ISSUER=https://id.example.com#", "has a fragment"},
		{"ISSUER=https://id.example.com#f", "has a fragment"},
		{"ISSUER=https://user:hunter2@id.example.com", "has a user name"},
		{"ISSUER=https://id.example.com/a//b", "empty, dot or escaped"},
		{"ISSUER=https://id.example.com/a/../b", "empty, dot or escaped"},
		{"ISSUER=https://id.example.com/a%2fb", "empty, dot or escaped"},
		{"ISSUER=https://id.example.com:443", "leave it away"},
		{"ISSUER=http://localhost:80", "leave it away"},
		{"ISSUER=https://ID.example.com", "lower case"},
		{"ISSUER=HTTPS://id.example.com", "lower case"},
		{"ISSUER=https://idé.example.com", "ASCII"},
		{"ISSUER=id.example.com", "does not start with https"},
		{"ISSUER=https:id.example.com", "needs //"},
		{"ISSUER=https://", "has no host"},
		{"ISSUER=https://:8000", "has no host"},
		{"ISSUER=https://id.example.com:", "has a port"},
		{"ISSUER=https://id.example.com:99999", "has a port"},
		{"ISSUER=ftp://id.example.com", "does not start with"},
		{"HOST=0.0.0.0", "ISSUER: is required when HOST is not a loopback address"},
		{"HOST=id.example.com", "ISSUER: is required"},
		{"HOST=0.0.0.0 ISSUER=https://id.example.com", ""},

		// listeners
		{"HOST=::1", ""},
		{"HOST=localhost", ""},
		{"HOST=127.0.0.1:8000", "the port goes into PORT"},
		{"HOST=[::1]", "neither an address"},
		{"HOST=a/b", "neither an address"},
		{"PORT=0", "from 1 to 65535"}, {"PORT=65536", "from 1 to 65535"}, {"PORT=-1", "from 1"}, {"PORT=8e3", "whole number"}, {"PORT=tcp://10.0.0.1:8000", "whole number"},
		{"TLS_CERT_FILE=/c", "TLS_KEY_FILE: is missing"},
		{"TLS_KEY_FILE=/k", "TLS_CERT_FILE: is missing"},
		{"TLS_CERT_FILE=/c TLS_KEY_FILE=/k", ""},
		{"MANAGEMENT_ADDR=:8001", ""}, {"MANAGEMENT_ADDR=0.0.0.0:0", ""}, {"MANAGEMENT_ADDR=[::1]:9000", ""},
		{"MANAGEMENT_ADDR=8001", "is not host:port"}, {"MANAGEMENT_ADDR=localhost", "is not host:port"}, {"MANAGEMENT_ADDR=localhost:http", "is not host:port"},
		{"MANAGEMENT_ADDR=127.0.0.1:8000", "public listener"}, {"MANAGEMENT_ADDR=:8000", "public listener"},
		{"MANAGEMENT_ADDR=127.0.0.1:8000 HOST=0.0.0.0 ISSUER=http://localhost", "public listener"},
		{"TLS_CLIENT_CERTS=true", "needs TLS_CERT_FILE"},
		{"TLS_CLIENT_CERTS=true TLS_CERT_FILE=/c TLS_KEY_FILE=/k CLIENT_CA_FILE=/ca MTLS_URL=https://mtls.example.com", ""},
		{"CLIENT_CERT_HEADER=Client-Cert", "needs TRUSTED_PROXIES"},
		{"CLIENT_CERT_HEADER=x-ssl-cert TRUSTED_PROXIES=10.0.0.1", ""},
		{"CLIENT_CERT_HEADER=client_cert TRUSTED_PROXIES=10.0.0.1", "letters, digits and hyphens"},
		{"CLIENT_CERT_HEADER=x-forwarded-for TRUSTED_PROXIES=10.0.0.1", "means something else"},
		{"CLIENT_CERT_HEADER=dpop TRUSTED_PROXIES=10.0.0.1", "means something else"},
		{"CLIENT_CERT_HEADER=sec-fetch-site TRUSTED_PROXIES=10.0.0.1", "means something else"},
		{"CLIENT_CA_FILE=/ca", "is not used without"},
		{"MTLS_URL=https://mtls.example.com", "is not used without"},
		{"MTLS_URL=http://localhost CLIENT_CERT_HEADER=Client-Cert TRUSTED_PROXIES=10.0.0.1", "must be https"},
		{"MTLS_URL=https://mtls.example.com/ CLIENT_CERT_HEADER=Client-Cert TRUSTED_PROXIES=10.0.0.1", "ends with a slash"},
		{"MTLS_URL=https://id.example.com ISSUER=https://id.example.com CLIENT_CERT_HEADER=Client-Cert TRUSTED_PROXIES=10.0.0.1", "is the ISSUER"},
		{"TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7,2001:db8::/32", ""},
		{`TRUSTED_PROXIES=["10.1.2.3/8"]`, ""},
		{"TRUSTED_PROXIES=10.0.0.0/33", "neither a network"}, {"TRUSTED_PROXIES=proxy.example.com", "neither a network"}, {"TRUSTED_PROXIES=fe80::1%eth0", "neither a network"},
		{"TRUSTED_PROXIES=0.0.0.0/0", "believe everybody"}, {"TRUSTED_PROXIES=::/0", "believe everybody"},
		{"TRUSTED_PROXIES=::ffff:10.0.0.1", "IPv4 network"}, {"TRUSTED_PROXIES=10.0.0.0/8,", "empty entry"},
		{"SHUTDOWN_TIMEOUT=1m30s", ""}, {"SHUTDOWN_TIMEOUT=20", "with its unit"}, {"SHUTDOWN_TIMEOUT=0s", "from 1s to 10m"}, {"SHUTDOWN_TIMEOUT=11m", "from 1s to 10m"},

		// storage
		{pg, ""},
		{"DATABASE_URL=postgresql+asyncpg://u:p@db/keystone MASTER_KEY=" + randomKey, ""},
		{"DATABASE_URL=postgres:///keystone?host=/run/postgresql MASTER_KEY=" + randomKey, ""},
		{"DATABASE_URL=postgres://u:p@db/keystone", "MASTER_KEY: is required with PostgreSQL"},
		{"DATABASE_URL=postgres://u:hunter2/3@db/keystone MASTER_KEY=" + randomKey, "must be written as %40"},
		{"DATABASE_URL=postgres://db MASTER_KEY=" + randomKey, "names no database"},
		{"DATABASE_URL=postgres:keystone MASTER_KEY=" + randomKey, "has no host"},
		{"DATABASE_URL=mysql://u:hunter2@db/keystone", "unknown scheme"},
		{"DATABASE_URL=host=db,password=hunter2", "not a URL"},
		{"DATABASE_URL=sqlite:x.db", ""}, {"DATABASE_URL=./x.db", ""}, {"DATABASE_URL=/var/x.db", ""}, {"DATABASE_URL=file:x.db?mode=rw", "write the path alone"},
		{"DATABASE_URL=sqlite+aiosqlite:///./x.db", ""}, {"DATABASE_URL=sqlite+pysqlcipher:///./x.db", "unknown scheme"}, {"DATABASE_URL=SQLITE:x.db", "unknown scheme"},
		{"DATABASE_URL=sqlite:", "in memory"}, {"DATABASE_URL=sqlite://", "in memory"}, {"DATABASE_URL=sqlite:///", "in memory"}, {"DATABASE_URL=sqlite:///:memory:", "in memory"}, {"DATABASE_URL=:memory:", "in memory"},
		{"DATABASE_URL=sqlite:///./data/", "names a folder"}, {"DATABASE_URL=sqlite:////", "names a folder"}, {"DATABASE_URL=sqlite:///./x.db?check_same_thread=false", "has a query"},
		{"MASTER_KEY=" + randomKey, ""}, {"MASTER_KEY=" + strings.TrimRight(randomKey, "="), ""},
		{"MASTER_KEY=hunter2hunter2", "is not 32 bytes"}, {"MASTER_KEY=" + randomKey[:40], "is not 32 bytes"}, {"MASTER_KEY=" + strings.Repeat("A", 43), "pattern"},
		{"DATABASE_POOL_SIZE=0", "from 1 to 1000"}, {"DATABASE_MAX_OVERFLOW=-1", "from 0"},
		{"REDIS_URL=redis://cache:6379/0", ""}, {"REDIS_URL=rediss://user:pw@cache", ""}, {"REDIS_URL=unix:///run/redis.sock", ""}, {"REDIS_URL=redis://cache REDIS_PASSWORD=wJ5-kq", ""},
		{"REDIS_URL=cache:6379", "does not start with redis"}, {"REDIS_URL=redis://cache/db", "number of a database"}, {"REDIS_URL=redis://", "has no host"}, {"REDIS_URL=unix:", "names no socket"},
		{"REDIS_PASSWORD=wJ5-kq", "REDIS_URL: is missing"}, {"REDIS_URL=redis://:hunter2@c REDIS_PASSWORD=hunter2", "keep one of the two"}, {"REDIS_URL=redis://c REDIS_PASSWORD=changeme", "example"},

		// tokens
		{"JWT_ALGORITHM=EdDSA", ""}, {"JWT_ALGORITHM=RS256", ""}, {"JWT_ALGORITHM=PS256", ""},
		{"JWT_ALGORITHM=es256", "not one of"}, {"JWT_ALGORITHM=none", "not one of"}, {"JWT_ALGORITHM=HS512", "not one of"},
		{"JWT_ALGORITHM=HS256", "JWT_SECRET_KEY: is required"},
		{"JWT_ALGORITHM=HS256 JWT_SECRET_KEY=" + randomKey, ""},
		{"JWT_ALGORITHM=HS256 JWT_SECRET_KEY=" + randomKey[:31], "31 bytes"},
		{"JWT_ALGORITHM=HS256 JWT_SECRET_KEY=your-secret-key-change-this-in-production", "example or a pattern"},
		{"JWT_ALGORITHM=HS256 JWT_SECRET_KEY=" + strings.Repeat("ab", 20), "example or a pattern"},
		{"ACCESS_TOKEN_EXPIRE_MINUTES=0", "from 1"}, {"ACCESS_TOKEN_EXPIRE_MINUTES=15m", "whole number"},
		{"REFRESH_GRACE_SECONDS=0", ""}, {"REFRESH_GRACE_SECONDS=60", ""}, {"REFRESH_GRACE_SECONDS=61", "from 0 to 60"},
		{"SESSION_IDLE_MINUTES=61 SESSION_MAX_HOURS=1", "longer than SESSION_MAX_HOURS"}, {"SESSION_IDLE_MINUTES=60 SESSION_MAX_HOURS=1", ""},
		{"KEY_ROTATION_DAYS=1 JWKS_MAX_AGE_SECONDS=86400", "would miss keys"},

		// passwords, accounts
		{"PASSWORD_PROFILE=strong", "not one of modern"}, {"PASSWORD_MIN_LENGTH=7", "from 8 to 64"}, {"PASSWORD_REQUIRE_DIGITS=2", "neither true nor false"},
		{"HASH_SLOTS=0", "from 1"}, {"HASH_QUEUE=0", "from 1"},
		{"REGISTRATION=closed", ""}, {"REGISTRATION=verify", "needs mail"}, {"REGISTRATION=invite", "needs mail"}, {"REGISTRATION=on", "not one of open"},
		{"BOOTSTRAP_ADMIN_USERNAME=root BOOTSTRAP_ADMIN_EMAIL=r@example.com BOOTSTRAP_ADMIN_PASSWORD=wJ5-kq-long-enough", ""},
		{"BOOTSTRAP_ADMIN_USERNAME=root BOOTSTRAP_ADMIN_EMAIL=r@example.com", "BOOTSTRAP_ADMIN_PASSWORD: is missing"},
		{"BOOTSTRAP_ADMIN_EMAIL=r@example.com BOOTSTRAP_ADMIN_PASSWORD=wJ5-kq-long-enough", "BOOTSTRAP_ADMIN_USERNAME: is missing"},
		{"BOOTSTRAP_ADMIN_USERNAME=root BOOTSTRAP_ADMIN_EMAIL=r@example.com BOOTSTRAP_ADMIN_PASSWORD=Password", "everybody tries first"},
		{"BOOTSTRAP_ADMIN_USERNAME=root BOOTSTRAP_ADMIN_EMAIL=R<r@example.com> BOOTSTRAP_ADMIN_PASSWORD=wJ5-kq-long-enough", "not an e-mail address"},

		// rates
		{"RATE_LIMIT_LOGIN=1/second", ""}, {"RATE_LIMIT_API=1000000/day", ""}, {"RATE_LIMIT_TOKEN=off", ""},
		{"RATE_LIMIT_LOGIN=5", "is not a rate"}, {"RATE_LIMIT_LOGIN=0/minute", "is not a rate"}, {"RATE_LIMIT_LOGIN=5/minutes", "is not a rate"},
		{"RATE_LIMIT_LOGIN=5/", "is not a rate"}, {"RATE_LIMIT_LOGIN=-1/day", "is not a rate"}, {"RATE_LIMIT_LOGIN=1000001/day", "is not a rate"}, {"RATE_LIMIT_LOGIN=OFF", "is not a rate"},

		// CORS
		{"ALLOWED_ORIGINS=https://a.example,http://localhost:3000", ""}, {`ALLOWED_ORIGINS=["https://a.example"]`, ""}, {"ALLOWED_ORIGINS=[]", ""}, {"ALLOWED_ORIGINS=http://[::1]:3000", ""},
		{"ALLOWED_ORIGINS=*", "name the origins"}, {"ALLOWED_ORIGINS=null", "name the origins"}, {`ALLOWED_ORIGINS=["*"]`, "name the origins"},
		{"ALLOWED_ORIGINS=https://*.example.com", "wildcard"}, {"ALLOWED_ORIGINS=https://a.example/", "is not an origin"}, {"ALLOWED_ORIGINS=https://a.example/x", "is not an origin"},
		{"ALLOWED_ORIGINS=a.example", "does not start with"}, {"ALLOWED_ORIGINS=https://u@a.example", "is not an origin"}, {"ALLOWED_ORIGINS=https://ä.example", "xn--"},
		{`ALLOWED_ORIGINS=["https://a.example"`, "not a list of strings"}, {`ALLOWED_ORIGINS=["https://a.example"]x`, "not a list of strings"}, {`ALLOWED_ORIGINS=[1]`, "not a list of strings"},
		{"ALLOWED_METHODS=get,POST", ""}, {"ALLOWED_METHODS=TRACE", "not one of"}, {"ALLOWED_METHODS=GET,,POST", "empty entry"},
		{"ALLOWED_HEADERS=X-A,X-B", ""}, {"ALLOWED_HEADERS=X-A:", "not the name of a header"},

		// the rest
		{"SMTP_URL=smtps://u:p@mail:465", ""}, {"SMTP_URL=http://mail", "does not start with smtp"}, {"SMTP_URL=smtp://mail/x", "has a path"},
		{"MAIL_FROM=a@example.com", ""}, {"MAIL_FROM=nobody", "not an e-mail address"},
		{"LOG_LEVEL=debug", ""}, {"LOG_LEVEL=trace", "not one of"}, {"LOG_FORMAT=text", ""},
		{"OUTBOUND_ALLOW=idp.internal.example.com,10.20.0.0/16,127.0.0.1,fd00::/8", ""}, {"OUTBOUND_ALLOW=0.0.0.0/0", "let everybody in"}, {"OUTBOUND_ALLOW=*.example.com", "neither a host name"},
		{"OUTBOUND_ALLOW=idp.example.com:8443", "neither a host name"}, {"OUTBOUND_ALLOW=2130706433", "neither a host name"}, {"OUTBOUND_ALLOW=::ffff:10.0.0.0/104", "as an IPv4 network"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", ""}, {"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318", "not a URL"}, {"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:hunter2@h", "user name"},
		{"APP_NAME=" + strings.Repeat("ä", 101), "longer than 100"}, {"APP_NAME=a\x00b", "control characters"}, {"APP_NAME=a\xffb", "control characters"},
		{"DEBUG=ON", ""}, {"DEBUG=*", "neither true nor false"},
	} {
		_, err := load(t, "", strings.Split(test.env, " ")...)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.env, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", test.env, err, test.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error repeats a secret: %v", test.env, err)
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: one mistake, several problems: %v", test.env, err)
		case err != nil && !strings.Contains(err.Error(), "; for example "):
			t.Errorf("%s: no example: %v", test.env, err)
		}
	}
}

func TestDerived(t *testing.T) {
	for _, test := range []struct {
		env  string
		got  func(c *Config) any
		want any
	}{
		{"PORT=9000", func(c *Config) any { return c.Issuer }, "http://127.0.0.1:9000"},
		{"HOST=::1", func(c *Config) any { return c.Issuer }, "http://[::1]:8000"},
		{"HOST=::1 PORT=80", func(c *Config) any { return c.Issuer }, "http://[::1]"},
		{"HOST=localhost PORT=443 TLS_CERT_FILE=c TLS_KEY_FILE=k", func(c *Config) any { return c.Issuer }, "https://localhost"},
		{"HOST=::1", func(c *Config) any { return c.Addr() }, "[::1]:8000"},
		{"DATA_DIR=/d", func(c *Config) any { return c.DatabaseURL.Reveal() + " " + c.MasterKeyFile() }, "/d/keystone.db /d/master.key"},
		{"DATABASE_URL=postgresql+asyncpg://u:p@db/k?x=1 MASTER_KEY=" + randomKey, func(c *Config) any { return c.DatabaseURL.Reveal() }, "postgresql://u:p@db/k?x=1"},
		{pg, func(c *Config) any { return c.Postgres() }, true},
		{"HASH_SLOTS=3", func(c *Config) any { return c.HashQueue }, 192},
		{"HASH_SLOTS=3 HASH_QUEUE=7", func(c *Config) any { return c.HashQueue }, 7},
		{"PASSWORD_MIN_LENGTH=20", func(c *Config) any { return *c.PasswordMinLength }, 20},
		{"PASSWORD_REQUIRE_SPECIAL=no", func(c *Config) any { return *c.PasswordRequireSpecial }, false},
		{"RATE_LIMIT_API=off", func(c *Config) any { return c.RateLimitAPI }, Rate{}},
		{"TRUSTED_PROXIES=10.1.2.3/8,192.0.2.7", func(c *Config) any { return c.TrustedProxies[0].String() + " " + c.TrustedProxies[1].String() }, "10.0.0.0/8 192.0.2.7/32"},
		{`ALLOWED_ORIGINS=["https://B.example:443","http://localhost:80","https://b.example","http://[::1]:3000"]`, func(c *Config) any { return c.AllowedOrigins },
			[]string{"http://[::1]:3000", "http://localhost", "https://b.example"}},
		{"ALLOWED_HEADERS=* ALLOWED_METHODS=*", func(c *Config) any {
			d := mustLoad(t)
			return reflect.DeepEqual(c.AllowedHeaders, d.AllowedHeaders) && reflect.DeepEqual(c.AllowedMethods, d.AllowedMethods)
		}, true},
		{`ALLOWED_HEADERS=["*"] ALLOWED_METHODS=["GET"]`, func(c *Config) any { return strings.Join(c.AllowedMethods, "") + c.AllowedHeaders[0] }, "GETAccept"},
	} {
		c := mustLoad(t, strings.Split(test.env, " ")...)
		if got := test.got(c); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.env, got, test.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct{ env, want string }{
		{"DEBUG=true", "/docs"}, {"METRICS_PUBLIC=true", "metrics"}, {"JWT_SECRET_KEY=" + randomKey, "not used"},
		{"SMTP_URL=smtp://mail", "no mail"}, {pg, "REDIS_URL is not set"}, {"RATE_LIMIT_LOGIN=off", "guessing"},
		{"ALLOWED_ORIGINS=http://app.example.com", "without TLS"},
	} {
		c := mustLoad(t, strings.Split(test.env, " ")...)
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], test.want) {
			t.Errorf("%s: warnings %q, want one with %q", test.env, c.Warnings, test.want)
		}
	}
	if c := mustLoad(t, strings.Split(pg+" REDIS_URL=redis://c ALLOWED_ORIGINS=http://localhost:3000", " ")...); len(c.Warnings) != 0 {
		t.Errorf("nothing to warn about, but: %q", c.Warnings)
	}
}
