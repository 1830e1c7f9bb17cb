package config

import (
	"encoding/base64"
	"fmt"
	"net/mail"
	"path/filepath"
	"strings"
)

// check fills in what depends on other settings and refuses what does not fit
// together. cpus is the number of CPUs the process may use.
func (l *loading) check(cpus int) {
	if !l.given("HASH_SLOTS") {
		l.HashSlots = cpus
	}
	if !l.given("HASH_QUEUE") {
		l.HashQueue = 64 * l.HashSlots
	}
	l.checkListeners()
	l.checkClientCertificates()
	l.checkStorage()
	l.checkTokens()
	l.checkAccounts()
	l.checkCORS()
	l.checkMail()
	l.checkEndpoint()
	l.checkOutbound()
	l.checkRegistration()
	if n := len([]rune(l.AppName)); n > 100 {
		l.refuse("APP_NAME", "is longer than 100 characters")
	}
	if l.Debug {
		l.warn("DEBUG is on: /docs, /redoc and profiles are served.")
	}
	if l.given("RATE_LIMIT_LOGIN") && l.RateLimitLogin.Count == 0 {
		l.warn("RATE_LIMIT_LOGIN is off: only the failure counter of each account slows guessing down.")
	}
}

func (l *loading) checkStorage() {
	if strings.TrimSpace(l.DataDir) != l.DataDir {
		l.refuse("DATA_DIR", "begins or ends with a space")
	}
	if !l.DatabaseURL.IsSet() && !l.bad["DATABASE_URL"] {
		l.DatabaseURL = NewSecret(filepath.Join(l.DataDir, "keystone.db"))
	}
	l.checkDatabaseURL()
	l.checkRedis()

	switch key := l.MasterKey.Reveal(); {
	case l.bad["MASTER_KEY"]:
	case key != "" && !isKey(key):
		l.refuse("MASTER_KEY", "is not 32 bytes in base64")
	case key != "" && isPattern(key):
		l.refuse("MASTER_KEY", "is a pattern, not a random value")
	case key == "" && l.Postgres():
		l.refuse("MASTER_KEY", "is required with PostgreSQL, the same for every node: signing keys in the database are sealed under it")
	}
}

// isKey reports whether s is 32 bytes in base64, in either alphabet. Whether
// they are random enough is package secret's to say.
func isKey(s string) bool {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(s)
	return err == nil && len(b) == 32
}

// isExample reports secrets that were copied from instructions. It is a net for
// accidents, not a measure of strength.
func isExample(s string) bool {
	lower := strings.ToLower(s)
	switch lower {
	case "password", "secret", "admin", "administrator", "keystone", "redis", "postgres", "root", "test":
		return true
	}
	for _, word := range []string{
		"changeme", "change-me", "change_me", "changethis", "change-this", "change_this", "changeit", "your-secret", "your_secret", "yoursecret",
		"secret-key", "secret_key", "supersecret", "super-secret", "super_secret", "example", "placeholder", "insecure", "$(openssl",
	} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// isPattern reports keys made of very few characters.
func isPattern(s string) bool {
	seen := map[rune]bool{}
	for _, c := range s {
		seen[c] = true
	}
	return len(seen) < 10
}

func (l *loading) checkTokens() {
	if l.SessionIdle > l.SessionMax && !l.bad["SESSION_IDLE_MINUTES"] && !l.bad["SESSION_MAX_HOURS"] {
		l.refuse("SESSION_IDLE_MINUTES", "is longer than SESSION_MAX_HOURS allows")
	}
	if l.JWKSMaxAge > l.KeyRotation/2 && !l.bad["JWKS_MAX_AGE_SECONDS"] && !l.bad["KEY_ROTATION_DAYS"] {
		l.refuse("JWKS_MAX_AGE_SECONDS", "is longer than half of KEY_ROTATION_DAYS: verifiers would miss keys")
	}
	switch key := l.JWTSecretKey.Reveal(); {
	case l.bad["JWT_ALGORITHM"] || l.bad["JWT_SECRET_KEY"]:
	case l.JWTAlgorithm != "HS256" && key != "":
		l.warn("JWT_SECRET_KEY is set but not used: JWT_ALGORITHM is " + l.JWTAlgorithm + ".")
	case l.JWTAlgorithm != "HS256":
	case key == "":
		l.refuse("JWT_SECRET_KEY", "is required with JWT_ALGORITHM=HS256")
	case len(key) < 32:
		l.refuse("JWT_SECRET_KEY", fmt.Sprintf("is %d bytes long; HS256 needs 32 or more", len(key)))
	case isExample(key) || isPattern(key):
		l.refuse("JWT_SECRET_KEY", "is an example or a pattern, not a random value")
	}
}

func (l *loading) checkAccounts() {
	if l.Registration == "verify" || l.Registration == "invite" {
		l.refuse("REGISTRATION", l.Registration+" needs mail, which this release does not send: choose open or closed")
	}

	admin := map[string]bool{
		"BOOTSTRAP_ADMIN_USERNAME": l.BootstrapAdminUsername != "",
		"BOOTSTRAP_ADMIN_EMAIL":    l.BootstrapAdminEmail != "",
		"BOOTSTRAP_ADMIN_PASSWORD": l.BootstrapAdminPassword.IsSet(),
	}
	given := 0
	for name, ok := range admin {
		if ok || l.bad[name] {
			given++
		}
	}
	if given > 0 && given < len(admin) {
		for _, name := range sortedNames(admin) {
			if !admin[name] && !l.bad[name] {
				l.refuse(name, "is missing: the three BOOTSTRAP_ADMIN_ settings belong together")
			}
		}
	}
	if a := l.BootstrapAdminEmail; a != "" && !isAddress(a) {
		l.refuse("BOOTSTRAP_ADMIN_EMAIL", "is not an e-mail address")
	}
	if p := l.BootstrapAdminPassword.Reveal(); p != "" && isExample(p) {
		l.refuse("BOOTSTRAP_ADMIN_PASSWORD", "is an example that everybody tries first")
	}
}

func (l *loading) checkMail() {
	if l.given("SMTP_URL") {
		if u, err := parseURL(l.SMTPURL.Reveal(), "smtp", "smtps"); err != "" {
			l.refuse("SMTP_URL", err)
		} else if u.Path != "" && u.Path != "/" {
			l.refuse("SMTP_URL", "has a path")
		} else {
			l.warn("SMTP_URL is set, but this release sends no mail.")
		}
	}
	if l.given("MAIL_FROM") {
		if _, err := mail.ParseAddress(l.MailFrom); err != nil {
			l.refuse("MAIL_FROM", "is not an e-mail address, with or without a name before it")
		}
	}
}

// isAddress reports whether s is a bare e-mail address.
func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}
