package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/fetch"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// Parts are what the slices and the command line work with: everything that
// follows from the settings alone.
type Parts struct {
	Config   *config.Config
	Master   secret.MasterKey
	Store    *store.Store
	Hasher   *password.Hasher
	Policy   password.Policy
	Ring     *token.Ring
	Issuer   *token.Issuer
	Verifier *token.Verifier
	Fetch    *fetch.Client
	Proofs   *token.Proofs
}

// Options are what the settings do not say.
type Options struct {
	Log     *slog.Logger     // nil: slog's default
	Now     func() time.Time // nil: time.Now
	Version string           // of the program, for metrics, traces and the API document
	// Hashing is what password hashes cost. It is for tests only, which start and
	// sign in faster; zero is what every real server has, password.DefaultParams,
	// and no setting reaches it.
	Hashing password.Params
	// Observe is told of every token and refusal, for metrics.
	Observe func(grantType, result string)
	// Outbound is told the result of every request to another server.
	Outbound func(result string)
	// OwnsProcess says that nothing else runs in this process: while it serves,
	// the server sets the pace of the garbage collector and the number of threads.
	OwnsProcess bool

	routes []httpio.Route // more routes, for tests of the wrapper
}

// Open builds the parts: it reads or makes the master key, opens the database
// and brings its schema up, and makes the first signing key. Everything that is
// wrong is said here, before anything listens.
func Open(ctx context.Context, c *config.Config, o Options) (*Parts, error) {
	master, err := MasterKey(c)
	if err != nil {
		return nil, err
	}
	p := &Parts{Config: c, Master: master}
	if p.Fetch, err = fetch.New(fetch.Options{Allow: c.OutboundAllow, CAFile: c.OutboundCAFile, Now: o.Now, Log: o.Log, Observe: o.Outbound}); err != nil {
		return nil, err
	}
	if p.Store, err = store.Open(ctx, c.DatabaseURL.Reveal(), store.Options{
		PoolSize: c.DatabasePoolSize + c.DatabaseMaxOverflow, Master: master, Now: o.Now, Idle: c.SessionIdle, Trace: c.OTLPEndpoint != "",
		Waiting: func() {
			if o.Log != nil {
				o.Log.InfoContext(ctx, "waiting for another node, which migrates the database")
			}
		},
	}); err != nil {
		return nil, err
	}
	if err := p.build(ctx, o); err != nil {
		p.Store.Close()
		return nil, err
	}
	return p, nil
}

func (p *Parts) build(ctx context.Context, o Options) (err error) {
	c := p.Config
	if _, err = p.Store.Migrate(ctx); err != nil {
		return err
	}
	steps, err := p.Store.Migrations(ctx)
	if err != nil {
		return err
	}
	if newer := store.NewerSchema(steps); newer != "" && o.Log != nil {
		o.Log.WarnContext(ctx, "newer schema", "warning", newer)
	}
	if p.Hasher, err = password.New(password.Options{Slots: c.HashSlots, Queue: c.HashQueue, Params: o.Hashing}); err != nil {
		return fmt.Errorf("server: password hashing: %w", err)
	}
	if p.Policy, err = Policy(c); err != nil {
		return err
	}
	if err = token.KeepMaster(ctx, p.Store, p.Master); err != nil {
		return err
	}
	if p.Ring, err = token.NewRing(ctx, token.RingOptions{
		Store: p.Store, Master: p.Master, Algorithm: c.JWTAlgorithm, HMACKey: []byte(c.JWTSecretKey.Reveal()),
		MaxAge: c.JWKSMaxAge, Rotate: c.KeyRotation,
	}); err != nil {
		return err
	}
	details, err := DetailTypes(c)
	if err != nil {
		return err
	}
	p.Issuer = token.NewIssuer(token.Options{
		Issuer: c.Issuer, AccessTTL: c.AccessTokenExpire, RefreshTTL: c.RefreshTokenExpire, Grace: c.RefreshGrace,
		MaxSession: c.SessionMax, DetailTypes: details,
	}, p.Store, p.Ring, p.Master, o.Observe)
	p.Proofs = token.NewProofs(p.Store, p.Master, c.DPoPNonce, c.Issuer, c.Aliases()...)
	p.Verifier = token.NewVerifier(p.Store, p.Ring, c.Issuer, p.Proofs)
	return nil
}

// Close ends the parts.
func (p *Parts) Close() { p.Store.Close() }
