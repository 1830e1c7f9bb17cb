// Package keystone holds the nouns of Keystone and their rules: who is known,
// what they may do, and what went wrong when they may not.
//
// Keystone is one binary that signs people and services in and says what they
// may do. This package is the part of it that does no I/O: it imports the
// standard library and golang.org/x/text (for RFC 8265 names), defines no
// interface, and knows nothing of SQL, HTTP or keys. Everything here can be
// tested as a table.
//
// # The import rule
//
//	cmd -> server -> slice -> token -> store -> keystone
//
// A slice (oauth, login, account, admin) never imports another slice: slices
// meet through rows in the store. rooms_test.go enforces the rule, and that
// each power (SQL, Redis, private keys, the environment, error bodies) has one
// room.
//
// # The flows
//
// A service gets a token: server routes POST /oauth2/token to oauth, oauth
// authenticates the client (cached row), token.Issuer is the one door through
// which every token leaves.
//
// A person signs in in the browser: oauth checks the request and writes a [Flow],
// login's dispatcher asks Flow.Next for the next page, oauth asks it again at
// /oauth2/resume and issues the code.
//
// A person signs in over JSON: login checks the password under the failure counter,
// store writes session, refresh-token family and audit row in one transaction,
// the same door mints the tokens.
//
// An administrator changes something: server resolves the [Actor] and the
// route's scope, admin builds and validates the noun (an actor grants only
// what it holds), store writes the row and its audit row in one transaction.
// The command line enters at the last step with the operator as actor.
//
// # Where to start reading
//
// This file, internal/server/routes.go (every route there is), flow.go (what a
// sign-in asks for), then the noun you came for.
package keystone
