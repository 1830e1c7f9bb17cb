package config

import (
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"
)

// Config is every setting, checked. Tags:
//
//	env      name; KEYSTONE_ + name wins over it
//	group    heading in the documentation, for this field and those that follow
//	default  used when the setting is nowhere; auto says in words what else decides
//	unit     a whole number of this becomes a time.Duration
//	min max  bounds, in the unit
//	oneof    allowed values
//	help     what it does; example is a valid value, shown in error messages
type Config struct {
	AppName string `env:"APP_NAME" group:"Application" default:"Keystone" example:"Example Accounts" help:"Name shown to people: on pages, in the API documentation."`
	Debug   bool   `env:"DEBUG" default:"false" example:"true" help:"Serves interactive API documentation at /docs and /redoc, and profiles on the management listener."`

	DefaultLanguage string `env:"DEFAULT_LANGUAGE" group:"Pages" default:"en" example:"de" help:"Language of the pages where neither the application (ui_locales) nor the browser asks for one that there is: en, de, or one of TEMPLATE_DIR."`
	BrandLogo       string `env:"BRAND_LOGO" auto:"none" example:"/etc/keystone/logo.svg" help:"Picture beside the name on the pages, and their icon: .svg or .png, at most 256 KiB. Read at the start."`
	BrandColor      string `env:"BRAND_COLOR" auto:"Keystone's blue" example:"#8a2be2" help:"Colour of buttons and links. Where it would be hard to read it is made darker, on dark pages lighter (WCAG 2.2 AA)."`
	TemplateDir     string `env:"TEMPLATE_DIR" auto:"none" example:"/etc/keystone/pages" help:"Folder of pages (such as sign_in.html) and texts (such as fr.json) that take the place of Keystone's, read at the start. docs/BRANDING.md says what they get."`

	Host             string         `env:"HOST" group:"Listeners" default:"127.0.0.1" example:"0.0.0.0" help:"Address or host name to listen on."`
	Port             int            `env:"PORT" default:"8000" min:"1" max:"65535" example:"8000" help:"Port to listen on."`
	Issuer           string         `env:"ISSUER" auto:"http://HOST:PORT, https with TLS_CERT_FILE; only where HOST is loopback" example:"https://id.example.com" help:"Address under which clients reach Keystone, and the iss of every token. https, unless the host is loopback. No trailing slash, query or fragment."`
	TLSCertFile      string         `env:"TLS_CERT_FILE" example:"/etc/keystone/tls.crt" help:"Certificate chain in PEM, read again when it changes. Together with TLS_KEY_FILE."`
	TLSKeyFile       string         `env:"TLS_KEY_FILE" example:"/etc/keystone/tls.key" help:"Private key in PEM, read again when it changes."`
	TLSClientCerts   bool           `env:"TLS_CLIENT_CERTS" default:"false" example:"true" help:"Asks callers for a TLS client certificate (RFC 8705), with TLS_CERT_FILE; nobody has to have one. A browser that has one asks its user: keep that away from people with MTLS_URL."`
	ClientCertHeader string         `env:"CLIENT_CERT_HEADER" auto:"none" example:"Client-Cert" help:"Header in which proxies of TRUSTED_PROXIES pass on the client certificate that they were shown: as RFC 9440 writes it (Client-Cert, with Client-Cert-Chain), or as PEM escaped for an address (nginx: $ssl_client_escaped_cert). They must set it on every request, empty where there is none. From all others it is ignored."`
	ClientCAFile     string         `env:"CLIENT_CA_FILE" example:"/etc/keystone/client-ca.pem" help:"Certificate authorities in PEM whose certificates prove clients of tls_client_auth; read again when it changes. Without it only those of self_signed_tls_client_auth are served."`
	MTLSURL          string         `env:"MTLS_URL" auto:"ISSUER" example:"https://mtls.id.example.com" help:"Address under which clients with certificates reach Keystone, where it is another than ISSUER (mtls_endpoint_aliases of the metadata). With TLS_CLIENT_CERTS only callers of this host are asked for a certificate."`
	ManagementAddr   string         `env:"MANAGEMENT_ADDR" default:"127.0.0.1:8001" example:"127.0.0.1:8001" help:"Second listener: /metrics, /health, /ready, and profiles when DEBUG. Keep it away from the public."`
	MetricsPublic    bool           `env:"METRICS_PUBLIC" default:"false" example:"true" help:"Serves /metrics on the public listener too."`
	TrustedProxies   []netip.Prefix `env:"TRUSTED_PROXIES" example:"10.0.0.0/8,192.0.2.7" help:"Networks (CIDR) or addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. From all others these are ignored."`
	ShutdownTimeout  time.Duration  `env:"SHUTDOWN_TIMEOUT" default:"20s" min:"1s" max:"10m" example:"20s" help:"How long a stop waits for requests in flight."`

	DataDir             string `env:"DATA_DIR" group:"Storage" default:"./keystone-data" example:"/var/lib/keystone" help:"Folder for the SQLite database and the generated master key."`
	DatabaseURL         Secret `env:"DATABASE_URL" auto:"SQLite, keystone.db in DATA_DIR" example:"postgres://keystone:PASSWORD@db.example.com/keystone?sslmode=verify-full" help:"A path or sqlite: is SQLite: sqlite:///./x.db is relative, sqlite:////var/lib/x.db absolute; sqlite+aiosqlite: and sqlite+pysqlite: are the same. postgres:, postgresql: and postgresql+asyncpg: are PostgreSQL."`
	DatabasePoolSize    int    `env:"DATABASE_POOL_SIZE" default:"20" min:"1" max:"1000" example:"20" help:"Connections to PostgreSQL that are kept open; fewer than 4 count as 4."`
	DatabaseMaxOverflow int    `env:"DATABASE_MAX_OVERFLOW" default:"0" min:"0" max:"1000" example:"10" help:"Connections beyond the pool size while it is busy."`
	RedisURL            Secret `env:"REDIS_URL" auto:"none: limits are counted in memory, per node" example:"redis://cache.example.com:6379/0" help:"Redis or Valkey, shared by the nodes for rate limits. redis:, rediss: (TLS) or unix:."`
	RedisPassword       Secret `env:"REDIS_PASSWORD" example:"PASSWORD" help:"Password for REDIS_URL, where it is not in it."`
	MasterKey           Secret `env:"MASTER_KEY" auto:"with SQLite, generated into DATA_DIR/master.key" example:"$(openssl rand -base64 32)" help:"32 random bytes in base64: signing keys and other stored secrets are sealed under it, refresh tokens derived from it. Required with PostgreSQL, the same on every node. Keep a copy apart from the database."`

	JWTAlgorithm       string        `env:"JWT_ALGORITHM" group:"Tokens and keys" default:"ES256" oneof:"ES256|EdDSA|RS256|PS256|HS256" example:"ES256" help:"Signature of access tokens. HS256 only where issuer and verifier are one; it needs JWT_SECRET_KEY."`
	JWTSecretKey       Secret        `env:"JWT_SECRET_KEY" example:"$(openssl rand -base64 48)" help:"Key for HS256, 32 bytes or more. Not used by other algorithms."`
	AccessTokenExpire  time.Duration `env:"ACCESS_TOKEN_EXPIRE_MINUTES" unit:"1m" default:"15" min:"1" max:"1440" example:"15" help:"Life of an access token."`
	RefreshTokenExpire time.Duration `env:"REFRESH_TOKEN_EXPIRE_DAYS" unit:"24h" default:"30" min:"1" max:"3650" example:"30" help:"Life of an unused refresh token; each use starts it anew, up to the end of its session."`
	RefreshGrace       time.Duration `env:"REFRESH_GRACE_SECONDS" unit:"1s" default:"10" min:"0" max:"60" example:"10" help:"A refresh token used again within this time after its rotation gets the same successor, for clients that lost an answer. Later use revokes the family."`
	SessionIdle        time.Duration `env:"SESSION_IDLE_MINUTES" unit:"1m" default:"43200" min:"1" max:"5256000" example:"60" help:"A session ends after this time without use."`
	SessionIFrame      bool          `env:"SESSION_IFRAME" default:"false" example:"true" help:"Serve the frame by which an application sees without a request that a session has changed (OpenID Connect Session Management). It needs cookies in frames of other sites, which browsers give up; back-channel logout does not."`
	SessionMax         time.Duration `env:"SESSION_MAX_HOURS" unit:"1h" default:"2160" min:"1" max:"87600" example:"12" help:"A session ends after this time in any case."`
	KeyRotation        time.Duration `env:"KEY_ROTATION_DAYS" unit:"24h" default:"90" min:"1" max:"3650" example:"90" help:"A new signing key is made after this time. It is published before use, the old one until its last token has expired."`
	DPoPNonce          bool          `env:"DPOP_NONCE" default:"false" example:"true" help:"Every DPoP proof must carry a nonce of this server (RFC 9449 section 8); else only those of clients with dpop_nonce. Costs clients a second request now and then, and protects against proofs that were made in advance."`
	JWKSMaxAge         time.Duration `env:"JWKS_MAX_AGE_SECONDS" unit:"1s" default:"300" min:"1" max:"86400" example:"300" help:"How long verifiers may cache /oauth2/jwks; a new key is published at least that long before use."`

	AuthorizationDetailsFile string `env:"AUTHORIZATION_DETAILS_FILE" example:"/etc/keystone/authorization-details.json" help:"The types of authorization details that clients may ask people for (RFC 9396), as JSON: see OIDC.md. Without it there are none."`

	PasswordProfile          string `env:"PASSWORD_PROFILE" group:"Passwords" default:"modern" oneof:"modern|nist|seed" example:"modern" help:"modern: 12 characters or more, no composition, breached and common ones refused. nist: 15, or 8 where a second factor is enforced. seed: 8 and four kinds of characters, nothing else (common passwords, patterns and names are taken), for accounts moved from a system with that policy. The settings below override single rules."`
	PasswordMinLength        *int   `env:"PASSWORD_MIN_LENGTH" auto:"by PASSWORD_PROFILE" min:"8" max:"64" example:"12" help:"Fewest characters."`
	PasswordRequireUppercase *bool  `env:"PASSWORD_REQUIRE_UPPERCASE" auto:"by PASSWORD_PROFILE" example:"false" help:"An upper-case letter is required."`
	PasswordRequireLowercase *bool  `env:"PASSWORD_REQUIRE_LOWERCASE" auto:"by PASSWORD_PROFILE" example:"false" help:"A lower-case letter is required."`
	PasswordRequireDigits    *bool  `env:"PASSWORD_REQUIRE_DIGITS" auto:"by PASSWORD_PROFILE" example:"false" help:"A digit is required."`
	PasswordRequireSpecial   *bool  `env:"PASSWORD_REQUIRE_SPECIAL" auto:"by PASSWORD_PROFILE" example:"false" help:"A character that is neither letter nor digit is required."`
	HashSlots                int    `env:"HASH_SLOTS" auto:"number of CPUs" min:"1" max:"1024" example:"2" help:"Passwords hashed at the same time (argon2id), each with 19 MiB."`
	HashQueue                int    `env:"HASH_QUEUE" auto:"64 for each of HASH_SLOTS" min:"1" max:"100000" example:"128" help:"Passwords that may wait for a slot; beyond, 503 with Retry-After."`

	Registration           string `env:"REGISTRATION" group:"Accounts" default:"open" oneof:"open|verify|invite|closed" example:"closed" help:"Who may register: open is everybody, closed nobody. verify and invite need mail, which this release does not send."`
	BootstrapAdminUsername string `env:"BOOTSTRAP_ADMIN_USERNAME" example:"admin" help:"With the next two: makes this administrator at the first start, while there is none. All three or none."`
	BootstrapAdminEmail    string `env:"BOOTSTRAP_ADMIN_EMAIL" example:"admin@example.com" help:"E-mail address of that administrator."`
	BootstrapAdminPassword Secret `env:"BOOTSTRAP_ADMIN_PASSWORD" example:"PASSWORD" help:"Password of that administrator; the password rules apply."`

	ClientRegistration          string        `env:"CLIENT_REGISTRATION" group:"Clients that register themselves" default:"off" oneof:"off|token|open" example:"token" help:"Dynamic client registration (RFC 7591). token: for whoever holds an initial access token, which an administrator makes. open: for everybody, within the settings below."`
	ClientRegistrationScopes    []string      `env:"CLIENT_REGISTRATION_SCOPES" default:"openid,profile,email,offline_access" example:"openid,profile,tools:call" help:"What clients may ask for that registered without a token; never a scope of Keystone's own."`
	ClientRegistrationAudiences []string      `env:"CLIENT_REGISTRATION_AUDIENCES" auto:"none: Keystone itself only" example:"https://mcp.example.com" help:"Resources for which such clients may ask tokens."`
	ClientRegistrationMost      int           `env:"CLIENT_REGISTRATION_MOST" default:"1000" min:"1" max:"100000" example:"1000" help:"Such clients that have never got a token, in all; of one source a twentieth, at least five."`
	ClientRegistrationUnused    time.Duration `env:"CLIENT_REGISTRATION_UNUSED_DAYS" unit:"24h" default:"30" min:"1" max:"3650" example:"30" help:"Clients that registered themselves and have not got a token after this time are removed."`
	ClientIDMetadata            string        `env:"CLIENT_ID_METADATA" default:"off" oneof:"off|allow-list|consent" example:"allow-list" help:"Clients whose client_id is the https address of their metadata (draft-ietf-oauth-client-id-metadata-document), which Keystone fetches. allow-list: of the hosts in CLIENT_ID_METADATA_HOSTS. consent: of any public host, which people see when they are asked. CLIENT_REGISTRATION_SCOPES, _AUDIENCES, _MOST and _UNUSED_DAYS hold for them too."`
	ClientIDMetadataHosts       []string      `env:"CLIENT_ID_METADATA_HOSTS" auto:"none" example:"app.example.com,vscode.dev" help:"Hosts for CLIENT_ID_METADATA=allow-list, each whole and in lower case, without port."`
	SoftwareStatementIssuers    []string      `env:"SOFTWARE_STATEMENT_ISSUERS" auto:"none" example:"https://directory.example.com=https://directory.example.com/jwks.json" help:"Whose software statements (RFC 7591 section 2.3) are believed, each with the address of its keys: ISSUER=JWKS_URI. What they say goes over what the client says."`

	RateLimitLogin    Rate `env:"RATE_LIMIT_LOGIN" group:"Rate limits" default:"5/minute" example:"5/minute" help:"Sign-ins, per account and source and per source."`
	RateLimitGuesses  Rate `env:"RATE_LIMIT_GUESSES" default:"600/minute" example:"600/minute" help:"Wrong passwords, on all accounts from everywhere. Beyond it, whoever signs in where their account was not signed in before has to wait: that slows down a guess at every account from many addresses."`
	RateLimitRegister Rate `env:"RATE_LIMIT_REGISTER" default:"3/hour" example:"3/hour" help:"Registrations, per source; names and addresses that somebody tries to change to, per user."`
	RateLimitClients  Rate `env:"RATE_LIMIT_CLIENT_REGISTRATION" default:"20/hour" example:"20/hour" help:"Registrations of clients, and changes of registrations, per source."`
	RateLimitToken    Rate `env:"RATE_LIMIT_TOKEN" default:"30/minute" example:"30/minute" help:"Failed client authentications, per client and source and per source. Successful ones are not limited."`
	RateLimitPage     Rate `env:"RATE_LIMIT_PAGE" default:"1000/minute" example:"1000/minute" help:"Steps of sign-ins in the browser, per source: about six requests for each, and a whole office may share one address. Passwords have RATE_LIMIT_LOGIN."`
	PendingPerSource  int  `env:"PENDING_PER_SOURCE" default:"5000" min:"1" max:"10000000" example:"5000" help:"Sign-ins, pushed requests, device codes and requests to people who are somewhere else (CIBA) in progress that one source may start within their life (30 minutes, 90 seconds, 10 minutes, 10 minutes), each. A client that has proved itself may ten times as many."`
	PendingTotal      int  `env:"PENDING_TOTAL" default:"1000000" min:"1" max:"1000000000" example:"1000000" help:"The same for all sources together. It bounds what strangers can fill the database with."`
	RateLimitAPI      Rate `env:"RATE_LIMIT_API" default:"100/minute" example:"100/minute" help:"Calls of the JSON API, per actor; uses of a refresh token, per session and client."`

	OutboundAllow  []string `env:"OUTBOUND_ALLOW" group:"Requests to other servers" auto:"none: public addresses only" example:"idp.internal.example.com,10.20.0.0/16" help:"Host names, addresses and networks (CIDR) that Keystone may reach though they are not public, where a client or another server names them (jwks_uri and the like). https all the same."`
	OutboundCAFile string   `env:"OUTBOUND_CA_FILE" example:"/etc/keystone/internal-ca.pem" help:"Certificate authorities in PEM that are trusted for such requests, besides those of the system."`

	AllowedOrigins []string `env:"ALLOWED_ORIGINS" group:"Browsers of other origins (CORS)" auto:"none" example:"https://app.example.com,http://localhost:3000" help:"Origins whose scripts may read answers, each as the browser sends it. Never *. The origins of redirect URIs of spa clients may use the token endpoint and userinfo without being listed."`
	AllowedMethods []string `env:"ALLOWED_METHODS" default:"GET,POST,PUT,PATCH,DELETE" example:"GET,POST" help:"Methods such scripts may use; * stands for the default."`
	AllowedHeaders []string `env:"ALLOWED_HEADERS" default:"Accept,Accept-Language,Authorization,Content-Type,DPoP,If-Match,If-None-Match,X-Request-Id" example:"Authorization,Content-Type" help:"Headers such scripts may send; * stands for the default, never for all."`

	SMTPURL  Secret `env:"SMTP_URL" group:"Mail" example:"smtps://keystone:PASSWORD@mail.example.com:465" help:"Mail server. Accepted, but this release sends no mail."`
	MailFrom string `env:"MAIL_FROM" example:"Keystone <no-reply@example.com>" help:"Sender of mail. Accepted, but this release sends no mail."`

	LogLevel       slog.Level    `env:"LOG_LEVEL" group:"Observation" default:"info" oneof:"debug|info|warn|error" example:"info" help:"Least important entries that are logged."`
	LogFormat      string        `env:"LOG_FORMAT" default:"json" oneof:"json|text" example:"text" help:"json is one object a line, also on a terminal; text is for people."`
	OTLPEndpoint   string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT" auto:"none: no traces" example:"http://127.0.0.1:4318" help:"OpenTelemetry collector (OTLP over HTTP) for traces."`
	AuditRetention time.Duration `env:"AUDIT_RETENTION_DAYS" unit:"24h" default:"365" min:"1" max:"36500" example:"365" help:"Audit entries are removed after this time."`

	// Warnings say what works but should be known. They are logged at start.
	Warnings []string

	origins map[string]origin // by name; absent where the default holds
}

// origin is where a value was found.
type origin struct{ name, where, path string } // path: of the file that holds a secret

// Addr returns host and port of the public listener.
func (c *Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Aliases are addresses besides the issuer under which clients reach Keystone.
func (c *Config) Aliases() []string {
	if c.MTLSURL == "" {
		return nil
	}
	return []string{c.MTLSURL}
}

// TLS reports whether the public listener serves TLS itself.
func (c *Config) TLS() bool { return c.TLSCertFile != "" }

// Postgres reports whether the database is PostgreSQL.
func (c *Config) Postgres() bool { return isPostgres(c.DatabaseURL.Reveal()) }

// SQLitePath is the file of the database, where that is SQLite.
func (c *Config) SQLitePath() string { return c.DatabaseURL.Reveal() }

// MasterKeyFile is where the generated master key lives when MASTER_KEY is
// not set.
func (c *Config) MasterKeyFile() string { return filepath.Join(c.DataDir, "master.key") }
