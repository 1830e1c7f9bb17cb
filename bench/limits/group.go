package limits

import (
	"sync"
)

// group lets callers share a commit: each of its writers takes all that wait,
// writes it in one statement and tells every caller.
type group struct {
	queue   chan *entry
	running sync.WaitGroup
}

// entry is one caller's row: what it is found by, and what it becomes.
type entry struct {
	old, new []byte
	hit      bool
	err      error
	done     chan struct{}
}

const mostTogether = 128

func newGroup(writers int, write func(batch []*entry) error) *group {
	g := &group{queue: make(chan *entry, 4096)}
	for range writers {
		g.running.Go(func() {
			batch := make([]*entry, 0, mostTogether)
			for first := range g.queue {
				batch = g.gather(append(batch[:0], first))
				err := write(batch)
				for _, e := range batch {
					e.err = err
					close(e.done)
				}
			}
		})
	}
	return g
}

func (g *group) gather(batch []*entry) []*entry {
	for len(batch) < mostTogether {
		select {
		case e, open := <-g.queue:
			if !open {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// write waits until the row is durable and reports whether it was there.
func (g *group) write(old, new []byte) (bool, error) {
	e := &entry{old: old, new: new, done: make(chan struct{})}
	g.queue <- e
	<-e.done
	return e.hit, e.err
}

func (g *group) close() {
	close(g.queue)
	g.running.Wait()
}
