package server

import (
	"context"
	"errors"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// jobList is every background job.
func (s *Server) jobList() []job {
	list := []job{
		{name: "audit-seal", every: time.Second, leased: true, lease: sealLease, run: s.sealAudit},
		{name: "sweep", every: time.Minute, leased: true, run: func(ctx context.Context) error { _, err := s.Sweep(ctx); return err }},
		{name: "audit-prune", every: time.Hour, leased: true, run: s.pruneAudit},
		{name: "key-rotation", every: time.Minute, leased: true, run: s.parts.Ring.Tick},
		{name: "usage-flush", every: time.Second, run: s.parts.Issuer.FlushUsage},
		{name: "trace-flush", every: time.Second, run: s.flushRefusals},
		{name: "logout-notices", every: time.Second, run: s.deliverNotices(s.logoutNotices())},
		{name: "backchannel-pings", every: time.Second, run: s.deliverNotices(s.pings())},
		{name: "unblock", every: 10 * time.Second, run: func(context.Context) error {
			s.limits.blocked.forget(s.limits.now())
			return nil
		}},
	}
	if s.certificate != nil {
		list = append(list, job{name: "certificate", every: 2 * time.Second, run: s.certificate.reload})
	}
	if s.authorities != nil {
		list = append(list, job{name: "client-authorities", every: 2 * time.Second, run: s.authorities.reload})
	}
	return list
}

// flushRefusals writes why requests were refused, and which handlers broke off.
func (s *Server) flushRefusals(ctx context.Context) error {
	return errors.Join(s.traces.flush(ctx), s.panics.flush(ctx))
}

// firstKeys publishes the key of ID tokens at the start and not at the first
// sign-in. It takes a moment, so nobody waits for it.
func firstKeys(ring *token.Ring) job {
	return job{name: "key-rotation", run: func(ctx context.Context) error { return ring.Prepare(ctx, keystone.RS256) }}
}

// sealAudit seals all that can be sealed: more than one batch after a burst.
func (s *Server) sealAudit(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.parts.Store.SealAudit(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// What is swept beside the tables of the store's own list.
const (
	sweptKeys          = "signing_keys"
	sweptRegistrations = "registrations"
	sweptAudit         = "audit"
)

// Sweep removes what is past its keeping and returns how many rows of which table.
// It runs every minute, on one node.
func (s *Server) Sweep(ctx context.Context) (map[string]int64, error) {
	removed, err := s.parts.Store.Sweep(ctx)
	if err == nil {
		removed[sweptKeys], err = s.parts.Store.SweepKeys(ctx, s.config.SessionMax)
	}
	if err == nil {
		removed[sweptRegistrations], err = s.parts.Store.SweepRegistrations(ctx, s.config.ClientRegistrationUnused)
	}
	for table, n := range removed {
		s.metrics.swept.WithLabelValues(table).Add(float64(n))
	}
	return removed, err
}

func (s *Server) pruneAudit(ctx context.Context) error {
	removed, err := s.parts.Store.PruneAudit(ctx, s.config.AuditRetention)
	s.metrics.swept.WithLabelValues(sweptAudit).Add(float64(removed))
	return err
}

// pending counts migrations that are not applied.
func pending(list []store.Migration) (n int) {
	for _, m := range list {
		if !m.Applied {
			n++
		}
	}
	return n
}
