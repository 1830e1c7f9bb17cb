package server

import (
	"net/http"

	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/login"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/proof"
)

// routes joins the lists of all slices: this is every request that the public
// listener answers. `keystone routes` prints it.
func (s *Server) routes() []httpio.Route {
	p := s.parts
	check := &proof.Checker{Store: p.Store, Hasher: p.Hasher}
	var list []httpio.Route
	list = append(list, (&oauth.Slice{
		Store: p.Store, Issuer: p.Issuer, Verifier: p.Verifier, Ring: p.Ring,
		Allow: s.limits.AllowClient, Failed: s.limits.ClientFailed,
	}).Routes()...)
	list = append(list, (&login.Slice{
		Store: p.Store, Issuer: p.Issuer, Proof: check, Hasher: p.Hasher,
		Allow: s.limits.Account, Observe: s.metrics.signIn,
	}).Routes()...)
	list = append(list, s.healthRoutes(s.config.MetricsPublic)...)
	list = append(list, httpio.Plain(http.MethodGet, "/openapi.json", httpio.Public, httpio.LimitNone, "This API as an OpenAPI 3.1 document", s.docs.openAPI,
		httpio.DocContent(http.StatusOK, "application/json", "The document.")))
	if s.config.Debug {
		list = append(list, s.docs.routes()...)
	}
	return list
}
