package store

import (
	"context"
	"time"
)

// Lease takes or renews the named lease for holder until now+ttl, and reports
// whether holder has it. A lease is a row, so it works on every database and
// ends by itself when its holder dies.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	now := s.now()
	n, err := s.q.exec(ctx, `INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= $4`, name, holder, micros(now.Add(ttl)), micros(now))
	return n == 1, s.fail("take lease", err)
}

// keepLease renews a lease each second until done, for work of which nobody knows how
// long it takes, and calls lost where somebody else has come to hold it. A renewal that
// fails is tried again. None is still on its way when keepLease has returned.
func (s *Store) keepLease(ctx context.Context, done <-chan struct{}, name, holder string, ttl time.Duration, lost func()) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-done:
			return
		}
		renewing, cancel := context.WithTimeout(ctx, 10*time.Second)
		held, err := s.Lease(renewing, name, holder, ttl)
		cancel()
		if err == nil && !held {
			lost()
			return
		}
	}
}

// EndLease gives the lease up, where holder has it.
func (s *Store) EndLease(ctx context.Context, name, holder string) error {
	_, err := s.q.exec(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder)
	return s.fail("end lease", err)
}
