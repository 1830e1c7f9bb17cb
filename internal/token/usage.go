package token

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
)

// usage counts tokens between two flushes.
type usage struct {
	mu     sync.Mutex
	counts map[[2]string]*store.Usage
}

func (u *usage) add(client, grantType string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := [2]string{client, grantType}
	c := u.counts[key]
	if c == nil {
		if u.counts == nil {
			u.counts = map[[2]string]*store.Usage{}
		}
		c = &store.Usage{ClientID: client, GrantType: grantType}
		u.counts[key] = c
	}
	c.Tokens++
	c.LastAt = now
}

// FlushUsage writes what was counted since the last flush. Call it every second
// and at the end; what cannot be written is kept for the next time.
func (i *Issuer) FlushUsage(ctx context.Context) error {
	i.usage.mu.Lock()
	counts := i.usage.counts
	i.usage.counts = nil
	i.usage.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	list := make([]store.Usage, 0, len(counts))
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b store.Usage) int { // one order on all nodes: no deadlocks
		if a.ClientID != b.ClientID {
			return strings.Compare(a.ClientID, b.ClientID)
		}
		return strings.Compare(a.GrantType, b.GrantType)
	})
	err := i.store.AddUsage(ctx, list)
	if err != nil {
		i.usage.restore(counts)
	}
	return err
}

func (u *usage) restore(counts map[[2]string]*store.Usage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, c := range counts {
		if now := u.counts[key]; now != nil {
			now.Tokens += c.Tokens
			continue
		}
		if u.counts == nil {
			u.counts = map[[2]string]*store.Usage{}
		}
		u.counts[key] = c
	}
}
