// Package proof checks passwords. Every path that asks for one (sign-in, change
// of password or address, deletion of an account) comes through here, so that
// guessing meets the same counters and the same answers wherever it is tried.
//
// It owns the names of the failure counters and decides what a refusal may
// tell: nothing. A wrong password, an unknown name, a disabled account and one
// without a password cost the same work and get the same answer.
//
// A link under which somebody chooses a new password is a proof, too: reset.go
// makes and uses them.
//
// It must not start sessions, issue tokens or know HTTP.
//
// Start reading at checker.go; counters.go says what is counted, and why some
// of it is not shown.
package proof
