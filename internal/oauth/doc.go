// Package oauth is the protocol: authorization, the token endpoint and its grants,
// PAR, device, CIBA, userinfo, registration, introspection, revocation, logout,
// keys and metadata; the pages /requests and /account/apps; and JSON faces of
// some of these.
//
// It authenticates clients and reads protocol parameters. It never decides
// whether a token may leave: that is token.Issuer. It must not check passwords.
//
// Start reading at routes.go, then authorize.go for the browser, or client_auth.go
// and token.go for grants. A grant type is one file grant_*.go and one line in
// grants.
package oauth
