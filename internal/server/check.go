package server

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/fetch"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/web"
)

// ready is what follows from the settings, and the files that they name, alone.
type ready struct {
	pages        *web.Pages
	clients      oauth.TLSClients
	authorities  *authorities
	registration oauth.Registration
}

// Check says everything that a start would refuse before it opens the database. It
// makes nothing.
func Check(c *config.Config) error {
	_, err := check(c)
	return err
}

// check is what Check and New share: what is wrong with settings is found here.
func check(c *config.Config) (r ready, err error) {
	var problems []error
	note := func(err error) { problems = append(problems, err) }

	note(checkMasterKey(c))
	if c.TLS() {
		_, err := loadCertificate(c.TLSCertFile, c.TLSKeyFile, nil)
		note(err)
	}
	_, err = fetch.New(fetch.Options{Allow: c.OutboundAllow, CAFile: c.OutboundCAFile})
	note(err)
	_, err = Policy(c)
	note(err)
	_, err = DetailTypes(c)
	note(err)
	r.pages, err = Pages(c)
	note(err)
	r.clients, r.authorities, err = tlsClients(c)
	note(err)
	r.registration, err = registrationOf(c)
	note(err)
	return r, errors.Join(problems...)
}

// checkMasterKey is MasterKey, but makes none.
func checkMasterKey(c *config.Config) error {
	if begins, err := NewDatabase(c); err != nil || !begins || c.MasterKey.IsSet() {
		_, err := MasterKey(c)
		return err
	}
	_, err := secret.LoadOrCreateMasterKey(c.MasterKeyFile(), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first start makes it
	}
	return err
}

// Policy is the password policy of the settings.
func Policy(c *config.Config) (password.Policy, error) {
	rules := password.Overrides{
		AppName:      c.AppName,
		RequireUpper: c.PasswordRequireUppercase, RequireLower: c.PasswordRequireLowercase,
		RequireDigits: c.PasswordRequireDigits, RequireSpecial: c.PasswordRequireSpecial,
	}
	if c.PasswordMinLength != nil {
		rules.MinLength = *c.PasswordMinLength
	}
	p, err := password.NewPolicy(c.PasswordProfile, rules)
	if err != nil {
		return p, fmt.Errorf("server: password rules: %w", err)
	}
	return p, nil
}

// BootstrapAdmin is the first administrator that the settings name, with their
// password; without a name where they name none.
func BootstrapAdmin(c *config.Config) (u keystone.User, pass string, err error) {
	if c.BootstrapAdminUsername == "" {
		return u, "", nil
	}
	u = keystone.User{Username: c.BootstrapAdminUsername, Email: c.BootstrapAdminEmail, EmailVerified: true}
	if err := u.Validate(); err != nil {
		return u, "", fmt.Errorf("BOOTSTRAP_ADMIN_*: %w", err)
	}
	policy, err := Policy(c)
	if err != nil {
		return u, "", err
	}
	pass = c.BootstrapAdminPassword.Reveal()
	if err := policy.Check(pass, u); err != nil {
		return u, "", fmt.Errorf("BOOTSTRAP_ADMIN_PASSWORD: %w", err)
	}
	return u, pass, nil
}
