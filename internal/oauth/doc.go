// Package oauth is the protocol: the token endpoint and its grants, revocation,
// introspection, keys and metadata, and the JSON faces of the same operations.
//
// It authenticates clients and reads protocol parameters. It never decides
// whether a token may leave: that is token.Issuer. It must not check passwords.
//
// Start reading at routes.go, then client_auth.go. A grant type is one file
// grant_*.go and one line in grants.
package oauth
