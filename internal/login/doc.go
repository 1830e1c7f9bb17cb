// Package login signs people in: it turns a proof of who somebody is into a
// session and its first tokens. It owns the JSON sign-in API and the sign-in
// pages: the dispatcher (flow.go), and those for consent, registration and devices.
//
// It never checks a password itself (package proof does, under its failure
// counters) and never decides whether a token may leave (token.Issuer does).
//
// Start reading at routes.go, then flow.go (browser) or sign_in.go (API).
package login
