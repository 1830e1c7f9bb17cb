// Package password owns everything that is done with a person's password:
// hashing it, verifying it, deciding when its hash must be made anew, and
// saying which passwords may be chosen.
//
// It must not store anything, count failures (package store does, before the
// hash is computed), or say whose password it is. It writes one hash format
// (argon2id, RFC 9106, as a PHC string) and reads the formats that people
// bring from elsewhere.
//
// Memory and processors are bounded by configuration, not by callers: at most
// Options.Slots hashes are computed at once, each on a thread that does nothing
// else and in the slot's own reused memory, at most Options.Queue callers wait,
// and whoever is beyond that, or waits too long, is told to come back.
//
// Where to start reading: hasher.go (Hash, Verify), then queue.go, phc.go and
// imported.go for what is read, argon2.go for how it is computed. What may be
// chosen is policy.go and common.go. The threads are package thread's.
package password
