// Package jose reads what clients and other servers sign: their public keys, and
// JWTs made with them (client assertions, request objects, tokens of other
// issuers). Keystone's own keys and tokens are package token's.
//
// It holds public keys and shared secrets only for the length of a call, and
// decides no protocol question: which algorithm, type and claims are right is the
// caller's to say. Keys that a token names or brings along (jwk, jku, x5u, x5c)
// are never looked at. Start reading at token.go, then keys.go.
package jose
