package server

import (
	"maps"
	"sync"
	"time"
)

const (
	probesSeen   = 3 // "not ready" answers after which whoever asked believes it: the default of HAProxy and Kubernetes
	probedLately = 30 * time.Second
	probersMost  = 64 // sources that are told apart
)

// probers are who asks whether the node is ready, by their address. A load balancer
// has to have seen that it is not before the node stops to serve; /ready is open to
// everybody, so that what others have seen must not count for it, and who comes when
// draining has begun is not waited for.
type probers struct {
	mu     sync.Mutex
	known  map[string]prober
	closed bool // draining: nobody is added
}

type prober struct {
	last    time.Time
	refused int // answers "not ready"
}

// asked notes that source was answered.
func (p *probers) asked(source string, now time.Time, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, is := p.known[source]
	if !is && p.closed {
		return
	}
	if !is && len(p.known) >= probersMost {
		oldest := ""
		for s, other := range p.known {
			if oldest == "" || other.last.Before(p.known[oldest].last) {
				oldest = s
			}
		}
		delete(p.known, oldest)
	}
	if p.known == nil {
		p.known = map[string]prober{}
	}
	one.last = now
	if refused {
		one.refused++
	}
	p.known[source] = one
}

// drain begins: who asked lately has to be told.
func (p *probers) drain(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	maps.DeleteFunc(p.known, func(_ string, one prober) bool { return now.Sub(one.last) >= probedLately })
}

// waiting reports whether somebody does not know yet that the node leaves.
func (p *probers) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.known {
		if one.refused < probesSeen {
			return true
		}
	}
	return false
}
