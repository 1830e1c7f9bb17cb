package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/ephemeral"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/token"
	"github.com/keystone-auth/keystone/web"
)

// Server is one node. Make it with New; it serves through Handler at once and
// through its listeners in Serve.
type Server struct {
	config       *config.Config
	parts        *Parts
	log          *slog.Logger
	metrics      *metrics
	counter      *ephemeral.Limiter
	limits       *Limits
	sources      sources
	clientCerts  clientCertificates
	headers      securityHeaders
	challenges   *httpio.Challenges
	cors         *cors
	crossOrigin  *http.CrossOriginProtection // for what scripts of listed origins may call
	ownOrigin    *http.CrossOriginProtection // for the rest: pages
	pages        *web.Pages
	tlsClients   oauth.TLSClients
	registration oauth.Registration
	problem      func(path string) httpio.Problem // error pages, by where they stand
	authenticate func(context.Context, token.Presented) (keystone.Actor, error)
	denials      denials
	traces       traces
	panics       panics
	health       *health
	docs         *docs
	tracer       tracer
	certificate  *certificate // nil: no TLS here
	authorities  *authorities // of clients' certificates; nil: none
	api          *httpio.API
	mux          *http.ServeMux
	exact        exact
	list         []httpio.Route
	bounds       bounds
	pace         *pace  // nil: the process is not ours
	node         string // this process, in leases
}

// New builds everything once: it opens the database, brings its schema up, and
// joins the routes. Nothing listens yet. Close the server in the end.
func New(ctx context.Context, c *config.Config, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		config: c, log: o.Log, mux: http.NewServeMux(), exact: exact{}, node: keystone.NewID(o.Now()), bounds: usualBounds,
		metrics:    newMetrics(o.Version),
		sources:    sources{c.TrustedProxies},
		headers:    newSecurityHeaders(https(c.Issuer)),
		cors:       newCORS(c.AllowedOrigins, c.AllowedMethods, c.AllowedHeaders),
		challenges: httpio.NewChallenges(c.Issuer + oauth.ResourceMetadataPath),
		api:        httpio.NewAPI(c.AppName, o.Version),
	}
	s.clientCerts = newClientCertificates(c, s.sources)
	if o.OwnsProcess {
		s.pace = newPace(s.config.Debug)
	}
	observe := o.Observe
	o.Observe = func(grantType, result string) {
		s.metrics.token(grantType, result)
		if observe != nil {
			observe(grantType, result)
		}
	}
	outbound := o.Outbound
	o.Outbound = func(result string) {
		s.metrics.outbound.WithLabelValues(result).Inc()
		if outbound != nil {
			outbound(result)
		}
	}
	r, err := check(c)
	if err != nil {
		return nil, err
	}
	s.pages, s.tlsClients, s.authorities, s.registration = r.pages, r.clients, r.authorities, r.registration
	if s.authorities != nil {
		s.authorities.log = o.Log
	}
	if s.tracer, err = newTracer(ctx, c.OTLPEndpoint, c.AppName, o.Version, o.Log); err != nil {
		return nil, err
	}
	if s.ownOrigin, err = crossOrigin(keystone.Origin(c.Issuer)); err != nil {
		return nil, err
	}
	if s.crossOrigin, err = crossOrigin(append([]string{keystone.Origin(c.Issuer)}, c.AllowedOrigins...)...); err != nil {
		return nil, err
	}
	if c.TLS() {
		if s.certificate, err = loadCertificate(c.TLSCertFile, c.TLSKeyFile, o.Log); err != nil {
			return nil, err
		}
	}
	if s.parts, err = Open(ctx, c, o); err != nil {
		return nil, err
	}
	if err := s.build(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) build(ctx context.Context, o Options) (err error) {
	s.authenticate = s.parts.Verifier.AuthenticatePresented
	s.cors.isSPA = s.parts.Store.IsSPAOrigin
	s.metrics.watch(s.parts.Store, s.parts.Hasher.Stats)
	if s.counter, err = ephemeral.Open(ephemeral.Options{
		RedisURL: s.config.RedisURL.Reveal(), RedisPassword: s.config.RedisPassword.Reveal(), Now: o.Now, Log: s.log,
	}); err != nil {
		return err
	}
	s.limits = newLimits(s.config, s.counter, s.metrics, o.Now)
	s.denials = denials{record: s.parts.Store.Record, count: s.metrics.denials, log: s.log, now: o.Now}
	s.panics = panics{record: s.parts.Store.Record, now: o.Now}
	s.traces = traces{write: s.parts.Store.AddTraces, now: o.Now, dropped: func(n int) { s.metrics.untraced.Add(float64(n)) }}
	s.health = &health{now: o.Now, ping: s.parts.Store.Ping, migrations: func(ctx context.Context) (int, error) {
		list, err := s.parts.Store.Migrations(ctx)
		return pending(list), err
	}}
	if s.docs, err = newDocs(); err != nil {
		return err
	}
	s.list = append(s.routes(), o.routes...)
	if err := s.mount(s.list); err != nil {
		return err
	}
	s.docs.describe(s.api, s.config.Issuer)
	s.metrics.jobsOf(s.jobList())
	s.metrics.registry.MustRegister(nodeCollector{s})
	return nil
}

// crossOrigin refuses what pages of other origins send with a browser's help
// (Sec-Fetch-Site, Origin); these may.
func crossOrigin(origins ...string) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Handler answers the requests of the public listener.
func (s *Server) Handler() http.Handler { return s }

// Management answers the requests of the management listener.
func (s *Server) Management() http.Handler { return s.management() }

// Routes lists every route of the public listener.
func (s *Server) Routes() []httpio.Route { return s.list }

// OpenAPI returns the OpenAPI document.
func (s *Server) OpenAPI() ([]byte, error) {
	document, err := s.docs.document()
	return document.body, err
}

// Parts returns what the slices work with.
func (s *Server) Parts() *Parts { return s.parts }

// Close ends everything that Serve has not ended.
func (s *Server) Close() {
	if s.counter != nil {
		s.counter.Close()
	}
	s.parts.Close()
}
