// Package token owns private signing keys and every token that leaves Keystone.
//
// There is one door: Issuer.Issue. A grant type, the JSON sign-in API, a page:
// each only shows who asks, and the door checks user, client, grant type,
// scopes and audience, has the state written, and mints. There is one way in:
// Verifier.Inspect says of any access token what is true of it now.
//
// It must not know HTTP or passwords, and no key leaves it.
//
// Start reading at issue.go and inspect.go; ring.go is the life of the keys,
// jws.go the compact JWS (RFC 7515) on the hot path.
package token
