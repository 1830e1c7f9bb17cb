package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// parseURL reads an absolute URL with a host and one of the schemes. What is
// wrong comes back in words that repeat nothing, since URLs hold passwords.
func parseURL(s string, schemes ...string) (*url.URL, string) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, "is not a URL"
	}
	known := false
	for _, scheme := range schemes {
		known = known || u.Scheme == scheme
	}
	switch {
	case !known:
		return nil, "does not start with " + strings.Join(schemes, ": or ") + ":"
	case u.Opaque != "":
		return nil, "needs // after " + u.Scheme + ":"
	case u.Hostname() == "":
		return nil, "has no host"
	case u.Port() != "" && !isPort(u.Port(), 1) || strings.HasSuffix(u.Host, ":"):
		return nil, "has a port that is not a number from 1 to 65535"
	}
	return u, ""
}

func isPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535 && s == strconv.Itoa(n)
}

// isLoopback reports whether a host name or address can only be this machine
// (RFC 6761 section 6.3 for localhost).
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostName.MatchString(s)
}

func (l *loading) checkListeners() {
	if !isHost(l.Host) && !l.bad["HOST"] {
		l.refuse("HOST", "is neither an address nor a host name; the port goes into PORT")
	}
	if (l.TLSCertFile == "") != (l.TLSKeyFile == "") && !l.bad["TLS_CERT_FILE"] && !l.bad["TLS_KEY_FILE"] {
		missing := "TLS_CERT_FILE"
		if l.TLSKeyFile == "" {
			missing = "TLS_KEY_FILE"
		}
		l.refuse(missing, "is missing: certificate and key belong together")
	}
	host, port, err := net.SplitHostPort(l.ManagementAddr)
	switch {
	case l.bad["MANAGEMENT_ADDR"]:
	case err != nil || host != "" && !isHost(host) || !isPort(port, 0):
		l.refuse("MANAGEMENT_ADDR", "is not host:port")
	case port == strconv.Itoa(l.Port) && (host == l.Host || host == "" || isUnspecified(host) || isUnspecified(l.Host)):
		l.refuse("MANAGEMENT_ADDR", "is the address of the public listener")
	}
	if !l.bad["ISSUER"] && (l.Issuer != "" || !l.bad["HOST"] && !l.bad["PORT"]) { // one that is left out follows from the two
		l.checkIssuer()
	}
	if l.MetricsPublic {
		l.warn("METRICS_PUBLIC is on: everybody who reaches Keystone reads its metrics.")
	}
}

func isUnspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsUnspecified()
}

// checkIssuer holds RFC 8414 section 2 (https, no query, no fragment), and one
// spelling only: verifiers compare the iss of a token byte by byte.
func (l *loading) checkIssuer() {
	if l.Issuer == "" {
		if !isLoopback(l.Host) {
			l.refuse("ISSUER", "is required when HOST is not a loopback address: clients must know where Keystone is (to try it on this machine alone, ISSUER=http://localhost:"+strconv.Itoa(l.Port)+")")
			return
		}
		scheme, plain := "http", 80
		if l.TLS() {
			scheme, plain = "https", 443
		}
		host := strings.ToLower(l.Host)
		switch {
		case l.Port != plain:
			host = net.JoinHostPort(host, strconv.Itoa(l.Port))
		case strings.Contains(host, ":"):
			host = "[" + host + "]"
		}
		l.Issuer = scheme + "://" + host
		return
	}
	if problem := baseProblem(l.Issuer); problem != "" {
		l.refuse("ISSUER", problem)
	}
}

// baseProblem says what is wrong with an address under which clients reach
// Keystone, or "".
func baseProblem(address string) string {
	u, problem := parseURL(address, "https", "http")
	switch {
	case problem != "":
	case u.User != nil:
		problem = "has a user name"
	case strings.Contains(address, "?"):
		problem = "has a query"
	case strings.Contains(address, "#"):
		problem = "has a fragment"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		problem = "must be https: only a loopback host may go without"
	case strings.HasSuffix(u.Path, "/"):
		problem = "ends with a slash: leave it away"
	case u.Path != "" && path.Clean(u.Path) != u.Path || strings.ContainsAny(address, "%{}"):
		problem = "has a path with empty, dot or escaped parts, or with braces"
	case u.Port() == "443" && u.Scheme == "https" || u.Port() == "80" && u.Scheme == "http":
		problem = "names the port that its scheme implies: leave it away"
	case !isASCII(address) || address != u.Scheme+"://"+strings.ToLower(u.Host)+u.Path:
		problem = "must be ASCII, with scheme and host in lower case"
	}
	return problem
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

var (
	urlScheme  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)
	postgresDB = regexp.MustCompile(`^(postgres|postgresql|postgresql\+asyncpg):`)
)

func isPostgres(databaseURL string) bool { return postgresDB.MatchString(databaseURL) }

// checkDatabaseURL also rewrites what SQLAlchemy calls a database to what PostgreSQL calls it, or to the path of the file: nobody else reads it.
func (l *loading) checkDatabaseURL() {
	s := l.DatabaseURL.Reveal()
	switch {
	case l.bad["DATABASE_URL"]:
	case isPostgres(s):
		s = strings.Replace(s, "postgresql+asyncpg:", "postgresql:", 1)
		u, err := url.Parse(s)
		switch {
		case err != nil:
			l.refuse("DATABASE_URL", "is not a URL: characters such as @ / # in the password must be written as %40 %2F %23")
		case u.Opaque != "" || u.Hostname() == "" && u.Query().Get("host") == "":
			l.refuse("DATABASE_URL", "has no host")
		case strings.Trim(u.Path, "/") == "" && u.Query().Get("dbname") == "":
			l.refuse("DATABASE_URL", "names no database after the host")
		default:
			l.DatabaseURL = NewSecret(s)
		}
		if !l.RedisURL.IsSet() {
			l.warn("REDIS_URL is not set: with several nodes each counts its rate limits alone.")
		}
	case sqliteScheme.MatchString(s):
		path, problem := sqliteFile(s)
		if problem != "" {
			l.refuse("DATABASE_URL", problem)
			return
		}
		l.DatabaseURL = NewSecret(path)
	case s == ":memory:":
		l.refuse("DATABASE_URL", inMemory)
	case strings.HasPrefix(s, "file:"):
		l.refuse("DATABASE_URL", "is a file: URL: write the path alone, such as ./keystone.db or /var/lib/keystone/keystone.db")
	case urlScheme.MatchString(s):
		l.refuse("DATABASE_URL", "has an unknown scheme: a path or sqlite: is SQLite, postgres: is PostgreSQL")
	case strings.Contains(s, "host=") || strings.Contains(s, "dbname="):
		l.refuse("DATABASE_URL", "is a list of words, not a URL")
	}
}

func (l *loading) checkRedis() {
	if l.RedisPassword.IsSet() && !l.RedisURL.IsSet() && !l.bad["REDIS_URL"] {
		l.refuse("REDIS_URL", "is missing, but REDIS_PASSWORD is set")
	}
	if p := l.RedisPassword.Reveal(); p != "" && isExample(p) {
		l.refuse("REDIS_PASSWORD", "is an example that everybody tries first")
	}
	if !l.given("REDIS_URL") {
		return
	}
	s := l.RedisURL.Reveal()
	var user *url.Userinfo
	if strings.HasPrefix(s, "unix:") {
		u, err := url.Parse(s)
		if err != nil || u.Path == "" {
			l.refuse("REDIS_URL", "names no socket after unix://")
			return
		}
		user = u.User
	} else {
		u, problem := parseURL(s, "redis", "rediss", "unix")
		if problem == "" && u.Path != "" && u.Path != "/" && !isPort(u.Path[1:], 0) {
			problem = "has a path that is not the number of a database"
		}
		if problem != "" {
			l.refuse("REDIS_URL", problem)
			return
		}
		user = u.User
	}
	if _, has := user.Password(); has && l.RedisPassword.IsSet() {
		l.refuse("REDIS_PASSWORD", "is set, and REDIS_URL has a password too: keep one of the two")
	}
}

func (l *loading) checkEndpoint() {
	if !l.given("OTEL_EXPORTER_OTLP_ENDPOINT") {
		return
	}
	u, problem := parseURL(l.OTLPEndpoint, "http", "https")
	if problem == "" && u.User != nil {
		problem = "has a user name"
	}
	if problem != "" {
		l.refuse("OTEL_EXPORTER_OTLP_ENDPOINT", problem)
	}
}

// checkOutbound holds the list to names that are compared whole: a port or a
// wildcard in it would match nothing, and be believed to.
func (l *loading) checkOutbound() {
	for _, item := range l.OutboundAllow {
		if p, err := netip.ParsePrefix(item); err == nil {
			if p.Bits() == 0 {
				l.refuse("OUTBOUND_ALLOW", shown(item)+" would let everybody in: name the networks")
			} else if p.Addr().Is4In6() {
				l.refuse("OUTBOUND_ALLOW", shown(item)+": write it as an IPv4 network")
			}
			continue
		}
		if a, err := netip.ParseAddr(item); err == nil && a.Zone() == "" && !a.Is4In6() {
			continue
		}
		if !hostName.MatchString(item) || strings.Trim(item, "0123456789.") == "" {
			l.refuse("OUTBOUND_ALLOW", shown(item)+" is neither a host name nor an address or network (CIDR); ports and wildcards do not belong there")
		}
	}
}
