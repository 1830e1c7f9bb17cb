package server

// spareThreads is how many more threads than processors run goroutines while the
// process is busy. Where PostgreSQL, a proxy or a client share the machine, the
// kernel takes a thread off its processor in the middle of its work, and what waits
// in its queue waits for milliseconds, beside an idle processor as often as not. A
// spare thread takes it over.
const spareThreads = 2

// spare sets GOMAXPROCS to the machine's processors and the spare threads. Where an
// operator or a container's limit has set something else than all processors, that
// stays: more threads than a limit has processors use it up early in each of its
// periods, and then all stand still.
//
// HASH_SLOTS and the signers of RSA count processors at the start, when there is
// nothing spare.
type spare struct {
	processors int           // 0: there is nothing spare
	set        func(int) int // runtime.GOMAXPROCS
	reset      func()        // runtime.SetDefaultGOMAXPROCS: what Go chooses, which follows a container's limit
	used       bool
}

// newSpare sees whether Go has chosen how many threads there are.
func newSpare(processors int, set func(int) int, reset func()) spare {
	s := spare{processors: processors, set: set, reset: reset}
	now := set(0)
	reset()
	if set(0) != now { // an operator has, in the environment
		set(now)
		s.processors = 0
	}
	return s
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
