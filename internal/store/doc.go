// Package store owns every table: all SQL of Keystone stands here, next to the
// method that uses it, one file a noun.
//
// It keeps the promises of the database side: one SQL text for SQLite and
// PostgreSQL; a single-use item is consumed by one statement; a write takes
// the acting keystone.Actor and puts its audit row into the same transaction;
// nobody grants, or changes somebody who holds, what they do not hold; reads
// on hot paths come from a cache that is never older than a second.
//
// It must not decide protocol questions, hash passwords or know HTTP.
//
// Start reading at store.go (Open, InTx), then the file of the noun you came
// for; dialect.go is the contract that both databases meet (sqlite.go and
// postgres*.go are all that knows which one it is), group.go the writer that
// lets concurrent requests share one commit.
package store
