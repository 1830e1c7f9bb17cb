// Package limits does the unavoidable part of each operation and nothing else:
// no check, no limit, no audit, no log. What it reaches is what the machine
// gives at this minute; Keystone's rows are read against it.
//
// It must stay simple enough to be believed, and must not import Keystone's
// rooms: a limit that shares code with what it measures moves with it. (The
// one exception is said where it stands: BareOwnHash.)
//
// Start reading at command.go: each limit runs as a process of its own, so that
// the operating system counts its processor time apart.
package limits
