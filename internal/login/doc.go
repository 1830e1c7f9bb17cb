// Package login signs people in: it turns a proof of who somebody is into a
// session and its first tokens. This is the first-party JSON sign-in API.
//
// It never checks a password itself (package proof does, under its failure
// counters) and never decides whether a token may leave (token.Issuer does).
//
// Start reading at routes.go, then sign_in.go.
package login
