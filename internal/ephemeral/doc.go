// Package ephemeral owns state that may be lost at any moment: the counters of
// rate limits, in memory and, where several nodes share them, in Redis or
// Valkey.
//
// Nothing else may come to rely on what is here. Sessions, codes, families and
// lockouts are rows in the store; losing everything in this package makes
// limits start anew and weakens nothing. It knows no clients, users or routes:
// callers hand it keys and rates.
//
// Losing Redis never means no limit: every counter is kept in memory as well,
// so a node goes on with what it has counted itself.
//
// Start reading at limiter.go, then rate.go.
package ephemeral
