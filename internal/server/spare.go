package server

import "runtime"

// spareThreads is how many more threads than processors run goroutines while the
// process is busy. Where PostgreSQL, a proxy or a client share the machine, the
// kernel takes a thread off its processor in the middle of its work, and what waits
// in its queue waits for milliseconds, beside an idle processor as often as not. A
// spare thread takes it over.
const spareThreads = 2

// spare sets GOMAXPROCS to the machine's processors and the spare threads. What an
// operator or a container's limit has set lower stays: more threads than a limit
// has processors use it up early in each of its periods, and then all stand still.
//
// HASH_SLOTS and the signers of RSA count processors at the start, when there is
// nothing spare.
type spare struct {
	processors int
	set        func(int) int // runtime.GOMAXPROCS
	reset      func()        // runtime.SetDefaultGOMAXPROCS: Go follows a container's limit again
	used       bool
}

func newSpare() spare {
	return spare{processors: runtime.NumCPU(), set: runtime.GOMAXPROCS, reset: runtime.SetDefaultGOMAXPROCS}
}

func (s *spare) use() {
	if !s.used && s.set(0) == s.processors {
		s.used = true
		s.set(s.processors + spareThreads)
	}
}

func (s *spare) leave() {
	if s.used {
		s.used = false
		s.reset()
	}
}
