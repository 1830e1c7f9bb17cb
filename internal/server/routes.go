package server

import (
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone/internal/account"
	"github.com/keystone-auth/keystone/internal/admin"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/login"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/proof"
)

// routes joins the lists of all slices: this is every request that the public
// listener answers. `keystone routes` prints it.
func (s *Server) routes() []httpio.Route {
	p, c := s.parts, s.config
	pages, below := s.pages, s.pages.Below()
	s.problem = func(path string) httpio.Problem { // addresses on a page are relative to it
		if strings.Count(path, "/") > 1 {
			return below.Problem
		}
		return pages.Problem
	}
	cookies := httpio.NewCookies(https(c.Issuer), c.SessionIFrame)
	check := &proof.Checker{Store: p.Store, Hasher: p.Hasher, Brakes: proof.Brakes{Account: s.limits.Account, Guesses: s.limits.Guesses, Guessed: s.limits.Guessed}, Denied: s.denials.stranger}
	people := &account.Slice{
		Store: p.Store, Proof: check, Hasher: p.Hasher, Policy: p.Policy, Pages: pages, Issuer: c.Issuer,
		RegistrationOpen: c.Registration == "open", ConfirmLimit: s.limits.Confirm, RenameLimit: s.limits.Rename, Denied: s.denials.stranger,
	}
	slices := [][]httpio.Route{
		(&oauth.Slice{
			Registration: s.registration, Documents: s.documents(),
			Store: p.Store, Issuer: p.Issuer, Verifier: p.Verifier, Ring: p.Ring, Proofs: p.Proofs, Keys: oauth.NewKeySource(p.Fetch), TLS: s.tlsClients,
			Allow: s.limits.AllowClient, Failed: s.clientFailed, Start: s.limits.Start, Refreshes: s.limits.Refreshes, Named: s.limits.Named, Asked: s.limits.Asked, Poll: s.limits.Poll, Log: s.log,
			AppName: c.AppName, Pages: below, RootPages: pages, Cookies: cookies, RegistrationOpen: c.Registration == "open",
			SessionFrame: c.SessionIFrame,
		}).Routes(),
		(&login.Slice{
			Store: p.Store, Issuer: p.Issuer, Proof: check, Hasher: p.Hasher,
			Observe: s.metrics.signIn, Log: s.log, Start: s.limits.Start,
			Register: people.Register, RegistrationOpen: people.RegistrationOpen, PasswordRules: p.Policy.Describe(),
			Pages: pages, Cookies: cookies,
		}).Routes(),
		people.Routes(),
		(&admin.Slice{
			Store: p.Store, Ring: p.Ring, Proof: check, Hasher: p.Hasher, Policy: p.Policy, Issuer: c.Issuer,
			Settings: s.settings,
		}).Routes(),
		s.healthRoutes(c.MetricsPublic),
		{httpio.Plain(http.MethodGet, "/openapi.json", httpio.Public, httpio.LimitNone, "This API as an OpenAPI 3.1 document", s.docs.openAPI,
			httpio.DocAnswer[map[string]any](http.StatusOK, "The document."), httpio.DocCached())},
	}
	if c.Debug {
		slices = append(slices, s.docs.routes())
	}
	var list []httpio.Route
	for _, routes := range slices {
		list = append(list, routes...)
	}
	return list
}

// settings are those of this process as administrators may see them.
func (s *Server) settings() []admin.Setting {
	var list []admin.Setting
	for _, one := range s.config.Redacted() {
		list = append(list, admin.Setting(one))
	}
	return list
}
