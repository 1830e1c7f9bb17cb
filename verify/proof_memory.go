package verify

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mostProofs bounds what is remembered at a time. Only holders of good tokens get
// here, so that it is a bound of load and not of strangers.
const mostProofs = 200_000

var errManyProofs = errors.New("too many DPoP proofs at a time: set Config.FirstProof")

// proofMemory remembers the proofs that this process has seen, each for at least
// as long as it could be good: in two generations, the older one forgotten whole.
type proofMemory struct {
	now  func() time.Time
	life time.Duration

	mu            sync.Mutex
	turned        time.Time
	newer, former map[string]struct{}
}

func newProofMemory(now func() time.Time, life time.Duration) *proofMemory {
	return &proofMemory{now: now, life: life, newer: map[string]struct{}{}}
}

func (m *proofMemory) first(_ context.Context, key string, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if since := now.Sub(m.turned); since >= m.life {
		m.former = m.newer
		if since >= 2*m.life {
			m.former = nil
		}
		m.newer, m.turned = map[string]struct{}{}, now
	}
	_, seen := m.newer[key]
	_, before := m.former[key]
	if seen || before {
		return false, nil
	}
	if len(m.newer) >= mostProofs {
		return false, errManyProofs
	}
	m.newer[key] = struct{}{}
	return true, nil
}
