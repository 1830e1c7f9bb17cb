package server

import (
	"context"
	"runtime"
	"runtime/debug"
	gauges "runtime/metrics"
	"sync"
	"time"

	"github.com/keystone-auth/keystone/internal/thread"
)

// pace sets how often the garbage collector runs, and how many threads run Go. Go lets
// a heap grow by its own size before it collects, which for the few megabytes that
// Keystone keeps alive means dozens of collections a second under load. While the
// process is busy the heap may grow by at least paceRoom, and spare threads are
// used; while it is idle the collector keeps its own pace, and memory goes back to
// the system.
//
// It is one for the whole process, so only a server that owns its process has
// one (Options.OwnsProcess). An operator's GOGC stays as it is; a GOMEMLIMIT
// bounds the heap all the same.
type pace struct {
	percent func(int) int // debug.SetGCPercent
	free    func()        // debug.FreeOSMemory
	now     func() time.Time
	tidy    func() // the caches, which give up what is too old only as something comes
	spare   spare

	ours bool // no operator has set GOGC

	mu        sync.Mutex
	over      bool
	busy      bool
	resting   bool      // the collections of these moments are no load
	set       int       // the percentage in force
	collected time.Time // end of the last collection
	rested    time.Time // end of the last rest, whose own collections are no load
	last      heap      // at the last tick
	calm      int       // ticks in a row in which next to nothing was allocated or computed
	ticks     int
}

const (
	paceRoom = 18 << 20 // the least that a busy heap grows by; memory stays within base + slots × 19 MiB + 48 MiB
	paceTick = time.Second
	calmRate = 1 << 20          // bytes a tick: less is idle
	busyWork = paceTick * 3 / 4 // of hashes and RSA signatures in a tick: they hold threads, and allocate next to nothing
	calmWork = busyWork / 3
	calmFor  = 5   // ticks until an idle process gives memory back
	goPace   = 100 // Go's own percentage

	startTicks = 2 // ticks until the start is over, with the jobs that run once

	limitTicks = 60 // ticks until a limit that has changed under load is seen, caches are tidied, and an idle process gives back what its jobs have taken

	// startPace holds for the first moments: a start allocates a few megabytes once, and most of
	// what the collector would look at stays.
	startPace = 200
)

// newPace also turns off the sampling of allocations, where nobody can ask for the
// profile: it costs time, memory, and the pages of the program that do it.
func newPace(profiles bool) *pace {
	if !profiles {
		runtime.MemProfileRate = 0
	}
	p := &pace{percent: debug.SetGCPercent, free: debug.FreeOSMemory, now: time.Now, tidy: func() {}, set: goPace,
		spare: newSpare(runtime.NumCPU(), runtime.GOMAXPROCS, runtime.SetDefaultGOMAXPROCS)}
	if p.ours = readHeap().percent == goPace; p.ours {
		p.to(startPace)
	}
	return p
}

// run sets the pace until ctx ends, and calls tidy now and then.
func (p *pace) run(ctx context.Context, tidy func()) {
	p.tidy = tidy
	p.watch()
	tick := time.NewTicker(paceTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.end()
			return
		case <-tick.C:
			p.tick(readHeap())
		}
	}
}

// end gives Go its pace back.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.to(goPace)
	p.spare.leave()
}

// watch calls collection after the next run of the collector, and so on.
func (p *pace) watch() {
	type mark struct{ _ *mark } // with a pointer, so that it is an object of its own
	runtime.AddCleanup(new(mark), func(p *pace) {
		if p.collection(readHeap()) {
			p.watch()
		}
	}, p)
}

// collection sees whether the process is busy: then it sets the percentage that
// leaves room for paceRoom above what has just been found alive, and uses the spare
// threads. It reports whether to go on.
func (p *pace) collection(h heap) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !p.resting && now.Sub(p.collected) < paceTick && now.Sub(p.rested) >= paceTick {
		p.busy, p.calm = true, 0
	}
	p.collected = now
	if p.over {
		return false
	}
	if p.busy {
		p.hurry(h)
	}
	return true
}

// hurry sets what holds while the process is busy.
func (p *pace) hurry(h heap) {
	p.to(h.room(paceRoom))
	p.spare.use()
}

// tick sees whether the process has come to rest, or is busy and collects less than
// once a second for all that, because much is alive, or because it computes.
func (p *pace) tick(h heap) {
	p.mu.Lock()
	rate, work := h.allocated-p.last.allocated, h.worked-p.last.worked
	p.last = h
	if rate > calmRate || work > calmWork {
		p.calm = 0
	} else {
		p.calm++
	}
	p.ticks++
	minute := p.ticks%limitTicks == 0
	if minute {
		p.spare.leave() // for a moment: Go looks what the limit is now
	}
	loaded := rate > paceRoom || work > busyWork
	if loaded {
		p.busy = true
		p.hurry(h)
	}
	resting := p.calm >= calmFor && (p.busy || minute) || p.ticks == startTicks && !loaded
	p.mu.Unlock()
	switch {
	case resting:
		p.rest()
	case minute:
		p.tidy()
	}
}

// rest returns to Go's own pace and threads, and gives memory back to the system.
// Pools keep what they hold over one collection, so it takes two.
func (p *pace) rest() {
	p.mu.Lock()
	p.busy, p.calm, p.resting = false, 0, true
	p.to(goPace)
	p.spare.leave()
	p.mu.Unlock()
	p.tidy()
	if p.ours {
		runtime.GC()
		p.free()
	}
	p.mu.Lock()
	p.resting, p.rested = false, p.now()
	p.mu.Unlock()
}

// to sets the percentage, which stops the world for some microseconds, unless it
// is nearly the same.
func (p *pace) to(percent int) {
	if !p.ours || percent == p.set || percent != goPace && percent*10 > p.set*9 && percent*10 < p.set*11 {
		return
	}
	p.set = percent
	p.percent(percent)
}

// heap is what the runtime says of itself.
type heap struct {
	live, roots, allocated uint64        // bytes
	percent                uint64        // GOGC
	worked                 time.Duration // by threads of their own, since the start
}

// room is the percentage with which the heap grows by at least least bytes.
func (h heap) room(least uint64) int {
	scanned := h.live + h.roots // what the collector takes the percentage of
	if scanned == 0 || scanned >= least {
		return goPace
	}
	return int(goPace * least / scanned) // at most 100 × paceRoom
}

func readHeap() heap {
	s := [...]gauges.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/gogc:percent"},
	}
	gauges.Read(s[:])
	return heap{
		live: s[0].Value.Uint64(), roots: s[1].Value.Uint64() + s[2].Value.Uint64(),
		allocated: s[3].Value.Uint64(), percent: s[4].Value.Uint64(), worked: thread.Worked(),
	}
}
