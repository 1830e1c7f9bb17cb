// Package fetch is the only way out: every request that Keystone makes because a
// client or another server said where to, goes through one guarded client.
//
// It speaks https only, reaches no address that is not public unless the operator
// listed it, follows no redirect, asks no proxy, keeps no cookie, and is bounded
// in time, size, number and memory. The address is checked when the connection is
// made, after the name was resolved: a name that changes its mind gains nothing.
// Whoever asks learns one thing of a failure, that it failed (no oracle for what
// answers where); the operator's log says why.
//
// It knows no business: what a document means is its reader's to say. Start
// reading at client.go, then address.go.
package fetch
